"""Forecasts: linear, convolution, causal convolution, recurrence, attention and mixers in one conditional space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archwright import nn
from archwright.nn.spaces import kinds
from archwright.nn.spaces.convnet import staged_convnet
from archwright.nn.spaces.sequence import attention, causal, recurrent
from archwright.nn.spaces.stages import WIDTHS, check_shape, named, usually
from archwright.space import Space, choice, repeat

__all__ = ["forecast"]

FEWEST, MOST = 4, 96
"""Patches of a window: fewer have no order to speak of, more cost time and hardly help."""


def forecast(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    targets: int = 1,
    widths: Sequence[int] = WIDTHS,
    depth: int = 2,
) -> Space:
    """Networks that say from a window (C, T) how its first channels go on, of six kinds.

    ``linear``: a linear map. ``convolution``: the stages of `convnet`. The others cut the window into patches, of which
    each becomes a vector (Nie et al., *A Time Series is Worth 64 Words*, ICLR 2023, https://arxiv.org/abs/2211.14730):
    ``causal``, ``recurrent`` and ``attention`` go on as in `sequence`, ``mixer`` with blocks that mix patches and
    channels in turn (TSMixer). Each may take the window's level away and give it back, and all but the first may have a
    linear map beside them (`archwright.nn.Forecaster`).

    Args:
        input_shape: Shape of one window, (channels, time), without the batch.
        n_outputs: Steps of the horizon, times the targets.
        targets: How many of the channels are forecast: the first ones.
        widths: Channels of the first layer.
        depth: Most blocks of a stage, and most recurrent layers; other blocks are up to twice as many.
    """
    shape = check_shape("forecast", input_shape, (2,))
    level = choice(*nn.LEVELS, name="level", default="last")
    shortcut = choice(False, True, name="shortcut")

    def around(*parts: Any, linear: Any = shortcut) -> Any:
        return nn.Forecaster(nn.Sequential(*parts), targets, level, linear)

    def head(*pools: str) -> Any:
        pool = choice(*pools, name="pool") if len(pools) > 1 else pools[0]
        return named(nn.Regressor(n_outputs, pool=pool, dropout=choice(0.0, 0.1, 0.3, name="dropout")), "head")

    return Space(
        choice(
            kinds.linear(around(named(nn.Regressor(n_outputs, pool="flatten"), "head"), linear=False)),
            kinds.convolution(around(*staged_convnet(shape, widths, depth), head("flatten", "avg"))),
            kinds.causal(around(_patches(shape, widths), causal(shape, 2 * depth), head("last", "flatten"))),
            kinds.recurrent(around(_patches(shape, widths), recurrent(widths, depth), head("last", "flatten"))),
            kinds.attention(around(_patches(shape, widths), *attention(2 * depth), head("flatten", "avg"))),
            kinds.mixer(around(_patches(shape, widths), _mixing(2 * depth), head("flatten"))),
            name="kind",
        )
    )


def _patches(shape: tuple[int, ...], widths: Sequence[int]) -> Any:
    """Patches side by side, each a vector: a convolution whose step is its kernel."""
    sizes = tuple(p for p in (1, 2, 4, 8, 16, 32) if FEWEST <= shape[1] // p <= MOST) or (1,)
    size = choice(*sizes, name="patch")
    cut = nn.ConvBlock(usually(32, widths), kernel=size, stride=size, padding="valid", norm="none", activation="none")
    return named(cut, "patches")


def _mixing(depth: int) -> Any:
    block = nn.MixerBlock(
        expansion=choice(1, 2, 4, name="expansion", tied=True),
        dropout=choice(0.0, 0.1, 0.3, name="dropout", tied=True),
    )
    return named(repeat(block, (1, depth), name="depth"), "blocks")
