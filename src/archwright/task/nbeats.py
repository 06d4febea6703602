"""The hand-made network for forecasts: N-BEATS."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["NBeats"]


class NBeats(nn.Module):
    """Blocks that each forecast from a part of the window, and take it away; what is left goes to the next.

    Oreshkin et al., *N-BEATS*, ICLR 2020 (https://arxiv.org/abs/1905.10437), generic blocks. Departures: three blocks
    of two hidden layers in place of thirty of four, covariates are read beside the targets, and the last value of each
    target is taken away first and given back.

    Shapes: (batch, *input_shape) to (batch, n_outputs).

    Args:
        input_shape: Channels and time.
        n_outputs: Steps of the horizon, times the targets.
        targets: How many channels are forecast: the first ones.
        width: Of the hidden layers.
        blocks: How many.
    """

    def __init__(
        self, input_shape: Sequence[int], n_outputs: int, *, targets: int = 1, width: int = 128, blocks: int = 3
    ):
        super().__init__()
        numbers = math.prod(input_shape)
        self.targets = targets
        self.trunks = nn.ModuleList(
            nn.Sequential(nn.Linear(numbers, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
            for _ in range(blocks)
        )
        self.forecasts = nn.ModuleList(nn.Linear(width, n_outputs) for _ in range(blocks))
        # The last block's part of the window would go nowhere.
        self.backcasts = nn.ModuleList(nn.Linear(width, numbers) for _ in range(blocks - 1))

    def forward(self, x: Tensor) -> Tensor:
        """Standardised forecasts, (batch, n_outputs)."""
        base = x[:, : self.targets, -1:]
        left = torch.cat([x[:, : self.targets] - base, x[:, self.targets :]], 1).flatten(1)
        made = []
        for i, (trunk, forecast) in enumerate(zip(self.trunks, self.forecasts, strict=True)):
            hidden = trunk(left)
            made.append(forecast(hidden))
            if i < len(self.backcasts):
                left = left - self.backcasts[i](hidden)
        return (torch.stack(made).sum(0).unflatten(1, (self.targets, -1)) + base).flatten(1)
