"""NAS-Bench-201, the topology space of NATS-Bench: 15,625 cells, each trained, as a table.

Dong & Yang, *NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search*, ICLR 2020
(https://arxiv.org/abs/2001.00326); Dong et al., *NATS-Bench*, IEEE TPAMI 2021 (https://arxiv.org/abs/2009.00437).
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from archwright.benchmark.lookup import Lookup, Rows, exact_front
from archwright.benchmark.problem import Benchmark
from archwright.benchmark.reading import Table, find_file
from archwright.errors import DataError, did_you_mean
from archwright.objective import Objectives, maximize, minimize
from archwright.space import Flow, Space, choice, searchable

__all__ = ["DATASETS", "DEVICES", "EDGES", "OPERATIONS", "cell_text", "nasbench201", "parse_cell", "topology_space"]

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""The candidates of every edge, in the order of their numbers in a table."""

EDGES = ("0->1", "0->2", "1->2", "0->3", "1->3", "2->3")
"""The decisions of `topology_space`, in the order of the official string."""

DATASETS = {"cifar10": "c10", "cifar100": "c100", "imagenet16": "in16"}
"""Data sets, and how their columns begin."""

DEVICES = ("gold_6226", "raspi4", "pixel3", "1080ti_1", "fpga", "eyeriss")

TRAINED_ON = {"cifar10": 25_000, "cifar100": 50_000, "imagenet16": 151_700}
"""Images of the training part: that of CIFAR-10 is halved for validation."""

MACS_PER_SECOND = 1e12

SOURCE = (
    "Dong & Yang, NAS-Bench-201, ICLR 2020, https://arxiv.org/abs/2001.00326; "
    "NATS-Bench, https://arxiv.org/abs/2009.00437"
)
LATENCY_SOURCE = (
    "; latency: HW-NAS-Bench, Li et al., ICLR 2021, https://arxiv.org/abs/2103.10584, and HELP, Lee et al., "
    "NeurIPS 2021, https://arxiv.org/abs/2106.08630"
)
ORIGIN = "Make it from the official file: archwright.benchmark.official201.convert"


def cell_text(edge01: str, edge02: str, edge12: str, edge03: str, edge13: str, edge23: str) -> str:
    """The official string of a cell, from the operation of each edge i->j.

    >>> cell_text(*6 * ["none"])
    '|none~0|+|none~0|none~1|+|none~0|none~1|none~2|'
    """
    return f"|{edge01}~0|+|{edge02}~0|{edge12}~1|+|{edge03}~0|{edge13}~1|{edge23}~2|"


def parse_cell(text: str) -> tuple[str, ...]:
    """The operations of an official string, in the order of `EDGES`.

    Raises:
        ValueError: It is not one.
    """
    found = re.findall(r"\|?([^|~+]+)~(\d)\|", text)
    operations = tuple(op for op, _ in found)
    if len(operations) != len(EDGES) or cell_text(*operations) != text or not set(operations) <= set(OPERATIONS):
        raise ValueError(f"{text!r} is no cell: write for example {cell_text(*['skip_connect'] * 6)!r}")
    return operations


def cell_flow(flow: Flow, x: Any, *edges: Any) -> Any:
    """Node j is the sum of ``edge i->j`` of every earlier node i; `none` is a zero, `skip_connect` an identity.

    Whatever reads a zero makes a zero: of a convolution that holds but for the offset of its batch norm, which the
    official strings of unique structures neglect too.
    """
    states, waiting = [x], iter(edges)
    for _ in range(1, 4):
        states.append(flow.sum([_edge(flow, next(waiting), state) for state in states]))
    return states[-1]


def _edge(flow: Flow, edge: Any, x: Any) -> Any:
    def made(operation: str) -> Any:
        if operation == "none":
            return flow.zero()
        return x if operation == "skip_connect" else flow.op(operation, x, zero=True)

    return flow.select(edge, made)


