"""Benchmarks by the names that people write."""

from __future__ import annotations

import difflib
import functools
import os
from collections.abc import Callable

from archwright.benchmark.mini import mini
from archwright.benchmark.nasbench101 import SCHEDULES, nasbench101
from archwright.benchmark.nasbench201 import DATASETS, DEVICES, nasbench201
from archwright.benchmark.nasbench301 import nasbench301
from archwright.benchmark.nasbenchgraph import DATASETS as GRAPHS
from archwright.benchmark.nasbenchgraph import nasbenchgraph
from archwright.benchmark.nasbenchnlp import nasbenchnlp
from archwright.benchmark.problem import Benchmark
from archwright.benchmark.table import is_table, table
from archwright.benchmark.toy import TOYS
from archwright.errors import DataError

__all__ = ["load", "names"]

Tables = str | os.PathLike[str] | None
Maker = Callable[[Tables], Benchmark]


@functools.cache
def _makers() -> dict[str, Maker]:
    found: dict[str, Maker] = {
        "mini": lambda tables: mini(),
        "mini-drawn": lambda tables: mini("drawn"),
        "mini-params": lambda tables: mini(goals=("params",)),
        "mini-latency": lambda tables: mini(goals=("latency_ms",)),
    }
    for dataset in DATASETS:
        for epochs, part in ((200, ""), (12, "-12")):
            start = f"nasbench201-{dataset}{part}"
            found[start] = functools.partial(_nasbench201, dataset, epochs, (), "")
            found[f"{start}-raw"] = functools.partial(_nasbench201, dataset, epochs, (), "", canonical=False)
            for cost in ("params", "macs"):
                found[f"{start}-{cost}"] = functools.partial(_nasbench201, dataset, epochs, (cost,), "")
            for device in DEVICES:
                found[f"{start}-latency-{device}"] = functools.partial(
                    _nasbench201, dataset, epochs, ("latency_ms",), device
                )
    for dataset in GRAPHS:
        for part, goals in (("", ()), ("-params", ("params",)), ("-latency", ("latency_ms",))):
            found[f"nasbenchgraph-{dataset}{part}"] = functools.partial(_nasbenchgraph, dataset, goals)
    for epochs in SCHEDULES:
        for goals in ((), ("params",)):
            part = "".join(f"-{p}" for p in (*([] if epochs == 108 else [epochs]), *goals))
            found[f"nasbench101{part}"] = functools.partial(_nasbench101, epochs, goals)
    found["nasbench301"] = nasbench301
    found["nasbenchnlp"] = nasbenchnlp
    for name, made in TOYS.items():
        found[name] = functools.partial(_toy, made)
    return found


def _toy(made: Callable[[], Benchmark], tables: Tables) -> Benchmark:
    return made()


def _nasbench101(epochs: int, goals: tuple[str, ...], tables: Tables) -> Benchmark:
    return nasbench101(epochs, goals=goals, tables=tables)


def _nasbench201(
    dataset: str, epochs: int, goals: tuple[str, ...], device: str, tables: Tables, canonical: bool = True
) -> Benchmark:
    return nasbench201(dataset, epochs, goals=goals, device=device, tables=tables, canonical=canonical)


def _nasbenchgraph(dataset: str, goals: tuple[str, ...], tables: Tables) -> Benchmark:
    return nasbenchgraph(dataset, goals=goals)


def names() -> tuple[str, ...]:
    """What `load` takes, besides the path of a table.

    A name may say a schedule (``-12``), costs that are goals besides (``-params``, ``-latency-raspi4``), and ``-raw``:
    NAS-Bench-201 with a key for each of the 15,625 cells, for figures that count so.
    """
    return tuple(_makers())


def load(name: str, tables: Tables = None) -> Benchmark:
    """The benchmark of a name, or of a table's path.

    Args:
        name: One of `names`, or the path of a CSV or Parquet file (`archwright.benchmark.table.table`).
        tables: The folder of the tables that do not come with a package. Without it they are looked for in the folder
            that the environment's ARCHWRIGHT_DATA names, and in ``./data``; in each, in a folder ``tables`` first.
    """
    makers = _makers()
    if name in makers:
        return makers[name](tables)
    if is_table(name):
        return table(name)
    near = difflib.get_close_matches(name, makers, n=3, cutoff=0.5)
    raise DataError(
        f"there is no benchmark {name!r}, and it is no path of a .csv or .parquet file. "
        + (f"Did you mean {' or '.join(map(repr, near))}?" if near else f"There are {', '.join(makers)}")
    )
