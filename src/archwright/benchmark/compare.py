"""Strategies compared on benchmarks: equal budgets, paired seeds, random search always among them."""

from __future__ import annotations

import functools
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archwright.benchmark.comparison import Comparison
from archwright.benchmark.ledger import Key, Ledger, identity_of_benchmark, identity_of_strategy
from archwright.benchmark.named import load
from archwright.benchmark.problem import Benchmark
from archwright.benchmark.simulation import Factory, Run, known_of, simulate
from archwright.errors import ArchwrightError, BudgetError, EvaluationError, StoreError, WorkerError, did_you_mean
from archwright.run.budget import Budget
from archwright.run.settings import describe_strategy
from archwright.strategy import Random, Strategy, make

__all__ = ["LEDGER", "compare", "parse_budget"]

LEDGER = "runs.jsonl"
RANDOM = "random"
EVERY_S = 10.0


def compare(
    strategies: Mapping[str, Factory],
    benchmarks: Benchmark | str | Sequence[Benchmark | str],
    *,
    seeds: int = 30,
    budget: int | str | Budget = 150,
    parallel: int = 1,
    control: str | None = None,
    workers: int | None = None,
    out: str | os.PathLike[str] | None = None,
    tables: str | os.PathLike[str] | None = None,
    progress: bool = True,
    command: str = "",
) -> Comparison:
    """Run every strategy on every benchmark, once a seed.

    Whatever was run before and kept in `out` is not run again; a larger budget goes on from there, and more seeds come
    to the earlier ones. A strategy whose settings or source have changed is run anew.

    Args:
        strategies: What makes each strategy from a space, such as its class, by the name to show. `Random` is added
            where it is not among them.
        benchmarks: Names (`archwright.benchmark.names`) or benchmarks of your own.
        seeds: Runs of each strategy on each benchmark. Run i of all of them meets the same luck.
        budget: Queries; or text such as ``"150 queries"``, ``"10000s"`` of simulated time, ``"600 epochs"``.
        parallel: Simulated workers of each run: trainings at a time, told as they end.
        control: The strategy that the others are tested against; random search by default.
        workers: Processes, each with a run at a time; all usable cores by default.
        out: Folder to keep runs in; None keeps nothing.
        tables: Folder of the benchmarks' tables, for those that are given by name.
        progress: Show it on standard error.
        command: What repeats this, for the page.

    Raises:
        ArchwrightError: What was asked for makes no sense; or a strategy cannot serve a benchmark, or fails on it.
    """
    spending = parse_budget(budget)
    for name, number in (("seeds", seeds), ("parallel", parallel), ("workers", 1 if workers is None else workers)):
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise BudgetError(f"{name} cannot be {number!r}: give a whole number, 1 or more")
    named = _loaded(benchmarks, tables)
    factories, yardstick = _with_random(strategies, next(iter(named.values())))
    if control is not None and control not in factories:
        raise ArchwrightError(f"the control {control!r} is not compared here. {did_you_mean(control, factories)}")
    identities: dict[tuple[str, str], str] = {}
    settings = {}
    for name, benchmark in named.items():
        for label, factory in factories.items():  # all are made once here, so that a mistake is told before any work
            strategy = _made(label, factory, benchmark)
            identities[name, label] = identity_of_strategy(strategy)
            settings[label] = _call_of(describe_strategy(strategy))
    ledger = Ledger(None if out is None else _folder(out) / LEDGER, {n: b.space for n, b in named.items()})
    digests = {name: identity_of_benchmark(benchmark) for name, benchmark in named.items()}
    runs: dict[tuple[str, str, int], Run] = {}
    jobs: list[_Job] = []
    for seed in range(seeds):
        for name, benchmark in named.items():
            for label, factory in factories.items():
                key = Key(name, digests[name], identities[name, label], seed, parallel)
                run, enough = ledger.find(key, spending)
                if run is not None and enough:
                    runs[name, label, seed] = run
                else:
                    jobs.append(_Job(key, label, benchmark, factory, spending, run))
    with _watching(progress, len(runs), len(runs) + len(jobs)) as watch:
        for job, run in _done(jobs, workers or _cores()):
            ledger.add(job.key, spending, run)
            runs[job.key.benchmark, job.label, job.key.seed] = run
            watch(f"{job.label} on {job.key.benchmark}")
    ordered = {(b, s, i): runs[b, s, i] for b in named for s in factories for i in range(seeds)}
    return Comparison(
        named, tuple(factories), ordered, seeds, spending, parallel, control or yardstick, len(jobs), settings, command
    )


def parse_budget(budget: int | str | Budget) -> Budget:
    """A budget of one run as people write it: a bare number is queries.

    >>> parse_budget(150) == parse_budget("150 queries"), parse_budget("600epochs").epochs, parse_budget("1h").seconds
    (True, 600, 3600.0)
    """
    if isinstance(budget, Budget):
        given = budget
    elif isinstance(budget, bool) or not isinstance(budget, (int, str)):
        raise BudgetError(f"budget cannot be {budget!r}: give queries (150), epochs ('600 epochs') or time ('10000s')")
    else:
        text = str(budget).strip()
        counted = re.fullmatch(r"([-+]?[\d.,_]+\s*[kKM]?)\s*(quer(y|ies))?", text)
        given = Budget.of(None, trials=counted[1]) if counted else Budget.of(text)
    if sum(value is not None for value in (given.trials, given.seconds, given.epochs)) != 1:
        raise BudgetError(f"a comparison has one budget, got {given}: queries, epochs, or time")
    return given


