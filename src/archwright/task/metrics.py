"""Metrics: numbers that say how good outputs are, each with the direction in which it is better.

All are torch operations, cheap enough for a training loop to ask for after every epoch; importing
scikit-learn's would cost every worker seconds at its start. The tests hold them to scikit-learn's values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from archwright.errors import DataError
from archwright.task.calibration import misses

__all__ = [
    "Direction",
    "Metric",
    "accuracy",
    "balanced_accuracy",
    "classification_metrics",
    "ece",
    "f1",
    "log_loss",
    "mae",
    "per_class",
    "precision",
    "r2",
    "recall",
    "regression_metrics",
    "rmse",
    "roc_auc",
]

Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True)
class Metric:
    """A number that says how good outputs are.

    Args:
        name: What it is called in trials, e.g. ``"accuracy"``.
        direction: Which way is better.
        function: ``(output, target) -> number`` on a network's raw outputs for a whole part.
        each: ``(output, target) -> (n, ...)`` tensor, where the metric is a function of the mean over samples of
            these: resampling is then cheap.
        after: That function of the mean, which is float64 of shape (...); by default the mean itself.
        of: The metric that this one compares between groups: `function` then takes the group of each sample, (n,)
            int64, as a third argument.
    """

    name: str
    direction: Direction
    function: Callable[..., float]
    each: Callable[[Tensor, Tensor], Tensor] | None = None
    after: Callable[[Tensor], float] = float
    of: Metric | None = None

    @classmethod
    def of_mean(
        cls,
        name: str,
        direction: Direction,
        each: Callable[[Tensor, Tensor], Tensor],
        after: Callable[[Tensor], float] = float,
    ) -> Metric:
        """A function `after` of the mean over samples of `each`."""
        return cls(name, direction, _OfMean(each, after), each, after)

    @property
    def grouped(self) -> bool:
        """Whether it compares groups of samples."""
        return self.of is not None

    def __call__(self, output: Tensor, target: Tensor, groups: Tensor | None = None) -> float:
        """The number for outputs and targets of equal length, and the groups of the samples where it is `grouped`."""
        if self.grouped and groups is None:
            raise DataError(
                f"{self.name} compares groups of samples, and none are given: score(..., groups=part.groups)"
            )
        return float(self.function(output, target, groups) if self.grouped else self.function(output, target))


@dataclass(frozen=True)
class _OfMean:
    each: Callable[[Tensor, Tensor], Tensor]
    after: Callable[[Tensor], float]

    def __call__(self, output: Tensor, target: Tensor) -> float:
        return float(self.after(self.each(output, target).double().mean(0)))


def accuracy(output: Tensor, target: Tensor) -> float:
    """Share of samples whose largest logit is the right one. `output` is (n, classes), `target` (n,)."""
    return (output.argmax(1) == target).double().mean().item()


def balanced_accuracy(output: Tensor, target: Tensor) -> float:
    """Mean over the classes that occur of the share that is found (macro recall over those)."""
    found = torch.bincount(target[output.argmax(1) == target], minlength=output.shape[1]).double()
    there = torch.bincount(target, minlength=output.shape[1]).double()
    return (found[there > 0] / there[there > 0]).mean().item()


def log_loss(output: Tensor, target: Tensor) -> float:
    """Mean negative log-likelihood of the right class, in nats."""
    return F.cross_entropy(output.double(), target).item()


def precision(output: Tensor, target: Tensor, average: str | None = "macro") -> Any:
    """Of what is called a class, the share that is; 0 for a class never called. ``average=None``: one a class."""
    called, _, right = _counts(output, target)
    return _averaged(right / called.clamp_min(1), average)


def recall(output: Tensor, target: Tensor, average: str | None = "macro") -> Any:
    """Of a class, the share that is found; 0 for a class that does not occur. ``average=None``: one a class."""
    _, there, right = _counts(output, target)
    return _averaged(right / there.clamp_min(1), average)


def f1(output: Tensor, target: Tensor, average: str | None = "macro") -> Any:
    """Harmonic mean of precision and recall. ``average=None``: one a class."""
    called, there, right = _counts(output, target)
    return _averaged(2 * right / (called + there).clamp_min(1), average)


def _counts(output: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How often each class is called, is there, and is called rightly."""
    called, n = output.argmax(1), output.shape[1]
    counted = (torch.bincount(c, minlength=n).double() for c in (called, target, target[called == target]))
    first, second, third = counted
    return first, second, third


def _averaged(values: Tensor, average: str | None) -> Any:
    if average not in (None, "macro"):
        raise DataError(f"average is {average!r}: allowed are 'macro', and None for a value a class")
    return values.tolist() if average is None else values.mean().item()


def roc_auc(output: Tensor, target: Tensor) -> float:
    """Area under the ROC curve, one class against the rest, mean over the classes.

    By ranks (Mann and Whitney), ties counting half. A class that is absent from `target`, or alone in it, has no
    curve and is left out; 0.5 if none has one, and where an output is not a number.
    """
    scores = torch.softmax(output.double(), 1)
    if not torch.isfinite(scores).all():
        return 0.5
    areas = []
    for c in (1,) if scores.shape[1] == 2 else range(scores.shape[1]):
        mine = target == c
        positive = int(mine.sum())
        negative = len(mine) - positive
        if positive and negative:
            _, place, count = torch.unique(scores[:, c], return_inverse=True, return_counts=True)
            rank = (count.cumsum(0) - (count - 1) / 2)[place]
            areas.append((rank[mine].sum().item() - positive * (positive + 1) / 2) / (positive * negative))
    return sum(areas) / len(areas) if areas else 0.5


