"""A benchmark from any table of architectures and what was measured of them."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from archwright.benchmark.lookup import Lookup, Rows, exact_front
from archwright.benchmark.problem import Benchmark
from archwright.benchmark.reading import Table
from archwright.errors import DataError, OutOfSpaceError
from archwright.objective import COSTS, Goal, Objectives
from archwright.space import Architecture, Space, choice

__all__ = ["table"]

DIRECTIONS = ("maximize", "minimize")
EXAMPLE = "depth, width, maximize accuracy, params, seconds, report test_accuracy"


class Listed:
    """The rule that an architecture has a row."""

    def __init__(self, rows: Rows):
        self.rows = rows

    def __call__(self, architecture: Architecture) -> bool:
        return architecture in self.rows

    def __repr__(self) -> str:
        return f"Listed({len(self.rows)} rows)"


def table(
    path: str | os.PathLike[str],
    *,
    space: Space | None = None,
    objectives: Any = None,
    reported: str = "",
    name: str = "",
) -> Benchmark:
    """A benchmark of a CSV or Parquet file with a row an architecture.

    The columns tell what they are::

        depth, width, maximize accuracy, params, seconds, report test_accuracy

    ``maximize M`` and ``minimize M`` are goals (of costs, too), ``report M`` is what is reported, a column named as one
    of `archwright.objective.COSTS` is a cost, ``seconds`` is how long a training took (1 where there is none), and all
    others are decisions. A cell of a goal may be empty: that training failed.

    Args:
        path: The file.
        space: The decisions' space. Then only columns named as its decisions are decisions, where one that is not live
            is empty, columns that nobody asks for are left alone, and architectures without a row are failures. Without
            it every column's values are a `choice`, and the rows that there are make the space.
        objectives: Instead of the marks in the heading: what is searched on, by the names of columns.
        reported: Instead of the mark in the heading: a column.
        name: The benchmark's; the file's by default.
    """
    read = Table(path)
    name = name or read.path.stem
    columns = {column: _meaning(column) for column in read.names}
    marked = [Goal(m, d) for d, m in columns.values() if d in DIRECTIONS]  # type: ignore[arg-type]
    found = Objectives.of(objectives) if objectives is not None else Objectives.of(marked) if marked else None
    if found is None:
        raise DataError(
            f"table {str(read.path)!r} marks no column as a goal: write its heading like {EXAMPLE!r}, or give "
            "objectives"
        )
    wanted = {goal.metric for goal in found.goals}
    reported = reported or next((m for d, m in columns.values() if d == "report"), "")
    column_of = {m: column for column, (_, m) in columns.items()}
    decisions = _decisions(read, columns, space, wanted | {reported})
    others = [m for m in column_of if column_of[m] not in decisions and m != "seconds"]
    for metric in sorted(wanted | ({reported} if reported else set())):
        if metric not in others:
            read.require([metric])
    numeric = {
        m: read.numbers(column_of[m], missing=m not in COSTS)
        for m in others
        if m in wanted or m == reported or m in COSTS
    }
    rows, space = _rows(read, decisions, space)
    lookup = Lookup(
        name,
        rows,
        {m: v for m, v in numeric.items() if m not in COSTS},
        costs={m: v for m, v in numeric.items() if m in COSTS},
        seconds=read.numbers("seconds") if "seconds" in read.names else np.ones(len(read)),
        epochs=1,
    )
    first = found.goals[0]
    values = numeric[first.metric]
    values = values[np.isfinite(values)]
    if not len(values):
        raise DataError(f"table {str(read.path)!r}, column {column_of[first.metric]!r}: every cell is empty")
    return Benchmark(
        name,
        space,
        lookup,
        found,
        best=float(values.max() if first.direction == "maximize" else values.min()),
        reported=reported,
        title=f"{len(read):,} architectures of {read.path.name}",
        source=str(read.path),
        front=exact_front(found, lookup),
    )


def _meaning(column: str) -> tuple[str, str]:
    """What a heading says: (mark, name)."""
    mark, _, rest = column.strip().partition(" ")
    if mark in (*DIRECTIONS, "report") and rest:
        return mark, rest.strip()
    return "", column


def _decisions(
    read: Table, columns: Mapping[str, tuple[str, str]], space: Space | None, metrics: set[str]
) -> list[str]:
    if space is not None:
        names = [d.name for d in space.decisions]
        read.require(names)
        return names
    known = {*COSTS, "seconds", *metrics}
    found = [column for column, (mark, name) in columns.items() if not mark and name not in known]
    if not found:
        raise DataError(f"table {str(read.path)!r} has no column of decisions: write its heading like {EXAMPLE!r}")
    return found


def _rows(read: Table, decisions: Sequence[str], space: Space | None) -> tuple[Rows, Space]:
    columns = [[_value(v) for v in read.frame[name].tolist()] for name in decisions]
    values = list(zip(*columns, strict=True))
    first: dict[tuple[Any, ...], int] = {}
    for row, value in enumerate(values):
        if first.setdefault(value, row) != row:
            shown = ", ".join(f"{n}={v}" for n, v in zip(decisions, value, strict=True) if v is not None)
            raise read.fault(row, decisions[0], f"is the architecture of row {first[value]} again: {shown}")
    rows = Rows(decisions, values)
    if space is None:
        for name, column in zip(decisions, columns, strict=True):
            if None in column:
                raise read.fault(column.index(None), name, "is empty; give a space where decisions are not always live")
        options = {
            n: sorted(set(c), key=lambda v: (isinstance(v, str), v)) for n, c in zip(decisions, columns, strict=True)
        }
        derived = Space({n: choice(*o, name=n) for n, o in options.items()})
        complete = math.prod(map(len, options.values())) == len(values)
        return rows, derived if complete else derived.where(Listed(rows))
    for row, value in enumerate(values):
        given = {n: v for n, v in zip(decisions, value, strict=True) if v is not None}
        try:
            space.check(Architecture(given))
        except OutOfSpaceError as error:
            at = next((n for n in decisions if f"{n!r}" in str(error)), decisions[0])
            raise read.fault(row, at, f"is not of the space: {error}") from None
    return rows, space


def _value(cell: Any) -> Any:
    """A decision's value: numbers of a column with empty cells are read as floats, but 3.0 is 3 in any space."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell


def is_table(name: str) -> bool:
    """Whether a name is that of a file which `table` reads, rather than a benchmark's."""
    return Path(name).suffix.lower() in (".csv", ".parquet")
