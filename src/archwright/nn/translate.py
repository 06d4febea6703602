"""Networks that turn one text into another: an encoder, and a decoder that attends to it and reads what it wrote."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from archwright.errors import EvaluationError
from archwright.nn.activations import ACTIVATIONS, activation
from archwright.nn.attention import FAR, sines
from archwright.nn.check import at_least, fraction, one_of
from archwright.nn.inferred import Inferred
from archwright.nn.tokens import PAD, TokenEmbedding, TokenNetwork, flattened

__all__ = ["ATTENTIONS", "SHARES", "DecoderPositions", "EncoderDecoder", "RecurrentDecoder", "TransformerDecoder"]

SHARES = ("none", "output", "source", "all")
ATTENTIONS = ("dot", "additive")


class DecoderBlock(Inferred):
    """A part of a decoder, on (B, T, C) where its surroundings keep the width C.

    ``block(x, memory, there, past)`` gives the result and a new `past`. Without a past, `x` are all positions of a text
    at once, as in training; with one, it is the next position, as in writing: the results are the same. `memory`
    (B, S, C) is what the encoder made of the source, and `there` (B, S) is False at its padding.

    Attributes:
        first: The past with which writing token by token begins.
    """

    first: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.body: nn.Module | None = None

    @abstractmethod
    def _make(self, width: int, length: int) -> nn.Module:
        """The parts, for texts of at most so many tokens."""

    def forward(self, x: Tensor, memory: Tensor, there: Tensor, past: Any = None) -> tuple[Tensor, Any]:
        """The parts on what is written; the first input makes them."""
        if self.waiting:
            self.body = self._make(x.shape[2], x.shape[1]).to(x.device).train(self.training)
            self.waiting = False
        assert self.body is not None
        result: tuple[Tensor, Any] = self.body(x, memory, there, past)
        return result


class _Attention(nn.Module):
    """What queries (B, T, C) find in a memory, whose keys and values `project` makes once: (B, T, heads * width)."""

    def __init__(self, width: int, heads: int, head_width: int, additive: bool = False):
        super().__init__()
        inner = heads * head_width
        self.query = nn.Linear(width, inner)
        self.both = nn.Linear(width, 2 * inner)
        self.split = nn.Unflatten(-1, (heads, head_width))
        self.split_both = nn.Unflatten(-1, (2, heads, head_width))
        self.join = nn.Flatten(2)
        self.weigh = nn.Linear(head_width, 1, bias=False) if additive else None

    def project(self, memory: Tensor) -> Tensor:
        """Keys and values, (2, B, heads, S, head_width)."""
        return self.split_both(self.both(memory)).permute(2, 0, 3, 1, 4)

    def forward(self, x: Tensor, known: Tensor, there: Tensor) -> Tensor:
        query = self.split(self.query(x)).transpose(1, 2)
        bias = there.logical_not().unsqueeze(1).unsqueeze(1) * FAR
        if self.weigh is None:
            found = scaled_dot_product_attention(query, known[0], known[1], attn_mask=bias)
        else:  # (B, heads, T, S, head_width), which is why there is one head
            scores = self.weigh(torch.tanh(query.unsqueeze(3) + known[0].unsqueeze(2))).squeeze(4)
            found = (scores + bias).softmax(3) @ known[1]
        return self.join(found.transpose(1, 2))


class _Recurrent(nn.Module):
    def __init__(self, cell: str, width: int, attention: str, dropout: float):
        super().__init__()
        self.long = cell == "lstm"
        self.begin = nn.Sequential(nn.Linear(width, width), nn.Tanh())
        self.layer = (nn.LSTM if self.long else nn.GRU)(width, width, batch_first=True)
        self.attend = _Attention(width, 1, width, additive=attention == "additive")
        self.join = nn.Sequential(nn.Linear(2 * width, width), nn.Tanh(), nn.Dropout(dropout))

    def forward(self, x: Tensor, memory: Tensor, there: Tensor, past: Any = None) -> tuple[Tensor, Any]:
        if past is None:
            weight = there.unsqueeze(2).to(memory.dtype)
            mean = (memory * weight).sum(1) / weight.sum(1).clamp_min(1.0)
            state = self.begin(mean).unsqueeze(0)
            past = ((state, torch.zeros_like(state)) if self.long else state), self.attend.project(memory)
        before, known = past
        states, after = self.layer(x, before)
        return self.join(torch.cat([self.attend(states, known, there), states], 2)), (after, known)


class RecurrentDecoder(DecoderBlock):
    """A recurrent layer whose states attend to the source, and both joined: ``tanh(W [found; state])``.

    Luong et al., *Effective Approaches to Attention-based Neural Machine Translation*, EMNLP 2015
    (https://arxiv.org/abs/1508.04025), equations 5 and 7, without input feeding, so that all positions of a text are
    one call. Its state begins with the mean of the memory. ``additive`` scores are those of Bahdanau et al., ICLR 2015
    (https://arxiv.org/abs/1409.0473); ``dot`` ones are scaled dot products of projections.

    Args:
        cell: ``gru`` or ``lstm``.
        attention: ``dot`` or ``additive``.
        dropout: On the result.
    """

    def __init__(self, cell: str = "gru", attention: str = "dot", dropout: float = 0.0):
        super().__init__()
        one_of("RecurrentDecoder", "cell", cell, ("gru", "lstm"))
        one_of("RecurrentDecoder", "attention", attention, ATTENTIONS)
        fraction("RecurrentDecoder", dropout=dropout)
        self.cell, self.attention, self.dropout = cell, attention, dropout

    def _make(self, width: int, length: int) -> nn.Module:
        return _Recurrent(self.cell, width, self.attention, self.dropout)


class _Transformer(nn.Module):
    def __init__(self, width: int, heads: int, head_width: int, hidden: int, act: str, dropout: float):
        super().__init__()
        inner = heads * head_width
        self.norm, self.cross_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * inner)
        self.split = nn.Unflatten(-1, (3, heads, head_width))
        self.join = nn.Flatten(2)
        self.out = nn.Sequential(nn.Linear(inner, width), nn.Dropout(dropout))
        self.attend = _Attention(width, heads, head_width)
        self.cross_out = nn.Sequential(nn.Linear(inner, width), nn.Dropout(dropout))
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, hidden),
            activation(act),
            nn.Linear(hidden, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor, memory: Tensor, there: Tensor, past: Any = None) -> tuple[Tensor, Any]:
        qkv = self.split(self.project(self.norm(x))).permute(2, 0, 3, 1, 4)  # (3, B, heads, T, head_width)
        if past is None:
            keys, values, known = qkv[1], qkv[2], self.attend.project(memory)
            found = scaled_dot_product_attention(qkv[0], keys, values, is_causal=True)
        else:  # one position more, which sees all before it
            keys, values, known = torch.cat([past[0], qkv[1]], 2), torch.cat([past[1], qkv[2]], 2), past[2]
            found = scaled_dot_product_attention(qkv[0], keys, values)
        x = x + self.out(self.join(found.transpose(1, 2)))
        x = x + self.cross_out(self.attend(self.cross_norm(x), known, there))
        return x + self.perceptron(x), (keys, values, known)


class TransformerDecoder(DecoderBlock):
    """The Transformer's decoder block: attention to what is written, to the source, and a perceptron; norms first.

    Vaswani et al., *Attention Is All You Need*, 2017 (https://arxiv.org/abs/1706.03762); see `TransformerBlock`.

    Args:
        heads: How many attend side by side, to either.
        head_width: Width of each head.
        expansion: Hidden width of the perceptron in multiples of the width.
        dropout: After each of the three.
        activation: Of the perceptron.
    """

    def __init__(
        self,
        heads: int = 4,
        head_width: int = 16,
        expansion: float = 2,
        dropout: float = 0.0,
        activation: str = "gelu",
    ):
        super().__init__()
        at_least("TransformerDecoder", 1, heads=heads, head_width=head_width)
        one_of("TransformerDecoder", "activation", activation, ACTIVATIONS)
        fraction("TransformerDecoder", dropout=dropout)
        self.heads, self.head_width, self.expansion = heads, head_width, expansion
        self.dropout, self.activation = dropout, activation

    def _make(self, width: int, length: int) -> nn.Module:
        hidden = max(1, round(width * self.expansion))
        return _Transformer(width, self.heads, self.head_width, hidden, self.activation, self.dropout)


class _Positions(nn.Module):
    table: Tensor

    def __init__(self, table: Tensor, learned: bool, scale: float):
        super().__init__()
        self.scale = scale
        if learned:
            self.table = nn.Parameter(table)
        else:
            self.register_buffer("table", table)

    def forward(self, x: Tensor, memory: Tensor, there: Tensor, past: Any = None) -> tuple[Tensor, Any]:
        if past is None:
            return x * self.scale + self.table, None
        return x * self.scale + self.table[:, past : past + 1], past + 1


class DecoderPositions(DecoderBlock):
    """Tells a decoder's positions apart: vectors times the root of their width, as in the Transformer, plus a table.

    Args:
        kind: ``sine`` (fixed) or ``learned`` (a parameter each, from zero).
    """

    first = 0

    def __init__(self, kind: str = "sine"):
        super().__init__()
        one_of("DecoderPositions", "kind", kind, ("sine", "learned"))
        self.kind = kind

    def _make(self, width: int, length: int) -> nn.Module:
        table = sines(width, length).transpose(1, 2).contiguous()
        learned = self.kind == "learned"
        return _Positions(torch.zeros_like(table) if learned else table, learned, math.sqrt(width))


class EncoderDecoder(Inferred):
    """At each position of a translation, a score for each token: does it come next?

    Shapes: (B, S + T) int64 -> (B, vocabulary, T). The first `source_length` tokens are the source; the others are what
    is written so far, one token on: a mark that begins it, then the translation. Padding is 0, at the end of either.
    Padding is never said: nothing is learnt for its score, so that its vector stays zero where tables are shared.

    `read` and `write` do the same in two steps, and one token at a time: see `archwright.task.translations.greedy`.

    Args:
        encoder: A `archwright.nn.TokenNetwork` on the source, (B, S) -> (B, any width, S).
        decoder: A block, or a sequence of blocks, on (B, T, width).
        vocabulary: How many tokens the target has.
        source_length: How many of the tokens are the source.
        width: Of the decoder and its vectors.
        share: Which tables are one: ``none``; ``output``: the target's vectors and the weights of the scores (Press &
            Wolf, EACL 2017, https://arxiv.org/abs/1608.05859); ``source``: source's and target's vectors, where both
            have the same tokens; ``all``.
        dropout: On vectors of tokens, and before the scores.
    """

    said: Tensor

    def __init__(
        self,
        encoder: TokenNetwork,
        decoder: nn.Module,
        vocabulary: int,
        source_length: int,
        width: int,
        share: str = "output",
        dropout: float = 0.0,
    ):
        super().__init__()
        at_least("EncoderDecoder", 1, vocabulary=vocabulary, source_length=source_length, width=width)
        one_of("EncoderDecoder", "share", share, SHARES)
        fraction("EncoderDecoder", dropout=dropout)
        self.source_length = source_length
        self.encoder = encoder
        self.bridge = nn.LazyLinear(width)
        self.embedding = TokenEmbedding(vocabulary, width, dropout)
        self.decoder = nn.ModuleList(flattened((decoder,)))
        self.norm, self.drop = nn.LayerNorm(width), nn.Dropout(dropout)
        self.score = nn.Linear(width, vocabulary)
        self.register_buffer("said", (torch.arange(vocabulary) != PAD).float().unsqueeze(1))
        if share in ("output", "all"):
            self.score.weight = self.embedding.table.weight
        if share in ("source", "all"):
            first = encoder.layers[0] if isinstance(encoder, TokenNetwork) and len(encoder.layers) else encoder
            if not isinstance(first, TokenEmbedding) or first.table.weight.shape != self.embedding.table.weight.shape:
                raise EvaluationError(
                    f"EncoderDecoder(share={share!r}): the encoder begins with {first}, whose table is not "
                    f"{vocabulary} x {width}: source and target share vectors where they have the same tokens and width"
                )
            first.table.weight = self.embedding.table.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores (B, vocabulary, T) of what comes next at each position."""
        memory, there = self.read(tokens[:, : self.source_length])
        scores, _ = self.write(tokens[:, self.source_length :], memory, there)
        self.waiting = False
        return scores

    @property
    def first(self) -> list[Any]:
        """The past of a translation of which nothing is written yet."""
        return [block.first for block in self.decoder]

    def read(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder attends to, (B, S, width), and where there is no padding."""
        return self.bridge(self.encoder(source).transpose(1, 2)), source != PAD

    def write(
        self, tokens: Tensor, memory: Tensor, there: Tensor, past: list[Any] | None = None
    ) -> tuple[Tensor, list[Any]]:
        """Scores after each of the tokens (B, t), and a past with which the next token goes on.

        Without a past these are all T tokens at once; token by token, the first one comes with the past `first`.
        """
        x = self.embedding(tokens).transpose(1, 2)
        after = []
        for i, block in enumerate(self.decoder):
            x, state = block(x, memory, there, None if past is None else past[i])
            after.append(state)
        scores = linear(self.drop(self.norm(x)), self.score.weight * self.said, self.score.bias)
        return scores.transpose(1, 2), after
