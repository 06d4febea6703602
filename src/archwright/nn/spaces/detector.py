"""Networks that find things: a backbone, levels that bring coarse sight back to fine places, and a head of centres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archwright import nn
from archwright.nn.spaces import kinds
from archwright.nn.spaces.convnet import entering, residual_block
from archwright.nn.spaces.stages import (
    ACTIVATIONS,
    GROWTHS,
    allowed_kernels,
    check_shape,
    halvings,
    named,
    perhaps,
    scaled,
    usually,
)
from archwright.space import Space, choice

__all__ = ["detector"]

WIDTHS = (8, 10, 12, 14, 16, 20, 24, 28, 32)
SMALLEST = 4
"""The shorter side at the coarsest level."""


def detector(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    widths: Sequence[int] = WIDTHS,
    depth: int = 2,
) -> Space:
    """One-stage detectors without anchors for images (C, H, W): scores of centres and boxes on a grid of 4 or 8 pixels.

    A backbone of convolutions down to the grid; then levels inside levels (`archwright.nn.Level`), each of half the
    size, whose sight comes back to the grid: with sums a feature pyramid's way down from the top (Lin et al., *Feature
    Pyramid Networks*, CVPR 2017, https://arxiv.org/abs/1612.03144), or none at all; then a head of centres
    (`archwright.nn.CentreHead`). Open are the grid, the number of levels and blocks, widths, operations, how levels
    join, and the head.

    Args:
        input_shape: Shape of one image, without the batch.
        n_outputs: Classes.
        widths: Channels of the first layer; those of what follows come from it.
        depth: Most blocks of a stage after its first layer.
    """
    shape = check_shape("detector", input_shape, (3,))
    act = choice(*ACTIVATIONS, name="activation", tied=True)
    up = choice(*nn.UPS, name="up", default="nearest")
    kernels = allowed_kernels(shape, (3, 5))
    width = usually(16, widths)
    most = halvings(shape, SMALLEST)
    growths = [choice(*GROWTHS, name=f"growth{i}", default=1.5) for i in range(1, 5)]

    def stage(i: int) -> list[Any]:
        enter = named(entering(scaled(width, *growths[:i]), choice(*kernels, name="kernel"), act), "enter")
        return [enter, perhaps(residual_block(kernels, act), depth, "blocks")]

    def around(i: int, last: int) -> Any:
        if i > last:
            return nn.Identity()
        made = nn.Level(nn.Sequential(*stage(i), around(i + 1, last)), choice("sum", "concat", name="skip"), up)
        joined = nn.ConvBlock(scaled(width, *growths[: i - 1]), choice(1, 3, name="kernel"), activation=act)
        both = kinds.level(made, named(joined, "join"))
        return named(choice(nn.Identity(), both, name="level", default=both), f"level{i}")

    first = nn.ConvBlock(width, kernel=choice(*kernels, name="kernel"), stride=2, activation=act)
    grid: Any = kinds.stage(*stage(1))
    levels = around(2, min(3, most - 1))
    if min(shape[1:]) >= 96:  # a coarser grid, for what is large
        coarse = kinds.stage(*stage(1), *stage(2))
        body = choice(kinds.fine(grid, levels), kinds.coarse(coarse, around(3, min(4, most - 1))), name="grid")
    else:
        body = nn.Sequential(named(grid, "stage"), levels)
    head = nn.CentreHead(n_outputs, width=choice(0, 16, 32, 48, name="width", default=32), activation=act)
    return Space(nn.Sequential(named(first, "first"), body, named(head, "head")))
