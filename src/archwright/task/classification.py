"""What classification tasks share: labels checked and encoded, samples divided, classes weighed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from archwright.errors import DataError
from archwright.task.arrays import check_lengths
from archwright.task.loss import CrossEntropy, class_weights
from archwright.task.metrics import Metric, classification_metrics
from archwright.task.problems import Problems
from archwright.task.splits import Split, divide
from archwright.task.targets import Classes, label_array
from archwright.task.task import Part, Parts

__all__ = ["ClassWeight", "Labelled", "check_labels", "check_test_pair", "check_validation_pair"]

ClassWeight = str | Mapping[Any, float] | None


def check_test_pair(x_test: Any, y_test: Any) -> None:
    """Raise a `DataError` where one of the two is given without the other."""
    if (x_test is None) != (y_test is None):
        given, missing = ("x_test", "y_test") if y_test is None else ("y_test", "x_test")
        raise DataError(f"{given} is given without {missing}: give both for an official test part, or neither")


def check_validation_pair(x_validation: Any, y_validation: Any) -> None:
    """The same of an official validation part."""
    if (x_validation is None) != (y_validation is None):
        raise DataError("x_validation and y_validation: give both for an official validation part, or neither")


def check_labels(problems: Problems, y: Any, y_test: Any) -> None:
    """Find what is wrong with labels, and with those of official test samples, or None."""
    labels = problems.of(label_array, y, "y")
    classes = None if labels is None else problems.of(Classes.of, labels, "y")
    if classes is not None and y_test is not None:
        problems.of(classes.encode, y_test, "y_test")


@dataclass(frozen=True, eq=False)
class Labelled:
    """Labels of a classification task, encoded and divided.

    Args:
        classes: The classes, from the samples that are not official test data.
        targets: Class indices of those samples.
        test_targets: Class indices of the official test data, or None.
        split: Which samples are which part.
        seed: The seed of the split.
    """

    classes: Classes
    targets: Tensor
    test_targets: Tensor | None
    split: Split
    seed: int

    @classmethod
    def of(cls, x: Any, y: Any, x_test: Any, y_test: Any, *, seed: int, shares: tuple[float, float]) -> Labelled:
        """Check the labels of samples `x` (and of official test samples, or None) and divide.

        Args:
            x: Anything with a length.
            y: Labels.
            x_test: Official test samples.
            y_test: Their labels.
            seed: The seed of the split.
            shares: Of the test part in all, and of validation in the rest.
        """
        labels = label_array(y, "y")
        check_lengths(x, labels)
        classes = Classes.of(labels, "y")
        targets = classes.encode(labels, "y")
        test_targets = None
        if x_test is not None:
            test_labels = label_array(y_test, "y_test")
            check_lengths(x_test, test_labels, "x_test", "y_test")
            test_targets = classes.encode(test_labels, "y_test")
        split = divide(
            targets.numpy(),
            seed=seed,
            names=classes.labels,
            official_test=x_test is not None,
            test_share=shares[0],
            validation_share=shares[1],
        )
        return cls(classes, targets, test_targets, split, seed)

    def parts(self, x: Any, x_test: Any, prepare: Callable[[Any, str], Tensor]) -> Parts:
        """Raw samples to the three parts. `prepare(samples, where)` must hold statistics of training alone."""
        split = self.split
        train, validation = (Part(prepare(x[i], "x"), self.targets[i]) for i in (split.train, split.validation))
        if self.test_targets is not None:
            return Parts(train, validation, Part(prepare(x_test, "x_test"), self.test_targets))
        if not len(split.test):  # type: ignore[arg-type]
            return Parts(train, validation, train[:0], untested=True)
        return Parts(train, validation, Part(prepare(x[split.test], "x"), self.targets[split.test]))

    def learning(self, class_weight: ClassWeight, metric: str | None) -> dict[str, Any]:
        """Loss, metrics and main metric. Where classes are weighed, balanced accuracy is what the loss aims at."""
        weights = class_weights(class_weight, self.targets.numpy()[self.split.train], self.classes.labels)
        metrics: dict[str, Metric] = classification_metrics()
        default = "balanced_accuracy" if weights is not None else "accuracy"
        return {"loss": CrossEntropy(weights), "metrics": metrics, "metric": metric or default}

    def facts(self, source: str) -> dict[str, Any]:
        """What `Task.describe` says about the labels and the split."""
        counts = np.bincount(self.targets.numpy(), minlength=len(self.classes.labels)).tolist()
        return {
            "classes": list(self.classes.labels),
            "class_counts": counts,
            "source": source,
            "split_seed": self.seed,
            "official_test": self.test_targets is not None,
        }
