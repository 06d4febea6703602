"""Toy problems for tests and first steps: formulas in place of trainings, answered at once, with simulated seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from archwright.benchmark.lookup import Lookup, Rows, exact_front
from archwright.benchmark.problem import Benchmark
from archwright.objective import Objectives, maximize, minimize
from archwright.space import Architecture, Space, choice, integer, searchable

__all__ = ["TOYS", "toy"]

EPOCHS = 27


def network(body: Any, activation: str, **rest: Any) -> str:
    """A text that stands for a network."""
    return f"{body} {activation} {rest}"


def mlp(depth: int, width: int) -> str:
    return f"mlp {depth} x {width}"


def conv(kernel: int, width: int, norm: str) -> str:
    return f"conv {kernel} x {width} {norm}"


def _space() -> Space:
    """Two kinds of bodies with decisions of their own: 3 (4 x 5 + 3 x 5 x 3) = 195 architectures."""
    widths = (8, 16, 32, 64, 128)
    bodies = (
        searchable(mlp)(integer(1, 4), choice(*widths)),
        searchable(conv)(choice(3, 5, 7), choice(*widths), choice("none", "batch", "layer")),
    )
    return Space(searchable(network)(choice(*bodies, name="body"), choice("relu", "silu", "tanh", name="activation")))


def _facts(a: Architecture) -> dict[str, float]:
    """Accuracy in the end, how fast it comes, and costs of one architecture."""
    bonus = {"relu": 0.0, "silu": 0.01, "tanh": -0.02}[a["activation"]]
    if a["body"] == "mlp":
        depth, width = a["body/mlp/depth"], a["body/mlp/width"]
        accuracy = 0.80 + 0.02 * np.log2(width / 8) - 0.015 * (depth - 2) ** 2
        return {"accuracy": accuracy + bonus, "pace": 2.0 + depth, "params": depth * width**2 + 10 * width}
    kernel, width, norm = a["body/conv/kernel"], a["body/conv/width"], a["body/conv/norm"]
    accuracy = 0.84 + 0.025 * np.log2(width / 8) - 0.01 * (kernel - 5) ** 2 / 4
    accuracy += {"none": -0.04, "batch": 0.02, "layer": 0.0}[norm]
    if norm == "none" and width == 128:
        accuracy = np.nan  # diverges: a problem without failures would be too kind
    return {"accuracy": accuracy + bonus, "pace": 3.0 + np.log2(width), "params": kernel * width**2 + 10 * width}


def _toy(name: str, objectives: Objectives, title: str, *, curves: bool = False) -> Benchmark:
    space = _space()
    names = tuple(d.name for d in space.decisions)
    architectures = list(space)
    facts = [_facts(a) for a in architectures]
    found = {key: np.array([f[key] for f in facts]) for key in facts[0]}
    # Wide networks learn more slowly and end up better, so that a ranking after few epochs misleads.
    learnt = 1 - np.exp(-np.arange(1, EPOCHS + 1) / found["pace"][:, None])
    curve = 0.1 + (found["accuracy"][:, None] - 0.1) * learnt / learnt[:, -1:]
    lookup = Lookup(
        name,
        Rows(names, [tuple(a.get(n) for n in names) for a in architectures]),
        {"accuracy": found["accuracy"], "test_accuracy": found["accuracy"] - 0.01},
        costs={"params": found["params"]},
        seconds=10 + found["params"] / 100,
        epochs=EPOCHS,
        curves={"accuracy": curve} if curves else None,
    )
    return Benchmark(
        name,
        space,
        lookup,
        objectives,
        best=float(np.nanmax(found["accuracy"])),
        reported="test_accuracy",
        max_epochs=EPOCHS if curves else 0,
        title=title,
        source="a formula",
        front=exact_front(objectives, lookup),
    )


TOYS: Mapping[str, Callable[[], Benchmark]] = {
    "toy": lambda: _toy("toy", Objectives.of(maximize("accuracy")), "a formula on a conditional space, with failures"),
    "toy-params": lambda: _toy(
        "toy-params", Objectives.of([maximize("accuracy"), minimize("params")]), "the toy with two goals"
    ),
    "toy-epochs": lambda: _toy(
        "toy-epochs", Objectives.of(maximize("accuracy")), "the toy with learning curves that cross", curves=True
    ),
}


def toy(name: str = "toy") -> Benchmark:
    """One of `TOYS`."""
    return TOYS[name]()
