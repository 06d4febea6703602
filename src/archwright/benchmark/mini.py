"""The mini benchmark: every cell of a small space trained for real on MNIST-1D, shipped with archwright.

Made by ``benchmarks/make_mini.py``, which says how. The data set: Greydanus & Kobak, *Scaling Down Deep Learning with
MNIST-1D*, ICML 2024 (https://arxiv.org/abs/2011.14439).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from typing import Any, Literal

import numpy as np

from archwright.benchmark.lookup import Lookup, Rows, exact_front
from archwright.benchmark.problem import Benchmark
from archwright.errors import DataError, did_you_mean
from archwright.objective import Objectives, maximize, minimize
from archwright.space import Flow, Space, choice, searchable

__all__ = ["EDGES", "EPOCHS", "OPERATIONS", "mini", "mini_facts", "mini_space"]

OPERATIONS = ("skip", "pool_3", "conv_1", "conv_3", "conv_5")
"""Identity, average over 3 positions, convolutions over 1, 3 and 5 positions (the last with gaps of one between)."""

EDGES = ("0->1", "0->2", "1->2", "2->3")
"""The decisions. Node 3, the cell's output, adds the input to its edge."""

EPOCHS = 12

FILE = "data/mini.npz"
COSTS = ("params", "macs", "latency_ms")


def cell(*operations: str) -> str:
    """The cell as text: ``0->1 conv_3, 0->2 skip, 1->2 pool_3, 2->3 conv_1``."""
    return ", ".join(f"{edge} {operation}" for edge, operation in zip(EDGES, operations, strict=True))


def cell_flow(flow: Flow, x: Any, first: Any, shortcut: Any, second: Any, last: Any) -> Any:
    """Nodes are sums of what their edges bring; a skip is an identity."""

    def along(edge: Any, state: Any) -> Any:
        return flow.select(edge, lambda operation: state if operation == "skip" else flow.op(operation, state))

    node = flow.sum([along(shortcut, x), along(second, along(first, x))])
    return flow.sum([x, along(last, node)])


def mini_space() -> Space:
    """625 cells of three nodes, of which 475 compute different functions.

    >>> space = mini_space()
    >>> space.size, len(set(space.keys(space.all_codes()).tolist()))
    (625, 475)
    """
    return Space(searchable(cell, flow=cell_flow)(*(choice(*OPERATIONS, name=edge) for edge in EDGES)))


def mini(seeds: Literal["mean", "drawn"] = "mean", *, goals: Sequence[str] = ()) -> Benchmark:
    """The mini benchmark: validation accuracy of a training on MNIST-1D is searched, test accuracy reported.

    Accuracies are shares of 1, of 800 validation and 1,000 test series. There are whole learning curves, so it is a
    problem of several fidelities, with one schedule: after e epochs the learning rate has not come down yet.

    Args:
        seeds: ``"mean"`` of all trainings, or ``"drawn"``: that of one seed, as a function of proposal and seed, which
            is noise as a real search has it. `Benchmark.best` is the best mean either way.
        goals: Costs to make small besides: of ``params``, ``macs`` and ``latency_ms``.
    """
    if seeds not in ("mean", "drawn"):
        raise DataError(f"mini(seeds={seeds!r}) is unknown. {did_you_mean(seeds, ('mean', 'drawn'))}")
    for goal in goals:
        if goal not in COSTS:
            raise DataError(f"mini has no cost {goal!r}. {did_you_mean(goal, COSTS)}")
    found = _arrays()
    space = mini_space()
    row_of = {key: row for row, key in enumerate(space.keys(found["codes"].astype(np.int32)).tolist())}
    codes = space.all_codes()
    rows = {
        tuple(OPERATIONS[c] for c in code): row_of[key]
        for code, key in zip(codes.tolist(), space.keys(codes).tolist(), strict=True)
    }
    curves = found["accuracy"].astype(float)
    metrics = {"accuracy": curves[:, :, -1], "test_accuracy": found["test_accuracy"].astype(float)}
    if seeds == "mean":
        curves, metrics = curves.mean(axis=1), {m: v.mean(axis=1) for m, v in metrics.items()}
    objectives = Objectives.of([maximize("accuracy"), *(minimize(goal) for goal in goals)])
    name = "-".join(["mini", *(["drawn"] if seeds == "drawn" else []), *(g.removesuffix("_ms") for g in goals)])
    lookup = Lookup(
        name,
        Rows(EDGES, rows),
        metrics,
        costs={cost: found[cost] for cost in COSTS},
        seconds=found["seconds"].astype(float).mean(axis=1),
        epochs=EPOCHS,
        curves={"accuracy": curves},
    )
    return Benchmark(
        name,
        space,
        lookup,
        objectives,
        best=float(found["accuracy"][:, :, -1].astype(float).mean(axis=1).max()),
        reported="test_accuracy",
        max_epochs=EPOCHS,
        title="625 cells on MNIST-1D" + "".join(f", {g}" for g in goals),
        source="benchmarks/make_mini.py; MNIST-1D: Greydanus & Kobak, ICML 2024, https://arxiv.org/abs/2011.14439",
        front=exact_front(objectives, lookup),
    )


def mini_facts() -> dict[str, Any]:
    """How the numbers came about: recipe, machine, conditions of the latency."""
    return json.loads(str(_arrays()["facts"]))


def _arrays() -> dict[str, np.ndarray]:
    """What is shipped: ``codes`` (n, 4) of one cell a function, ``accuracy`` and ``train_loss`` (n, seeds, epochs),
    ``test_accuracy`` and ``seconds`` (n, seeds), and a number a cell for each cost.
    """
    file = resources.files("archwright.benchmark").joinpath(FILE)
    with resources.as_file(file) as path, np.load(path) as stored:
        return {name: stored[name] for name in stored.files}
