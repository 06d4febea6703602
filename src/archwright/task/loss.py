"""Losses as values: what training minimises, with what it needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from archwright.errors import DataError, did_you_mean

__all__ = ["CrossEntropy", "SquaredError", "class_weights"]

IMBALANCED = 3.0
"""Largest class over smallest, above which ``class_weight="auto"`` weighs classes."""


@dataclass(frozen=True)
class CrossEntropy:
    """Cross entropy of logits (n, classes) with class indices (n,), or with shares (n, classes) as `mixup` makes.

    Args:
        weights: One a class, or None where all count alike.
    """

    weights: tuple[float, ...] | None = None

    def __call__(self, output: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """A scalar."""
        weight = None
        if self.weights is not None:
            weight = torch.tensor(self.weights, dtype=output.dtype, device=output.device)
        return F.cross_entropy(output, target, weight=weight, label_smoothing=label_smoothing)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"loss": "cross entropy", "class_weights": list(self.weights) if self.weights else None}


@dataclass(frozen=True)
class SquaredError:
    """Mean squared error of (n, targets) outputs and standardised targets. Label smoothing means nothing here."""

    def __call__(self, output: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """A scalar."""
        return F.mse_loss(output, target)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"loss": "squared error"}


def class_weights(
    class_weight: str | Mapping[Any, float] | None, targets: np.ndarray, labels: tuple[Any, ...]
) -> tuple[float, ...] | None:
    """The weight of each class in the loss.

    Args:
        class_weight: ``"auto"``: inverse to frequency where the largest class is more than three times the smallest,
            else none; ``"balanced"``: always inverse to frequency; None: all alike; or a weight a label.
        targets: Class indices of the training part.
        labels: The classes.

    Returns:
        Weights whose mean over the training samples is 1 (so the learning rate means the same), or None.
    """
    if class_weight is None:
        return None
    counts = np.bincount(targets, minlength=len(labels)).astype(np.float64)
    if isinstance(class_weight, Mapping):
        unknown = [k for k in class_weight if k not in labels]
        if unknown:
            raise DataError(
                f"class_weight names {unknown[0]!r}, which is no class. "
                f"{did_you_mean(str(unknown[0]), map(str, labels))}"
            )
        weights = np.array([float(class_weight.get(label, 1.0)) for label in labels])
        if not np.isfinite(weights).all() or (weights < 0).any() or (weights * counts).sum() <= 0:
            raise DataError(
                f"class_weight={dict(class_weight)}: weights must be finite, not negative, and not all zero"
            )
    elif class_weight in ("auto", "balanced"):
        if class_weight == "auto" and counts.max() <= IMBALANCED * counts.min():
            return None
        weights = 1.0 / counts
    else:
        raise DataError(f"class_weight is {class_weight!r}: allowed are 'auto', 'balanced', None, or a weight a label")
    return tuple((weights * len(targets) / (weights * counts).sum()).tolist())
