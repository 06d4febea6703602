"""Classes of pixels: labels of masks both ways, the loss, and the metrics of the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from archwright.errors import DataError, EvaluationError
from archwright.task.metrics import Metric

__all__ = ["VOID", "Pixels", "PixelLoss", "confusion", "intersection_over_union", "pixel_metrics"]

VOID = 255
"""In targets: a pixel that belongs to no class, in neither loss nor metric. So there are 255 classes at most."""


@dataclass(frozen=True)
class Pixels:
    """The classes of masks; a class index is a place in these lists.

    Args:
        values: What a mask holds for each class: whole numbers; of a mask of colours, red * 65536 + green * 256 + blue.
        labels: What each class is called.
        void: The value that belongs to no class, or None.
        colours: Whether masks are of colours.
    """

    values: tuple[int, ...]
    labels: tuple[str, ...]
    void: int | None = None
    colours: bool = False

    @classmethod
    def of(cls, masks: np.ndarray, void: int | None, names: Sequence[str] | None, *, colours: bool) -> Pixels:
        """The classes that occur in the masks, (n, height, width). Fewer than two raise `DataError`."""
        found = [v for v in np.unique(masks).tolist() if v != void]
        if not 2 <= len(found) < VOID:
            raise DataError(
                f"the masks hold {len(found)} classes{'' if void is None else f' beside the void {void}'}: allowed "
                f"are 2 to {VOID - 1}. A mask gives each pixel the number of its class, or a colour of its own to "
                f"each class"
            )
        if names is not None and len(names) != len(found):
            raise DataError(
                f"names has {len(names)} names, and the masks hold {len(found)} classes "
                f"({', '.join(map(str, found[:12]))}): give one each, in the order of these values"
                + (
                    f", or void={found[-1]} if that is no class"
                    if void is None and len(found) == len(names) + 1
                    else ""
                )
            )
        said = [_hex(v) if colours else str(v) for v in found]
        return cls(tuple(found), tuple(map(str, names)) if names is not None else tuple(said), void, colours)

    def encode(self, masks: Any, where: str = "masks") -> Tensor:
        """Masks (n, height, width) of values to class indices, uint8, void as 255. An unknown value raises."""
        array = np.asarray(masks)
        order = np.searchsorted(self.values, array).clip(0, len(self.values) - 1)
        known = np.asarray(self.values)[order] == array
        void = np.zeros_like(known) if self.void is None else array == self.void
        if not (known | void).all():
            odd = np.argwhere(~(known | void))[0]
            value = int(array[tuple(odd)])
            raise DataError(
                f"{where}: mask {odd[0]} holds {_hex(value) if self.colours else value} at {tuple(odd[1:].tolist())}, "
                f"which no training mask holds: its classes are {', '.join(self.labels[:20])}. Give void={value} if "
                f"it is no class"
            )
        return torch.from_numpy(np.where(void, VOID, order).astype(np.uint8))

    def decode(self, indices: Any) -> list[np.ndarray]:
        """Class indices (n, height, width) to masks as they were given: values, or colours (height, width, 3)."""
        values = np.asarray(self.values, dtype=np.int64)[np.asarray(indices, dtype=np.int64)]
        if self.colours:
            return list(np.stack([values >> 16, values >> 8 & 255, values & 255], -1).astype(np.uint8))
        return list(values.astype(np.uint8 if max(self.values) < 256 else np.uint16))

    def answers(self, output: Tensor) -> list[np.ndarray]:
        """A network's scores, (n, classes, height, width), to masks."""
        return self.decode(output.argmax(1).numpy())

    def shares(self, output: Tensor) -> list[dict[str, float]]:
        """How much of each image each class takes up, by its label."""
        hits = F.one_hot(output.argmax(1), len(self.labels)).double().mean((1, 2))
        return [dict(zip(self.labels, row, strict=True)) for row in hits.tolist()]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "kind": "pixels", "values": list(self.values), "labels": list(self.labels), "void": self.void,
            "colours": self.colours,
        }  # fmt: skip


def _hex(value: int) -> str:
    return f"#{value:06x}"


