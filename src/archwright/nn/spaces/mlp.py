"""Perceptrons for vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archwright import nn
from archwright.nn.spaces.stages import check_shape, named, perhaps, usually
from archwright.space import Space, choice, repeat

__all__ = ["mlp"]

LAYER_WIDTHS = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)


def mlp(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    widths: Sequence[int] = LAYER_WIDTHS,
    depth: int = 3,
    head: Any = nn.Classifier,
) -> Space:
    """Linear layers for vectors; images and sequences are flattened first.

    No hidden layer at all is a point of it (linear or logistic regression), and so are residual perceptrons
    (Gorishniy et al., *Revisiting Deep Learning Models for Tabular Data*, NeurIPS 2021, https://arxiv.org/abs/2106.11959).

    Args:
        input_shape: Shape of one input, without the batch.
        n_outputs: Classes, or values with ``head=nn.Regressor``.
        widths: Of the hidden layers.
        depth: Most hidden layers; up to two residual ones may follow.
        head: `archwright.nn.Classifier` or `archwright.nn.Regressor`.
    """
    shape = check_shape("mlp", input_shape, (1, 2, 3))
    settings: dict[str, Any] = {
        "activation": choice("relu", "silu", "gelu", "tanh", name="activation", tied=True),
        "norm": choice("none", "batch", "layer", name="norm", tied=True, default="batch"),
        "dropout": choice(0.0, 0.1, 0.25, name="dropout", tied=True, default=0.1),
    }
    layer = nn.LinearBlock(usually(64, widths), **settings)
    hidden = perhaps(layer, depth, "hidden")
    residual = repeat(nn.Residual(nn.LinearBlock(None, **settings), project=False), (0, 2), name="depth", default=1)
    flatten = [] if len(shape) == 1 else [nn.Flatten()]
    return Space(nn.Sequential(*flatten, hidden, named(residual, "residual"), head(n_outputs)))