# The same as functions of a mean over samples, so that resampling costs little.


def _right(output: Tensor, target: Tensor) -> Tensor:
    return (output.argmax(1) == target).double()


def _log_losses(output: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(output.double(), target, reduction="none")


def _marks(output: Tensor, target: Tensor) -> Tensor:
    """For each sample and class whether it is called, is there, and both: (n, 3, classes)."""
    called = F.one_hot(output.argmax(1), output.shape[1])
    there = F.one_hot(target, output.shape[1])
    return torch.stack([called, there, called * there], 1).float()


def _total(mean: Tensor) -> float:
    return mean.abs().sum().item()


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """Of the whole, and 0 of nothing."""
    return torch.where(whole > 0, part / whole.clamp_min(1e-300), 0.0)


def _balanced_of(mean: Tensor) -> float:
    _, there, right = mean
    return (right[there > 0] / there[there > 0]).mean().item()


def _precision_of(mean: Tensor) -> float:
    called, _, right = mean
    return _share(right, called).mean().item()


def _recall_of(mean: Tensor) -> float:
    _, there, right = mean
    return _share(right, there).mean().item()


def _f1_of(mean: Tensor) -> float:
    called, there, right = mean
    return _share(2 * right, called + there).mean().item()


def ece(output: Tensor, target: Tensor) -> float:
    """The expected calibration error in 15 bins: see `archwright.task.calibration.calibration`."""
    return _total(misses(output, target).mean(0))


def per_class(output: Tensor, target: Tensor, classes: Sequence[Any]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and count of every class, as JSON."""
    columns = zip(
        classes,
        precision(output, target, None),
        recall(output, target, None),
        f1(output, target, None),
        torch.bincount(target, minlength=len(classes)).tolist(),
        strict=True,
    )
    return [{"class": c, "precision": p, "recall": r, "f1": f, "count": n} for c, p, r, f, n in columns]


def classification_metrics() -> dict[str, Metric]:
    """The metrics of classification: outputs are logits (n, classes), targets class indices (n,)."""
    return {
        m.name: m
        for m in (
            Metric("accuracy", "maximize", accuracy, _right),
            Metric("balanced_accuracy", "maximize", balanced_accuracy, _marks, _balanced_of),
            Metric("precision", "maximize", precision, _marks, _precision_of),
            Metric("recall", "maximize", recall, _marks, _recall_of),
            Metric("f1", "maximize", f1, _marks, _f1_of),
            Metric("roc_auc", "maximize", roc_auc),
            Metric("log_loss", "minimize", log_loss, _log_losses),
            Metric("ece", "minimize", ece),
        )
    }


def rmse(output: Tensor, target: Tensor) -> float:
    """Root of the mean squared error."""
    return (output.double() - target.double()).square().mean().sqrt().item()


def mae(output: Tensor, target: Tensor) -> float:
    """Mean absolute error."""
    return (output.double() - target.double()).abs().mean().item()


def r2(output: Tensor, target: Tensor) -> float:
    """Share of the variance that is explained; 1 is perfect, 0 is the mean's; mean over several targets."""
    wrong = (output.double() - target.double()).square().sum(0)
    spread = (target.double() - target.double().mean(0)).square().sum(0)
    return (1 - wrong / spread.clamp_min(1e-12)).mean().item()


def _squares(output: Tensor, target: Tensor) -> Tensor:
    return (output.double() - target.double()).square().mean(1)


def _root(mean: Tensor) -> float:
    return mean.sqrt().item()


def _distances(output: Tensor, target: Tensor) -> Tensor:
    return (output.double() - target.double()).abs().mean(1)


def _moments(output: Tensor, target: Tensor) -> Tensor:
    """Of each sample and target the squared error, the target and its square: (n, 3, targets)."""
    y = target.double()
    return torch.stack([(output.double() - y).square(), y, y.square()], 1)


def _r2_of(mean: Tensor) -> float:
    wrong, y, squared = mean
    return (1 - wrong / (squared - y.square()).clamp_min(1e-12)).mean().item()


@dataclass(frozen=True)
class _InUnits:
    """An error of regression in the units of the target: outputs and targets arrive standardised."""

    function: Callable[[Tensor, Tensor], Any]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, output: Tensor, target: Tensor) -> Any:
        mean = torch.tensor(self.mean, dtype=torch.float64, device=output.device)
        std = torch.tensor(self.std, dtype=torch.float64, device=output.device)
        return self.function(output.double() * std + mean, target.double() * std + mean)


def regression_metrics(mean: Sequence[float] = (0.0,), std: Sequence[float] = (1.0,)) -> Mapping[str, Metric]:
    """The metrics of regression, in the original units of targets that were standardised by `mean` and `std`.

    Outputs and targets are (n, targets), standardised.
    """
    units = tuple(mean), tuple(std)
    return {
        "rmse": Metric("rmse", "minimize", _InUnits(rmse, *units), _InUnits(_squares, *units), _root),
        "mae": Metric("mae", "minimize", _InUnits(mae, *units), _InUnits(_distances, *units)),
        "r2": Metric("r2", "maximize", _InUnits(r2, *units), _moments, _r2_of),
    }
