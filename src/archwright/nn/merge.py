"""The arithmetic between layers: plain modules that only connect others, each in one line of forward."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Add", "Gated", "Grow", "Scaled"]


class Add(nn.Module):
    """``shortcut(x) + body(x)``."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None):
        super().__init__()
        self.body = body
        self.shortcut = nn.Identity() if shortcut is None else shortcut

    def forward(self, x: Tensor) -> Tensor:
        """``shortcut(x) + body(x)``."""
        return self.shortcut(x) + self.body(x)


class Scaled(nn.Module):
    """``x * gate(x)``, the gate broadcast over positions."""

    def __init__(self, gate: nn.Module):
        super().__init__()
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        """``x * gate(x)``."""
        return x * self.gate(x)


class Gated(nn.Module):
    """``signal(x) * gate(x)``."""

    def __init__(self, signal: nn.Module, gate: nn.Module):
        super().__init__()
        self.signal = signal
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        """``signal(x) * gate(x)``."""
        return self.signal(x) * self.gate(x)


class Grow(nn.Module):
    """Each layer reads all that came before and adds its channels to them (DenseNet)."""

    def __init__(self, layers: Sequence[nn.Module]):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        """`x` and what each layer adds to it."""
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return x
