"""Translation: recurrent and Transformer encoders and decoders, each with each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archwright import nn
from archwright.errors import SpaceError
from archwright.nn.spaces import kinds
from archwright.nn.spaces.stages import check_shape, named, usually
from archwright.space import Space, choice, repeat

__all__ = ["translation"]

WIDTHS = (64, 96, 128, 192, 256)
STATES = (64, 96, 128, 192)


def translation(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    source_length: int | None = None,
    source_vocabulary: int | None = None,
    joint: bool = True,
    widths: Sequence[int] = WIDTHS,
    depth: int = 3,
) -> Space:
    """Encoder-decoders with attention: from a text and what is written of its translation to what comes next.

    Encoder and decoder decide apart whether they are recurrent (Bahdanau et al., ICLR 2015,
    https://arxiv.org/abs/1409.0473; Luong et al., EMNLP 2015) or Transformers (Vaswani et al., 2017): a recurrent
    decoder on a Transformer is a good one (Chen et al., *The Best of Both Worlds*, ACL 2018,
    https://arxiv.org/abs/1804.09849). Which tables of vectors are one is open too.

    Args:
        input_shape: Tokens of the source and of what is written together, as a shape: ``(60,)``.
        n_outputs: How many tokens the target has.
        source_length: How many of the tokens are the source; by default half of them.
        source_vocabulary: How many tokens the source has; by default as many as the target.
        joint: Whether source and target have the same tokens, so that they may share vectors.
        widths: Of vectors and of the decoder.
        depth: Most Transformer blocks on either side; recurrent layers are up to two.
    """
    (length,) = check_shape("translation", input_shape, (1,))
    source = length // 2 if source_length is None else source_length
    if not 1 <= source < length:
        raise SpaceError(f"translation: source_length={source} of {length} tokens leaves none for one of both texts")
    width = usually(128, widths)
    drop = choice(0.1, 0.2, 0.3, name="dropout")
    embedding = nn.TokenEmbedding(source_vocabulary or n_outputs, width, dropout=drop)
    encoder = choice(kinds.recurrent(_reading()), kinds.attention(*_attending(depth)), name="kind")
    decoder = choice(kinds.recurrent(_writing()), kinds.decoder(*_decoding(depth)), name="kind")
    return Space(
        nn.EncoderDecoder(
            named(nn.TokenNetwork(embedding, encoder), "encoder"),
            named(decoder, "decoder"),
            vocabulary=n_outputs,
            source_length=source,
            width=width,
            share=choice(*(nn.SHARES if joint else nn.SHARES[:2]), name="share", default="output"),
            dropout=drop,
        )
    )


def _reading() -> Any:
    layer = nn.Recurrent(
        usually(128, STATES),
        cell=choice("gru", "lstm", name="cell"),
        layers=choice(1, 2, name="layers"),
        bidirectional=choice(True, False, name="bidirectional"),
        dropout=0.2,
    )
    return named(layer, "recurrent")


def _writing() -> Any:
    block = nn.RecurrentDecoder(
        cell=choice("gru", "lstm", name="cell", tied=True),
        attention=choice(*nn.ATTENTIONS, name="attention", tied=True),
        dropout=choice(0.0, 0.2, name="dropout", tied=True),
    )
    return named(repeat(block, (1, 2), name="layers"), "recurrent")


def _blocks(make: Any, depth: int) -> Any:
    block = make(
        heads=choice(2, 4, 8, name="heads", tied=True),
        head_width=choice(16, 32, name="head_width", tied=True),
        expansion=choice(2, 4, name="expansion", tied=True),
        dropout=choice(0.0, 0.1, 0.2, name="dropout", tied=True),
    )
    return named(repeat(block, (1, depth), name="depth"), "blocks")


def _attending(depth: int) -> list[Any]:
    return [nn.PositionalEncoding(choice("conv", "learned", name="position")), _blocks(nn.TransformerBlock, depth)]


def _decoding(depth: int) -> list[Any]:
    return [nn.DecoderPositions(choice("sine", "learned", name="position")), _blocks(nn.TransformerDecoder, depth)]
