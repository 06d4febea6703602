"""How long until a search gives its first result, and what a second worker brings.

The first trial's result is the moment at which it can be read in the search's store, seen from outside: so the time
holds Python's start, all imports, the look at the space and the start of the workers.

    python benchmarks/start.py                   # Markdown for RESULTS.md; about three minutes
    python benchmarks/start.py --only first help # some parts: help first workers
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
from machine import heading, row, seconds, spread, table_head

from archwright import task
from archwright.evaluator import Recipe, Training
from archwright.objective import Objectives, maximize
from archwright.run import Budget, Loop
from archwright.strategy import Random
from archwright.trial import Trial
from archwright.worker import Processes

PARTS = ("help", "first", "workers")
PATIENCE_S = 120.0

IN_PYTHON = """
import sys, archwright as aw
aw.search(aw.task.load(sys.argv[1]), budget=sys.argv[2], trials=1, workers=2, store=sys.argv[3], progress=False)
"""


def command() -> str | None:
    """The command line's program, beside this Python; None where it is not installed or does not work."""
    program = Path(sys.executable).with_name("archwright")
    works = program.exists() and subprocess.run([program, "--help"], capture_output=True).returncode == 0
    return str(program) if works else None


# The first result


def first_result(data: str, budget: str, folder: Path) -> tuple[float, float]:
    """Seconds from the start of a process until its first trial is stored, and the largest MiB of a worker by then."""
    program = command()
    if program:
        line = [program, "search", data, "--budget", budget, "--trials", "1", "--workers", "2", "--out", str(folder)]
    else:
        line = [sys.executable, "-c", IN_PYTHON, data, budget, str(folder / "runs.db")]
    began = time.perf_counter()
    searching = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    try:
        most = 0.0
        while not stored(folder):
            if searching.poll() is not None:
                assert searching.stderr is not None
                raise SystemExit(f"{' '.join(line)} ended early:\n{searching.stderr.read().decode()}")
            if time.perf_counter() - began > PATIENCE_S:
                raise SystemExit(f"{' '.join(line)} had no result after {PATIENCE_S:g} s")
            most = max(most, worker_mebibytes(searching.pid))
            time.sleep(0.02)
        return time.perf_counter() - began, max(most, worker_mebibytes(searching.pid))
    finally:
        if searching.poll() is None:
            os.killpg(searching.pid, signal.SIGKILL)
        searching.wait()


def stored(folder: Path) -> bool:
    """Whether a trial is in the store that lies in this folder."""
    place = next(folder.glob("*.db"), None)
    if place is None:
        return False
    try:
        connection = sqlite3.connect(f"file:{place}?mode=ro", uri=True)
        try:
            return bool(connection.execute("select count(*) from trials").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error:  # the tables are being made
        return False


def worker_mebibytes(pid: int) -> float:
    """The largest resident size that any worker of this process has had."""
    most = 0.0
    try:
        for child in psutil.Process(pid).children():
            for line in Path(f"/proc/{child.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    most = max(most, int(line.split()[1]) / 1024)
    except (psutil.NoSuchProcess, OSError):
        pass
    return most


def first_rows(data: str, budget: str, repeats: int) -> Iterator[str]:
    found = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            found.append(first_result(data, budget, Path(folder)))
    how = "`archwright search`" if command() else "`archwright.search` in Python"
    times, sizes = zip(*found, strict=True)
    yield row(f"{how} {data}, {budget}, 2 workers: to the first trial's result", spread(times), "10 s")
    yield row("largest memory of a worker until then", spread(sizes, "MiB"), "600 MiB")


def help_rows(repeats: int) -> Iterator[str]:
    lines = {"`import archwright`": [sys.executable, "-c", "import archwright"]}
    program = command()
    if program:
        lines["`archwright --help`"] = [program, "--help"]
        lines["`archwright search --help`"] = [program, "search", "--help"]
    lines["`python -c pass`, for comparison"] = [sys.executable, "-c", "pass"]
    for name, line in lines.items():
        run = partial(subprocess.run, line, capture_output=True, check=True)
        found = [seconds(run) for _ in range(repeats)]
        yield row(name, spread(found), "0.5 s" if "help" in name else "")


# Workers


class Silence:
    """Where nobody watches."""

    def told(self, trial: Trial) -> None: ...

    def note(self, text: str) -> None: ...


def trials_a_minute(training: Training, workers: int, trials: int, seed: int) -> tuple[float, float]:
    """How many trials end in a minute once all workers are at work, and the largest MiB of a worker.

    Always the same architectures with the same seeds, for random search draws by trial number; the first trial of each
    worker warms it up and does not count. Workers take the next trial when they are free, as in a search by default:
    ``deterministic=True`` would measure how long they wait for each other's trials to be told in order, 1.5 times.
    """
    objectives = Objectives.of(maximize(training.task.metric))
    loop = Loop(
        training.space,
        Random(training.space),
        objectives,
        seed=seed,
        workers=workers,
        keep=lambda *_: None,
        watcher=Silence(),
    )
    with Processes(training, objectives, workers) as processes:
        loop.run(processes, Budget(trials=2))
        began = time.perf_counter()
        loop.run(processes, Budget(trials=2 + trials))
        rate = 60 * trials / (time.perf_counter() - began)
        return rate, worker_mebibytes(os.getpid())


def worker_rows(data: str, repeats: int, trials: int, epochs: int) -> Iterator[str]:
    made = task.load(data)
    training = Training(made.space(), made, Recipe(epochs=epochs))
    rates: dict[int, list[float]] = {1: [], 2: []}
    sizes = []
    for seed in range(repeats):
        for workers in rates if seed % 2 == 0 else reversed(rates):
            rate, size = trials_a_minute(training, workers, trials, seed)
            rates[workers].append(rate)
            sizes.append(size)
    ratios = [two / one for one, two in zip(rates[1], rates[2], strict=True)]
    for workers, found in rates.items():
        yield row(
            f"{data}, {trials} trials of {epochs} epochs, {workers} worker(s)", spread(found, "trials a minute"), ""
        )
    yield row("2 workers against 1, same trials", f"{statistics.median(ratios):.2f} times", "1.7 times")
    yield row("largest memory of a worker", spread(sizes, "MiB"), "600 MiB")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    arguments.add_argument("--data", default="digits")
    arguments.add_argument("--budget", default="2m", help="of the search whose first result is waited for")
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--trials", type=int, default=40, help="of each run that counts trials a minute")
    arguments.add_argument("--epochs", type=int, default=10, help="of each of those trials")
    given = arguments.parse_args()
    print(heading("Start, memory, workers"))
    print(f"Median (least to greatest) of {given.repeats}.\n")
    print(table_head("what", "measured", "goal"))
    if "help" in given.only:
        show(help_rows(given.repeats))
    if "first" in given.only:
        show(first_rows(given.data, given.budget, given.repeats))
    if "workers" in given.only:
        show(worker_rows(given.data, given.repeats, given.trials, given.epochs))


def show(rows: Iterator[str]) -> None:
    for line in rows:
        print(line, flush=True)


if __name__ == "__main__":
    main()
