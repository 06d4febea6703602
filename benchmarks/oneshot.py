"""What the one-shot algorithms choose among cells whose trainings alone are known.

Each algorithm trains a supernet over all cells and reads some out; tables know how good these are when trained alone.

- `mini`: MNIST-1D and the 625 cells of the mini benchmark; the table was made on the same data, with two seeds.
- `nasbench201`: NAS-Bench-201's 15,625 cells in stacks of five (one of each stage and two reductions, 8 channels at
  first), trained on 10,000 digits of MNIST; the table is of CIFAR-10 (200 epochs, validation). Both sets are no part of
  this repository: a folder that ARCHWRIGHT_DATA names holds ``tables`` and ``sets``.

    python benchmarks/oneshot.py --epochs 20 --seeds 3      # one thread; about 20 minutes
    python benchmarks/oneshot.py --only spos gdas --seeds 20 --out runs/oneshot.jsonl
    python benchmarks/oneshot.py --only fairnas --recipe alone --seeds 5     # shared weights trained as the cells were
    python benchmarks/oneshot.py --cells nasbench201 --only spos gdas --epochs 8 --seeds 5 --out runs/oneshot.jsonl
    python benchmarks/oneshot.py --table runs/oneshot.jsonl
    python benchmarks/oneshot.py --epoch-costs              # what an epoch of each costs; some minutes

What is told of a run: the accuracy of its pick; the same of the best of its first three, as training these three alone
would show; which share of all cells is worse than either; Kendall's tau between shared weights and training alone, over
60 random cells, and among the best fifth of these (shared weights by what ranks them, `oneshot.ranking_goal`); the time
of the processor, in trainings of one median cell.

Beside it stands what one gets for nothing, a random cell: mean and deviation over all of them. How far picks are above
is told in deviations of one cell, which no pick can exceed by much where the best cells are near the others, and in
deviations of a mean of as many random cells as there are seeds, which is the test of whether picks are better.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import bisect
import contextlib
import functools
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import describe, heading, row, table_head
from make_mini import RECIPE, network_space

from archwright import nn, oneshot
from archwright.benchmark import load as load_benchmark
from archwright.benchmark.mini import EPOCHS, mini
from archwright.benchmark.nasbench201 import OPERATIONS as known_operations
from archwright.evaluator import Training
from archwright.evaluator.zerocost.correlation import rank_correlation
from archwright.space import Space, choice
from archwright.task import ImageClassification, Task, load
from archwright.trial import Proposal

METHODS: dict[str, Callable[..., Any]] = {
    "darts": oneshot.darts,
    "darts, order 2": lambda *a, **k: oneshot.darts(*a, order=2, **k),
    "darts, perturbation": lambda *a, **k: oneshot.darts(*a, read=oneshot.Perturbation(), **k),
    "gdas": oneshot.gdas,
    "snas": oneshot.snas,
    "pc_darts": oneshot.pc_darts,
    "drnas": oneshot.drnas,
    "beta_darts": oneshot.beta_darts,
    "spos": oneshot.spos,
    "fairnas": oneshot.fairnas,
    "sandwich": oneshot.sandwich,
    "progressive": oneshot.progressive,
    "enas": oneshot.enas,
}

TOP = 3


class _Enough(Exception):
    """The steps that are timed are done."""


@dataclass(frozen=True)
class Cells:
    """Networks of cells, and what training each alone gives: its accuracy by the row of its codes."""

    space: Space
    task: Task
    alone: dict[tuple[int, ...], float]
    epochs: int

    @functools.cached_property
    def training_s(self) -> float:
        """Processor's seconds of training the cell of median accuracy alone: median of three seeds."""
        middle = sorted(self.alone, key=lambda codes: self.alone[codes])[len(self.alone) // 2]
        evaluate = Training(self.space, self.task, replace(RECIPE, epochs=self.epochs), device="cpu")
        times = []
        for seed in range(3):
            began = time.process_time()
            evaluate(Proposal(self.space.architecture(middle)), seed)
            times.append(time.process_time() - began)
        return statistics.median(times)


@functools.cache
def mini_cells() -> Cells:
    """Those of the mini benchmark."""
    known = mini()
    codes = known.space.all_codes().tolist()
    alone = {tuple(row): known.measure(known.space.architecture(row)).metrics["accuracy"] for row in codes}
    return Cells(network_space(), load("mnist1d"), alone, EPOCHS)


@functools.cache
def nasbench201_cells() -> Cells:
    """Those of NAS-Bench-201, small."""
    folder = Path(os.environ.get("ARCHWRIGHT_DATA", "data"))
    known = load_benchmark("nasbench201-cifar10", tables=folder / "tables")
    codes = known.space.all_codes().tolist()
    alone = {tuple(row): known.measure(known.space.architecture(row)).metrics["accuracy"] for row in codes}
    modules = {
        "none": nn.Zero,
        "skip_connect": nn.Identity,
        "nor_conv_1x1": lambda: nn.ConvBlock(kernel=1),
        "nor_conv_3x3": lambda: nn.ConvBlock(kernel=3),
        "avg_pool_3x3": lambda: nn.Pool("avg", 3, 1, "same"),
    }
    edges = ("01", "02", "12", "03", "13", "23")
    cell = nn.Cell(*(choice(*(modules[op]() for op in known_operations), name=e, tied=True) for e in edges))
    parts = [nn.ConvBlock(width=8, kernel=3, stride=2), cell]
    for width in (16, 32):
        parts += [nn.ConvBlock(width=width, kernel=3, stride=2), cell]
    space = Space(nn.Sequential(*parts, nn.GlobalPool(), nn.Classifier(10)))
    data = np.load(folder / "sets" / "mnist_10k_train_10k_test.npz")
    x, y = (data[n] for n in ("x_train", "y_train"))
    return Cells(space, ImageClassification(x, y, name="mnist10k"), alone, 12)


CELLS = {"mini": mini_cells, "nasbench201": nasbench201_cells}


def run(cells: str, name: str, seed: int, epochs: int, options: dict[str, Any]) -> dict[str, Any]:
    """One search, and how good what it chose is."""
    known = CELLS[cells]()
    space, rows = known.space, known.alone
    ordered = sorted(rows.values())
    sample = [list(rows)[i] for i in np.random.default_rng(0).choice(len(rows), 60, replace=False)]
    began = time.process_time()
    settings = {**options, "recipe": replace(RECIPE, epochs=epochs)} if options.get("recipe") == "alone" else options
    result = METHODS[name](space, known.task, epochs=epochs, seed=seed, **settings)
    seconds = time.process_time() - began
    found = [tuple(row) for row in space.codes([ranked.architecture for ranked in result.top]).tolist()]
    truth = [rows[row] for row in found]
    shared = result.evaluator()
    by = oneshot.ranking_goal(known.task, "accuracy")
    measured = [-by.score(shared(Proposal(space.architecture(row))).metrics[by.metric]) for row in sample]
    alone = [rows[row] for row in sample]
    best = np.argsort(alone)[-len(alone) // 5 :]

    def better_than(accuracy: float) -> float:
        return round(bisect.bisect_left(ordered, accuracy) / len(ordered), 4)

    return {
        "cells": cells,
        "method": name,
        "seed": seed,
        "epochs": epochs,
        "options": options,
        "accuracy": round(truth[0], 4),
        "better_than": better_than(truth[0]),
        "random": [round(statistics.mean(ordered), 4), round(statistics.pstdev(ordered), 4)],
        "top": round(max(truth[:TOP]), 4),
        "top_better_than": better_than(max(truth[:TOP])),
        "weightless": all(not str(v).startswith("ConvBlock") for v in result.architecture.values()),
        "tau": round(_tau(measured, alone), 3),
        "tau_top": round(_tau([measured[i] for i in best], [alone[i] for i in best]), 3),
        "gap": None if result.gap is None else round(result.gap, 3),
        "cpu_seconds": round(seconds, 1),
        "trainings": round(seconds / known.training_s, 1),
        "about": describe(),
    }


def epoch_cost(cells: str, name: str, seed: int) -> float:
    """Processor's time of an epoch, in epochs of the cell of median accuracy alone; the first steps are left out."""
    known = CELLS[cells]()
    times: list[float] = []

    def stepped(done: int, total: int) -> None:
        times.append(time.process_time())
        if done == total:
            raise _Enough

    epochs = 2
    with contextlib.suppress(_Enough):
        METHODS[name](known.space, known.task, epochs=epochs, seed=seed, stepped=stepped)
    steps = len(times)
    quarter = steps // 4
    seconds = (times[-1] - times[quarter]) / (steps - 1 - quarter) * steps / epochs
    return seconds / (known.training_s / known.epochs)


def table(runs: Sequence[dict[str, Any]]) -> str:
    """A row a method and setting."""
    lines = [
        table_head(
            "cells", "method", "epochs", "seeds", "accuracy alone: median (least)", "a random cell",
            "picks above it, in deviations of one (of a mean)", "in the best 2 %", "best of the first 3",
            "in the best 2 %", "without weights", "tau", "tau, best fifth", "cost in trainings",
        )
    ]  # fmt: skip
    kinds: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for r in runs:
        kinds.setdefault((r["cells"], r["method"], str(r["epochs"]), json.dumps(r["options"])), []).append(r)
    for (cells, method, epochs, options), of in kinds.items():

        def said(name: str, of: list[dict[str, Any]] = of) -> str:
            values = [r[name] for r in of]
            return f"{statistics.median(values):.3g} ({min(values):.3g})"

        mean, deviation = of[0]["random"]
        above = (statistics.mean(r["accuracy"] for r in of) - mean) / deviation
        lines.append(row(
            cells, method if options == "{}" else f"{method} {options}", epochs, len(of), said("accuracy"),
            f"{mean:.3f} ± {deviation:.3f}", f"{above:.2g} ({above * len(of) ** 0.5:.2g})",
            f"{sum(r['better_than'] >= 0.98 for r in of)} of {len(of)}", said("top"),
            f"{sum(r['top_better_than'] >= 0.98 for r in of)} of {len(of)}", sum(r["weightless"] for r in of),
            said("tau"), said("tau_top"), f"{statistics.median(r['trainings'] for r in of):.3g}",
        ))  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Run them all."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--cells", choices=list(CELLS), default="mini")
    arguments.add_argument("--epochs", type=int, default=20)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--first-seed", type=int, default=0)
    arguments.add_argument("--only", nargs="*", default=list(METHODS))
    arguments.add_argument("--options", type=json.loads, default={}, help="of the methods, as JSON")
    arguments.add_argument("--recipe", choices=["own", "alone"], default="own", help="of shared weights")
    arguments.add_argument("--out", type=Path, help="file that runs are appended to")
    arguments.add_argument("--table", type=Path, help="only print the table of such a file")
    arguments.add_argument("--epoch-costs", action="store_true", help="only print what an epoch of each costs")
    given = arguments.parse_args()
    if given.table:
        print(table([json.loads(line) for line in given.table.read_text().splitlines()]))
        return
    if given.recipe == "alone":
        given.options["recipe"] = "alone"
    torch.set_num_threads(1)
    print(heading("One-shot algorithms"))
    if given.epoch_costs:
        print(table_head("cells", "method", "an epoch, in epochs of the median cell alone"))
        for name in given.only:
            costs = [epoch_cost(given.cells, name, given.first_seed + i) for i in range(given.seeds)]
            print(row(given.cells, name, f"{statistics.median(costs):.1f}"), flush=True)
        return
    runs = []
    for name in given.only:
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            runs.append(run(given.cells, name, seed, given.epochs, given.options))
            print(json.dumps({k: v for k, v in runs[-1].items() if k != "about"}), flush=True)
            if given.out:
                given.out.parent.mkdir(parents=True, exist_ok=True)
                with given.out.open("a") as file:
                    file.write(json.dumps(runs[-1]) + "\n")
    print(table(runs))


def _tau(values: list[float], results: list[float]) -> float:
    return rank_correlation(values, results).tau


if __name__ == "__main__":
    main()
