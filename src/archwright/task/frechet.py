"""How like real images made ones are: distance, precision and recall, in the space of a classifier's features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from archwright.task.features import FEATURES, Features
from archwright.task.metrics import Metric

__all__ = ["frechet", "generation_metrics", "within"]

NEAREST = 3
"""k of Kynkäänmaa et al. (2019)."""


def frechet(mean_a: Tensor, cov_a: Tensor, mean_b: Tensor, cov_b: Tensor) -> float:
    """The Fréchet distance of two Gaussians, squared: ``|m - n|^2 + tr(C + D - 2 (C D)^(1/2))``.

    Dowson & Landau, *The Fréchet distance between multivariate normal distributions*, 1982; Heusel et al., *GANs
    Trained by a Two Time-Scale Update Rule*, NIPS 2017, equation 6. The root's trace is that of ``(C^(1/2) D
    C^(1/2))^(1/2)``, which is symmetric, by eigenvalues.
    """
    values, vectors = torch.linalg.eigh(cov_a)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    between = torch.linalg.eigvalsh(root @ cov_b @ root).clamp_min(0).sqrt().sum()
    apart = (mean_a - mean_b).square().sum()
    return max(0.0, float(apart + cov_a.trace() + cov_b.trace() - 2 * between))


def within(these: Tensor, those: Tensor, nearest: int = NEAREST) -> Tensor:
    """Whether each of `these` lies in a ball around one of `those`, whose radius reaches that one's k-th neighbour.

    Kynkäänmaa et al., *Improved Precision and Recall Metric for Assessing Generative Models*, NeurIPS 2019, equation 1.
    Shapes: (n, f) and (m, f) to (n,) bool.
    """
    k = min(nearest, len(those) - 1)
    radius = torch.cat([torch.cdist(part, those).kthvalue(k + 1, 1).values for part in those.split(512)])
    return torch.cat([(torch.cdist(part, those) <= radius).any(1) for part in these.split(512)])


@dataclass(frozen=True)
class _Moments:
    """Of each sample the features, and their products, made and real: (n, 2, F + F F)."""

    features: Features

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        both = torch.stack([_seen(self.features, x).double() for x in (output, target)], 1)
        return torch.cat([both, (both.unsqueeze(3) * both.unsqueeze(2)).flatten(2)], 2)


def _distance_of(mean: Tensor) -> float:
    mu, second = mean[:, :FEATURES], mean[:, FEATURES:].reshape(2, FEATURES, FEATURES)
    cov = second - mu.unsqueeze(2) * mu.unsqueeze(1)
    return frechet(mu[0], cov[0], mu[1], cov[1])


@dataclass(frozen=True)
class _Precision:
    features: Features

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return within(_seen(self.features, output), self.features(target)).double()


@dataclass(frozen=True)
class _Recall:
    features: Features

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return within(self.features(target), _seen(self.features, output)).double()


def _seen(features: Features, images: Tensor) -> Tensor:
    """Features; what are such already, (n, FEATURES), as they are."""
    return images if images.ndim == 2 else features(images)


def generation_metrics(features: Features) -> dict[str, Metric]:
    """The metrics of made images: outputs are images or their features, targets as many real images.

    Covariances divide by the number of images. Intervals of precision and recall take the other side as it is.
    """
    made = (
        Metric.of_mean("frechet", "minimize", _Moments(features), _distance_of),
        Metric.of_mean("precision", "maximize", _Precision(features)),
        Metric.of_mean("recall", "maximize", _Recall(features)),
    )
    return {metric.name: metric for metric in made}
