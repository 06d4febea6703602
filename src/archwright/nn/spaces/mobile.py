"""Networks of inverted residuals, as MobileNetV2 and V3 are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archwright import nn
from archwright.nn.spaces.stages import (
    WIDTHS,
    allowed_kernels,
    check_shape,
    halvings,
    head_of,
    perhaps,
    staged,
    usually,
)
from archwright.space import Space, choice

__all__ = ["mobile"]


def mobile(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    widths: Sequence[int] = WIDTHS,
    depth: int = 2,
    head: Any = nn.Classifier,
) -> Space:
    """Stages of inverted residuals for images (C, H, W) and sequences (C, T), with squeeze-excite or without.

    After Tan et al., *MnasNet*, CVPR 2019 (https://arxiv.org/abs/1807.11626): expansion, kernel and squeeze-excite are
    decided for each stage, and hold for all its blocks.

    Args:
        input_shape: Shape of one input, without the batch.
        n_outputs: Classes, or values with ``head=nn.Regressor``.
        widths: Channels of the first layer; the later stages' follow from it.
        depth: Most blocks of a stage after its first.
        head: `archwright.nn.Classifier` or `archwright.nn.Regressor`.
    """
    shape = check_shape("mobile", input_shape, (2, 3))
    act = choice("relu", "silu", "hardswish", name="activation", tied=True)
    width = usually(16, widths)
    kernels = allowed_kernels(shape, (3, 5, 7, 9) if len(shape) == 2 else (3, 5))
    first = nn.ConvBlock(width, kernel=choice(*kernels, name="kernel"), activation=act)

    def stage(wide: Any, i: int) -> list[Any]:
        settings = {
            "expansion": choice(1, 1.5, 2, 3, 4, name="expansion", tied=True, default=3),
            "kernel": choice(*kernels, name="kernel", tied=True),
            "squeeze": choice(0, 0.25, name="squeeze", tied=True),
            "activation": act,
        }
        enter = nn.InvertedResidual(wide, stride=2, **settings)
        return [enter, perhaps(nn.InvertedResidual(**settings), depth, "blocks")]

    stages = staged(first, stage, min(3, halvings(shape)), width)
    return Space(nn.Sequential(*stages, head_of(head, n_outputs)))
