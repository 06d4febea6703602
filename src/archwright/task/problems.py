"""What is wrong with data, in one list: errors that forbid learning from them, and warnings that only doubt them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from archwright.errors import DataError
from archwright.task.groups import LEAST
from archwright.task.pictures import Latents

if TYPE_CHECKING:
    from torch import Tensor

    from archwright.task.task import Part, Task

__all__ = ["Problems", "doubts"]

P = ParamSpec("P")
T = TypeVar("T")

MOST = 20
"""Problems that a message lists; of more it says how many."""


class Problems:
    """Errors found while data are read: collected, so that they can be mended all at once.

    >>> problems = Problems()
    >>> problems.add("no column 'age'"), problems.add("row 3 is empty")
    (None, None)
    >>> problems.check()
    Traceback (most recent call last):
    archwright.errors.DataError: there are 2 problems with the data:
      1. no column 'age'
      2. row 3 is empty
    """

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, message: str) -> None:
        """One more; the same only once."""
        if message not in self.found:
            self.found.append(message)

    def of(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
        """What `read` returns; None where it raises a `DataError`, which is kept."""
        try:
            return read(*args, **kwargs)
        except DataError as error:
            self.add(str(error))
            return None

    def check(self) -> None:
        """Raise a `DataError` with everything found, if there is anything."""
        if len(self.found) == 1:
            raise DataError(self.found[0])
        if self.found:
            lines = [f"  {i}. {message}" for i, message in enumerate(self.found[:MOST], 1)]
            more = [f"  and {len(self.found) - MOST} more"] if len(self.found) > MOST else []
            raise DataError("\n".join([f"there are {len(self.found)} problems with the data:", *lines, *more]))


def doubts(task: Task, test: Part, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """What makes a task's figures doubtful, in sentences: samples in two parts, columns that say nothing, tiny groups.

    Args:
        task: The learning problem.
        test: Its test part: nothing is read of it but whether its inputs are in training too.
        facts: Of its data: ``left_out`` columns, ``skipped_images``, ``skipped_clips``, ``groups`` with their counts.
    """
    # Of images to be made like, it is they that must not be in two parts: their inputs are random numbers.
    made = isinstance(task.preparation.features, Latents)
    parts = {"training": task.train, "validation": task.validation, "test": test}
    found = _shared({name: part.targets if made else part.inputs for name, part in parts.items()})
    constant = _constant(task)
    if constant:
        found.append(f"constant in training, so that nothing can be learnt from it: {_listed('column', constant)}")
    if facts.get("left_out"):
        found.append(f"left out, for every row holds another text: {_listed('column', facts['left_out'])}")
    if facts.get("skipped_images"):
        found.append(f"left out, for it cannot be read: {_listed('image', facts['skipped_images'])}")
    if facts.get("skipped_clips"):
        found.append(f"left out, for it cannot be read: {_listed('clip', facts['skipped_clips'])}")
    for part in ("validation", "test"):
        counts = {label: n[part] for label, n in (facts.get("groups") or {}).items()}
        few = [f"{label} ({n})" for label, n in counts.items() if 0 < n < LEAST]
        if few:
            found.append(f"too small to be compared in the {part} part: {_listed('group', few)}")
    return tuple(found)


def _shared(parts: Mapping[str, Tensor]) -> list[str]:
    """Which parts hold inputs that an earlier part holds too, to the last bit of what a network reads."""
    seen: dict[int, str] = {}
    found = []
    for name, part in parts.items():
        # Of 64 bits: two rows of a million agree by chance in one of ten million data sets.
        blocks = part.split(1024) if len(part) else ()
        hashes = [hash(row.tobytes()) for block in blocks for row in block.contiguous().numpy()]
        for earlier in [p for p in parts if p in set(seen.values())]:
            n = sum(seen.get(h) == earlier for h in hashes)
            if n:
                found.append(
                    f"{n:,} of {len(part):,} {name} samples have the inputs of a {earlier} sample: where they "
                    f"are the same one, {name} figures are too good. Remove duplicates before the data are divided"
                )
        for h in hashes:
            seen.setdefault(h, name)
    return found


def _constant(task: Task) -> list[str]:
    """Columns of a table with one value in the whole training part."""
    columns = getattr(task.preparation.features, "columns", None)
    if columns is None or task.train.inputs.ndim != 2:
        return []
    still = (task.train.inputs == task.train.inputs[:1]).all(0)
    found, at = [], 0
    for column in columns:
        if bool(still[at : at + column.width].all()):
            found.append(str(column.name))
        at += column.width
    return found


def _listed(noun: str, names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
    return f"{noun}{'' if len(names) == 1 else 's'} {shown}"
