"""What stands at the end, and layers for vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.nn.activations import ACTIVATIONS, activation
from archwright.nn.check import at_least, fraction, one_of, rank_of
from archwright.nn.inferred import Block
from archwright.nn.init import INITS, initialize
from archwright.nn.norms import NORMS, normalization
from archwright.nn.pool import MaskedPool, cells, global_pool

__all__ = ["Classifier", "LinearBlock", "Regressor"]

HEAD_POOLS = ("avg", "max", "flatten", "last")


def linear_unit(features: int, width: int, norm: str, act: str, dropout: float) -> list[nn.Module]:
    """Linear, normalisation, activation and dropout; what is ``none`` is left out."""
    parts: list[nn.Module] = [nn.Linear(features, width, bias=norm in ("none", "layer"))]
    if norm != "none":
        parts.append(normalization(norm, width, 0))
    if act != "none":
        parts.append(activation(act))
    if dropout:
        parts.append(nn.Dropout(dropout))
    return parts


class LinearBlock(Block):
    """Linear, normalisation, activation and dropout. Shapes: (B, F) -> (B, width); positions are flattened first.

    Args:
        width: Output features; None keeps the input's.
        activation: One of `archwright.nn.ACTIVATIONS`.
        norm: One of `archwright.nn.NORMS`, ``instance`` excepted.
        dropout: Share of features dropped.
        init: One of `archwright.nn.INITS`.
    """

    def __init__(
        self,
        width: int | None = None,
        activation: str = "relu",
        norm: str = "none",
        dropout: float = 0.0,
        init: str = "default",
    ):
        super().__init__()
        at_least("LinearBlock", 1, width=width)
        one_of("LinearBlock", "activation", activation, ACTIVATIONS)
        one_of("LinearBlock", "norm", norm, [n for n in NORMS if n != "instance"])
        one_of("LinearBlock", "init", init, INITS)
        fraction("LinearBlock", dropout=dropout)
        self.width, self.activation, self.norm, self.dropout, self.init = width, activation, norm, dropout, init

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        features, flat = _flat("LinearBlock", shape)
        width = self.width or features
        return initialize(
            nn.Sequential(*flat, *linear_unit(features, width, self.norm, self.activation, self.dropout)), self.init
        )


class _Last(nn.Module):
    """The state at the end of a sequence."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, -1]


class _Pooled(nn.Module):
    """Positions taken together but for padding, and a head for vectors."""

    def __init__(self, pool: str, grid: int, head: nn.Module):
        super().__init__()
        self.pool = MaskedPool(pool, grid)
        self.head = head

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        return self.head(self.pool(x, there))


class _Head(Block):
    """Features to `n_outputs` numbers. What they mean, and the arguments: see `Classifier` and `Regressor`."""

    def __init__(
        self, n_outputs: int, pool: str, hidden: Sequence[int], activation: str, dropout: float, grid: int, init: str
    ):
        super().__init__()
        where = type(self).__name__
        at_least(where, 1, n_outputs=n_outputs, grid=grid, **{f"hidden[{i}]": w for i, w in enumerate(hidden)})
        one_of(where, "pool", pool, HEAD_POOLS)
        one_of(where, "activation", activation, ACTIVATIONS)
        one_of(where, "init", init, INITS)
        fraction(where, dropout=dropout)
        self.n_outputs, self.pool, self.hidden, self.activation = n_outputs, pool, tuple(hidden), activation
        self.dropout, self.grid, self.init = dropout, grid, init

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        where = type(self).__name__
        parts: list[nn.Module]
        if self.pool == "flatten" or len(shape) == 2:
            features, parts = _flat(where, shape)
        elif self.pool == "last":
            rank_of(f"{where}(pool='last')", shape, (3,))
            features, parts = shape[1], [_Last()]
        else:
            rank_of(where, shape)
            features, parts = shape[1] * cells(shape, self.grid), [global_pool(self.pool, self.grid, shape)]
        for width, act in [*((w, self.activation) for w in self.hidden), (self.n_outputs, "none")]:
            if self.dropout:
                parts.append(nn.Dropout(self.dropout))
            parts += linear_unit(features, width, "none", act, 0.0)
            features = width
        return initialize(nn.Sequential(*parts), self.init)

    def _make_masked(self, shape: tuple[int, ...]) -> nn.Module:
        where = type(self).__name__
        rank_of(where, shape, (3,))
        if self.pool == "flatten":
            raise EvaluationError(f"{where}(pool='flatten'): texts differ in length; take avg, max or last")
        return _Pooled(self.pool, self.grid, self._make(shape[:2]))


class Classifier(_Head):
    """From features to one score a class (logits). Shapes: (B, C, ...) or (B, F) -> (B, n_outputs).

    Args:
        n_outputs: Classes.
        pool: How positions are taken together: ``avg`` or ``max`` over all of them, ``flatten`` keeps them all,
            ``last`` is the state at the end of a sequence. Vectors have no positions.
        hidden: Widths of linear layers before the last.
        activation: After each hidden layer.
        dropout: Before every linear layer.
        grid: With ``avg`` and ``max``: keep a coarse grid of so many cells on each axis; see `GlobalPool`.
        init: One of `archwright.nn.INITS`.
    """

    def __init__(
        self,
        n_outputs: int,
        pool: str = "avg",
        hidden: Sequence[int] = (),
        activation: str = "relu",
        dropout: float = 0.0,
        grid: int = 1,
        init: str = "default",
    ):
        super().__init__(n_outputs, pool, hidden, activation, dropout, grid, init)


class Regressor(_Head):
    """From features to `n_outputs` real values. Shapes: (B, C, ...) or (B, F) -> (B, n_outputs).

    The arguments are those of `Classifier`.
    """

    def __init__(
        self,
        n_outputs: int = 1,
        pool: str = "avg",
        hidden: Sequence[int] = (),
        activation: str = "relu",
        dropout: float = 0.0,
        grid: int = 1,
        init: str = "default",
    ):
        super().__init__(n_outputs, pool, hidden, activation, dropout, grid, init)


def _flat(where: str, shape: tuple[int, ...]) -> tuple[int, list[nn.Module]]:
    """How many features there are, and what lays them side by side."""
    if len(shape) == 2:
        return shape[1], []
    rank_of(where, shape)
    return math.prod(shape[1:]), [nn.Flatten()]
