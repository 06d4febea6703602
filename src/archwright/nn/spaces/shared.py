"""Networks for several targets at once: a trunk that all share, a point where it branches, and a head for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archwright import nn
from archwright.nn.spaces import kinds
from archwright.nn.spaces.convnet import entering, residual_block
from archwright.nn.spaces.mlp import LAYER_WIDTHS
from archwright.nn.spaces.stages import (
    ACTIVATIONS,
    WIDTHS,
    allowed_kernels,
    check_shape,
    halvings,
    named,
    perhaps,
    scaled,
    usually,
)
from archwright.space import Space, choice, repeat

__all__ = ["shared"]


def shared(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    heads: Mapping[str, int] | None = None,
    widths: Sequence[int] | None = None,
    depth: int = 2,
) -> Space:
    """Hard parameter sharing (Caruana, 1997) whose branching point is open, for vectors, sequences and images.

    The outputs of the heads stand side by side, in their order. Where the trunk branches early, each head has layers of
    its own, and decides for itself how many; where late, a head is what stands behind the last layer that all share
    (Vandenhende et al., *Branched Multi-Task Networks*, BMVC 2020, https://arxiv.org/abs/1904.02920).

    Args:
        input_shape: Shape of one input, without the batch.
        n_outputs: Outputs of all heads together.
        heads: The outputs of each by its name; by default a single head.
        widths: Of the first layer, or of a vector's hidden layers.
        depth: Most blocks of a stage, or hidden layers of a part.
    """
    shape = check_shape("shared", input_shape, (1, 2, 3))
    sizes = dict(heads or {"all": n_outputs})
    if len(shape) == 1:
        return Space(nn.Sequential(*_vectors(sizes, widths or LAYER_WIDTHS, depth)))
    return Space(nn.Sequential(*_places(shape, sizes, widths or WIDTHS, depth)))


def _branching(trunk: Any, own: Any, sizes: Mapping[str, int]) -> Any:
    """Late: `trunk()` is shared, heads follow. Early: every head begins with a part of its own, `own(name)`."""

    def head(name: str, size: int, *before: Any) -> Any:
        hidden = repeat(choice(8, 16, 32, name="width"), (0, 1), name="hidden")
        return named(nn.Sequential(*before, named(nn.Classifier(size, hidden=[hidden]), "head")), name)

    late = [head(name, size) for name, size in sizes.items()]
    if len(sizes) == 1:
        return nn.Sequential(*trunk(), *late)
    early = [head(name, size, *own(name)) for name, size in sizes.items()]
    return choice(
        kinds.late(*trunk(), nn.Parallel(*late, merge="concat")),
        kinds.early(nn.Parallel(*early, merge="concat")),
        name="branch",
    )


def _vectors(sizes: Mapping[str, int], widths: Sequence[int], depth: int) -> list[Any]:
    settings: dict[str, Any] = {
        "activation": choice("relu", "silu", "gelu", "tanh", name="activation", tied=True),
        "norm": choice("none", "batch", "layer", name="norm", tied=True),
        "dropout": choice(0.0, 0.1, 0.25, name="dropout", tied=True),
    }

    def layers(least: int) -> list[Any]:
        block = nn.LinearBlock(usually(64, widths), **settings)
        return [named(repeat(block, (least, depth), name="depth"), "layers")]

    return [named(nn.LinearBlock(usually(64, widths), **settings), "first"),
            _branching(lambda: layers(0), lambda _: layers(0), sizes)]  # fmt: skip


def _places(shape: tuple[int, ...], sizes: Mapping[str, int], widths: Sequence[int], depth: int) -> list[Any]:
    act = choice(*ACTIVATIONS, name="activation", tied=True)
    kernels = allowed_kernels(shape, (3, 5, 7, 9) if len(shape) == 2 else (3, 5))
    width = usually(24, widths)
    large = min(shape[1:]) >= 28
    first = nn.ConvBlock(width, kernel=choice(*kernels, name="kernel"), stride=2 if large else 1, activation=act)

    def blocks(most: int = depth) -> Any:
        return perhaps(residual_block(kernels, act), most, "blocks")

    def stage() -> list[Any]:
        growth = choice(1.0, 1.5, 2.0, name="growth", default=1.5)
        enter = entering(scaled(width, growth), choice(*kernels, name="kernel"), act)
        return [enter, blocks()] if halvings(shape) else [blocks()]

    return [named(first, "first"), named(blocks(), "trunk"), _branching(stage, lambda _: stage(), sizes)]
