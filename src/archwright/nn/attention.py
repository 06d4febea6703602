"""Self-attention, the Transformer's encoder block, and ways to tell positions apart, on (B, C, T)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from archwright.errors import EvaluationError
from archwright.nn.activations import ACTIVATIONS, activation
from archwright.nn.check import at_least, fraction, one_of, rank_of
from archwright.nn.inferred import Block
from archwright.nn.init import INITS, initialize
from archwright.nn.merge import Add

__all__ = ["FAR", "PositionalEncoding", "SelfAttention", "TimeFirst", "TransformerBlock", "sines"]

POSITIONS = ("sine", "learned", "conv")


FAR = -1e4
"""Added to the score of padding: its share is 0 in float32, and a text of padding alone still gives numbers."""


class _Attend(nn.Module):
    """Multi-head attention of (B, T, C) to itself; `causal`: to the past alone; with `there` (B, T): not to padding."""

    def __init__(self, channels: int, heads: int, head_width: int, dropout: float, causal: bool = False):
        super().__init__()
        self.causal = causal
        inner = heads * head_width
        self.project = nn.Linear(channels, 3 * inner)
        self.split = nn.Unflatten(-1, (3, heads, head_width))
        self.join = nn.Flatten(2)
        self.out = nn.Linear(inner, channels)
        self.drop = nn.Dropout(dropout) if dropout else nn.Identity()

    def forward(self, x: Tensor, there: Tensor | None = None) -> Tensor:
        qkv = self.split(self.project(x)).permute(2, 0, 3, 1, 4)  # (3, B, heads, T, head_width)
        if there is not None:  # (B, 1, 1, T)
            bias = there.logical_not().unsqueeze(1).unsqueeze(1) * FAR
            attended = scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], attn_mask=bias)
        elif self.causal:
            attended = scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], is_causal=True)
        else:
            attended = scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
        return self.drop(self.out(self.join(attended.transpose(1, 2))))


class TimeFirst(nn.Module):
    """`body` reads (B, T, C) where its surroundings speak (B, C, T)."""

    def __init__(self, body: nn.Module):
        super().__init__()
        self.body = body

    def forward(self, x: Tensor, there: Tensor | None = None) -> Tensor:
        x = x.transpose(1, 2)
        return (self.body(x) if there is None else self.body(x, there)).transpose(1, 2)


class _Encoder(nn.Module):
    """``x + attend(norm(x))``, then ``x + perceptron(x)``; the perceptron begins with its own norm."""

    def __init__(self, attend: nn.Module, perceptron: nn.Module, channels: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.attend = attend
        self.perceptron = perceptron

    def forward(self, x: Tensor, there: Tensor | None = None) -> Tensor:
        seen = self.norm(x)
        x = x + (self.attend(seen) if there is None else self.attend(seen, there))
        return x + self.perceptron(x)


def _head_width(where: str, channels: int, heads: int, head_width: int | None) -> int:
    if head_width is None and channels % heads:
        raise EvaluationError(
            f"{where}: {heads} heads do not divide {channels} channels; say head_width=, or choose heads that do"
        )
    return head_width or channels // heads


class _Unmasked(nn.Module):
    """`body`, which has no use for a mask."""

    def __init__(self, body: nn.Module):
        super().__init__()
        self.body = body

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        return self.body(x)


class SelfAttention(Block):
    """Multi-head self-attention. Shapes: (B, C, T), kept.

    Vaswani et al., *Attention Is All You Need*, 2017 (https://arxiv.org/abs/1706.03762).

    Args:
        heads: How many attend side by side.
        head_width: Width of each head; by default the channels divided by `heads`, which then must divide them.
        dropout: On the result.
        init: One of `archwright.nn.INITS`.
    """

    def __init__(self, heads: int = 4, head_width: int | None = None, dropout: float = 0.0, init: str = "default"):
        super().__init__()
        at_least("SelfAttention", 1, heads=heads, head_width=head_width)
        one_of("SelfAttention", "init", init, INITS)
        fraction("SelfAttention", dropout=dropout)
        self.heads, self.head_width, self.dropout, self.init = heads, head_width, dropout, init

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank_of("SelfAttention", shape, (3,))
        width = _head_width("SelfAttention", shape[1], self.heads, self.head_width)
        return initialize(TimeFirst(_Attend(shape[1], self.heads, width, self.dropout)), self.init)

    def _make_masked(self, shape: tuple[int, ...]) -> nn.Module:
        return self._make(shape)


class TransformerBlock(Block):
    """The Transformer's encoder block: ``x + attend(norm(x))``, then ``x + mlp(norm(x))``. Shapes: (B, C, T), kept.

    Norm first trains without warm-up (Xiong et al., ICML 2020, https://arxiv.org/abs/2002.04745).

    Args:
        heads: How many attend side by side.
        head_width: Width of each head; by default the channels divided by `heads`.
        expansion: Hidden width of the perceptron in multiples of the channels.
        dropout: After attention and after the perceptron.
        activation: Of the perceptron.
        init: One of `archwright.nn.INITS`.
        causal: Whether each position reads itself and those before it alone: the decoder block of a language model.
    """

    def __init__(
        self,
        heads: int = 4,
        head_width: int | None = None,
        expansion: float = 2,
        dropout: float = 0.0,
        activation: str = "gelu",
        init: str = "default",
        causal: bool = False,
    ):
        super().__init__()
        at_least("TransformerBlock", 1, heads=heads, head_width=head_width)
        one_of("TransformerBlock", "activation", activation, ACTIVATIONS)
        one_of("TransformerBlock", "init", init, INITS)
        fraction("TransformerBlock", dropout=dropout)
        self.heads, self.head_width, self.expansion = heads, head_width, expansion
        self.dropout, self.activation, self.init, self.causal = dropout, activation, init, causal

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank_of("TransformerBlock", shape, (3,))
        channels = shape[1]
        width = _head_width("TransformerBlock", channels, self.heads, self.head_width)
        hidden = max(1, round(channels * self.expansion))
        perceptron: list[nn.Module] = [
            nn.LayerNorm(channels),
            nn.Linear(channels, hidden),
            activation(self.activation),
            nn.Linear(hidden, channels),
        ]
        if self.dropout:
            perceptron.append(nn.Dropout(self.dropout))
        attend = _Attend(channels, self.heads, width, self.dropout, self.causal)
        both = _Encoder(attend, nn.Sequential(*perceptron), channels)
        return initialize(TimeFirst(both), self.init)

    def _make_masked(self, shape: tuple[int, ...]) -> nn.Module:
        if self.causal:  # padding comes last: whoever looks back alone never sees it
            return _Unmasked(self._make(shape))
        return self._make(shape)


class _Table(nn.Module):
    """``x + table``, a row a channel and a column a position."""

    table: Tensor

    def __init__(self, table: Tensor, learned: bool):
        super().__init__()
        if learned:
            self.table = nn.Parameter(table)
        else:
            self.register_buffer("table", table)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table


class PositionalEncoding(Block):
    """Tells positions apart, which attention alone cannot. Shapes: (B, C, T), kept.

    Args:
        kind: ``sine`` (fixed; Vaswani et al. 2017), ``learned`` (a parameter each, from zero) or ``conv``
            (``x + depthwise convolution``; Chu et al. 2021, https://arxiv.org/abs/2102.10882).
        kernel: Positions that the kernel of ``conv`` covers.
    """

    def __init__(self, kind: str = "conv", kernel: int = 3):
        super().__init__()
        one_of("PositionalEncoding", "kind", kind, POSITIONS)
        at_least("PositionalEncoding", 1, kernel=kernel)
        self.kind, self.kernel = kind, kernel

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank_of("PositionalEncoding", shape, (3,))
        _, channels, length = shape
        if self.kind == "conv":
            return Add(nn.Conv1d(channels, channels, self.kernel, padding="same", groups=channels))
        if self.kind == "learned":
            return _Table(torch.zeros(1, channels, length), learned=True)
        return _Table(sines(channels, length), learned=False)


def sines(channels: int, length: int) -> Tensor:
    """(1, channels, length): sine in even channels, cosine in odd ones, wavelengths from 2 pi to 20,000 pi."""
    rates = torch.exp(torch.arange(0, channels, 2) * (-math.log(10_000.0) / channels))
    angles = rates[:, None] * torch.arange(length)
    return torch.stack([angles.sin(), angles.cos()], 1).flatten(0, 1)[:channels][None]
