"""NAS-Bench-Graph: 26,206 graph networks, each trained on nine data sets.

Qin et al., *NAS-Bench-Graph: Benchmarking Graph Neural Architecture Search*, NeurIPS 2022 Datasets and Benchmarks
(https://arxiv.org/abs/2206.09166). The numbers come with the package ``nas-bench-graph``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from archwright.benchmark.lookup import Lookup, Rows, exact_front
from archwright.benchmark.problem import Benchmark
from archwright.errors import DataError, MissingExtraError, did_you_mean
from archwright.objective import Objectives, maximize, minimize
from archwright.space import Architecture, Flow, Space, choice, searchable

__all__ = ["DATASETS", "LINKS", "OPERATIONS", "graph_space", "nasbenchgraph"]

DATASETS = ("arxiv", "citeseer", "computers", "cora", "cs", "photo", "physics", "proteins", "pubmed")

LINKS = (
    (0, 0, 0, 0),
    (0, 0, 0, 1),
    (0, 0, 1, 1),
    (0, 0, 1, 2),
    (0, 0, 1, 3),
    (0, 1, 1, 1),
    (0, 1, 1, 2),
    (0, 1, 2, 2),
    (0, 1, 2, 3),
)
"""Which earlier node each of the four reads; 0 is the input. All ways to connect, up to the order of nodes."""

OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
"""What a node may compute."""

ON_PROTEINS = ("gcn", "sage", "arma", "fc", "skip")
"""What it may on ogbn-proteins, which is too large for the others."""

SECONDS_PER_LATENCY = 1000.0
"""The package has no training times: a training is taken for 333 epochs of three inferences of the whole graph."""

DECISIONS = ("link", "1", "2", "3", "4")

SOURCE = "Qin et al., NAS-Bench-Graph, NeurIPS 2022 Datasets and Benchmarks, https://arxiv.org/abs/2206.09166"


def network(link: str, *operations: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """The network as the package's ``Arch`` takes it: what each node reads, and what it computes."""
    return tuple(map(int, link)), operations


def network_flow(flow: Flow, x: Any, link: Any, *operations: Any) -> Any:
    """The tree of nodes, from its leaves (the outputs) to its root (the input); `skip` is an identity.

    Every node reads one earlier one and each has weights of its own, so a node that two read is not two equal nodes.
    A sum over readers tells these apart where a sum over what is read would not: so `x` stands for an output, and what
    comes out is the network's input. A skip from the input to the output is left out, as the package does, for its
    width is not that of the others.
    """

    def rooted(text: str) -> Any:
        readers: list[list[int]] = [[i for i, c in enumerate(text, 1) if int(c) == node] for node in range(5)]

        @functools.cache  # one object a signal: each operation's reads the same one
        def above(node: int, is_input: bool) -> Any:
            if not readers[node]:
                return flow.zero() if is_input else x
            return flow.sum([seen(reader, is_input) for reader in readers[node]])

        def seen(node: int, reads_input: bool) -> Any:
            def made(operation: str) -> Any:
                return above(node, reads_input) if operation == "skip" else flow.op(operation, above(node, False))

            return flow.select(operations[node - 1], made)

        return above(0, True)

    return flow.select(link, rooted)


def has_operation(architecture: Architecture) -> bool:
    """A rule: not every node is a skip."""
    return any(architecture[name] != "skip" for name in DECISIONS[1:])


def graph_space(operations: Sequence[str] = OPERATIONS) -> Space:
    """All connections of four nodes with one of these operations each, but all skips.

    >>> graph_space().size
    59040
    """
    links = choice(*("".join(map(str, link)) for link in LINKS), name="link")
    nodes = (choice(*operations, name=name) for name in DECISIONS[1:])
    return Space(searchable(network, flow=network_flow)(links, *nodes)).where(has_operation)


def nasbenchgraph(dataset: str = "cora", *, goals: Sequence[str] = ()) -> Benchmark:
    """A problem of NAS-Bench-Graph: validation performance is searched, test performance reported, as shares of 1.

    It is accuracy, but on proteins the area under the ROC curve. Networks that the package holds for isomorphic (skips
    moved, twins swapped) are one row and one canonical key.

    Args:
        dataset: One of `DATASETS`.
        goals: Costs to make small besides: of ``params`` and ``latency_ms`` (an inference of the whole graph).
    """
    if dataset not in DATASETS:
        raise DataError(f"NAS-Bench-Graph has no data set {dataset!r}. {did_you_mean(dataset, DATASETS)}")
    try:
        import nas_bench_graph as package
    except ImportError:
        raise MissingExtraError("nas-bench-graph", extra="bench", purpose="for NAS-Bench-Graph") from None
    name = "-".join(["nasbenchgraph", dataset, *(g.removesuffix("_ms") for g in goals)])
    bench = package.light_read(dataset)
    operations = ON_PROTEINS if dataset == "proteins" else OPERATIONS
    row_of = {number: row for row, number in enumerate(bench)}
    rows = {}
    for values, number in _numbers(operations).items():
        if number not in row_of:
            raise DataError(f"the file of {dataset!r} in the package nas-bench-graph is partial: it lacks {values}")
        rows[values] = row_of[number]
    listed = Rows(DECISIONS, rows)
    found = list(bench.values())
    costs = {
        "params": np.round([1e6 * float(f["para"]) for f in found]),
        "latency_ms": np.array([1e3 * float(f["latency"]) for f in found]),
    }
    for goal in goals:
        if goal not in costs:
            raise DataError(f"{name} has no cost {goal!r}. {did_you_mean(goal, costs)}")
    accuracy = np.array([float(f["valid_perf"]) for f in found])
    lookup = Lookup(
        name,
        listed,
        {"accuracy": accuracy, "test_accuracy": np.array([float(f["perf"]) for f in found])},
        costs=costs,
        seconds=costs["latency_ms"] / 1e3 * SECONDS_PER_LATENCY,
        epochs=1,
    )
    objectives = Objectives.of([maximize("accuracy"), *(minimize(goal) for goal in goals)])
    return Benchmark(
        name,
        graph_space(operations),
        lookup,
        objectives,
        best=float(accuracy.max()),
        reported="test_accuracy",
        title=f"graph networks on {dataset}" + "".join(f", {g}" for g in goals),
        source=SOURCE,
        front=exact_front(objectives, lookup),
    )


@functools.cache
def _numbers(operations: tuple[str, ...]) -> dict[tuple[str, ...], int]:
    """The package's number of every architecture of `graph_space`, by the values of its decisions."""
    import nas_bench_graph as package

    found = {}
    for architecture in graph_space(operations):
        values = tuple(architecture[name] for name in DECISIONS)
        found[values] = package.Arch(list(map(int, values[0])), list(values[1:])).valid_hash()
    return found
