"""What durability costs: storing trials one by one, reopening a large store, and handing jobs to workers.

python benchmarks/store.py              # prints Markdown
python benchmarks/store.py --folder disk/
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from archwright.objective import Objectives, maximize
from archwright.space import Architecture
from archwright.store import Run, Store
from archwright.trial import Measurement, Proposal, Trial
from archwright.worker import InProcess, Job, Processes, Workers

OBJECTIVES = Objectives.of(maximize("accuracy"))


def trial(number: int, decisions: int, epochs: int = 0) -> Trial:
    architecture = Architecture({f"block/{d}/kernel": (number * 7 + d) % 5 for d in range(decisions)})
    curve = tuple({"epoch": e, "train_loss": 2.0 / (e + 1), "accuracy": 0.1 * e} for e in range(epochs))
    measurement = Measurement({"accuracy": 0.5 + number * 1e-7}, {"params": number * 3}, curve, 0.1, epochs)
    key = f"{number:032x}"
    scores = (-measurement.metrics["accuracy"],)
    return Trial(number, Proposal(architecture, origin="random"), "done", measurement, scores, key=key, seed=number)


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    began = clock()
    work()
    return clock() - began


def add(path: Path, trials: list[Trial]) -> float:
    with Store(path) as store:
        run = store.create(Run("benchmark"))

        def work() -> None:
            for told, one in enumerate(trials):
                store.add(run.id, one, told, told)

        return seconds(work)


def reopen(path: Path, clock: Callable[[], float] = time.perf_counter) -> float:
    def work() -> None:
        with Store(path, create=False) as store:
            store.trials(store.run().id)

    return seconds(work, clock)


def evaluate(proposal: Proposal, seed: int, context: object) -> Measurement:
    return Measurement({"accuracy": 0.5})


def evaluate_with_torch(proposal: Proposal, seed: int, context: object) -> Measurement:
    import torch

    return Measurement({"accuracy": float(torch.ones(2).mean())})


PROPOSAL = Proposal(Architecture({"a": 1}))


def overhead(workers: Workers, jobs: int) -> float:
    """Microseconds a job, with as many jobs under way as there are workers."""
    workers.submit(Job(0, PROPOSAL, 0))
    while workers.pending:
        workers.next()

    def work() -> None:
        for number in range(jobs):
            workers.submit(Job(number, PROPOSAL, number))
            if workers.pending >= workers.capacity:
                workers.next()
        while workers.pending:
            workers.next()

    return seconds(work) / jobs * 1e6


def first_outcome(function: Callable[..., Measurement]) -> float:
    def work() -> None:
        with Processes(function, OBJECTIVES, 1) as workers:
            workers.submit(Job(0, PROPOSAL, 0))
            outcome = workers.next()
            if outcome is None or outcome.status != "done":
                raise SystemExit(f"the evaluation did not end well: {outcome}")

    return seconds(work)


def quiet_load() -> str:
    return " ".join(f"{load:.1f}" for load in os.getloadavg())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--folder", type=Path, help="where to put the stores; a temporary folder by default")
    arguments.add_argument("--repeats", type=int, default=3)
    given = arguments.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    print(f"## Store and workers, {datetime.date.today().isoformat()}\n")
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"commit {commit or 'unknown'}, load before {quiet_load()}. Median (fastest to slowest) of {given.repeats}.\n"
    )
    print("| what | time | aim |\n|---|---|---|")

    def row(what: str, measure: Callable[[int], float], unit: str, aim: str, scale: float = 1.0) -> None:
        found = sorted(measure(i) * scale for i in range(given.repeats))
        middle = statistics.median(found)
        print(f"| {what} | {middle:.3g} {unit} ({found[0]:.3g} to {found[-1]:.3g}) | {aim} |", flush=True)

    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        place = Path(folder)
        for count, decisions, epochs, aim in ((100, 6, 0, "0.1 s"), (10_000, 6, 0, "5 s"), (10_000, 6, 30, "")):
            trials = [trial(n, decisions, epochs) for n in range(count)]
            what = f"{count:,} trials of {decisions} decisions"
            what += f" with curves of {epochs} epochs" if epochs else ""
            row(
                f"store {what}, one by one",
                lambda i, t=trials, e=epochs: add(place / f"{len(t)}-{e}-{i}.db", t),
                "s",
                aim,
            )
        for decisions in (6, 40):
            path = place / f"large-{decisions}.db"
            add(path, [trial(n, decisions) for n in range(100_000)])
            what = f"reopen and read 100,000 trials of {decisions} decisions"
            row(what, lambda i, p=path: reopen(p), "s", "2 s")
            row("the same, CPU time alone", lambda i, p=path: reopen(p, time.process_time), "s", "")
    row("one job in this process", lambda i: overhead(InProcess(evaluate, OBJECTIVES), 10_000), "us", "30 us")
    for n in (1, 2):
        with Processes(evaluate, OBJECTIVES, n) as workers:
            row(f"one job in {n} worker process(es)", lambda i, w=workers: overhead(w, 3_000), "us", "1000 us")
    row("from nothing to a worker's first outcome, no torch", lambda i: first_outcome(evaluate), "s", "")
    row("the same, torch imported by the job", lambda i: first_outcome(evaluate_with_torch), "s", "10 s")
    print(f"\nLoad after: {quiet_load()}.")


if __name__ == "__main__":
    main()
