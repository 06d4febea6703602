"""Recurrent layers on sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from archwright.nn.check import at_least, fraction, one_of, rank_of
from archwright.nn.inferred import Block
from archwright.nn.init import INITS, initialize
from archwright.nn.pool import MaskedPool

__all__ = ["Recurrent"]

CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class _OverTime(nn.Module):
    """Channels first around a batch-first recurrent layer; all states or the last of each direction."""

    def __init__(self, layer: nn.RNNBase, last: bool):
        super().__init__()
        self.layer = layer
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        states = self.layer(x.transpose(1, 2))[0]
        if not self.last:
            return states.transpose(1, 2)
        if not self.layer.bidirectional:
            return states[:, -1]
        half = self.layer.hidden_size
        return torch.cat([states[:, -1, :half], states[:, 0, half:]], 1)


class _OverText(nn.Module):
    """Recurrent layers over texts that are padded at their ends: who reads backwards begins at the last word.

    One layer a direction, since torch's own bidirectional layers would begin with the padding; and no packed sequences,
    which exporters cannot follow: texts are turned round in place.
    """

    def __init__(self, forwards: list[nn.RNNBase], backwards: list[nn.RNNBase], dropout: float, last: bool):
        super().__init__()
        self.forwards = nn.ModuleList(forwards)
        self.backwards = nn.ModuleList(backwards)
        self.drop = nn.Dropout(dropout) if dropout else nn.Identity()
        self.last = MaskedPool("last") if last else None

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        turned = (there.sum(1, keepdim=True) - there.cumsum(1)).unsqueeze(2)  # where the last word comes first
        backward = None
        for i, layer in enumerate(self.forwards):
            x = x if i == 0 else self.drop(x)
            states = layer(x)[0]
            if self.backwards:
                back: Any = self.backwards[i]
                backward = back(x.gather(1, turned.expand(-1, -1, back.input_size)))[0]
                backward = backward.gather(1, turned.expand(-1, -1, back.hidden_size))
                x = torch.cat([states, backward], 2)
            else:
                x = states
        if self.last is None:
            return x.transpose(1, 2)
        state = self.last(states.transpose(1, 2), there)
        return state if backward is None else torch.cat([state, backward[:, 0]], 1)


class Recurrent(Block):
    """A simple (tanh), gated (Cho et al. 2014) or long short-term memory (Hochreiter and Schmidhuber 1997) layer.

    Shapes: (B, C, T) -> (B, D, T), or (B, D) with `last`, where D is `width`, twice that when bidirectional.

    Args:
        width: Hidden size of each direction.
        cell: ``rnn``, ``gru`` or ``lstm``.
        layers: How many lie on each other.
        bidirectional: Also read backwards.
        last: Return only the state after the whole sequence was read, of each direction.
        dropout: Between layers.
        init: One of `archwright.nn.INITS`.
    """

    def __init__(
        self,
        width: int,
        cell: str = "gru",
        layers: int = 1,
        bidirectional: bool = False,
        last: bool = False,
        dropout: float = 0.0,
        init: str = "default",
    ):
        super().__init__()
        at_least("Recurrent", 1, width=width, layers=layers)
        one_of("Recurrent", "cell", cell, CELLS)
        one_of("Recurrent", "init", init, INITS)
        fraction("Recurrent", dropout=dropout)
        self.width, self.cell, self.layers = width, cell, layers
        self.bidirectional, self.last, self.dropout, self.init = bidirectional, last, dropout, init

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank_of("Recurrent", shape, (3,))
        layer: nn.RNNBase = CELLS[self.cell](
            shape[1],
            self.width,
            self.layers,
            batch_first=True,
            dropout=self.dropout if self.layers > 1 else 0.0,
            bidirectional=self.bidirectional,
        )
        return initialize(_OverTime(layer, self.last), self.init)

    def _make_masked(self, shape: tuple[int, ...]) -> nn.Module:
        rank_of("Recurrent", shape, (3,))
        widths = [shape[1], *[self.width * (2 if self.bidirectional else 1)] * (self.layers - 1)]
        cell = CELLS[self.cell]
        ways = [[cell(width, self.width, batch_first=True) for width in widths] for _ in range(2)]
        backwards = ways[1] if self.bidirectional else []
        return initialize(_OverText(ways[0], backwards, self.dropout, self.last), self.init)