def topology_space(canonical: bool = True) -> Space:
    """The cells, a choice an edge; ``space.build`` gives the official string.

    Args:
        canonical: Whether cells that compute the same function share a key. Without it each of the 15,625 has its own,
            as published figures of random search count them, and `Space.graph` shows decisions alone.

    >>> topology_space().size
    15625
    """
    cell = searchable(cell_text, flow=cell_flow if canonical else None, name="cell")
    return Space(cell(*(choice(*OPERATIONS, name=edge) for edge in EDGES)))


def nasbench201(
    dataset: str = "cifar10",
    epochs: int = 200,
    *,
    goals: Sequence[str] = (),
    device: str = "",
    tables: str | os.PathLike[str] | None = None,
    canonical: bool = True,
) -> Benchmark:
    """A problem of NAS-Bench-201: validation accuracy is searched, test accuracy reported, both in percent.

    The table has a row a cell and these columns; the three data sets begin theirs with ``c10``, ``c100``, ``in16``, and
    may have a file each or one together:

    ========================================  =====================================================================
    ``arch``, or ``e01 e02 e12 e03 e13 e23``  the official string, or the number in `OPERATIONS` of each edge
    ``c10_val_200``, ``c10_test_200``         mean accuracies after 200 epochs, percent
    ``c10_val_12``, ``c10_test_12``           after a schedule of 12 epochs: not points of the other's curve
    ``params_cifar10``, ``flops_cifar10``     parameters and multiply-accumulates (called FLOPs there); optional
    ``c10_seconds_200``, ``c10_seconds_12``   seconds of a training; optional
    ========================================  =====================================================================

    Cells of one canonical function are separate rows: they were trained apart, and those with branches that nothing
    reads have more parameters. The evaluator gives the numbers of the cell that is proposed, and `Benchmark.best` is
    the best of all rows. On CIFAR-10 the best cell of either schedule is alone in its function.

    Args:
        dataset: One of `DATASETS`.
        epochs: The schedule: 200 or 12.
        goals: Costs to make small besides: of ``params``, ``macs``, ``latency_ms``.
        device: Whose latency ``latency_ms`` is, one of `DEVICES`; from ``nasbench201_latency_ms.parquet``, a column a
            device and the row's number as ``index``.
        tables: The folder of the tables; see `archwright.benchmark.reading.folders`.
        canonical: As in `topology_space`.

    Without columns of seconds, the time of a training is simulated: three forward passes an image (forward and
    backward) at 10^12 multiply-accumulates a second.
    """
    if dataset not in DATASETS:
        raise DataError(f"NAS-Bench-201 has no data set {dataset!r}. {did_you_mean(dataset, DATASETS)}")
    if epochs not in (12, 200):
        raise DataError(f"NAS-Bench-201 has schedules of 12 and 200 epochs, got {epochs!r}")
    if device and device not in DEVICES:
        raise DataError(f"NAS-Bench-201 has no latency on {device!r}. {did_you_mean(device, DEVICES)}")
    parts = [*(["12"] if epochs == 12 else []), *([] if canonical else ["raw"]), *(_said(g, device) for g in goals)]
    name = "-".join(["nasbench201", dataset, *parts])
    short = DATASETS[dataset]
    files = [f"nasbench201_{kind}{end}" for kind in (dataset, "cifar10", "all") for end in (".parquet", ".csv")]
    table = _with_column(f"{short}_val_{epochs}", files, tables, name)
    operations = read_cells(table)
    costs = _costs(table, dataset)
    if device:
        numbers = table.numbers("index").astype(int) if "index" in table.names else np.arange(len(table))
        costs["latency_ms"] = _latency(device, tables, name)[numbers]
    for goal in goals:
        if goal not in costs:
            raise DataError(f"{name}: {str(table.path)!r} has no cost {goal!r}. {did_you_mean(goal, costs)}")
    objectives = Objectives.of([maximize("accuracy"), *(minimize(goal) for goal in goals)])
    metrics = {"accuracy": table.numbers(f"{short}_val_{epochs}")}
    if f"{short}_test_{epochs}" in table.names:
        metrics["test_accuracy"] = table.numbers(f"{short}_test_{epochs}")
    lookup = Lookup(
        name,
        Rows(EDGES, operations),
        metrics,
        costs=costs,
        seconds=_seconds(table, dataset, epochs, costs.get("macs")),
        epochs=epochs,
    )
    return Benchmark(
        name,
        topology_space(canonical),
        lookup,
        objectives,
        best=float(metrics["accuracy"].max()),
        reported="test_accuracy" if "test_accuracy" in metrics else "",
        title=f"cells of {epochs} epochs on {dataset}, accuracy in percent" + "".join(f", {g}" for g in goals),
        source=SOURCE + (LATENCY_SOURCE if device else ""),
        front=exact_front(objectives, lookup),
    )


