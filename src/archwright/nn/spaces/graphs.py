"""Whole graphs: how nodes hear from each other, how often, and how all of them become one vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archwright import nn
from archwright.errors import SpaceError
from archwright.nn.spaces.stages import named, usually
from archwright.space import Space, choice, repeat

__all__ = ["graphs"]

WIDTHS = (8, 12, 16, 24, 32, 48, 64)


def graphs(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    widths: Sequence[int] = WIDTHS,
    depth: int = 5,
    head: Any = nn.Classifier,
) -> Space:
    """Message passing on graphs (nodes, 1 + features + nodes), see `archwright.nn.GraphNetwork`.

    Open are how many layers there are, of which kind each is, their width, normalisation, activation and dropout,
    residual connections, what of the layers is joined, how nodes become one vector, and the layers behind. Graph
    convolution, GraphSAGE, GIN and GAT of one kind throughout are points of it; kinds may be mixed, as in GraphNAS (Gao
    et al., IJCAI 2020, https://arxiv.org/abs/1904.09981).

    Args:
        input_shape: Of one graph.
        n_outputs: Classes, or values with ``head=nn.Regressor``.
        widths: Of the layers.
        depth: Most layers.
        head: `archwright.nn.Classifier` or `archwright.nn.Regressor`.
    """
    shape = tuple(input_shape)
    if len(shape) != 2 or shape[1] < shape[0] + 2:
        raise SpaceError(f"graphs takes inputs (nodes, 1 + features + nodes), without the batch; got {shape}")
    act = choice("relu", "silu", "tanh", name="activation", tied=True)
    width = usually(32, widths, tied=True)
    dropout = choice(0.0, 0.1, 0.3, name="dropout", tied=True)
    layer = nn.MessageBlock(
        width,
        kind=choice(*nn.MESSAGES, name="kind", default="gin"),
        activation=act,
        norm=choice(*nn.GRAPH_NORMS, name="norm", tied=True, default="layer"),
        dropout=dropout,
        residual=choice(False, True, name="residual", tied=True),
    )
    hidden = repeat(choice(16, 32, 64, name="width"), (0, 1), name="hidden")
    last = head(n_outputs, hidden=[hidden], activation=act, dropout=dropout)
    return Space(
        nn.GraphNetwork(
            named(repeat(layer, (1, depth), name="depth", default=min(3, depth)), "layers"),
            named(last, "head"),
            join=choice(*nn.GRAPH_JOINS, name="join"),
            readout=choice(*nn.READOUTS, name="readout"),
        )
    )
