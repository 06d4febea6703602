"""The loss of a detector without anchors: where centres are, and how well boxes there fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from archwright.errors import EvaluationError
from archwright.task.boxes import NOTHING, reaches

__all__ = ["CentreLoss"]

SPREAD = 0.54 / 6
"""Deviation of a centre's Gaussian as a share of the box's side."""

NEAR = 0.3
"""Places whose Gaussian is at least this much learn the box."""


@dataclass(frozen=True)
class CentreLoss:
    """Focal loss of centres that fade like Gaussians, and generalised IoU of the boxes said near them.

    Centres: Zhou et al., *Objects as Points*, 2019 (https://arxiv.org/abs/1904.07850), equation 1, with Gaussians of
    the box's shape, and boxes from all places near a centre, weighed by the Gaussian: Liu et al.,
    *Training-Time-Friendly Network*, AAAI 2020 (https://arxiv.org/abs/1909.00700). Where boxes lie in one another the
    smaller is learnt. IoU: Rezatofighi et al., CVPR 2019. Departure: all boxes weigh alike, whatever their size.

    Args:
        size: Height and width of the images.
        boxes: What boxes count beside centres.
    """

    size: tuple[int, int]
    boxes: float = 2.0

    def __call__(self, output: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """A scalar, of an output (n, classes + 4, h, w) and boxes (n, most, 5). Label smoothing means nothing here."""
        said = reaches(output, self.size)
        classes = output.shape[1] - 4
        if int(target[..., 4].max()) >= classes:
            raise EvaluationError(
                f"the network made {tuple(output.shape)}, scores of {classes} classes, and targets hold class "
                f"{int(target[..., 4].max())}: end it with a CentreHead of as many classes as the task has"
            )
        there = target[..., 4] != NOTHING
        n = there.sum().clamp_min(1)
        faded = self._faded(target, there, output.shape[2:])
        kind = target[..., 4].clamp_min(0).long()[:, :, None, None].expand_as(faded)
        heat = torch.zeros_like(output[:, :classes]).scatter_reduce(1, kind, faded, "amax")
        return (_focal(output[:, :classes], heat).sum() + self.boxes * self._misfit(said, target, faded)) / n

    def _faded(self, target: Tensor, there: Tensor, grid: torch.Size) -> Tensor:
        """(n, most, h, w): 1 at the place of each centre, less around."""
        result = there[:, :, None, None].to(target.dtype)
        for axis, (total, cells) in enumerate(zip(reversed(self.size), reversed(grid), strict=True)):
            low, high = target[..., axis] * cells / total, target[..., axis + 2] * cells / total
            centre = ((low + high) / 2).floor().clamp(0, cells - 1)
            deviation = ((high - low) * SPREAD).clamp_min(0.4)
            away = torch.arange(cells, device=target.device) - centre.unsqueeze(2)
            fade = torch.exp(-0.5 * (away / deviation.unsqueeze(2)) ** 2)
            result = result * (fade.unsqueeze(2) if axis == 0 else fade.unsqueeze(3))
        return result

    def _misfit(self, said: Tensor, target: Tensor, faded: Tensor) -> Tensor:
        """The sum over boxes of 1 - GIoU, of each the mean over the places that learn it."""
        area = (target[..., 2:4] - target[..., :2]).prod(2)[:, :, None, None]
        owner = area.where(faded > NEAR, torch.full_like(area, torch.inf)).argmin(1, keepdim=True)
        weight = (faded * (faded > NEAR)).gather(1, owner).flatten(1)
        owner = owner.flatten(1)
        sums = torch.zeros_like(target[..., 0]).scatter_add(1, owner, weight).gather(1, owner)
        meant = target[..., :4].gather(1, owner.unsqueeze(2).expand(-1, -1, 4))
        return ((1 - _giou(said.flatten(1, 2), meant)) * weight / sums.clamp_min(1e-6)).sum()

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"loss": "centres and boxes", "boxes": self.boxes}


def _focal(scores: Tensor, heat: Tensor) -> Tensor:
    log_yes, log_no, share = F.logsigmoid(scores), F.logsigmoid(-scores), scores.sigmoid()
    return torch.where(heat == 1, -((1 - share) ** 2) * log_yes, -((1 - heat) ** 4) * share**2 * log_no)


def _giou(one: Tensor, other: Tensor) -> Tensor:
    """Of boxes side by side, (n, k, 4): IoU less the share of the hull that neither covers."""
    both = (torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(one[..., :2], other[..., :2])).clamp_min(0)
    hull = (torch.maximum(one[..., 2:], other[..., 2:]) - torch.minimum(one[..., :2], other[..., :2])).prod(2)
    areas = (one[..., 2:] - one[..., :2]).prod(2) + (other[..., 2:] - other[..., :2]).prod(2)
    common = both.prod(2)
    union = (areas - common).clamp_min(1e-6)
    return common / union - (hull - union) / hull.clamp_min(1e-6)
