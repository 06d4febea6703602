"""Sound: a searchable log-mel front end, and what reads its spectrograms, in one conditional space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archwright import nn
from archwright.nn.spaces import kinds
from archwright.nn.spaces.convnet import entering, residual_block, staged_convnet
from archwright.nn.spaces.sequence import before, causal, recurrent
from archwright.nn.spaces.stages import (
    ACTIVATIONS,
    WIDTHS,
    allowed_kernels,
    check_shape,
    halvings,
    head_of,
    named,
    perhaps,
    usually,
)
from archwright.nn.spaces.stages import staged as in_stages
from archwright.space import Space, choice

__all__ = ["audio", "front_end"]

MELS = (20, 32, 40, 64)
WINDOWS = (16, 25, 32, 50)
HOPS = (10, 12.5, 20)
"""Milliseconds; so are windows."""
MASKS = (0.0, 0.15, 0.3)


def audio(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    sample_rate: int = 16_000,
    widths: Sequence[int] = WIDTHS,
    depth: int = 2,
    head: Any = nn.Classifier,
) -> Space:
    """Networks for raw sound (1, samples): a front end, and one of four kinds on what it gives.

    The front end is `archwright.nn.LogMel`, whose bands, frames and masks are open. On it ``convolution`` reads a
    spectrogram as an image; ``temporal`` convolves over time, the bands being channels, which costs less (Choi et al.,
    *Temporal Convolution for Real-time Keyword Spotting on Mobile Devices*, Interspeech 2019,
    https://arxiv.org/abs/1904.03814); ``causal`` is gated convolutions of doubling dilation, and ``recurrent`` RNN, GRU
    or LSTM.

    Args:
        input_shape: Shape of one input, (1, samples), without the batch.
        n_outputs: Classes, or values with ``head=nn.Regressor``.
        sample_rate: Samples a second.
        widths: Channels of the first layer.
        depth: Most blocks of a stage, and most recurrent layers; causal blocks are up to three times as many.
        head: `archwright.nn.Classifier` or `archwright.nn.Regressor`.
    """
    shape = check_shape("audio", input_shape, (2,))
    frames = 1 + int(shape[1] / sample_rate * 1000 / max(HOPS))
    time = (min(MELS), frames)
    last = head_of(head, n_outputs)
    pool = choice("avg", "max", "last", name="pool")
    last_state = named(head(n_outputs, pool=pool, dropout=choice(0.0, 0.1, name="dropout")), "head")
    kind = choice(
        kinds.convolution(nn.AsImage(), *_image((1, *time), widths, depth), last),
        kinds.temporal(*staged_convnet(time, widths, depth), last),
        kinds.causal(*before(time, widths), causal(time, 3 * depth), last),
        kinds.recurrent(*before(time, widths), recurrent(widths, depth), last_state),
        name="kind",
    )
    return Space(nn.Sequential(front_end(sample_rate), kind))


def front_end(sample_rate: int, hops: Sequence[float] = HOPS) -> Any:
    """A log-mel front end whose settings are open; from one frame to the next lie `hops` milliseconds."""
    layer = nn.LogMel(
        sample_rate,
        mels=choice(*MELS, name="mels", default=40),
        window_ms=choice(*WINDOWS, name="window_ms", default=25),
        hop_ms=choice(*hops, name="hop_ms"),
        mask=choice(*MASKS, name="mask", default=0.15),
    )
    return named(layer, "front")


def _image(shape: tuple[int, ...], widths: Sequence[int], depth: int) -> list[Any]:
    """Stages as in `convnet`; the first layer may halve both axes, whatever their size."""
    act = choice(*ACTIVATIONS, name="activation", tied=True)
    width = usually(16, widths)
    kernels = allowed_kernels(shape, (3, 5))
    first = nn.ConvBlock(
        width, kernel=choice(*kernels, name="kernel"), stride=choice(1, 2, name="stride", default=2), activation=act
    )

    def stage(wide: Any, i: int) -> list[Any]:
        enter = entering(wide, choice(*kernels, name="kernel"), act)
        return [enter, perhaps(residual_block(kernels, act), depth, "blocks")]

    return in_stages(first, stage, min(3, halvings(shape)), width)
