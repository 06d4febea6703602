"""Boxes around things: what a network's output says of them, and how much two of them have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from archwright.errors import EvaluationError

__all__ = ["MOST", "NOTHING", "Boxes", "decode", "reaches", "iou"]

MOST = 100
"""Boxes of an image that count, as COCO has it."""

NOTHING = -1
"""The class of a row of targets that is no box."""

LIKELY = 0.3
"""The least score of a box that is given as an answer."""

OVERLAP = 0.6
"""Of two boxes of a class that have more than this in common, the one of the lower score goes."""

LEAST = 0.01
"""Scores so low are not looked at: thousands of them would change precision hardly, and take long to count."""

LONGEST = 8.0


@dataclass(frozen=True)
class Boxes:
    """What is looked for. Targets are (n, most, 5) float32: left, top, right, bottom in pixels, and the class's index.

    Args:
        labels: The classes.
        size: Height and width of the images that a network reads; boxes are in its pixels.
    """

    labels: tuple[str, ...]
    size: tuple[int, int]

    def encode(self, values: Any, where: str = "targets") -> Tensor:
        """Boxes of each image, (k, 5) each, padded to as many rows."""
        rows = [torch.as_tensor(v, dtype=torch.float32).reshape(-1, 5) for v in values]
        most = max([1, *map(len, rows)])
        return torch.stack([F.pad(r, (0, 0, 0, most - len(r)), value=NOTHING) for r in rows])

    def decode(self, targets: Any) -> list[list[dict[str, Any]]]:
        """Targets, or boxes with scores and classes as `archwright.task.boxes.decode` gives them, as plain values."""
        found = []
        for image in torch.as_tensor(targets).tolist():
            there = [row for row in image if row[-1] != NOTHING]
            found.append([self._said(row) for row in there])
        return found

    def _said(self, row: list[float]) -> dict[str, Any]:
        said = {"label": self.labels[int(row[-1])], "box": [round(v, 2) for v in row[:4]]}
        return said if len(row) == 5 else {**said, "score": round(row[4], 4)}

    def answers(self, output: Tensor, least: float = LIKELY) -> list[list[dict[str, Any]]]:
        """A network's output to the boxes of each image whose score is at least so much, the likeliest first."""
        found = decode(output, self.size)
        found[..., 5][found[..., 4] < least] = NOTHING
        return self.decode(found)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": "boxes", "labels": list(self.labels), "size": list(self.size)}

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> Boxes:
        """Read what `to_json` wrote."""
        return cls(tuple(d["labels"]), (d["size"][0], d["size"][1]))


def reaches(output: Tensor, size: tuple[int, int]) -> Tensor:
    """The box that is said at each place, (n, h, w, 4), in pixels: the last four channels of a network's output."""
    if output.ndim != 4 or output.shape[1] < 5 or any(a < b for a, b in zip(size, output.shape[2:], strict=True)):
        raise EvaluationError(
            f"the network made {tuple(output.shape)}: (n, classes + 4, h, w) is needed, a grid no finer than the "
            f"{size[0]} x {size[1]} pixels of the images; end it with a CentreHead"
        )
    rows, columns = (torch.arange(n, device=output.device, dtype=output.dtype) + 0.5 for n in output.shape[2:])
    step = [total / n for total, n in zip(size, output.shape[2:], strict=True)]
    far = output[:, -4:].clamp(-LONGEST, LONGEST).exp()
    left, top, right, bottom = far.unbind(1)
    x, y = columns.view(1, 1, -1), rows.view(1, -1, 1)
    edges = (x - left) * step[1], (y - top) * step[0], (x + right) * step[1], (y + bottom) * step[0]
    return torch.stack(edges, 3)


def decode(output: Tensor, size: tuple[int, int], most: int = MOST) -> Tensor:
    """A network's output to boxes, (n, most, 6): edges in pixels, score and class; the likeliest first, then `NOTHING`.

    Centres are places whose score is the greatest of the 3x3 around (CenterNet); of boxes of a class that have much in
    common, the likeliest stays.
    """
    boxes = reaches(output, size).flatten(1, 2)
    classes, h, w = output[:, :-4].shape[1:]
    scores = output[:, :-4].sigmoid()
    peak = F.max_pool2d(scores, 3, 1, 1) == scores
    top, at = (scores * peak).flatten(1).topk(min(most, classes * h * w), dim=1)
    kind, place = at // (h * w), at % (h * w)
    limits = output.new_tensor([size[1], size[0], size[1], size[0]])
    found = boxes.gather(1, place.unsqueeze(2).expand(-1, -1, 4)).clamp_min(0).minimum(limits)
    gone = (top <= LEAST) | ((found[..., 2:] - found[..., :2]).amin(2) <= 0)
    both = (iou(found, found) > OVERLAP) & (kind.unsqueeze(1) == kind.unsqueeze(2))
    later = torch.ones(both.shape[1:], dtype=torch.bool, device=both.device).triu(1)
    for i in range(top.shape[1]):  # those that stay, from the likeliest on
        gone = gone | (both[:, i] & later[i] & ~gone[:, i : i + 1])
    kind = kind.where(~gone, torch.full_like(kind, NOTHING))
    rows = torch.cat([found, top.where(~gone, torch.zeros_like(top)).unsqueeze(2), kind.unsqueeze(2).to(found)], 2)
    return F.pad(rows, (0, 0, 0, most - rows.shape[1]), value=NOTHING)


def iou(one: Tensor, other: Tensor) -> Tensor:
    """What each of `one` (n, a, 4) has in common with each of `other` (n, b, 4), over what both cover: (n, a, b)."""
    low = torch.maximum(one[:, :, None, :2], other[:, None, :, :2])
    high = torch.minimum(one[:, :, None, 2:4], other[:, None, :, 2:4])
    both = (high - low).clamp_min(0).prod(3)
    areas = [(b[..., 2:4] - b[..., :2]).clamp_min(0).prod(2) for b in (one, other)]
    return both / (areas[0].unsqueeze(2) + areas[1].unsqueeze(1) - both).clamp_min(1e-9)
