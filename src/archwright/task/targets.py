"""Targets both ways: labels to class indices, quantities to standardised numbers, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archwright.errors import DataError

__all__ = ["Classes", "NextTokens", "Quantities", "label_array", "quantity_array"]


def _plain(values: Any, where: str) -> np.ndarray:
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(f"{where}: cannot be read as an array ({error}); give one value a sample") from None


def _missing(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind == "f":
        return np.isnan(array)
    if array.dtype.kind == "O":
        return np.array([v is None or v != v or type(v).__name__ == "NAType" for v in array.ravel()], dtype=bool)
    return np.zeros(array.size, dtype=bool)


def label_array(labels: Any, where: str = "labels") -> np.ndarray:
    """Labels as a (n,) array of integers, booleans or strings.

    Raises:
        DataError: missing labels, labels with fractions, one-hot rows, or anything else that is no label.
    """
    array = _plain(labels, where)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        hint = " If they are one-hot rows, give y.argmax(1)" if array.ndim == 2 else ""
        raise DataError(f"{where} have shape {array.shape}: allowed is (n,), one label a sample.{hint}")
    missing = _missing(array)
    if missing.any():
        raise DataError(
            f"{where}: {missing.sum()} of {len(array)} are missing, the first in row {np.flatnonzero(missing)[0]} "
            f"(counted from 0). Remove these samples: what they should teach is unknown"
        )
    if array.dtype.kind == "f":
        broken = np.flatnonzero(array != np.round(array))
        if len(broken):
            raise DataError(
                f"{where} are numbers with fractions, such as {array[broken[0]]:g} in row {broken[0]}: a class label "
                f"is an integer, a boolean or a text. For a quantity use a regression task"
            )
        return array.astype(np.int64)
    if array.dtype.kind == "O":
        kinds = {type(v) for v in array.tolist()}
        if kinds <= {bool, np.bool_}:
            return array.astype(bool)
        if all(issubclass(k, (int, np.integer)) for k in kinds):
            return array.astype(np.int64)
        return np.array([str(v) for v in array.tolist()])
    if array.dtype.kind not in "iubU":
        raise DataError(f"{where} have type {array.dtype}: allowed are integers, booleans and texts")
    return array


@dataclass(frozen=True)
class Classes:
    """The classes of a task, sorted; a class index is a place in this list.

    >>> classes = Classes.of(["dog", "cat", "dog"])
    >>> classes.encode(["dog"]).tolist(), classes.decode([0])
    ([1], ['cat'])
    """

    labels: tuple[Any, ...]

    @classmethod
    def of(cls, labels: Any, where: str = "labels") -> Classes:
        """The classes that occur. Raises `DataError` where there are fewer than two."""
        found = np.unique(label_array(labels, where)).tolist()
        if len(found) < 2:
            what = f"only one class, {found[0]!r}" if found else "no sample"
            raise DataError(f"{where} hold {what}: at least two classes are needed to learn to tell them apart")
        return cls(tuple(found))

    def encode(self, labels: Any, where: str = "labels") -> Tensor:
        """Labels to class indices, int64 (n,). A label that is no class raises `DataError`."""
        array = label_array(labels, where)
        known = {label: i for i, label in enumerate(self.labels)}
        unknown = sorted({v for v in array.tolist() if v not in known}, key=str)
        if unknown:
            shown = ", ".join(map(repr, unknown[:5])) + (" ..." if len(unknown) > 5 else "")
            classes = ", ".join(map(repr, self.labels[:20])) + (" ..." if len(self.labels) > 20 else "")
            raise DataError(
                f"{where} hold {shown}, which training never saw: its classes are {classes}. "
                f"Add training samples of them, or leave them out"
            )
        return torch.tensor([known[v] for v in array.tolist()], dtype=torch.int64)

    def decode(self, indices: Any) -> list[Any]:
        """Class indices to labels."""
        return [self.labels[int(i)] for i in indices]

    def answers(self, output: Tensor) -> list[Any]:
        """A network's outputs, logits (n, classes), to labels."""
        return self.decode(output.argmax(1).tolist())

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": "classes", "labels": list(self.labels)}


def quantity_array(values: Any, where: str = "targets") -> np.ndarray:
    """Quantities as a float64 (n, targets) array. Missing, infinite or textual values raise `DataError`."""
    array = _plain(values, where)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise DataError(f"{where} have shape {array.shape}: allowed is (n,) or (n, targets)")
    missing = _missing(array)
    if missing.any():
        raise DataError(
            f"{where}: {missing.sum()} of {array.size} are missing, the first in row "
            f"{np.flatnonzero(missing)[0] // array.shape[1]} (counted from 0). Remove these samples"
        )
    try:
        numbers = array.astype(np.float64)
    except (TypeError, ValueError):
        odd = next(v for v in array.ravel().tolist() if not _is_number(v))
        raise DataError(
            f"{where} hold {odd!r}, which is not a number: a regression learns quantities. For classes use a "
            f"classification task"
        ) from None
    infinite = np.flatnonzero(~np.isfinite(numbers).all(1))
    if len(infinite):
        raise DataError(
            f"{where}: {len(infinite)} rows are infinite, the first is row {infinite[0]}; remove or repair them"
        )
    return numbers


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


@dataclass(frozen=True)
class Quantities:
    """Standardised targets of a regression: (value - mean) / std, for each of one or more targets."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, values: np.ndarray, names: Sequence[str]) -> Quantities:
        """Mean and deviation of the training part's (n, targets). A constant target raises `DataError`."""
        std = values.std(0)
        for name, deviation, first in zip(names, std, values[0], strict=True):
            if deviation <= 1e-12 * max(1.0, abs(first)):
                raise DataError(f"target {name!r} is {first:g} in every training sample: there is nothing to learn")
        return cls(tuple(values.mean(0).tolist()), tuple(std.tolist()), tuple(map(str, names)))

    def encode(self, values: Any, where: str = "targets") -> Tensor:
        """Values in their units to standardised float32 (n, targets)."""
        array = quantity_array(values, where)
        if array.shape[1] != len(self.mean):
            raise DataError(
                f"{where} have {array.shape[1]} columns: this task has {len(self.mean)} ({', '.join(self.names)})"
            )
        return torch.tensor((array - np.array(self.mean)) / np.array(self.std), dtype=torch.float32)

    def decode(self, standardised: Any) -> list[Any]:
        """Standardised (n, targets) back to units; a plain number a sample where there is one target."""
        values = torch.as_tensor(standardised, dtype=torch.float64).reshape(-1, len(self.mean))
        values = values * torch.tensor(self.std, dtype=torch.float64) + torch.tensor(self.mean, dtype=torch.float64)
        return values[:, 0].tolist() if len(self.mean) == 1 else values.tolist()

    answers = decode

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": "quantities", "mean": list(self.mean), "std": list(self.std), "names": list(self.names)}


@dataclass(frozen=True)
class NextTokens:
    """The targets of a language model: the tokens one further on. Outputs are scores (n, tokens, positions)."""

    def encode(self, values: Any, where: str = "targets") -> Tensor:
        """A text holds its own targets."""
        raise DataError(f"{where}: a language model has no targets beside its text: they are the tokens one on")

    def decode(self, indices: Any) -> list[Any]:
        """Token numbers as they are: the preparation's tokenizer reads them."""
        return list(indices)

    def answers(self, output: Tensor) -> list[Any]:
        """The number of the likeliest token at each position."""
        return output.argmax(1).tolist()

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": "next tokens"}
