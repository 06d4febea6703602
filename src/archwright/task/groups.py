"""Groups of samples that a network shall serve alike: metrics by group, and the gap between the best and the worst.

The largest difference between groups is the disparity of Agarwal et al., *A Reductions Approach to Fair
Classification*, ICML 2018 (https://arxiv.org/abs/1803.02453), here of any metric. It says nothing of why groups
differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from archwright.errors import DataError
from archwright.objective import GAP
from archwright.task.metrics import Metric
from archwright.task.splits import Split

if TYPE_CHECKING:
    from archwright.task.task import Part

__all__ = ["LEAST", "MOST", "Groups", "compared", "gaps"]

LEAST = 10
"""Smaller groups of a part are told, and not compared: one sample more or less would decide."""

MOST = 100
"""With more different values, a column hardly names groups."""

MISSING = "missing"


@dataclass(frozen=True, eq=False)
class Groups:
    """Which group each sample of each part belongs to.

    Args:
        name: What tells them apart, such as ``"sex"``.
        labels: The groups, sorted.
        train: The place of each training sample's group in `labels`, (n,) int64.
        validation: The same of validation.
        test: The same of test.
    """

    name: str
    labels: tuple[str, ...]
    train: Tensor
    validation: Tensor
    test: Tensor

    @classmethod
    def of(cls, values: Any, split: Split, held: Any = None, name: str | None = None) -> Groups:
        """Groups from one value a sample: texts, integers or booleans; a missing value is a group of its own.

        Args:
            values: Of the samples that were divided.
            split: How they were.
            held: Of the official test samples, where there are some.
            name: What tells groups apart; by default the name of `values`, if they have one.

        Raises:
            DataError: Quantities, too many values, or fewer than two groups that are large enough to be compared.
        """
        rows = {"train": split.train, "validation": split.validation}
        rows |= {} if split.test is None else {"test": split.test}
        return cls.of_parts(values, rows, {} if held is None else {"test": held}, name)

    @classmethod
    def of_parts(
        cls, values: Any, rows: Mapping[str, np.ndarray], apart: Mapping[str, Any], name: str | None = None
    ) -> Groups:
        """The same where validation may have come apart too.

        Args:
            values: Of the samples that were divided.
            rows: Which of them are in which part, by its name.
            apart: Of the samples of the official parts, by their names; None for a part whose groups nobody gave.
            name: As in `of`.

        Raises:
            DataError: As in `of`.
        """
        name = name or str(getattr(values, "name", None) or "group")
        texts = _texts(values, name)
        n = sum(map(len, rows.values()))
        if len(texts) != n:
            raise DataError(f"there are {n} samples and {len(texts)} groups {name!r}: there must be one a sample")
        for part in ("validation", "test"):
            if (part in rows) == (apart.get(part) is not None):  # divided here and given, or neither
                raise DataError(f"official {part} samples need groups too: give {name!r} for all samples, or for none")
        held = {part: _texts(given, name) for part, given in apart.items() if given is not None}
        everything = np.concatenate([texts, *held.values()])
        labels = tuple(np.unique(everything).tolist())
        if len(labels) > MOST:
            raise DataError(f"{name!r} has {len(labels)} different values: at most {MOST} groups can be compared")
        parts = {**{part: texts[at] for part, at in rows.items()}, **held}
        codes = {part: torch.from_numpy(np.searchsorted(np.array(labels), own)) for part, own in parts.items()}
        return cls(name, labels, codes["train"], codes["validation"], codes["test"]).checked()

    def checked(self) -> Groups:
        """The same, if there is something to compare in validation, and in the test part unless that is empty."""
        for part, there in (("validation", self.validation), ("test", self.test)):
            if len(there) and len(compared(there)) < 2:
                raise DataError(
                    f"fewer than two groups of {self.name!r} have {LEAST} samples in the {part} part "
                    f"({self._listed(there)}): there is nothing to compare. "
                    f"Give more samples, larger shares, or coarser groups"
                )
        return self

    def on(self, train: Part, validation: Part, test: Part) -> tuple[Part, Part, Part]:
        """The three parts with the groups of their samples."""
        from archwright.task.task import Part

        first, second, third = (
            Part(p.inputs, p.targets, codes)
            for p, codes in ((train, self.train), (validation, self.validation), (test, self.test))
        )
        return first, second, third

    def facts(self) -> dict[str, Any]:
        """What `Task.describe` says of them: how many samples of each are in each part."""
        counts = [
            torch.bincount(c, minlength=len(self.labels)).tolist() for c in (self.train, self.validation, self.test)
        ]
        rows = zip(self.labels, *counts, strict=True)
        return {"group": self.name, "groups": {g: {"train": a, "validation": b, "test": c} for g, a, b, c in rows}}

    def _listed(self, codes: Tensor) -> str:
        counts = torch.bincount(codes, minlength=len(self.labels)).tolist()
        shown = [f"{label!r} has {n}" for label, n in zip(self.labels, counts, strict=True)]
        return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")


def compared(groups: Tensor) -> list[int]:
    """The groups among these samples that are large enough to be compared."""
    return torch.nonzero(torch.bincount(groups) >= LEAST).flatten().tolist()


def gaps(metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    """For each metric the gap between groups: the largest less the smallest value of those that are `compared`."""
    return {f"{GAP}{m.name}": Metric(f"{GAP}{m.name}", "minimize", _Gap(m), of=m) for m in metrics.values()}


@dataclass(frozen=True)
class _Gap:
    metric: Metric

    def __call__(self, output: Tensor, target: Tensor, groups: Tensor) -> float:
        values = [self.metric(output[rows], target[rows]) for g in compared(groups) for rows in [groups == g]]
        return max(values) - min(values) if values else 0.0


def _texts(values: Any, name: str) -> np.ndarray:
    if isinstance(values, str):
        raise DataError(f"group is {values!r}: only tables have columns; give one value a sample")
    array = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)
    if array.ndim != 1:
        raise DataError(f"the groups {name!r} have shape {array.shape}: allowed is (n,), one group a sample")
    found = [_text(v) for v in array.tolist()]
    if any(isinstance(v, float) for v in found):
        example = next(v for v in found if isinstance(v, float))
        raise DataError(
            f"the groups {name!r} are numbers with fractions, such as {example:g}: a group is a text, an integer or a "
            f"boolean. Cut a quantity into bands first, as with pandas.cut"
        )
    return np.array(found, dtype=str)


def _text(value: Any) -> str | float:
    if value is None or value != value or type(value).__name__ in ("NAType", "NaTType"):
        return MISSING
    if isinstance(value, float):  # a missing value turns a column of integers to floats
        return str(int(value)) if value.is_integer() else value
    return str(value).strip()
