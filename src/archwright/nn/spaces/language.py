"""Language models: recurrence, causal convolution and Transformer decoders in one conditional space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archwright import nn
from archwright.nn.spaces import kinds
from archwright.nn.spaces.stages import check_shape, named, usually
from archwright.space import Space, choice, repeat

__all__ = ["language"]

EMBEDDINGS = (24, 32, 48, 64, 96, 128)
STATES = (48, 64, 96, 128, 192, 256)


def language(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    vocabulary: int | None = None,
    widths: Sequence[int] = EMBEDDINGS,
    depth: int = 4,
) -> Space:
    """Networks that say at each position of (T,) token numbers what comes next, of three kinds.

    None reads what comes later. ``recurrent``: GRU or LSTM. ``causal``: gated convolutions of doubling dilation (van
    den Oord et al., *WaveNet*, 2016, https://arxiv.org/abs/1609.03499). ``decoder``: Transformer blocks that attend to
    the past (Radford et al., *Language Models are Unsupervised Multitask Learners*, 2019).

    Args:
        input_shape: How many tokens are read at once, as a shape: ``(128,)``.
        n_outputs: How many tokens there are.
        vocabulary: The same, where a task says it by this name too.
        widths: Of the embedding.
        depth: Most decoder blocks; recurrent layers are up to two.
    """
    shape = check_shape("language", input_shape, (1,))
    drop = choice(0.0, 0.1, 0.2, name="dropout", default=0.1)
    embedding = nn.TokenEmbedding(vocabulary or n_outputs, usually(64, widths), dropout=drop)
    head = nn.NextToken(n_outputs, dropout=drop)
    kind = choice(
        kinds.recurrent(_recurrent()),
        kinds.causal(named(_dilated(shape, 2 * depth), "blocks")),
        kinds.decoder(*_decoder(depth)),
        name="kind",
    )
    return Space(nn.TokenNetwork(named(embedding, "embedding"), kind, named(head, "head")))


def _recurrent() -> Any:
    layer = nn.Recurrent(
        usually(192, STATES),
        cell=choice("gru", "lstm", name="cell"),
        layers=choice(1, 2, name="layers"),
        dropout=0.1,
    )
    return named(layer, "recurrent")


def _dilated(shape: tuple[int, ...], depth: int) -> Any:
    """Causal blocks whose dilation doubles; from the third on, each decides whether there is one."""
    width, kernel = choice(*STATES[:4], name="width"), choice(2, 3, name="kernel")
    blocks: Any = nn.Identity()
    dilations = [2**i for i in range(depth) if 2**i < max(2, shape[0])]
    for i, dilation in reversed(list(enumerate(dilations))):
        rest = nn.Sequential(nn.CausalBlock(width, kernel, dilation), blocks)
        blocks = rest if i < 2 else choice(nn.Identity(), rest, name=f"block{i + 1}")
    return blocks


def _decoder(depth: int) -> list[Any]:
    position = nn.PositionalEncoding(choice("sine", "learned", name="position"))  # a convolution would read ahead
    block = nn.TransformerBlock(
        heads=choice(2, 4, 8, name="heads", tied=True),
        head_width=choice(16, 32, name="head_width", tied=True),
        expansion=choice(2, 4, name="expansion", tied=True),
        dropout=choice(0.0, 0.1, name="dropout", tied=True),
        causal=True,
    )
    return [position, named(repeat(block, (1, depth), name="depth"), "blocks")]
