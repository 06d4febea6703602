"""Forecasting: windows brought to their own level and back, a linear shortcut, and mixer blocks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.nn.activations import ACTIVATIONS, activation
from archwright.nn.check import at_least, fraction, one_of, rank_of
from archwright.nn.inferred import Block, Inferred
from archwright.nn.init import INITS, initialize
from archwright.nn.merge import Add
from archwright.space import Flow

__all__ = ["LEVELS", "Forecaster", "MixerBlock", "forecaster_flow"]

LEVELS = ("none", "last", "mean")


class Forecaster(Inferred):
    """A forecast relative to the window that it is made from: the level is taken away, and given back at the end.

    ``last`` takes away the last value (NLinear; Zeng et al., *Are Transformers Effective for Time Series Forecasting?*,
    AAAI 2023, https://arxiv.org/abs/2205.13504); ``mean`` the mean, and divides by the deviation (RevIN without its
    learned scale; Kim et al., *Reversible Instance Normalization*, ICLR 2022). So a network that learnt at one level
    works at another, which is what series do that grow.

    Shapes: (B, C, T) -> (B, targets * horizon), the horizon of the first target first.

    Args:
        body: Turns (B, C, T) into (B, targets * horizon).
        targets: How many of the channels are forecast: the first ones. The others stay as they are.
        level: ``none``, ``last`` or ``mean``.
        shortcut: Whether a linear map from each target's window to its horizon, the same for all targets, is added
            (TiDE; Das et al., TMLR 2023, https://arxiv.org/abs/2304.08424).
    """

    def __init__(self, body: nn.Module, targets: int = 1, level: str = "last", shortcut: bool = False):
        super().__init__()
        at_least("Forecaster", 1, targets=targets)
        one_of("Forecaster", "level", level, LEVELS)
        self.body, self.targets, self.level = body, targets, level
        self.shortcut = shortcut
        self.linear: nn.Module | None = None
        self.channels = targets

    def forward(self, x: Tensor) -> Tensor:
        """`body` on the window without its level, and the level again."""
        if self.waiting:
            rank_of("Forecaster", tuple(x.shape), (3,))
            at_least("Forecaster(inputs)", self.targets, channels=x.shape[1])
            self.channels = x.shape[1]
        past = x[:, : self.targets]
        if self.level == "last":
            base = past[:, :, -1:]
            past = past - base
        elif self.level == "mean":
            base = past.mean(2, keepdim=True)
            past = past - base
            spread = (past.square().mean(2, keepdim=True) + 1e-5).sqrt()
            past = past / spread
        inside = past if self.channels == self.targets else torch.cat([past, x[:, self.targets :]], 1)
        made = self.body(inside)
        if self.waiting:
            self._complete(tuple(x.shape), tuple(made.shape), x.device)
        future = made.unflatten(1, (self.targets, -1))
        if self.linear is not None:
            future = future + self.linear(past)
        if self.level == "mean":
            future = future * spread
        if self.level != "none":
            future = future + base
        return future.flatten(1)

    def _complete(self, shape: tuple[int, ...], made: tuple[int, ...], device: torch.device) -> None:
        if len(made) != 2 or made[1] % self.targets:
            raise EvaluationError(
                f"Forecaster: the body makes {made}; a forecast of {self.targets} targets is (batch, targets * horizon)"
            )
        if self.shortcut:
            self.linear = nn.Linear(shape[2], made[1] // self.targets).to(device)
        self.waiting = False


def forecaster_flow(flow: Flow, x: Any, body: Any, targets: Any = 1, level: Any = "last", shortcut: Any = False) -> Any:
    """The body between two operations that undo each other; they are none where the level stays.

    Shifting the window is an operation of its own, and so is what gives the level back, told apart by the level's kind.
    """

    def leveled(kind: str) -> Any:
        inside = x if kind == "none" else flow.op(("without", kind, targets), x)

        def added(linear: bool) -> Any:
            made = flow.apply(body, inside)
            return flow.sum([made, flow.op(("linear", targets), inside)]) if linear else made

        made = flow.select(shortcut, added)
        return made if kind == "none" else flow.op(("with", kind, targets), made)

    return flow.select(level, leveled)


class MixerBlock(Block):
    """One layer mixes positions, the same for every channel; one mixes channels, the same at every position.

    Chen et al., *TSMixer*, TMLR 2023 (https://arxiv.org/abs/2303.06053), after Tolstikhin et al., *MLP-Mixer*, NeurIPS
    2021 (https://arxiv.org/abs/2105.01601). One departure: norms are over the batch and all positions, channel by
    channel, where TSMixer's are over positions and channels too. Shapes: (B, C, T), kept.

    Args:
        expansion: Width inside the layer that mixes channels, as a multiple of the channels.
        dropout: Share dropped after each layer.
        activation: One of `archwright.nn.ACTIVATIONS`.
        init: One of `archwright.nn.INITS`.
    """

    def __init__(self, expansion: float = 2, dropout: float = 0.0, activation: str = "relu", init: str = "default"):
        super().__init__()
        one_of("MixerBlock", "activation", activation, ACTIVATIONS)
        one_of("MixerBlock", "init", init, INITS)
        fraction("MixerBlock", dropout=dropout)
        self.expansion, self.dropout, self.activation, self.init = expansion, dropout, activation, init

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank_of("MixerBlock", shape, (3,))
        _, channels, length = shape
        hidden = max(1, round(channels * self.expansion))
        drop = [nn.Dropout(self.dropout)] if self.dropout else []
        positions = [nn.BatchNorm1d(channels), nn.Linear(length, length), activation(self.activation), *drop]
        features = [
            nn.BatchNorm1d(channels),
            nn.Conv1d(channels, hidden, 1),
            activation(self.activation),
            nn.Conv1d(hidden, channels, 1),
            *drop,
        ]
        both = nn.Sequential(Add(nn.Sequential(*positions)), Add(nn.Sequential(*features)))
        return initialize(both, self.init)
