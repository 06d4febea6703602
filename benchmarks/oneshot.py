"""What the one-shot algorithms choose on MNIST-1D, among the 625 cells whose trainings alone are known.

Each algorithm trains a supernet over the cells of the mini benchmark and reads one out. How good that is, the benchmark
knows: the validation accuracy of training it alone, mean of two seeds.

    python benchmarks/oneshot.py --epochs 20 --seeds 3      # one thread; about 20 minutes
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import bisect
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from make_mini import network_space

from archwright import oneshot
from archwright.benchmark.mini import mini
from archwright.task import load

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


def main() -> None:
    """Run them all."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--epochs", type=int, default=20)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--only", nargs="*", default=list(METHODS))
    given = arguments.parse_args()
    torch.set_num_threads(1)
    space, task, known = network_space(), load("mnist1d"), mini()
    codes = known.space.all_codes()
    rows = {tuple(row): known.measure(known.space.architecture(row)).metrics["accuracy"] for row in codes.tolist()}
    ordered = sorted(rows.values())
    # Two ways to see how shared weights rank: all cells of a sample, against their trainings alone.
    sample = codes[np.random.default_rng(0).choice(len(codes), 60, replace=False)].tolist()
    for name in given.only:
        for seed in range(given.seeds):
            began = time.process_time()
            result = METHODS[name](space, task, epochs=given.epochs, seed=seed)
            seconds = time.process_time() - began
            found = tuple(space.codes([result.architecture])[0].tolist())
            shared = result.evaluator()
            measured = [shared(_proposal(space, row)).metrics["accuracy"] for row in sample]
            tau = _tau(measured, [rows[tuple(row)] for row in sample])
            told = {
                "method": name,
                "seed": seed,
                "accuracy": round(rows[found], 4),
                "better_than": round(bisect.bisect_left(ordered, rows[found]) / len(ordered), 3),
                "tau": round(tau, 3),
                "gap": None if result.gap is None else round(result.gap, 3),
                "cpu_seconds": round(seconds, 1),
            }
            print(json.dumps(told), flush=True)


def _proposal(space: Any, row: list[int]) -> Any:
    from archwright.trial import Proposal

    return Proposal(space.architecture(row))


def _tau(values: list[float], results: list[float]) -> float:
    from archwright.evaluator.zerocost.correlation import rank_correlation

    return rank_correlation(values, results).tau


if __name__ == "__main__":
    main()
