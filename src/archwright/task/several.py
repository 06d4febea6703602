"""Several targets of one sample: encoded side by side, and the loss and metrics of each on its own outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from archwright.errors import DataError
from archwright.task.metrics import Metric, accuracy, balanced_accuracy, f1, log_loss, r2, regression_metrics
from archwright.task.targets import Classes, Quantities, label_array, quantity_array

__all__ = ["Several", "WeighedLosses"]

Target = Classes | Quantities

MOST_CLASSES = 20
"""Whole numbers of more different values than this are a quantity, as in a table's target."""


def _is_quantity(values: np.ndarray) -> bool:
    if values.dtype.kind not in "fiu":
        return False
    return bool((values != np.round(values)).any()) or len(np.unique(values)) > MOST_CLASSES


@dataclass(frozen=True)
class Several:
    """Targets by name. Class indices and standardised quantities stand side by side, float32 (n, targets).

    A network's outputs are (n, outputs): for each target in turn a score a class, or one number.
    """

    targets: tuple[tuple[str, Target], ...]

    @classmethod
    def of(cls, values: Mapping[str, Any], train: Any = slice(None)) -> Several:
        """Classes or quantities, as the values are; the statistics of quantities are those of the rows `train`."""
        found: list[tuple[str, Target]] = []
        for name, raw in values.items():
            array = raw if isinstance(raw, np.ndarray) else np.asarray(raw)
            if _is_quantity(array):
                found.append((name, Quantities.of(quantity_array(array, f"target {name!r}")[train], [name])))
            else:
                found.append((name, Classes.of(label_array(array, f"target {name!r}"), f"target {name!r}")))
        return cls(tuple(found))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the targets."""
        return tuple(name for name, _ in self.targets)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many outputs each has."""
        return tuple(len(t.labels) if isinstance(t, Classes) else 1 for _, t in self.targets)

    def places(self) -> list[slice]:
        """Where the outputs of each are."""
        ends = np.cumsum(self.sizes).tolist()
        return [slice(end - size, end) for end, size in zip(ends, self.sizes, strict=True)]

    def only(self, name: str) -> Several:
        """One of them."""
        if name not in self.names:
            raise DataError(f"there is no target {name!r}: this task has {', '.join(self.names)}")
        return Several(tuple(t for t in self.targets if t[0] == name))

    def encode(self, values: Mapping[str, Any], where: str = "targets") -> Tensor:
        """Values by name to float32 (n, targets)."""
        missing = [name for name in self.names if name not in values]
        if missing:
            raise DataError(f"{where} have no {missing[0]!r}: this task has the targets {', '.join(self.names)}")
        columns = [t.encode(values[name], f"{where}: {name!r}").reshape(-1).float() for name, t in self.targets]
        if len({len(c) for c in columns}) > 1:
            said = ", ".join(f"{name} {len(c)}" for name, c in zip(self.names, columns, strict=True))
            raise DataError(f"{where} differ in length: {said}; each sample has one of each")
        return torch.stack(columns, 1)

    def decode(self, encoded: Any) -> list[dict[str, Any]]:
        """Encoded targets (n, targets) to values by name, a dictionary a sample."""
        columns = torch.as_tensor(encoded)
        decoded = [t.decode(columns[:, i].tolist()) for i, (_, t) in enumerate(self.targets)]
        return [dict(zip(self.names, row, strict=True)) for row in zip(*decoded, strict=True)]

    def answers(self, output: Tensor) -> list[dict[str, Any]]:
        """A network's outputs to values by name."""
        found = [t.answers(output[:, at]) for at, (_, t) in zip(self.places(), self.targets, strict=True)]
        return [dict(zip(self.names, row, strict=True)) for row in zip(*found, strict=True)]

    def metrics(self) -> dict[str, Metric]:
        """``NAME_accuracy`` and the like of each target, and ``mean``, of the accuracies and r2 of all."""
        found: list[Metric] = []
        mains: list[_At] = []
        for i, (at, (name, target)) in enumerate(zip(self.places(), self.targets, strict=True)):
            classes = isinstance(target, Classes)
            if isinstance(target, Classes):
                of: Sequence[tuple[str, Any, Any]] = (
                    ("accuracy", "maximize", accuracy),
                    ("balanced_accuracy", "maximize", balanced_accuracy),
                    ("f1", "maximize", f1),
                    ("log_loss", "minimize", log_loss),
                )
            else:
                measures = regression_metrics(target.mean, target.std).values()
                of = [(m.name, m.direction, m.function) for m in measures]
            found += [Metric(f"{name}_{called}", way, _At(at, i, classes, how)) for called, way, how in of]
            mains.append(_At(at, i, classes, accuracy if classes else r2))
        return {m.name: m for m in (*found, Metric("mean", "maximize", _Mean(tuple(mains))))}

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": "several", "targets": [{"name": name, **t.to_json()} for name, t in self.targets]}


@dataclass(frozen=True)
class _At:
    """A metric of one target."""

    at: slice
    column: int
    classes: bool
    function: Callable[[Tensor, Tensor], float]

    def __call__(self, output: Tensor, target: Tensor) -> float:
        true = target[:, self.column]
        return self.function(output[:, self.at], true.long() if self.classes else true[:, None])


@dataclass(frozen=True)
class _Mean:
    parts: tuple[_At, ...]

    def __call__(self, output: Tensor, target: Tensor) -> float:
        return sum(part(output, target) for part in self.parts) / len(self.parts)


@dataclass(frozen=True)
class WeighedLosses:
    """The sum of each target's loss times its weight: cross entropy of classes, squared error of quantities.

    Args:
        sizes: How many outputs each target has.
        classes: Whether it is a class.
        weights: Of each.
    """

    sizes: tuple[int, ...]
    classes: tuple[bool, ...]
    weights: tuple[float, ...]

    def __call__(self, output: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """A scalar."""
        total = output.new_zeros(())
        parts = zip(output.split(list(self.sizes), 1), target.unbind(1), self.classes, self.weights, strict=True)
        for scores, true, classes, weight in parts:
            if classes:
                loss = F.cross_entropy(scores, true.long(), label_smoothing=label_smoothing)
            else:
                loss = F.mse_loss(scores[:, 0], true)
            total = total + weight * loss
        return total

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"loss": "weighed sum", "weights": list(self.weights)}
