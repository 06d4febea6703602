"""What the default spaces share: widths, sizes, and a network in stages."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from archwright import nn
from archwright.errors import SpaceError
from archwright.nn.spaces import kinds
from archwright.space import choice, repeat, searchable
from archwright.space.nodes import Node

__all__ = [
    "ACTIVATIONS",
    "WIDTHS",
    "allowed_kernels",
    "check_shape",
    "halvings",
    "head_of",
    "named",
    "perhaps",
    "scaled",
    "staged",
    "usually",
]

ACTIVATIONS = ("relu", "silu", "hardswish")

WIDTHS = (4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64)
"""Finely spaced where little is allowed: about a quarter more from each to the next, so half again the parameters."""

GROWTHS = (1.0, 1.25, 1.5, 2.0)


def _scaled(width: int, *factors: float) -> int:
    return max(1, round(width * math.prod(factors)))


scaled = searchable(_scaled, name="scaled")
"""``round(width * factor * factor ...)``, where any of them may be open."""


def check_shape(where: str, input_shape: Sequence[int], ranks: tuple[int, ...]) -> tuple[int, ...]:
    """The shape as a tuple; raises `SpaceError` where the space has no networks for it."""
    shape = tuple(input_shape)
    if len(shape) not in ranks or not all(isinstance(n, int) and n >= 1 for n in shape):
        kinds = {1: "(features,)", 2: "(channels, time)", 3: "(channels, height, width)"}
        raise SpaceError(
            f"{where} takes inputs of shape {' or '.join(kinds[r] for r in ranks)}, without the batch; got {shape}"
        )
    return shape


def halvings(shape: tuple[int, ...], smallest: int = 2) -> int:
    """How often the positions can be halved until the shorter axis has `smallest`.

    >>> halvings((1, 8, 8)), halvings((3, 32, 32)), halvings((1, 40))
    (2, 4, 4)
    """
    return max(0, int(math.log2(min(shape[1:]) / smallest))) if min(shape[1:]) >= smallest else 0


def allowed_kernels(shape: tuple[int, ...], kernels: Sequence[int]) -> tuple[int, ...]:
    """The kernels that are no larger than the input."""
    return tuple(k for k in kernels if k <= min(shape[1:])) or (1,)


def named(call: Any, name: str) -> Any:
    """The same part of a space, called `name` in the architectures."""
    if isinstance(call, Node):
        call.name = name
    return call


def usually(value: float, values: Sequence[float], name: str = "width", *, tied: bool = False) -> Any:
    """One of the values; to begin with that nearest to `value`, which is what hand-made networks take."""
    return choice(*values, name=name, tied=tied, default=min(values, key=lambda v: abs(v - value)))


def perhaps(layer: Any, most: int, name: str) -> Any:
    """Up to so many of a layer; one to begin with."""
    return named(repeat(layer, (0, most), name="depth", default=min(1, most)), name)


def head_of(head: Any, n_outputs: int) -> Any:
    """A head whose pooling, grid and dropout are open."""
    made = head(
        n_outputs,
        pool=choice("avg", "max", name="pool", default="avg"),
        grid=choice(1, 2, name="grid"),
        dropout=choice(0.0, 0.1, name="dropout"),
    )
    return named(made, "head")


def staged(first: Any, stage: Callable[[Any, int], list[Any]], stages: int, width: Any) -> list[Any]:
    """A first layer, then stages of smaller size and greater width, the last of several being optional.

    The width of a stage is that of the one before times an open growth: one decision sets the size of all
    (Radosavovic et al., *Designing Network Design Spaces*, CVPR 2020, https://arxiv.org/abs/2003.13678).

    Args:
        first: The first layer.
        stage: Makes the layers of a stage, of a width and the stage's number from 1.
        stages: Most stages.
        width: Of the first layer.
    """
    parts = [named(first, "first")]
    growths: list[Any] = []
    for i in range(1, stages + 1):
        growths.append(choice(*GROWTHS, name=f"growth{i}", default=1.5))
        made = kinds.stage(*stage(scaled(width, *growths), i))
        if i == stages >= 2:
            made = choice(nn.Identity(), made, name=f"stage{i}", default=made)
        parts.append(named(made, f"stage{i}"))
    return parts
