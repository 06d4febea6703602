"""Metrics: numbers that say how good outputs are, each with the direction in which it is better.

The cheap ones that a training loop asks for after every epoch (accuracy, balanced accuracy, log loss, errors of
regression) are torch operations; the others are scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from sklearn import metrics as sklearn_metrics
from torch import Tensor

__all__ = [
    "Direction",
    "Metric",
    "accuracy",
    "balanced_accuracy",
    "classification_metrics",
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
    """

    name: str
    direction: Direction
    function: Callable[[Tensor, Tensor], float]

    def __call__(self, output: Tensor, target: Tensor) -> float:
        """The number for outputs and targets of equal length."""
        return float(self.function(output, target))


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
    return _of_classes(sklearn_metrics.precision_score, output, target, average)


def recall(output: Tensor, target: Tensor, average: str | None = "macro") -> Any:
    """Of a class, the share that is found. ``average=None``: one a class."""
    return _of_classes(sklearn_metrics.recall_score, output, target, average)


def f1(output: Tensor, target: Tensor, average: str | None = "macro") -> Any:
    """Harmonic mean of precision and recall. ``average=None``: one a class."""
    return _of_classes(sklearn_metrics.f1_score, output, target, average)


def _of_classes(function: Callable[..., Any], output: Tensor, target: Tensor, average: str | None) -> Any:
    classes = np.arange(output.shape[1])
    truth, called = target.cpu().numpy(), output.argmax(1).cpu().numpy()
    value = function(truth, called, labels=classes, average=average, zero_division=0)
    return value.tolist() if average is None else float(value)


def roc_auc(output: Tensor, target: Tensor) -> float:
    """Area under the ROC curve, one class against the rest, mean over the classes.

    A class that is absent from `target`, or alone in it, has no curve and is left out; 0.5 if none has one, and
    where an output is not a number.
    """
    scores = torch.softmax(output.double(), 1).cpu().numpy()
    truth = target.cpu().numpy()
    if not np.isfinite(scores).all():
        return 0.5
    classes = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    areas = [
        sklearn_metrics.roc_auc_score(truth == c, scores[:, c])
        for c in classes
        if 0 < np.count_nonzero(truth == c) < len(truth)
    ]
    return float(np.mean(areas)) if areas else 0.5


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
            Metric("accuracy", "maximize", accuracy),
            Metric("balanced_accuracy", "maximize", balanced_accuracy),
            Metric("precision", "maximize", precision),
            Metric("recall", "maximize", recall),
            Metric("f1", "maximize", f1),
            Metric("roc_auc", "maximize", roc_auc),
            Metric("log_loss", "minimize", log_loss),
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


@dataclass(frozen=True)
class _InUnits:
    """An error of regression in the units of the target: outputs and targets arrive standardised."""

    function: Callable[[Tensor, Tensor], float]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, output: Tensor, target: Tensor) -> float:
        mean = torch.tensor(self.mean, dtype=torch.float64, device=output.device)
        std = torch.tensor(self.std, dtype=torch.float64, device=output.device)
        return self.function(output.double() * std + mean, target.double() * std + mean)


def regression_metrics(mean: Sequence[float] = (0.0,), std: Sequence[float] = (1.0,)) -> Mapping[str, Metric]:
    """The metrics of regression, in the original units of targets that were standardised by `mean` and `std`.

    Outputs and targets are (n, targets), standardised.
    """
    units = tuple(mean), tuple(std)
    return {
        "rmse": Metric("rmse", "minimize", _InUnits(rmse, *units)),
        "mae": Metric("mae", "minimize", _InUnits(mae, *units)),
        "r2": Metric("r2", "maximize", _InUnits(r2, *units)),
    }
