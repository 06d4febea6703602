"""Mean average precision, as COCO counts it; and the same from counts of images, by which it can be resampled."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archwright.errors import MissingExtraError
from archwright.task.boxes import MOST, NOTHING, decode, iou
from archwright.task.metrics import Metric

__all__ = ["box_metrics", "counted", "precision_of"]

COCO_OVERLAPS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
BINS = 100
RECALLS = torch.linspace(0, 1, 101, dtype=torch.float64)


def decoded(output: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes with scores (n, most, 6), of a network's output or of what is decoded already."""
    return decode(output, size) if output.ndim == 4 else output


@dataclass(frozen=True)
class _Coco:
    """The figure of faster-coco-eval, which is that of the COCO benchmark."""

    which: str
    size: tuple[int, int]
    classes: int

    def __call__(self, output: Tensor, target: Tensor) -> float:
        from faster_coco_eval import COCO, COCOeval_faster

        found, true = decoded(output, self.size).cpu().numpy(), target.cpu().numpy()
        if not (true[..., 4] != NOTHING).any() or not (found[..., 5] != NOTHING).any():
            return 0.0
        entries = [_entry(i, row, row[4]) for i, image in enumerate(true) for row in image if row[4] != NOTHING]
        data = {
            "info": {},
            "images": [{"id": i, "height": self.size[0], "width": self.size[1]} for i in range(len(true))],
            "categories": [{"id": c, "name": str(c)} for c in range(self.classes)],
            "annotations": [{"id": k + 1, "iscrowd": 0, **entry} for k, entry in enumerate(entries)],
        }
        said = [
            {**_entry(i, row, row[5]), "score": float(row[4])}
            for i, image in enumerate(found) for row in image if row[5] != NOTHING
        ]  # fmt: skip
        with contextlib.redirect_stdout(io.StringIO()):
            known = COCO(data)
            measured = COCOeval_faster(known, known.loadRes(said), "bbox", print_function=_quiet)
            measured.evaluate()
            measured.accumulate()
            measured.summarize()
        return max(0.0, float(measured.stats[0 if self.which == "map" else 1]))


def _quiet(*_: Any, **__: Any) -> None:
    """faster-coco-eval says what it does."""


def _entry(image: int, row: np.ndarray, kind: float) -> dict[str, Any]:
    left, top, right, bottom = (float(v) for v in row[:4])
    wide, high = right - left, bottom - top
    return {"image_id": image, "category_id": int(kind), "bbox": [left, top, wide, high], "area": wide * high}


def counted(output: Tensor, target: Tensor, size: tuple[int, int], classes: int, overlaps: tuple[float, ...]) -> Tensor:
    """What average precision is made of, of each image: (n, classes, overlaps, 2 * BINS + 1).

    Right boxes by their score, in bins from the highest down; wrong ones likewise; and how many there are to find. A
    box is right where it has enough in common with one of its class that no likelier box has taken (COCO's rule).
    """
    found = decoded(output, size)
    n, k = found.shape[:2]
    kind, least = found[..., 5], torch.tensor(overlaps, device=found.device)
    common = iou(found, target) * (kind.unsqueeze(2) == target[:, None, :, 4])  # (n, k, most)
    free = torch.ones(n, len(overlaps), target.shape[1], dtype=torch.bool, device=found.device)
    right = torch.zeros(n, k, len(overlaps), dtype=torch.bool, device=found.device)
    for i in range(k):  # the likeliest first
        best, at = (common[:, i].unsqueeze(1) * free).max(2)
        right[:, i] = (best >= least) & (kind[:, i] != NOTHING).unsqueeze(1)
        free.scatter_(2, at.unsqueeze(2), (free.gather(2, at.unsqueeze(2)) & ~right[:, i].unsqueeze(2)))
    place = ((1 - found[..., 4].clamp(0, 1)) * BINS).long().clamp(0, BINS - 1).unsqueeze(2) + BINS * ~right
    result = torch.zeros(n, classes, len(overlaps), 2 * BINS + 1, device=found.device)
    image = torch.arange(n, device=found.device).view(-1, 1, 1).expand_as(place)
    over = torch.arange(len(overlaps), device=found.device).view(1, 1, -1).expand_as(place)
    there = (kind != NOTHING).unsqueeze(2).expand_as(place)
    which = kind.long().unsqueeze(2).expand_as(place)
    ones = torch.ones_like(place, dtype=result.dtype)
    result.index_put_((image[there], which[there], over[there], place[there]), ones[there], accumulate=True)
    for c in range(classes):
        result[:, c, :, -1] = (target[..., 4] == c).sum(1, keepdim=True)
    return result


def precision_of(counts: Tensor) -> float:
    """Mean average precision of counts (classes, overlaps, 2 * BINS + 1), of one image or the mean of many.

    Interpolated at 101 recalls, as COCO does; the mean over classes that occur. Scores of a bin count as equal.
    """
    right, wrong = counts[..., :BINS].cumsum(-1), counts[..., BINS : 2 * BINS].cumsum(-1)
    there = counts[..., -1:]
    recall = right / there.clamp_min(1e-12)
    precision = right / (right + wrong).clamp_min(1e-12)
    best = precision.flip(-1).cummax(-1).values.flip(-1)  # the best at this recall or above
    at = torch.searchsorted(
        recall.contiguous(), (RECALLS - 1e-9).to(recall).expand(*recall.shape[:-1], -1).contiguous()
    )
    padded = torch.cat([best, torch.zeros_like(best[..., :1])], -1)
    mean = padded.gather(-1, at).mean(-1)
    occurs = there.squeeze(-1) > 0
    return float((mean * occurs).sum() / occurs.sum().clamp_min(1))


@dataclass(frozen=True)
class _Counted:
    size: tuple[int, int]
    classes: int
    overlaps: tuple[float, ...]

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return counted(output, target, self.size, self.classes, self.overlaps)


def box_metrics(size: tuple[int, int], classes: int) -> Mapping[str, Metric]:
    """``map50`` and ``map``: mean average precision at an IoU of 0.5, and the mean over 0.5 to 0.95.

    As COCO counts them (Lin et al., *Microsoft COCO*, ECCV 2014), by faster-coco-eval. Intervals, which resample
    images a thousand times, are of the same from counts in bins of a hundredth of the score.
    """
    if importlib.util.find_spec("faster_coco_eval") is None:
        raise MissingExtraError("faster-coco-eval", extra="detection", purpose="to measure boxes")
    made: list[Metric] = []
    for name, overlaps in (("map50", (0.5,)), ("map", COCO_OVERLAPS)):
        each: Callable[[Tensor, Tensor], Tensor] = _Counted(size, classes, overlaps)
        made.append(Metric(name, "maximize", _Coco(name, size, classes), each, precision_of))
    return {metric.name: metric for metric in made}


assert MOST <= 100, "faster-coco-eval counts 100 boxes of an image by default"