@dataclass(frozen=True)
class PixelLoss:
    """Cross entropy of pixels, and the soft Dice loss of classes, which does not count a rare class for little.

    Dice: Milletari et al., *V-Net*, 3DV 2016 (https://arxiv.org/abs/1606.04797), over a batch, for the classes in it.

    Args:
        weights: One a class, for the cross entropy; None where all pixels count alike.
        dice: What the Dice loss counts beside the cross entropy.
    """

    weights: tuple[float, ...] | None = None
    dice: float = 0.5

    def __call__(self, output: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """A scalar, of scores (n, classes, height, width) and class indices (n, height, width), 255 where void."""
        if output.ndim != 4 or output.shape[2:] != target.shape[1:]:
            raise EvaluationError(
                f"the network made {tuple(output.shape)}: a score a class is needed for each of "
                f"{' x '.join(map(str, target.shape[1:]))} pixels; end it with a PixelClassifier of that size"
            )
        weight = None if self.weights is None else output.new_tensor(self.weights)
        there = target != VOID
        classes = target.long().where(there, torch.zeros_like(target, dtype=torch.int64))
        each = F.cross_entropy(output, classes, weight, reduction="none", label_smoothing=label_smoothing) * there
        counted = there if weight is None else weight[classes] * there
        loss = each.sum() / counted.sum().clamp_min(1e-6)
        return loss + self.dice * _dice(output, classes, there) if self.dice else loss

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        weights = list(self.weights) if self.weights else None
        return {"loss": "cross entropy and Dice", "class_weights": weights, "dice": self.dice}


def _dice(output: Tensor, classes: Tensor, there: Tensor) -> Tensor:
    shares = output.softmax(1) * there.unsqueeze(1)
    true = F.one_hot(classes, output.shape[1]).movedim(-1, 1) * there.unsqueeze(1)
    both, one, other = ((t).sum((0, 2, 3)) for t in (shares * true, shares, true))
    occurs = other > 0
    missed = 1 - (2 * both + 1) / (one + other + 1)
    return (missed * occurs).sum() / occurs.sum().clamp_min(1)


def confusion(output: Tensor, target: Tensor, classes: int) -> Tensor:
    """How many pixels of each image are of one class and called another: (n, classes, classes), float64.

    Rows are the true classes. `output` is scores (n, classes, height, width) or class indices (n, height, width); void
    pixels count nowhere.
    """
    found = []
    for o, t in zip(output.split(64), target.split(64), strict=True):
        called = o.argmax(1) if o.ndim == 4 else o.long()
        image = torch.arange(len(t), device=t.device).view(-1, 1, 1)
        cell = (image * classes + t.long()) * classes + called
        counts = torch.bincount(cell[t != VOID], minlength=len(t) * classes * classes)
        found.append(counts.view(len(t), classes, classes).double())
    return torch.cat(found)


def intersection_over_union(matrix: Tensor) -> Tensor:
    """Of each class, the pixels that are it and called it, over those that are it or called it; NaN where none is."""
    both = matrix.diagonal()
    return both / (matrix.sum(0) + matrix.sum(1) - both)


def mean_iou(matrix: Tensor) -> float:
    """The mean over the classes that occur."""
    return float(intersection_over_union(matrix).nanmean())


def pixel_accuracy(matrix: Tensor) -> float:
    """The share of pixels that are called what they are."""
    return float(matrix.diagonal().sum() / matrix.sum())


def mean_accuracy(matrix: Tensor) -> float:
    """The mean over the classes that occur of the share of their pixels that is found."""
    return float((matrix.diagonal() / matrix.sum(1)).nanmean())


@dataclass(frozen=True)
class _Confusion:
    classes: int

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return confusion(output, target, self.classes)


def pixel_metrics(classes: int) -> Mapping[str, Metric]:
    """The metrics of segmentation, over the confusion matrix of a whole part.

    ``mean_iou`` is the field's (Everingham et al., *The Pascal Visual Object Classes Challenge*, IJCV 2015):
    intersection over union of each class over all pixels of all images, then the mean; never a mean over images.
    """
    each = _Confusion(classes)
    return {
        name: Metric.of_mean(name, "maximize", each, after)
        for name, after in (
            ("mean_iou", mean_iou),
            ("pixel_accuracy", pixel_accuracy),
            ("mean_accuracy", mean_accuracy),
        )
    }
