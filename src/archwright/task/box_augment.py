"""Augmentation of images whose boxes move along."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from archwright.task.boxes import NOTHING

__all__ = ["BoxAugmentation"]


@dataclass(frozen=True)
class BoxAugmentation:
    """Zoom, shift and mirroring of images with their boxes, and brightness of images alone.

    A zoom in is a crop. Boxes are cut at the border; one of which less than `keep` is left is gone.

    Args:
        shift: Largest shift, as a share of height and width.
        scale: Largest zoom either way: 0.25 means 0.8 to 1.25.
        flip: Whether to mirror left and right half of the time.
        flip_vertical: Whether to mirror top and bottom too: for pictures that have no up, as from a microscope.
        brightness: Deviation of what is added to a whole image, and of the logarithm of what it is multiplied by, in
            standard deviations of the data.
        keep: The least share of a box's area.

    Shapes: images (batch, channels, height, width) and boxes (batch, most, 5), kept.
    """

    shift: float = 0.15
    scale: float = 0.25
    flip: bool = True
    flip_vertical: bool = False
    brightness: float = 0.1
    keep: float = 0.3

    def __call__(self, inputs: Tensor, targets: Tensor, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """A changed copy of both."""
        n = len(inputs)
        on: dict[str, Any] = {"generator": generator, "device": inputs.device}
        size = inputs.new_tensor([inputs.shape[3], inputs.shape[2]])
        zoom = (1 + self.scale) ** (2 * torch.rand(n, 1, **on) - 1)
        moved = self.shift * (4 * torch.rand(n, 2, **on) - 2)  # of the half sides in which grids count
        flips = torch.rand(n, 2, **on) < 0.5
        sign = 1 - 2 * (flips & torch.tensor([self.flip, self.flip_vertical], device=inputs.device)).float()
        # Where each place of the result is read: at `factor` times the place plus `moved`, in -1..1 along each side.
        factor = sign / zoom
        map_ = torch.zeros(n, 2, 3, device=inputs.device)
        map_[:, 0, 0], map_[:, 1, 1], map_[:, :, 2] = factor[:, 0], factor[:, 1], moved
        grid = F.affine_grid(map_, list(inputs.shape), align_corners=False)
        images = F.grid_sample(inputs, grid, padding_mode="border", align_corners=False)
        if self.brightness:
            draws = self.brightness * torch.randn(2, n, 1, 1, 1, **on)
            images = images * draws[0].exp() + draws[1]
        return images, self._moved(targets, factor, moved, size)

    def _moved(self, targets: Tensor, factor: Tensor, moved: Tensor, size: Tensor) -> Tensor:
        corners = targets[..., :4].unflatten(2, (2, 2)) / size * 2 - 1
        corners = (corners - moved[:, None, None]) / factor[:, None, None]
        corners = (corners.sort(2).values + 1) / 2 * size  # mirrored: left and right change places
        before = (corners[:, :, 1] - corners[:, :, 0]).prod(2)
        cut = corners.clamp_min(0).minimum(size)
        after = (cut[:, :, 1] - cut[:, :, 0]).prod(2)
        there = (targets[..., 4] != NOTHING) & (after >= self.keep * before) & (after > 0)
        kept = torch.cat([cut.flatten(2), targets[..., 4:]], 2)
        return torch.where(there.unsqueeze(2), kept, torch.full_like(kept, NOTHING))
