"""Speech: a log-mel front end, fewer frames by convolution, an encoder, and a score for each token at every frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archwright import nn
from archwright.errors import SpaceError
from archwright.nn.spaces import kinds
from archwright.nn.spaces.audio import front_end
from archwright.nn.spaces.stages import ACTIVATIONS, check_shape, named, usually
from archwright.space import Space, choice, repeat

__all__ = ["frames_left", "speech"]

HOPS = (10, 15, 20)
"""Milliseconds from one frame to the next, before convolutions leave fewer."""
REDUCTIONS = (2, 4, 8)
ENCODERS = (48, 64, 96, 128, 192)
STATES = (32, 48, 64, 96, 128)


def speech(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    sample_rate: int = 16_000,
    least_frames: int = 1,
    widths: Sequence[int] = ENCODERS,
    depth: int = 3,
) -> Space:
    """Networks for raw sound (1, samples) that give (tokens, frames) scores, for connectionist temporal classification.

    The front end is `archwright.nn.LogMel`; convolutions of stride 2 then leave every second, fourth or eighth frame.
    On these works one of three encoders: ``recurrent`` (as in Amodei et al., *Deep Speech 2*, ICML 2016,
    https://arxiv.org/abs/1512.02595), ``attention`` (Transformer blocks) or ``convolution`` (residual separable
    convolutions, as in Kriman et al., *QuartzNet*, ICASSP 2020, https://arxiv.org/abs/1910.10261).

    Args:
        input_shape: Shape of one input, (1, samples), without the batch.
        n_outputs: Tokens, the blank (number 0) included.
        sample_rate: Samples a second.
        least_frames: So many frames are left or more: as many as the longest text needs.
        widths: Of the encoder.
        depth: Most attention blocks; convolutions are up to twice as many, recurrent layers up to two.
    """
    shape = check_shape("speech", input_shape, (2,))
    # A longer hop spares the front end too, and so comes before what convolutions leave out.
    hops = [hop for hop in HOPS if frames_left(shape[1], sample_rate, 2, hop) >= least_frames] or [HOPS[0]]
    fitting = [r for r in REDUCTIONS if frames_left(shape[1], sample_rate, r, hops[-1]) >= least_frames] or [1]
    left = frames_left(shape[1], sample_rate, fitting[0], hops[-1])
    if left < least_frames:
        raise SpaceError(
            f"speech: {shape[1]} samples are {left} frames of {HOPS[0]} ms, fewer than least_frames={least_frames}: "
            f"longer clips, or texts of fewer tokens, are needed"
        )
    width = usually(64, widths)
    encoder = choice(
        kinds.recurrent(_recurrent()),
        kinds.attention(*_attention(depth)),
        kinds.convolution(_convolutions(depth)),
        name="kind",
    )
    last = named(nn.NextToken(n_outputs, dropout=choice(0.0, 0.1, 0.2, name="dropout")), "head")
    return Space(nn.Sequential(front_end(sample_rate, hops), _fewer(fitting, width), encoder, last))


def frames_left(samples: int, sample_rate: int, reduction: int, hop_ms: float = HOPS[0]) -> int:
    """How many frames there are where every `reduction`-th is kept: each stride of 2 rounds up."""
    frames = 1 + samples // round(sample_rate * hop_ms / 1000)
    return -(-frames // reduction)


def _fewer(reductions: Sequence[int], width: Any) -> Any:
    """Convolutions over time, the bands being channels: one for each halving, and one where there is none."""
    act = choice(*ACTIVATIONS, name="activation", tied=True)
    kernel = choice(3, 5, 7, name="kernel", tied=True, default=5)

    def layers(reduction: int) -> Any:
        strides = [2] * (reduction.bit_length() - 1) or [1]
        return nn.Sequential(*(nn.ConvBlock(width, kernel=kernel, stride=s, activation=act) for s in strides))

    names = {1: kinds.all_frames, 2: kinds.half, 4: kinds.quarter, 8: kinds.eighth}
    return named(choice(*(names[r](layers(r)) for r in reductions), name="frames"), "frames")


def _recurrent() -> Any:
    layer = nn.Recurrent(
        usually(64, STATES),
        cell=choice("gru", "lstm", name="cell"),
        layers=choice(1, 2, name="layers"),
        bidirectional=choice(True, False, name="bidirectional"),
        dropout=0.1,
    )
    return named(layer, "recurrent")


def _attention(depth: int) -> list[Any]:
    block = nn.TransformerBlock(
        heads=choice(2, 4, name="heads", tied=True),
        head_width=choice(16, 32, name="head_width", tied=True),
        expansion=choice(2, 4, name="expansion", tied=True),
        dropout=choice(0.0, 0.1, name="dropout", tied=True),
    )
    return [nn.PositionalEncoding("conv", kernel=9), named(repeat(block, (1, depth), name="depth"), "blocks")]


def _convolutions(depth: int) -> Any:
    block = nn.Residual(
        nn.SeparableBlock(
            kernel=choice(7, 11, 15, name="kernel"), activation=choice("relu", "silu", name="activation")
        ),
        project=False,
    )
    return named(repeat(block, (1, 2 * depth), name="depth"), "blocks")
