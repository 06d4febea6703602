"""Pooling, for sequences and images alike."""

from __future__ import annotations

import math

from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.nn.check import at_least, one_of, rank_of
from archwright.nn.inferred import Block

__all__ = ["AvgPool", "GlobalPool", "MaskedPool", "MaxPool", "Pool", "cells", "global_pool"]

POOLS = ("max", "avg")
LOW = -1e4
"""Below whatever a network computes, and still a number in bfloat16."""


class Pool(Block):
    """The maximum or the mean of every `kernel` positions. Shapes: (B, C, ...) -> (B, C, smaller...).

    Args:
        kind: ``max`` or ``avg``.
        kernel: Positions on each axis.
        stride: Step; by default `kernel`.
        padding: ``valid`` (none) or ``same`` (an odd kernel at stride 1 keeps the size; padding is not averaged).
    """

    def __init__(self, kind: str = "max", kernel: int = 2, stride: int | None = None, padding: str = "valid"):
        super().__init__()
        at_least("Pool", 1, kernel=kernel, stride=stride)
        one_of("Pool", "kind", kind, POOLS)
        one_of("Pool", "padding", padding, ("valid", "same"))
        self.kind, self.kernel, self.stride, self.padding = kind, kernel, stride, padding

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank = rank_of("Pool", shape)
        pad = (self.kernel - 1) // 2 if self.padding == "same" else 0
        if min(shape[2:]) + 2 * pad < self.kernel:
            raise EvaluationError(
                f"Pool: {self.kind} pooling over {self.kernel} positions would leave less than one of "
                f"{' x '.join(map(str, shape[2:]))}; pool less often, or with padding='same'"
            )
        stride = self.stride or self.kernel
        if self.kind == "max":
            return (nn.MaxPool2d if rank == 2 else nn.MaxPool1d)(self.kernel, stride, pad)
        return (nn.AvgPool2d if rank == 2 else nn.AvgPool1d)(self.kernel, stride, pad, count_include_pad=False)


def MaxPool(kernel: int = 2, stride: int | None = None, padding: str = "valid") -> Pool:
    """A `Pool` of kind ``max``."""
    return Pool("max", kernel, stride, padding)


def AvgPool(kernel: int = 2, stride: int | None = None, padding: str = "valid") -> Pool:
    """A `Pool` of kind ``avg``."""
    return Pool("avg", kernel, stride, padding)


class GlobalPool(Block):
    """The mean or the maximum over all positions. Shapes: (B, C, ...) -> (B, C * grid ** rank); vectors are kept.

    Args:
        kind: ``avg`` or ``max``.
        grid: Keep a coarse grid of so many cells on each axis (of the input's size at most), flattened: what is where
            then still counts, at the price of a wider output. Positions that do not fill a cell are left out.
    """

    def __init__(self, kind: str = "avg", grid: int = 1):
        super().__init__()
        one_of("GlobalPool", "kind", kind, POOLS)
        at_least("GlobalPool", 1, grid=grid)
        self.kind, self.grid = kind, grid

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        return global_pool(self.kind, self.grid, shape)

    def _make_masked(self, shape: tuple[int, ...]) -> nn.Module:
        return MaskedPool(self.kind, self.grid)


class MaskedPool(nn.Module):
    """The mean, the maximum or the last of the positions that are no padding. Shapes: (B, C, T) and (B, T) -> (B, C).

    A text of padding alone gives zeros. `there` is True first and False from some position on.
    """

    def __init__(self, kind: str, grid: int = 1):
        super().__init__()
        one_of("MaskedPool", "kind", kind, (*POOLS, "last"))
        if grid != 1:
            raise EvaluationError(f"grid={grid}: texts differ in length, so that a grid has no places for them; say 1")
        self.kind = kind

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """Padded positions of `x` are zero already."""
        count = there.sum(1, keepdim=True)
        if self.kind == "avg":
            return x.sum(2) / count.clamp_min(1)
        if self.kind == "max":
            return x.masked_fill(there.logical_not().unsqueeze(1), LOW).amax(2) * (count > 0)
        last = (count - 1).clamp_min(0).unsqueeze(2).expand(-1, x.shape[1], -1)
        return x.gather(2, last).squeeze(2)


def global_pool(kind: str, grid: int, shape: tuple[int, ...]) -> nn.Module:
    """The parts of a `GlobalPool` for inputs of `shape`."""
    rank = rank_of("GlobalPool", shape, (2, 3, 4))
    if rank == 0:
        return nn.Identity()
    if grid == 1:
        whole = {
            "avg": (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d),
            "max": (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d),
        }
        return nn.Sequential(whole[kind][rank - 1](1), nn.Flatten())
    # Fixed windows, not adaptive ones: ONNX has no adaptive pooling whose cells differ in size.
    window = tuple(max(1, size // grid) for size in shape[2:])
    fixed = {"avg": (nn.AvgPool1d, nn.AvgPool2d), "max": (nn.MaxPool1d, nn.MaxPool2d)}
    return nn.Sequential(fixed[kind][rank - 1](window if rank == 2 else window[0]), nn.Flatten())


def cells(shape: tuple[int, ...], grid: int) -> int:
    """How many values a channel `GlobalPool` leaves of inputs of `shape`."""
    return 1 if grid == 1 else math.prod(size // max(1, size // grid) for size in shape[2:])
