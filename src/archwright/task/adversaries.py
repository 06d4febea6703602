"""What a generator and a discriminator play for: the losses of either, from scores of real and of made images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["discriminator_loss", "generator_loss", "gradient_penalty"]


def discriminator_loss(game: str, real: Tensor, made: Tensor) -> Tensor:
    """What the discriminator descends.

    Args:
        game: ``hinge`` (Lim & Ye, 2017), ``non-saturating`` (Goodfellow et al., NIPS 2014), ``least-squares`` (Mao et
            al., ICCV 2017, with a = 0 and b = c = 1) or ``wasserstein`` (Arjovsky et al., ICML 2017).
        real: Scores of real images, (n, 1).
        made: Of made ones.
    """
    if game == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + made).mean()
    if game == "non-saturating":
        return F.softplus(-real).mean() + F.softplus(made).mean()
    if game == "least-squares":
        return ((real - 1).square().mean() + made.square().mean()) / 2
    return made.mean() - real.mean()


def generator_loss(game: str, made: Tensor) -> Tensor:
    """What the generator descends; see `discriminator_loss`."""
    if game == "non-saturating":
        return F.softplus(-made).mean()
    if game == "least-squares":
        return (made - 1).square().mean() / 2
    return -made.mean()


def gradient_penalty(discriminator: nn.Module, images: Tensor) -> Tensor:
    """Half the mean squared gradient of the scores at images (R1: Mescheder et al., ICML 2018, equation 9)."""
    images = images.detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(discriminator(images).sum(), images, create_graph=True)
    return slope.square().flatten(1).sum(1).mean() / 2
