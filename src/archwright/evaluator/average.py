"""The moving average of a network's weights."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

__all__ = ["Average"]


class Average:
    """An exponential moving average of the weights, which often is the better network.

    Polyak & Juditsky, *Acceleration of Stochastic Approximation by Averaging*, 1992. Running statistics of norms are
    averaged alike; counters are copied. The decay of update t (from 0) is ``min(decay, (1 + t) / (10 + t))``, so that
    the first, random weights are soon forgotten.

    Args:
        module: The network that is trained.
        decay: Share that stays at each update.
    """

    def __init__(self, module: nn.Module, decay: float):
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        self.decay = decay
        self.updates = 0
        theirs = [t.detach() for t in (*module.parameters(), *module.buffers())]
        ours = [*self.module.parameters(), *self.module.buffers()]
        pairs = list(zip(ours, theirs, strict=True))
        self._averaged = [p for p in pairs if p[0].is_floating_point()]
        self._copied = [p for p in pairs if not p[0].is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Move towards the network's weights of now."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        if self._averaged:
            ours, theirs = zip(*self._averaged, strict=True)
            get_ema_multi_avg_fn(decay)(ours, theirs, 0)
        for mine, other in self._copied:
            mine.copy_(other)
