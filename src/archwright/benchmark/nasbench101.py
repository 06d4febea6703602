"""NAS-Bench-101: 423,624 different cells of at most 7 vertices and 9 edges, trained on CIFAR-10.

Ying et al., *NAS-Bench-101: Towards Reproducible Neural Architecture Search*, ICML 2019
(https://arxiv.org/abs/1902.09635).
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from archwright.benchmark.lookup import Lookup, exact_front
from archwright.benchmark.problem import Benchmark
from archwright.benchmark.reading import Table, find_file
from archwright.errors import DataError, did_you_mean
from archwright.objective import Objectives, maximize, minimize
from archwright.space import Architecture, Flow, Space, choice, searchable

__all__ = ["OPERATIONS", "SCHEDULES", "cell_hash", "cell_space", "nasbench101", "pruned"]

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
"""What an inner vertex may compute, in the order in which the official hash numbers them."""

SCHEDULES = (4, 12, 36, 108)
"""Epochs of the trainings. Each has its own learning-rate schedule: they are not points of one curve."""

VERTICES = 7
MOST_EDGES = 9
EDGES = tuple(itertools.combinations(range(VERTICES), 2))
DECISIONS = (*(f"{i}->{j}" for i, j in EDGES), *map(str, range(1, VERTICES - 1)))
"""Of `cell_space`: whether each edge is there, then the operation of each inner vertex."""

SOURCE = "Ying et al., NAS-Bench-101, ICML 2019, https://arxiv.org/abs/1902.09635"
FILES = ("nasbench101.parquet", "nasbench101.csv")
ORIGIN = (
    "Make it from nasbench_full.tfrecord or nasbench_only108.tfrecord (github.com/google-research/nasbench): "
    "archwright.benchmark.official101.convert"
)

Cell = tuple[np.ndarray, list[str]]


class Vertex:
    """An operation's label: people read the operation, the canonical key tells vertices apart.

    Without it a vertex that two read would be equal to two vertices with weights of their own.
    """

    def __init__(self, operation: str, number: int):
        self.__name__ = operation
        self.number = number

    def __repr__(self) -> str:
        return f"{self.__name__}@{self.number}"


def cell(*decided: Any) -> Cell:
    """The cell as the official API takes it: an adjacency matrix, upper triangular, and a label a vertex.

    Args:
        decided: Whether each of `EDGES` is there, then the operation of each inner vertex.
    """
    matrix = np.zeros((VERTICES, VERTICES), dtype=int)
    for (i, j), present in zip(EDGES, decided, strict=False):
        matrix[i, j] = present
    return matrix, ["input", *decided[len(EDGES) :], "output"]


def cell_flow(flow: Flow, x: Any, *decided: Any) -> Any:
    """Vertices sum what they read; those that nothing reaches or nothing reads are not there.

    Vertices are told apart by their number (see `Vertex`), so cells that differ in numbering alone have keys of their
    own, though the same row.
    """
    edge, operations = dict(zip(EDGES, decided, strict=False)), decided[len(EDGES) :]
    states = [x]
    for j in range(1, VERTICES):
        read = [_if(flow, edge[i, j], states[i]) for i in range(j)]
        if j == VERTICES - 1:
            return flow.sum([flow.op("projection", read[0], zero=True), *read[1:]])
        states.append(_vertex(flow, operations[j - 1], j, flow.sum(read)))
    raise AssertionError


def _if(flow: Flow, present: Any, state: Any) -> Any:
    return flow.select(present, lambda there: state if there else flow.zero())


def _vertex(flow: Flow, operation: Any, number: int, x: Any) -> Any:
    return flow.select(operation, lambda chosen: flow.op(Vertex(chosen, number), x, zero=True))


def pruned(matrix: np.ndarray, labels: Sequence[str]) -> Cell | None:
    """The vertices on a way from input to output; None where there is no way."""
    last = len(labels) - 1
    forward, backward = {0}, {last}
    for j in range(1, last + 1):
        if any(matrix[i, j] for i in forward):
            forward.add(j)
    for i in range(last - 1, -1, -1):
        if any(matrix[i, j] for j in backward):
            backward.add(i)
    kept = sorted(forward & backward)
    if 0 not in kept or last not in kept:
        return None
    return matrix[np.ix_(kept, kept)], [labels[v] for v in kept]


def cell_hash(matrix: np.ndarray, labels: Sequence[str]) -> str:
    """The official hash of a pruned cell, equal for isomorphic ones: labels refined by those of their neighbours."""
    numbers = [-1, *(OPERATIONS.index(label) for label in labels[1:-1]), -2]
    n = len(numbers)
    edges = matrix.tolist()
    into = [[i for i in range(n) if edges[i][j]] for j in range(n)]
    out = [[j for j in range(n) if edges[i][j]] for i in range(n)]
    hashes = [_md5(str((len(out[v]), len(into[v]), numbers[v]))) for v in range(n)]
    for _ in range(n):
        hashes = [
            _md5(
                "".join(sorted(hashes[w] for w in into[v]))
                + "|"
                + "".join(sorted(hashes[w] for w in out[v]))
                + "|"
                + hashes[v]
            )
            for v in range(n)
        ]
    return _md5(str(sorted(hashes)))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def is_cell(architecture: Architecture) -> bool:
    """A rule: input and output are connected, by at most 9 edges after pruning."""
    found = _cell_of(architecture)
    return found is not None and int(found[0].sum()) <= MOST_EDGES


def _cell_of(architecture: Architecture) -> Cell | None:
    matrix, labels = cell(*(architecture[name] for name in DECISIONS))
    return pruned(matrix, labels)


def cell_space() -> Space:
    """An edge or none between any two of 7 vertices, an operation for each of the 5 inner ones; at most 9 edges."""
    edges = [choice(False, True, name=name) for name in DECISIONS[: len(EDGES)]]
    operations = [choice(*OPERATIONS, name=name) for name in DECISIONS[len(EDGES) :]]
    return Space(searchable(cell, flow=cell_flow)(*edges, *operations)).where(is_cell)


class Hashed:
    """The row of a cell: by its official hash."""

    def __init__(self, hashes: Sequence[str]):
        self._row = {h: row for row, h in enumerate(hashes)}

    def __getitem__(self, architecture: Architecture) -> int:
        found = _cell_of(architecture)
        if found is None:
            raise KeyError("input and output are not connected")
        return self._row[cell_hash(*found)]


def nasbench101(
    epochs: int = 108, *, goals: Sequence[str] = (), tables: str | os.PathLike[str] | None = None
) -> Benchmark:
    """A problem of NAS-Bench-101: validation accuracy is searched, test accuracy reported, as shares of 1.

    The table ``nasbench101.parquet`` (or ``.csv``; see `archwright.benchmark.official101`) has a row a cell and the
    columns ``hash`` (the official one), ``params``, and for each schedule ``val_108``, ``test_108``, ``seconds_108``:
    means over the three trainings.

    Args:
        epochs: The schedule, one of `SCHEDULES`.
        goals: Costs to make small besides: ``params``.
        tables: The folder of the table.
    """
    if epochs not in SCHEDULES:
        raise DataError(f"NAS-Bench-101 has schedules of {', '.join(map(str, SCHEDULES))} epochs, got {epochs!r}")
    name = "-".join(["nasbench101", *([] if epochs == 108 else [str(epochs)]), *goals])
    table = _read(str(find_file(FILES, tables, purpose=name, origin=ORIGIN)))
    metrics = {"accuracy": table.numbers(f"val_{epochs}"), "test_accuracy": table.numbers(f"test_{epochs}")}
    costs = {"params": table.numbers("params")}
    for goal in goals:
        if goal not in costs:
            raise DataError(f"{name} has no cost {goal!r}. {did_you_mean(goal, costs)}")
    objectives = Objectives.of([maximize("accuracy"), *(minimize(goal) for goal in goals)])
    lookup = Lookup(
        name,
        Hashed(table.texts("hash")),
        metrics,
        costs=costs,
        seconds=table.numbers(f"seconds_{epochs}"),
        epochs=epochs,
    )
    return Benchmark(
        name,
        cell_space(),
        lookup,
        objectives,
        best=float(metrics["accuracy"].max()),
        reported="test_accuracy",
        title=f"cells of {epochs} epochs on CIFAR-10" + "".join(f", {g}" for g in goals),
        source=SOURCE,
        front=exact_front(objectives, lookup),
    )


@functools.lru_cache(maxsize=1)  # hundreds of thousands of rows, shared by the schedules
def _read(path: str) -> Table:
    return Table(path)
