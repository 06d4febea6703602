"""What a search costs beside its evaluations: the whole loop, reopening, and each strategy's ask and tell.

The evaluator returns one number of the architecture, so all time is the library's: proposing, canonical keys, scores,
and a durable transaction a trial. Optuna runs the same six decisions beside it, in the same minute.

    python benchmarks/overhead.py                       # Markdown for RESULTS.md; about five minutes
    python benchmarks/overhead.py --only search optuna  # some parts: search optuna reopen strategies
    python benchmarks/overhead.py --folder disk/    # where the stores are put
    python benchmarks/overhead.py --profile             # where the time of 10,000 trials goes
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from machine import heading, row, seconds, spread, table_head

from archwright.objective import Goal, Objectives
from archwright.run import Loop, search
from archwright.space import Architecture, Space, choice, integer, real
from archwright.store import Run, Store
from archwright.strategy import LocalSearch, Random, RegularizedEvolution, Strategy
from archwright.trial import Measurement, Proposal, Trial

PARTS = ("search", "optuna", "reopen", "strategies")

STRATEGIES: dict[str, Callable[[Space], Strategy]] = {
    "Random": Random,
    "RegularizedEvolution": RegularizedEvolution,
    "RegularizedEvolution(20, 5)": partial(RegularizedEvolution, population_size=20, tournament_size=5),
    "LocalSearch": LocalSearch,
}
WINDOW = 1_000


def six_decisions() -> Space:
    """Integers, choices and a real: 3 x 10^12 architectures, more than will ever be tried."""
    return Space(
        {
            "depth": integer(1, 12),
            "width": integer(8, 256, step=8),
            "kernel": choice(1, 3, 5, 7, 9),
            "operation": choice("conv", "separable", "inverted", "attention", "skip"),
            "activation": choice("relu", "silu", "gelu", "tanh"),
            "lr": real(1e-4, 1e-1, log=True),
        }
    )


def score(architecture: Architecture) -> float:
    return architecture["depth"] * architecture["width"] / 256 - abs(architecture["lr"] - 0.01)


# The whole loop


def run_search(place: Path, trials: int) -> None:
    search(
        evaluate=score,
        space=six_decisions(),
        strategy=Random,
        trials=trials,
        store=place,
        workers=0,
        progress=False,
    )


def search_rows(folder: Path, repeats: int) -> Iterator[str]:
    for trials, goal in ((100, "0.1 s"), (10_000, "5 s")):
        places = [folder / f"{trials}-{i}.db" for i in range(repeats)]
        yield loop_row(
            "archwright, random search", [partial(run_search, place, trials) for place in places], trials, goal
        )


def loop_row(what: str, runs: list[Callable[[], object]], trials: int, goal: str = "") -> str:
    """Wall time, and the processor's: on a busy machine only the latter tells how much work it is."""
    found, worked = [], []
    for run in runs:
        before = time.process_time()
        found.append(seconds(run))
        worked.append(time.process_time() - before)
    each = f"{statistics.median(found) / trials * 1e3:.3f} ms"
    return row(f"{what}, {trials:,} trials", spread(found), spread(worked), each, goal)


def optuna_study(storage: Any, trials: int) -> None:
    import optuna

    def objective(trial: Any) -> float:
        return score(
            Architecture(
                {
                    "depth": trial.suggest_int("depth", 1, 12),
                    "width": trial.suggest_int("width", 8, 256, step=8),
                    "kernel": trial.suggest_categorical("kernel", [1, 3, 5, 7, 9]),
                    "operation": trial.suggest_categorical(
                        "operation", ["conv", "separable", "inverted", "attention", "skip"]
                    ),
                    "activation": trial.suggest_categorical("activation", ["relu", "silu", "gelu", "tanh"]),
                    "lr": trial.suggest_float("lr", 1e-4, 1e-1, log=True),
                }
            )
        )

    sampler = optuna.samplers.RandomSampler(seed=0)
    optuna.create_study(storage=storage, sampler=sampler, direction="maximize").optimize(objective, n_trials=trials)


def optuna_rows(folder: Path, repeats: int, trials: int) -> Iterator[str]:
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storages: dict[str, Callable[[int], Any]] = {
        "SQLite": lambda i: f"sqlite:///{folder / f'optuna-{i}.db'}",
        "its journal": lambda i: JournalStorage(JournalFileBackend(str(folder / f"optuna-{i}.log"))),
        "memory alone": lambda i: None,
    }
    for name, storage in storages.items():
        runs = [partial(optuna_study, storage(i), trials) for i in range(repeats)]
        yield loop_row(f"Optuna {optuna.__version__} on {name}, random search", list(runs), trials)


