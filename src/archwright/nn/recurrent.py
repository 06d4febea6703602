"""Recurrent layers on sequences."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from archwright.nn.check import at_least, fraction, one_of, rank_of
from archwright.nn.inferred import Block
from archwright.nn.init import INITS, initialize

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
