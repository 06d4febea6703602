"""Make the mini benchmark: train every cell of `archwright.benchmark.mini` on MNIST-1D, and pack the results.

One network a different function (475 of the 625 cells) and seed is trained by archwright's own `Training`, on one
thread: a convolution of stride 2, the cell, the mean over positions, a linear classifier. Results are appended to a
file as they come; a script that was stopped goes on where it was.

    python benchmarks/make_mini.py train mini.jsonl             # about half an hour of one core, two seeds
    python benchmarks/make_mini.py latency mini.jsonl           # about ten minutes; best on an idle machine
    python benchmarks/make_mini.py pack mini.jsonl src/archwright/benchmark/data/mini.npz
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import functools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import describe
from rich.progress import track

from archwright import cost, nn
from archwright.benchmark.mini import EDGES, EPOCHS, OPERATIONS, mini_space
from archwright.evaluator import Recipe, Training
from archwright.evaluator.loop import outputs
from archwright.space import Space, choice
from archwright.task import load

WIDTH = 12

RECIPE = Recipe(
    epochs=EPOCHS,
    batch_size=128,
    lr=0.02,
    augment=False,
    keep="last",
    precision="float32",
    layout="contiguous",
)


def network_space() -> Space:
    """The space of `mini_space` with modules for operations: a row of codes means the same in both."""
    modules = {
        "skip": nn.Identity,
        "pool_3": lambda: nn.Pool("avg", 3, 1, "same"),
        "conv_1": lambda: nn.ConvBlock(kernel=1),
        "conv_3": lambda: nn.ConvBlock(kernel=3),
        "conv_5": lambda: nn.ConvBlock(kernel=5, dilation=2),
    }
    first, shortcut, second, last = (choice(*(modules[op]() for op in OPERATIONS), name=edge) for edge in EDGES)
    cell = nn.Cell(first, shortcut, second, nn.Identity(), nn.Zero(), last)
    stem = nn.ConvBlock(width=WIDTH, kernel=3, stride=2)
    return Space(nn.Sequential(stem, cell, nn.GlobalPool(), nn.Classifier(10)))


def representatives() -> list[list[int]]:
    """The codes of the first cell of each function."""
    space = mini_space()
    codes = space.all_codes()
    return codes[np.sort(np.unique(space.keys(codes), return_index=True)[1])].tolist()


@functools.cache
def evaluator() -> Training:
    """The evaluator, one a process."""
    torch.set_num_threads(1)
    return Training(network_space(), load("mnist1d"), RECIPE, device="cpu")


def trained(job: tuple[list[int], int]) -> dict[str, Any]:
    """Train one cell and test it."""
    codes, seed = job
    training = evaluator()
    began = time.process_time()
    module, measured = training.fit(training.space.architecture(codes), seed)
    seconds = time.process_time() - began
    test = training.task.open_test()
    tested = training.task.score(outputs(module, test.inputs), test.targets, ["accuracy"])
    return {
        "codes": codes,
        "seed": seed,
        "accuracy": [point["accuracy"] for point in measured.curve],
        "train_loss": [point["train_loss"] for point in measured.curve],
        "test_accuracy": tested["accuracy"],
        "seconds": seconds,
        **cost.measure(module, training.task.input_shape, ["params", "macs"]),
    }


def timed(job: tuple[list[int], int]) -> dict[str, Any]:
    """Measure one cell's latency, once."""
    codes, turn = job
    training = evaluator()
    module = nn.materialize(training.space.build(training.space.architecture(codes)), training.task.input_shape)
    found = cost.latency(module.eval(), training.task.input_shape)
    return {"codes": codes, "round": turn, "latency_ms": found.median_ms, "conditions": found.conditions}


def appended(
    work: Callable[[Any], dict[str, Any]], jobs: Sequence[Any], path: Path, workers: int, done: set[tuple[Any, ...]]
) -> None:
    """Do the jobs that are not done yet, and append each result as it comes."""
    left = [(codes, number) for codes, number in jobs if (*codes, number) not in done]
    with path.open("a") as file:
        for result in track(_results(work, left, workers), f"{work.__name__} of {len(jobs)}", total=len(left)):
            file.write(json.dumps(result) + "\n")
            file.flush()


def _results(work: Callable[[Any], dict[str, Any]], jobs: Sequence[Any], workers: int) -> Iterator[dict[str, Any]]:
    if workers <= 1:
        yield from map(work, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, jobs)


def read(path: Path) -> list[dict[str, Any]]:
    """Every whole line of the file; the last may have been cut off."""
    rows = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            print(f"left out a line that is not whole: {line[:60]}")
    return rows


def of(rows: Iterable[dict[str, Any]], number: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The rows of one kind (that have a `number`: seed or round), by codes and number."""
    return {(*row["codes"], row[number]): row for row in rows if number in row}


def pack(path: Path, target: Path, seeds: int) -> None:
    """Write the arrays that are shipped."""
    rows = read(path)
    trainings, timings = of(rows, "seed"), of(rows, "round")
    found = [[trainings[(*codes, seed)] for seed in range(seeds)] for codes in representatives()]
    latency: dict[tuple[int, ...], float] = {}
    for row in timings.values():
        codes = tuple(row["codes"])
        latency[codes] = min(latency.get(codes, np.inf), row["latency_ms"])
    conditions = next(iter(timings.values()))["conditions"]
    arrays = {
        "codes": np.array([cell[0]["codes"] for cell in found], dtype=np.int8),
        **{n: np.array([[run[n] for run in cell] for cell in found], np.float32) for n in ("accuracy", "train_loss")},
        **{n: np.array([[run[n] for run in cell] for cell in found], np.float32) for n in ("test_accuracy", "seconds")},
        **{n: np.array([cell[0][n] for cell in found], dtype=np.int64) for n in ("params", "macs")},
        "latency_ms": np.array([latency[tuple(cell[0]["codes"])] for cell in found], dtype=np.float32),
    }
    facts = {
        "operations": OPERATIONS,
        "edges": EDGES,
        "recipe": RECIPE.to_json(),
        "width": WIDTH,
        "latency": {**conditions, "rounds": len({row["round"] for row in timings.values()}), "kept": "least median"},
        "machine": describe(),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(target, **arrays, facts=json.dumps(facts))
    print(f"{target}: {len(found)} cells, {seeds} seeds, {target.stat().st_size / 1000:.0f} KB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("train", "latency", "pack"))
    parser.add_argument("results", type=Path)
    parser.add_argument("target", type=Path, nargs="?", help="where to pack to")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument(
        "--rounds", type=int, default=3, help="latency: measurements of each, of which the least counts"
    )
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.step == "pack":
        if arguments.target is None:
            parser.error("pack needs a target")
        pack(arguments.results, arguments.target, arguments.seeds)
        return
    work, number, count = (
        (trained, "seed", arguments.seeds) if arguments.step == "train" else (timed, "round", arguments.rounds)
    )
    # All cells of one seed first, so that a script that is stopped leaves whole seeds.
    jobs = [(codes, n) for n in range(count) for codes in representatives()]
    appended(work, jobs, arguments.results, arguments.workers, set(of(read(arguments.results), number)))


if __name__ == "__main__":
    main()