@dataclass(frozen=True)
class _Job:
    """A run to make."""

    key: Key
    label: str
    benchmark: Benchmark
    factory: Factory
    budget: Budget
    earlier: Run | None

    def __call__(self) -> Run:
        key = self.key
        try:
            return simulate(
                self.benchmark, self.factory, key.seed, self.budget, parallel=key.parallel, earlier=self.earlier
            )
        except Exception as error:
            raise EvaluationError(
                f"strategy {self.label!r} failed on {key.benchmark}, seed {key.seed}: {type(error).__name__}: {error}"
            ) from error


def _with_random(strategies: Mapping[str, Factory], benchmark: Benchmark) -> tuple[dict[str, Factory], str]:
    """All strategies, and which of them is random search."""
    for name, factory in strategies.items():
        if not callable(factory):
            raise ArchwrightError(f"strategy {name!r} cannot be {factory!r}: give its class, or a function of a space")
        if type(_made(name, factory, benchmark)) is Random:
            return dict(strategies), name
    if RANDOM in strategies:
        raise ArchwrightError(f"the strategy called {RANDOM!r} is another than Random: give it another name")
    return {RANDOM: Random, **strategies}, RANDOM


def _made(label: str, factory: Factory, benchmark: Benchmark) -> Strategy:
    try:
        return make(factory, benchmark.space, known_of(benchmark))
    except (ArchwrightError, TypeError, ValueError) as error:
        raise ArchwrightError(f"strategy {label!r} cannot serve {benchmark.name}: {error}") from error


def _folder(out: str | os.PathLike[str]) -> Path:
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot keep runs in {folder}: {error.strerror}. Choose another --out") from error
    return folder


def _loaded(benchmarks: Benchmark | str | Sequence[Benchmark | str], tables: Any) -> dict[str, Benchmark]:
    listed = [benchmarks] if isinstance(benchmarks, (Benchmark, str)) else list(benchmarks)
    if not listed:
        raise ArchwrightError("there is no benchmark to compare on: give at least one")
    found: dict[str, Benchmark] = {}
    for given in listed:
        benchmark = load(given, tables) if isinstance(given, str) else given
        if benchmark.name in found:
            raise ArchwrightError(f"benchmark {benchmark.name!r} is given twice: once is enough")
        found[benchmark.name] = benchmark
    return found


def _done(jobs: list[_Job], workers: int) -> Iterable[tuple[_Job, Run]]:
    """The runs as they end."""
    from joblib import Parallel, delayed, parallel_config

    processes = min(workers, len(jobs))
    if processes <= 1:
        yield from ((job, job()) for job in jobs)
        return
    # What all jobs of a benchmark or a strategy share travels as bytes: pickled once here, unpickled once a worker.
    parts = {id(part): _pickled(part) for job in jobs for part in (job.benchmark, job.factory)}
    calls = (
        delayed(_elsewhere)(
            number,
            os.getpid(),
            tuple(sys.path),
            parts[id(job.benchmark)],
            parts[id(job.factory)],
            replace(job, benchmark=None, factory=None),  # type: ignore[arg-type]
        )
        for number, job in enumerate(jobs)
    )
    with parallel_config("loky", inner_max_num_threads=1):
        for number, run in Parallel(processes, return_as="generator_unordered", batch_size=1)(calls):
            yield jobs[number], run


def _pickled(part: Any) -> bytes:
    import cloudpickle  # classes of the user's script travel by value: it needs no `__main__` guard

    try:
        found: bytes = cloudpickle.dumps(part)
        return found
    except Exception as error:
        raise WorkerError(
            f"{getattr(part, 'name', part)!r} cannot be sent to worker processes ({type(error).__name__}: {error}): "
            f"compare in this process (workers=1)"
        ) from error


_arrived: dict[bytes, Any] = {}
"""What this worker process has unpickled."""


def _elsewhere(
    number: int, parent: int, path: tuple[str, ...], benchmark: bytes, factory: bytes, job: _Job
) -> tuple[int, Run]:
    if not _arrived:  # its first job
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    sys.path[:] = path  # the worker finds the modules that we find
    for data in (benchmark, factory):
        if data not in _arrived:
            import cloudpickle

            _arrived[data] = cloudpickle.loads(data)
    return number, replace(job, benchmark=_arrived[benchmark], factory=_arrived[factory])()


def _end_with(parent: int) -> None:
    """End this process once its parent has: one that was killed could not say so, and idle workers would stay."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _call_of(described: Any) -> str:
    """A strategy as the call that makes it, without its space."""
    if isinstance(described, list):
        return f"[{', '.join(map(_call_of, described))}]"
    parts = {name: _call_of(part) for name, part in described.get("parts", {}).items()}
    settings = {name: repr(value) for name, value in described["arguments"].items()}
    return f"{described['name']}({', '.join([*parts.values(), *(f'{k}={v}' for k, v in settings.items())])})"


@contextmanager
def _watching(shown: bool, kept: int, total: int) -> Iterator[Callable[[str], None]]:
    """A bar on standard error, or a line now and then where nobody watches; call what it gives after each run."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not shown or kept == total:
        yield lambda text: None
    elif console.is_terminal:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("runs"), TimeElapsedColumn(), TimeRemainingColumn())
        with Progress(*columns, TextColumn("[dim]{task.description}"), console=console) as bar:
            task = bar.add_task("", total=total, completed=kept)
            yield lambda text: bar.update(task, advance=1, description=text)
    else:
        said = functools.partial(console.print, soft_wrap=True)
        state = {"done": kept, "next": time.monotonic() + EVERY_S}

        def tell(text: str) -> None:
            state["done"] += 1
            if time.monotonic() >= state["next"] or state["done"] == total:
                state["next"] = time.monotonic() + EVERY_S
                said(f"{int(state['done']):,} of {total:,} runs  {text}")

        yield tell