def profile(folder: Path) -> None:
    run_search(folder / "warm.db", 10)
    profiler = cProfile.Profile()
    profiler.runcall(run_search, folder / "profiled.db", 10_000)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(40)


# Reopening


def made_trial(space: Space, number: int) -> Trial:
    architecture = space.sample(np.random.default_rng([0, number]))
    value = score(architecture)
    return Trial(
        number,
        Proposal(architecture, origin="random"),
        "done",
        Measurement({"score": value}),
        (-value,),
        key=space.key(architecture),
        seed=number,
    )


def reopen_rows(folder: Path, repeats: int, trials: int) -> Iterator[str]:
    space = six_decisions()
    path = folder / "large.db"
    with Store(path) as store:
        run = store.create(Run("large"))
        for number in range(trials):
            store.add(run.id, made_trial(space, number), number, number)

    def read() -> None:
        with Store(path, create=False) as store:
            assert len(store.trials(store.run().id)) == trials

    def replay() -> None:
        with Store(path, create=False) as store:
            records = store.trials(store.run().id)
        loop = Loop(
            space, Random(space), Objectives((Goal("score", "maximize"),)), keep=lambda *_: None, watcher=Silence()
        )
        loop.replay(records)
        assert len(loop.trials) == trials

    yield row(f"reopen a store and read {trials:,} trials", spread(seconds(read) for _ in range(repeats)), "2 s")
    yield row("the same, and tell them to a fresh strategy", spread(seconds(replay) for _ in range(repeats)), "2 s")


class Silence:
    """Where nobody watches."""

    def told(self, trial: Trial) -> None: ...

    def note(self, text: str) -> None: ...


# Strategies


def ask_and_tell(make: Callable[[Space], Strategy], marks: tuple[int, ...]) -> list[float]:
    """Mean seconds of an ask and a tell, over the thousand trials before each mark."""
    space = six_decisions()
    strategy = make(space)
    found: list[float] = []
    spent = 0.0
    for number in range(max(marks)):
        if number in {mark - WINDOW for mark in marks}:
            spent = 0.0
        rng = np.random.default_rng([0, number])
        began = time.perf_counter()
        proposal = strategy.ask(rng)
        spent += time.perf_counter() - began
        value = score(proposal.architecture)
        key = space.key(proposal.architecture)
        trial = Trial(number, proposal, "done", Measurement({"score": value}), (-value,), key=key)
        began = time.perf_counter()
        strategy.tell(trial)
        spent += time.perf_counter() - began
        if number + 1 in marks:
            found.append(spent / WINDOW)
    return found


def strategy_rows(repeats: int, marks: tuple[int, ...]) -> Iterator[str]:
    for name, make in STRATEGIES.items():
        found = [ask_and_tell(make, marks) for _ in range(repeats)]
        yield row(f"`{name}`", *(spread(times, "ms", 1e3) for times in zip(*found, strict=True)), "0.15 ms")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--optuna-trials", type=int, default=200)
    arguments.add_argument("--stored", type=int, default=100_000, help="trials of the store that is reopened")
    arguments.add_argument("--marks", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    arguments.add_argument("--folder", type=Path, help="where to put the stores; a temporary folder by default")
    arguments.add_argument("--profile", action="store_true", help="only print where 10,000 trials spend their time")
    given = arguments.parse_args()
    if min(given.marks) < WINDOW:
        arguments.error(f"marks start at {WINDOW}")
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        if given.profile:
            profile(folder)
            return
        print(heading("Overhead of a search"))
        print(f"Median (least to greatest) of {given.repeats} runs.")
        if {"search", "optuna"} & set(given.only):
            run_search(folder / "warm.db", 10)
            print(
                "\n"
                + table_head("six decisions, stored durably one by one", "in all", "processor time", "a trial", "goal")
            )
        if "search" in given.only:
            show(search_rows(folder, given.repeats))
        if "optuna" in given.only:
            show(optuna_rows(folder, given.repeats, given.optuna_trials))
        if "reopen" in given.only:
            print("\n" + table_head("reopening", "time", "goal"))
            show(reopen_rows(folder, given.repeats, given.stored))
        if "strategies" in given.only:
            marks = tuple(sorted(given.marks))
            print("\n" + table_head("ask + tell", *(f"after {mark:,} trials" for mark in marks), "goal"))
            show(strategy_rows(given.repeats, marks))


def show(rows: Iterator[str]) -> None:
    for line in rows:
        print(line, flush=True)


if __name__ == "__main__":
    main()
