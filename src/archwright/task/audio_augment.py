"""What changes a sound without changing what it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from archwright.task.augment import _normal, _uniform

__all__ = ["AudioAugmentation"]


@dataclass(frozen=True)
class AudioAugmentation:
    """Random shift in time, loudness and hiss.

    Masks of bands and frames are the front end's own (`archwright.nn.LogMel`).

    Args:
        shift: Largest shift in time, as a share of the length; silence comes in.
        gain: Largest change of amplitude, as a factor and its inverse: 2 is 6 decibels either way; 1 for none.
        noise: Largest deviation of white noise, as a share of that of the clip.

    Shapes: (batch, 1, time), kept.
    """

    shift: float = 0.08
    gain: float = 2.0
    noise: float = 0.05

    def __call__(self, inputs: Tensor, generator: Generator | None = None) -> Tensor:
        """A changed copy of the batch."""
        x, (n, _, length) = inputs, inputs.shape
        if self.shift:
            by = _uniform(n, -self.shift * length, self.shift * length, x, generator).round().long().view(n, 1, 1)
            at = torch.arange(length, device=x.device).view(1, 1, -1) + by
            x = x.gather(2, at.clamp(0, length - 1)) * ((at >= 0) & (at < length))
        if self.noise:
            level = _uniform(n, 0.0, self.noise, x, generator).view(n, 1, 1) * x.std(2, keepdim=True)
            x = x + level * _normal(x.shape, x, generator)
        if self.gain != 1:
            x = x * torch.exp(_uniform(n, -1.0, 1.0, x, generator) * math.log(self.gain)).view(n, 1, 1)
        return x
