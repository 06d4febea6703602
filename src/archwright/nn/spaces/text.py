"""Texts: an average of words, convolution, recurrence and attention in one conditional space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archwright import nn
from archwright.nn.spaces import kinds
from archwright.nn.spaces.stages import check_shape, named, usually
from archwright.space import Space, choice, repeat

__all__ = ["text"]

EMBEDDINGS = (16, 24, 32, 48, 64, 96, 128, 192, 256)
FILTERS = (16, 24, 32, 48, 64, 96, 128)
WINDOWS = ((2,), (3,), (5,), (1, 2), (2, 3), (1, 2, 3), (2, 3, 4), (3, 4, 5))


def text(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    vocabulary: int = 10_000,
    widths: Sequence[int] = EMBEDDINGS,
    depth: int = 2,
    head: Any = nn.Classifier,
) -> Space:
    """Networks for token numbers (T,), padded with 0 at the end, of four kinds.

    ``average``: the mean or maximum of the words' vectors (Joulin et al., *Bag of Tricks for Efficient Text
    Classification*, EACL 2017, https://arxiv.org/abs/1607.01759). ``convolution``: filters over windows of several
    sizes, side by side (Kim, *Convolutional Neural Networks for Sentence Classification*, EMNLP 2014,
    https://arxiv.org/abs/1408.5882). ``recurrent``: GRU or LSTM. ``attention``: Transformer blocks.

    Args:
        input_shape: How many tokens a text has, padding included, as a shape: ``(40,)``.
        n_outputs: Classes, or values with ``head=nn.Regressor``.
        vocabulary: How many tokens there are.
        widths: Of the embedding.
        depth: Most recurrent layers; attention blocks are up to twice as many.
        head: `archwright.nn.Classifier` or `archwright.nn.Regressor`.
    """
    shape = check_shape("text", input_shape, (1,))
    embedding = nn.TokenEmbedding(vocabulary, usually(128, widths), dropout=_dropout(0.1, 0.3, 0.5))

    def last(*pools: str) -> Any:
        pool = choice(*pools, name="pool") if len(pools) > 1 else pools[0]
        return named(head(n_outputs, pool=pool, dropout=_dropout(0.1, 0.3, 0.5)), "head")

    convolution = kinds.convolution(_windows(shape), last("max"))
    kind = choice(
        kinds.average(last("avg", "max")),
        convolution,
        kinds.recurrent(_recurrent(depth), last("avg", "max", "last")),
        kinds.attention(*_attention(2 * depth), last("avg", "max")),
        name="kind",
        default=convolution,  # Kim's network
    )
    return Space(nn.TokenNetwork(named(embedding, "embedding"), kind))


def _dropout(*shares: float) -> Any:
    return choice(*shares, name="dropout", default=0.3)


def _windows(shape: tuple[int, ...]) -> Any:
    """Kim's layer: for each size of window as many filters, all on the same words."""
    fitting = ["+".join(map(str, sizes)) for sizes in WINDOWS if max(sizes) <= shape[0]] or ["1"]
    layer = nn.Windows(
        usually(96, FILTERS),
        windows=choice(*fitting, name="windows", default=fitting[-1]),
        activation=choice("relu", "tanh", name="activation"),
    )
    return named(layer, "filters")


def _recurrent(depth: int) -> Any:
    layer = nn.Recurrent(
        usually(64, FILTERS),
        cell=choice("gru", "lstm", name="cell"),
        layers=choice(*range(1, depth + 1), name="layers"),
        bidirectional=choice(False, True, name="bidirectional"),
        dropout=0.3,
    )
    return named(layer, "recurrent")


def _attention(depth: int) -> list[Any]:
    position = nn.PositionalEncoding(choice("conv", "sine", "learned", name="position"))
    block = nn.TransformerBlock(
        heads=choice(1, 2, 4, name="heads", tied=True),
        head_width=choice(8, 16, 32, name="head_width", tied=True),
        expansion=choice(1, 2, 4, name="expansion", tied=True),
        dropout=choice(0.0, 0.1, 0.3, name="dropout", tied=True),
    )
    return [position, named(repeat(block, (1, depth), name="depth"), "blocks")]
