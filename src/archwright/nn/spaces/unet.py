"""Networks for pixels: down to small sizes and up again, with skips."""

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
from archwright.space import Space, choice, repeat

__all__ = ["unet"]

WIDTHS = (4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32)
SMALLEST = 4
"""The shorter side at the bottom."""


def unet(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    widths: Sequence[int] = WIDTHS,
    depth: int = 2,
) -> Space:
    """Encoders and decoders for images (C, H, W) that give a score a class for every pixel.

    A first layer, which may halve the size already; then levels inside levels (`archwright.nn.Level`), each of half the
    size and of a width that follows from the one before, with blocks on the way down and on the way up. Open are the
    number of levels and of blocks, widths, operations, what each level's input does on the way up (concatenated, added,
    nothing), how sizes are brought up, and dilated convolutions at the bottom. U-Net's shape is a point of it
    (Ronneberger et al., MICCAI 2015, https://arxiv.org/abs/1505.04597).

    Args:
        input_shape: Shape of one image, without the batch.
        n_outputs: Classes.
        widths: Channels of the first layer; those of the levels follow from it.
        depth: Most blocks of a level after its first layer, on the way down.
    """
    shape = check_shape("unet", input_shape, (3,))
    act = choice(*ACTIVATIONS, name="activation", tied=True)
    up = choice(*nn.UPS, name="up")
    kernels = allowed_kernels(shape, (3, 5))
    width = usually(16, widths)
    levels = min(4, halvings(shape, SMALLEST))
    growths = [choice(*GROWTHS, name=f"growth{i}", default=1.5) for i in range(1, levels + 1)]

    def wide(level: int) -> Any:
        return scaled(width, *growths[:level]) if level else width

    def around(level: int) -> Any:
        """Level `level`, and what makes one of its result and its input; nothing may stand for the third and later."""
        if level > levels:
            return nn.Identity()
        enter = named(entering(wide(level), choice(*kernels, name="kernel"), act), "enter")
        blocks = perhaps(residual_block(kernels, act), depth, "down")
        inside = around(level + 1)
        bottom = [_bottom(act)] if level == levels else []
        made = nn.Level(nn.Sequential(enter, blocks, *bottom, inside), choice(*nn.SKIPS, name="skip"), up)
        back = named(repeat(residual_block(kernels, act), (0, 1), name="depth", default=0), "up")
        both = kinds.level(made, _joining(wide(level - 1), kernels, act), back)
        if level > 2:
            nothing = nn.Identity()
            both = choice(nothing, both, name=f"level{level}", default=both if level == 3 else nothing)
        return named(both, f"level{level}")

    stride = choice(1, 2, name="stride") if min(shape[1:]) >= 32 else 1
    first = nn.ConvBlock(width, kernel=choice(*kernels, name="kernel"), stride=stride, activation=act)
    drop = choice(0.0, 0.1, name="dropout")
    head = nn.PixelClassifier(n_outputs, size=(shape[1], shape[2]), dropout=drop)
    return Space(nn.Sequential(named(first, "first"), around(1), named(head, "head")))


def _joining(width: Any, kernels: Sequence[int], act: Any) -> Any:
    """One layer on what a level gives."""
    kernel = choice(*kernels, name="kernel")
    plain = kinds.conv(nn.ConvBlock(width, kernel, activation=act))
    made = choice(kinds.separable(nn.SeparableBlock(width, kernel, activation=act)), plain, name="join", default=plain)
    return named(made, "join")


def _bottom(act: Any) -> Any:
    """Dilated convolutions see far where the size is smallest (Yu & Koltun, ICLR 2016)."""
    layer = nn.ConvBlock(None, 3, dilation=choice(1, 2, name="dilation"), groups=0, activation=act)
    both = nn.Sequential(layer, nn.ConvBlock(None, 1, activation=act))
    return named(repeat(nn.Residual(both, project=False), (0, 2), name="depth", default=0), "bottom")
