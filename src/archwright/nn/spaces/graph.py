"""Nodes of graphs: which neighbourhoods count, how they are joined, and layers behind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archwright import nn
from archwright.nn.spaces.stages import check_shape, named, perhaps, usually
from archwright.space import Space, choice

__all__ = ["graph"]

WIDTHS = (8, 16, 24, 32, 48, 64, 96, 128)


def graph(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    averages: Sequence[str] = ("symmetric", "mean"),
    widths: Sequence[int] = WIDTHS,
    depth: int = 2,
    head: Any = nn.Classifier,
) -> Space:
    """Networks for nodes whose neighbourhoods were averaged beforehand (`archwright.task.NodeClassification`).

    Open are the average (as in GCN, or of neighbours alike), how many hops, how these are joined, and the layers
    behind; a linear map of the second hop (SGC) is a point of it, so is SIGN.

    Args:
        input_shape: ``(1 + averages * hops, features)``.
        n_outputs: Classes, or values with ``head=nn.Regressor``.
        averages: Names of the averages in an input, in their order.
        widths: Of the hidden layers.
        depth: Most hidden layers.
        head: `archwright.nn.Classifier` or `archwright.nn.Regressor`.
    """
    rows, _ = check_shape("graph", input_shape, (2,))
    most = (rows - 1) // len(averages)
    hops = nn.Hops(
        choice(*range(most + 1), name="hops", default=min(2, most)),
        average=choice(*range(len(averages)), name="average"),
        join=choice(*nn.HOPS, name="join"),
        most=most,
    )
    dropout = choice(0.0, 0.3, 0.5, 0.7, name="dropout", tied=True, default=0.5)
    layer = nn.LinearBlock(
        usually(64, widths),
        activation=choice("relu", "elu", "tanh", name="activation", tied=True),
        norm=choice("none", "layer", name="norm", tied=True),
        dropout=dropout,
    )
    hidden = perhaps(layer, depth, "hidden")
    return Space(nn.Sequential(named(hops, "around"), nn.Dropout(dropout), hidden, head(n_outputs)))
