"""Benchmarks by the names that people write."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

from archwright.benchmark.nasbench201 import DATASETS, DEVICES, nasbench201
from archwright.benchmark.nasbenchgraph import DATASETS as GRAPHS
from archwright.benchmark.nasbenchgraph import nasbenchgraph
from archwright.benchmark.problem import Benchmark
from archwright.errors import DataError, did_you_mean

__all__ = ["load", "names"]

Tables = str | os.PathLike[str] | None
Maker = Callable[[Tables], Benchmark]


@functools.cache
def _makers() -> dict[str, Maker]:
    found: dict[str, Maker] = {}
    for dataset in DATASETS:
        for epochs, part in ((200, ""), (12, "-12")):
            start = f"nasbench201-{dataset}{part}"
            found[start] = functools.partial(_nasbench201, dataset, epochs, (), "")
            for cost in ("params", "macs"):
                found[f"{start}-{cost}"] = functools.partial(_nasbench201, dataset, epochs, (cost,), "")
            for device in DEVICES:
                found[f"{start}-latency-{device}"] = functools.partial(
                    _nasbench201, dataset, epochs, ("latency_ms",), device
                )
    for dataset in GRAPHS:
        for part, goals in (("", ()), ("-params", ("params",)), ("-latency", ("latency_ms",))):
            found[f"nasbenchgraph-{dataset}{part}"] = functools.partial(_nasbenchgraph, dataset, goals)
    return found


def _nasbench201(dataset: str, epochs: int, goals: tuple[str, ...], device: str, tables: Tables) -> Benchmark:
    return nasbench201(dataset, epochs, goals=goals, device=device, tables=tables)


def _nasbenchgraph(dataset: str, goals: tuple[str, ...], tables: Tables) -> Benchmark:
    return nasbenchgraph(dataset, goals=goals)


def names() -> tuple[str, ...]:
    """What `load` takes, besides the path of a table."""
    return tuple(_makers())


def load(name: str, tables: Tables = None) -> Benchmark:
    """The benchmark of a name.

    Args:
        name: One of `names`.
        tables: The folder of the tables that do not come with a package. Without it they are looked for in the folder
            that the environment's ARCHWRIGHT_DATA names, and in ``./data``; in each, in a folder ``tables`` first.
    """
    makers = _makers()
    if name not in makers:
        raise DataError(f"there is no benchmark {name!r}. {did_you_mean(name, makers)}")
    return makers[name](tables)
