"""The time to an accuracy, search and training together: when the first training ended that validates so well.

MNIST-1D without a ceiling, two workers. A search counts from its start: the look at the space, the start of processes,
and every training before that one, those of the final choice on the training part included. The hand-made CNN is
trained once. What is found is trained again and tested; of what the final choice found, the final networks are.

    python benchmarks/time_to.py                         # 0.990, three seeds; about half an hour
    python benchmarks/time_to.py --target 0.98 --seeds 1 --only archwright cnn
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from machine import describe, heading, row, table_head
from main_job import METHODS, UNLIMITED, Job, append, grouped, hand_made, only, read, same

from archwright.evaluator import Training


def run(job: Job, method: str, target: float) -> dict[str, Any]:
    """The first training that validates at `target`: when it ended, counted from the start, and what it tests at."""
    about = describe()
    began = time.monotonic()
    reached_s: float | None = None
    test = validation = params = None
    if method == "cnn":  # one training; to wait for the others' final training would be unfair
        task, training = hand_made(job)
        module, measured = training.fit(only(training.space), job.seed)
        numbers, params = 1, measured.costs["params"]
        if measured.metrics[task.metric] >= target:
            reached_s = time.monotonic() - began
    else:
        found = METHODS[method](job)
        task = found.task
        done = sorted((t for t in found.trials if t.scores), key=lambda t: t.finished)
        first = next((t for t in done if t.measurement and t.measurement.metrics[task.metric] >= target), None)
        numbers = len(done) if first is None else done.index(first) + 1
        if first is not None:
            reached_s = found.before_s + first.finished
            # The same training once more, for a search keeps no weights.
            module, measured = Training(found.space, task, found.recipe).fit(first.architecture, first.seed)
            params = measured.costs["params"]
        elif found.outcome:
            again = [v for c in found.outcome["candidates"] for v in c["validation"].get(task.metric, ())]
            if found.outcome["plan"]["candidates"] and max(again, default=0.0) >= target:
                before_s = time.monotonic() - began - found.outcome["seconds"]
                reached_s, validation = before_s + found.outcome["candidates_s"], max(again)
                numbers += len(again)
                test, params = found.outcome["test"][task.metric]["mean"], found.outcome["costs"]["params"]
    if reached_s is not None and test is None:
        validation = measured.metrics[task.metric]
        part = task.open_test()
        with torch.inference_mode():
            test = task.score(module(part.inputs), part.targets, [task.metric])[task.metric]
    return {
        "method": method,
        **vars(job),
        "target": target,
        "reached_s": reached_s,
        "trained": numbers,
        "validation": validation,
        "test_of_it": test,
        "params": None if reached_s is None else params,
        "about": about,
    }


def table(records: Sequence[dict[str, Any]]) -> str:
    columns = ("data", "target", "method", "seconds until a training validated so", "it was training", "its test")
    lines = [table_head(*columns, "parameters", "idle")]
    for (data, target, method, _), group in grouped(records, ("data", "target", "method", "seconds")).items():
        reached = [r for r in group if r["reached_s"] is not None]
        lines.append(
            row(
                data,
                target,
                method,
                " ".join(f"{r['reached_s']:.1f}" if r["reached_s"] else f"not in {r['seconds']:g}" for r in group),
                " ".join(f"{r['trained']}" for r in group),
                " ".join(f"{r['test_of_it']:.4f}" for r in reached),
                " ".join(f"{r['params']:.0f}" for r in reached),
                "yes" if all(r["about"]["busy"].startswith("idle") for r in group) else "no",
            )
        )
    return "\n".join(lines)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    methods = [m for m in METHODS if m != "cnn-long"]
    arguments.add_argument("--target", type=float, default=0.99)
    arguments.add_argument("--data", default="mnist1d")
    arguments.add_argument("--only", nargs="+", choices=methods, default=["archwright", "random", "optuna", "cnn"])
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--minutes", type=float, default=5.0, help="of a whole search, of which half is searching")
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--file", type=Path, default=Path("runs/time_to.jsonl"))
    given = arguments.parse_args()
    torch.set_num_threads(1)  # whatever trains in this process does so as workers do
    for seed in range(given.seeds):
        for method in given.only:
            job = Job(given.data, UNLIMITED, seed, 60 * given.minutes, given.workers)
            if any(same(r, job, method) and r["target"] == given.target for r in read(given.file)):
                continue
            record = run(job, method, given.target)
            append(given.file, record)
            print(
                f"{method}, seed {seed}: {json.dumps({k: record[k] for k in ('reached_s', 'trained', 'test_of_it')})}"
            )
    print(heading("The time to an accuracy"))
    print(table([r for r in read(given.file) if r["target"] == given.target]))


if __name__ == "__main__":
    main()
