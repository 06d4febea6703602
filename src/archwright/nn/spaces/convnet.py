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
    perhaps,
    staged,
    usually,
)
from archwright.space import Space, choice, integer, repeat

__all__ = ["convnet", "entering", "residual_block", "staged_convnet"]

ROOMY = {2: 64, 3: 28}
"""From this length or side on, the first layer may already halve the size, and there is a classic family."""


def convnet(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    widths: Sequence[int] = WIDTHS,
    depth: int = 2,
    head: Any = nn.Classifier,
) -> Space:
    """Convolutional networks for images (C, H, W) and sequences (C, T).

    A first layer, then up to three stages; each halves the size and goes on with residual blocks: separable ones,
    plain convolutions, or inverted residuals with or without squeeze-excite. For images of 28 x 28 pixels and more, and
    sequences of 64 steps and more, there is a second family, ``classic``: convolution, pooling and linear layers, of
    which LeNet-5 is a point (LeCun et al., *Gradient-Based Learning Applied to Document Recognition*, 1998).

    Args:
        input_shape: Shape of one input, without the batch.
        n_outputs: Classes, or values with ``head=nn.Regressor``.
        widths: Channels of the first layer; the later stages' follow from it.
        depth: Most blocks of a stage after its first layer.
        head: `archwright.nn.Classifier` or `archwright.nn.Regressor`.
    """
    shape = check_shape("convnet", input_shape, (2, 3))
    parts = [*staged_convnet(shape, widths, depth), head_of(head, n_outputs)]
    if not _roomy(shape):
        return Space(nn.Sequential(*parts))
    families = (kinds.staged(*parts), kinds.classic(*_classic_parts(shape, n_outputs, head)))
    return Space(choice(*families, name="family"))


def _roomy(shape: tuple[int, ...]) -> bool:
    return min(shape[1:]) >= ROOMY[len(shape)]


def staged_convnet(shape: tuple[int, ...], widths: Sequence[int], depth: int) -> list[Any]:
    """The layers before the head."""
    act = choice(*ACTIVATIONS, name="activation", tied=True)
    width = usually(20, widths)
    kernels = allowed_kernels(shape, (3, 5, 7, 9) if len(shape) == 2 else (3, 5))
    large = min(shape[1:]) > (128 if len(shape) == 2 else 32)
    first = nn.ConvBlock(
        width,
        kernel=choice(*kernels, name="kernel"),
        stride=choice(1, 2, name="stride", default=2 if large else 1) if _roomy(shape) else 1,
        activation=act,
    )

    def stage(wide: Any, i: int) -> list[Any]:
        enter = entering(wide, choice(*kernels, name="kernel"), act)
        return [enter, perhaps(residual_block(kernels, act), depth, "blocks")]

    return staged(first, stage, min(3, halvings(shape)), width)


def entering(wide: Any, kernel: Any, act: Any) -> Any:
    """What begins a stage and halves the size: a separable step, pooling, or a convolution.

    None is residual: under a ceiling, the projection that a change of shape needs is better spent on width.
    """
    plain = kinds.conv(nn.ConvBlock(wide, kernel, 2, activation=act))
    return choice(
        kinds.separable(nn.SeparableBlock(wide, kernel, 2, activation=act)),
        kinds.pooled(nn.MaxPool(2), nn.SeparableBlock(wide, kernel, activation=act)),
        plain,
        name="enter",
        default=plain,
    )


def residual_block(kernels: Sequence[int], act: Any) -> Any:
    """What keeps size and width: separable, plain or inverted."""
    kernel = choice(*kernels, name="kernel")
    expansion, squeeze = choice(1.5, 2, 3, name="expansion"), choice(0, 0.25, name="squeeze")
    plain = kinds.conv(nn.Residual(nn.ConvBlock(kernel=kernel, activation=act), project=False))
    return choice(
        kinds.separable(nn.Residual(nn.SeparableBlock(kernel=kernel, activation=act), project=False)),
        plain,
        kinds.inverted(nn.InvertedResidual(None, expansion, kernel, squeeze=squeeze, activation=act)),
        name="block",
        default=plain,
    )


def _classic_parts(shape: tuple[int, ...], n_outputs: int, head: Any) -> list[Any]:
    """Two convolutions, each followed by pooling, then linear layers; LeNet-5 where there is room."""
    act = choice("relu", "tanh", name="activation", tied=True)
    norm = choice("batch", "none", name="norm")
    kernels = allowed_kernels(shape, (3, 5, 7) if len(shape) == 2 else (3, 5))
    parts: list[Any] = []
    for i, width in enumerate([integer(4, 16, step=2, name="width"), integer(8, 32, step=4, name="width")], start=1):
        convolution = nn.ConvBlock(
            width,
            kernel=choice(*kernels, name="kernel"),
            activation=act,
            norm=norm,
            padding=choice("same", "valid", name="padding") if _roomy(shape) else "same",
        )
        parts.append(named(convolution, f"conv{i}"))
        if halvings(shape) >= i:
            parts.append(named(nn.Pool(choice("max", "avg", name="kind")), f"pool{i}"))
    hidden = repeat(integer(12, 120, step=12, name="width"), (0, 2))
    parts.append(named(head(n_outputs, pool="flatten", hidden=[hidden], activation=act), "head"))
    return parts
