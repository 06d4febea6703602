"""Convolutional networks for images and sequences, from LeNet-5 to narrow residual ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archwright import nn
from archwright.nn.spaces import kinds
from archwright.nn.spaces.stages import (
    ACTIVATIONS,
    WIDTHS,
    allowed_kernels,
    check_shape,
    halvings,
    head_of,
    named,
    staged,
)
from archwright.space import Space, choice, integer, repeat

__all__ = ["convnet", "staged_convnet"]

ROOMY = {2: 64, 3: 28}
"""From this length or side on, the first layer may already halve the size, and LeNet's may go without padding."""


def convnet(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    widths: Sequence[int] = WIDTHS,
    depth: int = 2,
    head: Any = nn.Classifier,
) -> Space:
    """Convolutional networks for images (C, H, W) and sequences (C, T).

    Three families. ``separable``: residual depthwise-separable blocks, which reach most a parameter. ``mixed``: every
    block is separable, a residual convolution, or an inverted residual with or without squeeze-excite. ``classic``:
    convolution, pooling and linear layers as in LeNet-5 (LeCun et al., *Gradient-Based Learning Applied to Document
    Recognition*, 1998), which is a point of it from 28 x 28 pixels on. The first two share their decisions.

    Args:
        input_shape: Shape of one input, without the batch.
        n_outputs: Classes, or values with ``head=nn.Regressor``.
        widths: Channels of the first layer; the later stages' follow from it.
        depth: Most blocks of a stage after its first layer.
        head: `archwright.nn.Classifier` or `archwright.nn.Regressor`.
    """
    shape = check_shape("convnet", input_shape, (2, 3))
    separable, mixed = staged_convnet(shape, widths, depth)
    last = head_of(head, n_outputs)
    families = (
        kinds.separable(*separable, last),
        kinds.mixed(*mixed, last),
        kinds.classic(*_classic_parts(shape, n_outputs, head)),
    )
    return Space(choice(*families, name="family"))


def staged_convnet(shape: tuple[int, ...], widths: Sequence[int], depth: int) -> tuple[list[Any], list[Any]]:
    """The layers before the head, with separable blocks and with mixed ones; both share what they can."""
    act = choice(*ACTIVATIONS, name="activation", tied=True)
    width = choice(*widths, name="width")
    kernels = allowed_kernels(shape, (3, 5, 7, 9) if len(shape) == 2 else (3, 5))
    roomy = min(shape[1:]) >= ROOMY[len(shape)]
    first = nn.ConvBlock(
        width,
        kernel=choice(*kernels, name="kernel"),
        stride=choice(1, 2, name="stride") if roomy else 1,
        activation=act,
    )
    stages = min(3, halvings(shape))
    depths = [choice(*range(depth + 1), name=f"depth{i}") for i in range(1, stages + 1)]
    enters: dict[int, Any] = {}

    def family(block: Any) -> list[Any]:
        def stage(wide: Any, i: int) -> list[Any]:
            enter = enters.setdefault(i, _enter(wide, choice(*kernels, name="kernel"), act, i))
            return [enter, named(repeat(block, depths[i - 1]), "blocks")]

        return staged(first, stage, stages, width)

    return family(_separable_block(kernels, act)), family(_mixed_block(kernels, act))


def _enter(wide: Any, kernel: Any, act: Any, i: int) -> Any:
    """The first layer of a stage, which halves the size: by a residual separable step, by pooling, or by a convolution."""
    return choice(
        nn.Residual(nn.SeparableBlock(wide, kernel, 2, activation=act)),
        nn.Sequential(nn.MaxPool(2), nn.SeparableBlock(wide, kernel, activation=act)),
        nn.ConvBlock(wide, kernel, 2, activation=act),
        name=f"enter{i}",
    )


def _separable_block(kernels: Sequence[int], act: Any) -> Any:
    return nn.Residual(nn.SeparableBlock(kernel=choice(*kernels, name="kernel"), activation=act), project=False)


def _mixed_block(kernels: Sequence[int], act: Any) -> Any:
    kernel = choice(*kernels, name="kernel")
    return choice(
        nn.Residual(nn.SeparableBlock(kernel=kernel, activation=act), project=False),
        nn.Residual(nn.ConvBlock(kernel=kernel, activation=act), project=False),
        nn.InvertedResidual(
            expansion=choice(1.5, 2, 3, name="expansion"),
            kernel=kernel,
            squeeze=choice(0, 0.25, name="squeeze"),
            activation=act,
        ),
        name="block",
    )


def _classic_parts(shape: tuple[int, ...], n_outputs: int, head: Any) -> list[Any]:
    """Two convolutions, each followed by pooling, then linear layers; LeNet-5 where there is room."""
    act = choice("relu", "tanh", name="activation", tied=True)
    norm = choice("batch", "none", name="norm")
    kernels = allowed_kernels(shape, (3, 5, 7) if len(shape) == 2 else (3, 5))
    roomy = min(shape[1:]) >= ROOMY[len(shape)]
    parts: list[Any] = []
    for i, width in enumerate([integer(4, 16, step=2, name="width"), integer(8, 32, step=4, name="width")], start=1):
        convolution = nn.ConvBlock(
            width,
            kernel=choice(*kernels, name="kernel"),
            activation=act,
            norm=norm,
            padding=choice("same", "valid", name="padding") if roomy else "same",
        )
        parts.append(named(convolution, f"conv{i}"))
        if halvings(shape) >= i:
            parts.append(named(nn.Pool(choice("max", "avg", name="kind")), f"pool{i}"))
    hidden = repeat(integer(12, 120, step=12, name="width"), (0, 2))
    parts.append(named(head(n_outputs, pool="flatten", hidden=[hidden], activation=act), "head"))
    return parts