def _said(goal: str, device: str) -> str:
    return f"latency-{device}" if goal == "latency_ms" else goal


def _with_column(column: str, files: Sequence[str], tables: Any, name: str) -> Table:
    """The first of the files that has the column; if none has it, an error about the first file."""
    first = Table(find_file(files, tables, purpose=name, origin=ORIGIN))
    if column in first.names:
        return first
    folder = first.path.parent
    for other in (folder / file for file in files):
        if other.is_file() and other != first.path and column in (table := Table(other)).names:
            return table
    first.require([column])
    return first


def read_cells(table: Table) -> list[tuple[str, ...]]:
    """The operations of every row, checked: all 15,625 cells, each once."""
    columns = ["e" + edge.replace("->", "") for edge in EDGES]
    if "arch" in table.names:
        cells = []
        for row, text in enumerate(table.texts("arch")):
            try:
                cells.append(parse_cell(text))
            except ValueError as error:
                raise table.fault(row, "arch", str(error)) from None
    else:
        codes = np.stack([table.numbers(column) for column in columns], axis=1)
        wrong = np.argwhere((codes < 0) | (codes >= len(OPERATIONS)) | (codes != np.floor(codes)))
        for row, column in wrong[:1].tolist():
            raise table.fault(
                row, columns[column], f"is {codes[row, column]:g}: allowed are 0 to {len(OPERATIONS) - 1}"
            )
        cells = [tuple(OPERATIONS[c] for c in row) for row in codes.astype(int).tolist()]
    first: dict[tuple[str, ...], int] = {}
    for row, cell in enumerate(cells):
        if first.setdefault(cell, row) != row:
            raise table.fault(row, "arch", f"is the cell of row {first[cell]} again: {cell_text(*cell)}")
    for cell in itertools.product(OPERATIONS, repeat=len(EDGES)):
        if cell not in first:
            raise DataError(
                f"table {str(table.path)!r} is partial: {len(cells):,} rows of {len(OPERATIONS) ** len(EDGES):,} "
                f"cells; the row of {cell_text(*cell)} is one that is missing"
            )
    return cells


def _costs(table: Table, dataset: str) -> dict[str, np.ndarray]:
    found = {}
    for cost, column in (("params", "params"), ("macs", "flops")):
        for candidate in (f"{column}_{dataset}", f"{DATASETS[dataset]}_{column}", column):
            if candidate in table.names:
                found[cost] = table.numbers(candidate)
                break
    return found


def _latency(device: str, tables: Any, name: str) -> np.ndarray:
    files = ["nasbench201_latency_ms.parquet", "nasbench201_latency_ms.csv"]
    table = Table(find_file(files, tables, purpose=name, origin="It has a column a device, and index."))
    order, latency = table.numbers("index").astype(int), table.numbers(device)
    cells = len(OPERATIONS) ** len(EDGES)
    missing = sorted(set(range(cells)) - set(order.tolist()))
    if missing or len(order) != cells:
        raise DataError(
            f"table {str(table.path)!r} is partial: {len(order):,} rows of {cells:,}, index {missing[:1]} is missing"
        )
    sorted_by_index = np.empty(cells)
    sorted_by_index[order] = latency
    return sorted_by_index


def _seconds(table: Table, dataset: str, epochs: int, macs: np.ndarray | None) -> np.ndarray:
    column = f"{DATASETS[dataset]}_seconds_{epochs}"
    if column in table.names:
        return table.numbers(column)
    if macs is None:
        return np.full(len(table), float(epochs))
    return 3 * macs * TRAINED_ON[dataset] * epochs / MACS_PER_SECOND
