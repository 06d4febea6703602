"""Sequences: convolution, causal convolution, recurrence and attention in one conditional space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archwright import nn
from archwright.nn.spaces import kinds
from archwright.nn.spaces.convnet import staged_convnet
from archwright.nn.spaces.stages import ACTIVATIONS, WIDTHS, allowed_kernels, check_shape, head_of, named, usually
from archwright.space import Space, choice, repeat

__all__ = ["attention", "before", "causal", "recurrent", "sequence"]

FEWEST_STEPS = 8
"""Pooling leaves this many steps or more."""


def sequence(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    widths: Sequence[int] = WIDTHS,
    depth: int = 2,
    head: Any = nn.Classifier,
) -> Space:
    """Networks for sequences (C, T), of four kinds.

    ``convolution``: the stages of `convnet`. The others begin with a convolution and perhaps a pooling, and go
    on with ``causal`` (gated convolutions of doubling dilation), ``recurrent`` (RNN, GRU or LSTM) or ``attention``
    (Transformer blocks).

    Args:
        input_shape: Shape of one input, (channels, time), without the batch.
        n_outputs: Classes, or values with ``head=nn.Regressor``.
        widths: Channels of the first layer.
        depth: Most blocks of a stage, and most recurrent layers; attention and causal blocks are up to twice as many.
        head: `archwright.nn.Classifier` or `archwright.nn.Regressor`.
    """
    shape = check_shape("sequence", input_shape, (2,))
    convolution = staged_convnet(shape, widths, depth)
    shorter = before(shape, widths)
    last = head_of(head, n_outputs)
    # The end of a sequence holds what a recurrent layer has seen of all of it.
    pool = choice("avg", "max", "last", name="pool")
    last_state = named(head(n_outputs, pool=pool, dropout=choice(0.0, 0.1, name="dropout")), "head")
    return Space(
        choice(
            kinds.convolution(*convolution, last),
            kinds.causal(*shorter, causal(shape, 2 * depth), last),
            kinds.recurrent(*shorter, recurrent(widths, depth), last_state),
            kinds.attention(*shorter, *attention(2 * depth), last),
            name="kind",
        )
    )


def before(shape: tuple[int, ...], widths: Sequence[int]) -> list[Any]:
    """A convolution and a pooling, which give the layers after them features and fewer steps."""
    kernels = allowed_kernels(shape, (3, 5, 7, 9))
    first = nn.ConvBlock(
        usually(32, widths),
        kernel=choice(*kernels, name="kernel"),
        activation=choice(*ACTIVATIONS, name="activation"),
    )
    windows = tuple(w for w in (1, 2, 4) if shape[1] // w >= FEWEST_STEPS) or (1,)
    shorter = choice(*(nn.MaxPool(w) if w > 1 else nn.Identity() for w in windows), name="pool")
    return [named(first, "first"), shorter]


def causal(shape: tuple[int, ...], depth: int) -> Any:
    """Gated blocks whose dilation doubles from 1 on, as far as the sequence reaches; one kernel for all."""
    kernel = choice(2, 3, name="kernel", tied=True)
    norm = choice("batch", "none", name="norm", tied=True)
    blocks: Any = nn.Identity()
    dilations = [2**i for i in range(depth) if 2**i < shape[1]]
    for i, dilation in reversed(list(enumerate(dilations))):
        block = nn.CausalBlock(kernel=kernel, dilation=dilation, norm=norm)
        # From the second on, each block decides whether there is one.
        rest = nn.Sequential(block, blocks)
        blocks = rest if i == 0 else choice(nn.Identity(), rest, name=f"block{i + 1}")
    return named(blocks, "blocks")


def recurrent(widths: Sequence[int], depth: int) -> Any:
    """RNN, GRU or LSTM, in both directions or one."""
    layer = nn.Recurrent(
        usually(32, widths),
        cell=choice("rnn", "gru", "lstm", name="cell", default="gru"),
        layers=choice(*range(1, depth + 1), name="layers"),
        bidirectional=choice(False, True, name="bidirectional"),
    )
    return named(layer, "recurrent")


def attention(depth: int) -> list[Any]:
    """An encoding of positions, and Transformer blocks."""
    position = nn.PositionalEncoding(choice("conv", "sine", "learned", name="position"), kernel=5)
    block = nn.TransformerBlock(
        heads=choice(1, 2, 4, name="heads", tied=True),
        head_width=choice(4, 8, 16, name="head_width", tied=True),
        expansion=choice(1, 2, 3, name="expansion", tied=True),
    )
    return [position, named(repeat(block, (1, depth), name="depth"), "blocks")]
