"""The main job under ceilings: the best small network in five minutes, by archwright and by what one might use instead.

Every method gets the same data, the same seconds for everything, the same two worker processes of one thread and the
same training (`archwright.evaluator.Training`). Those that search share the space, the ceiling, and the final choice
(`archwright.run.finish`): half of the time for the search, the rest for retraining candidates on the training part
and the chosen one on training and validation part, with as many seeds as there is time for (the hand-made one: four).
Test is measured once, at the very end, as the mean over those seeds.

    archwright   the search with its defaults
    random       random search, on the same space
    spos         a supernet of single paths within the ceiling for half of the time of the search; what it prefers, five
                 random ones, and then the default strategy for the rest (does sharing weights pay?)
    sandwich     the same, with the largest network teaching the others
    optuna       TPE with Hyperband pruning; see with_optuna.py
    optuna-gp    Optuna's Gaussian process, every training to its end; likewise
    cnn          the task's hand-made residual CNN, as wide as the ceiling allows, trained for 60 epochs
    cnn-long     the same, trained for as many epochs as fit into the time

Each finished run is appended to a file; runs that are there already are not repeated, so an interrupted benchmark is
begun again with the same command. On an idle machine, with nothing beside it:

    python benchmarks/main_job.py                                    # all: 6 ceilings, 5 methods, 3 seeds; 6 hours
    python benchmarks/main_job.py --data mnist1d --ceiling 2k --seeds 1 --minutes 5 --only archwright
    python benchmarks/main_job.py --table                            # only print what the file holds

Does sharing weights pay? 27 runs of ten minutes a seed:

    python benchmarks/main_job.py --data digits mnist5k mnist1d --ceiling 10k 30k 100k --minutes 10 \
        --only archwright random spos --file runs/paying.jsonl
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from machine import describe, heading, row, table_head
from with_optuna import Assignment, optimize

from archwright import task as tasks
from archwright.errors import BudgetError
from archwright.evaluator import Recipe, Training
from archwright.objective import Objectives, at_most, maximize, parse_count
from archwright.run import search
from archwright.run.finish import finish
from archwright.run.plan import SEARCH_SHARE, FinalPlan, final_plan
from archwright.space import Architecture, Space, choice, searchable
from archwright.strategy import Random
from archwright.task import Task
from archwright.trial import Proposal, Trial
from archwright.worker import Processes

GOALS = {
    "mnist1d": {"2k": 0.980, "5k": 0.988, "12k": 0.993},
    "digits": {"3k": 0.988, "8k": 0.993, "20k": 0.995},
}
FINALS = 4
UNLIMITED = "none"


@dataclass(frozen=True)
class Job:
    """One run of one method."""

    data: str
    ceiling: str
    seed: int
    seconds: float
    workers: int

    @property
    def max_params(self) -> int | None:
        return None if self.ceiling == UNLIMITED else int(parse_count(self.ceiling))

    def task(self) -> Task:
        return tasks.load(self.data)

    def objectives(self, task: Task) -> Objectives:
        ceilings = at_most(params=self.max_params) if self.max_params else ()
        return Objectives.of([maximize(task.metric), ceilings])

    def processes(self) -> Processes:
        return Processes(n=self.workers, module="archwright.evaluator.training")


@dataclass(frozen=True)
class Found:
    """What a method came up with: its trials, how they were trained, and the final choice's outcome if there is one.

    `refused`: why it did not begin at all, as a supernet in too short a time.
    """

    task: Task
    space: Space
    recipe: Recipe
    trials: Sequence[Trial]
    before_s: float
    outcome: dict[str, Any] | None
    refused: str = ""


# Methods


def by_archwright(job: Job) -> Found:
    return searched(job, None)


def by_random(job: Job) -> Found:
    return searched(job, Random)


def by_spos(job: Job) -> Found:
    return by_oneshot(job, "spos")


def by_sandwich(job: Job) -> Found:
    return by_oneshot(job, "sandwich")


def by_oneshot(job: Job, algorithm: str) -> Found:
    try:
        return searched(job, None, algorithm)
    except BudgetError as error:  # no time for an epoch of the supernet, or for a trial after it
        task = job.task()
        return Found(task, task.space(), Recipe.suiting(task), (), 0.0, None, str(error))


def searched(job: Job, strategy: Any, oneshot: str | None = None) -> Found:
    task = job.task()
    result = search(
        task,
        objectives=job.objectives(task),
        strategy=strategy,
        oneshot=oneshot,
        budget=job.seconds,
        workers=job.workers,
        seed=job.seed,
        progress=False,
    )
    recipe = Recipe.from_json(result.meta["recipe"])
    outcome = dict(result.chosen.outcome) if result.chosen else None
    return Found(task, result.space, recipe, result.trials, result.meta["prepared_s"], outcome)


def by_optuna(job: Job) -> Found:
    return by_sampler(job, "tpe")


def by_optuna_gp(job: Job) -> Found:
    return by_sampler(job, "gp")


def by_sampler(job: Job, sampler: str) -> Found:
    began = time.monotonic()
    task = job.task()
    space, objectives = task.space(), job.objectives(task)
    training = Training(space, task)
    before_s = time.monotonic() - began
    until = began + SEARCH_SHARE * job.seconds
    deadline = until + (1 - SEARCH_SHARE) / 4 * job.seconds  # as in a search of ours
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "optuna.log"
        trials = optimize(
            Assignment(job.data, training.recipe, objectives, job.seed, until, deadline, journal, sampler), job.workers
        )
        times = sorted(t.measurement.seconds / t.measurement.epochs for t in trials if t.measurement and t.scores)
        outcome = None
        if times:
            left = job.seconds - (time.monotonic() - began)
            plan = final_plan(
                training.recipe.epochs, job.workers, left, times[len(times) // 2], stretch=training.recipe.stretch
            )
            with job.processes() as workers:
                chosen = finish(
                    training,
                    trials,
                    objectives,
                    plan,
                    workers=workers,
                    folder=Path(folder),
                    seed=job.seed,
                    until=began + job.seconds,
                )
            outcome = dict(chosen.outcome) if chosen else None
    return Found(task, space, training.recipe, trials, before_s, outcome)


def by_cnn(job: Job) -> Found:
    return by_hand(job, long=False)


def by_cnn_long(job: Job) -> Found:
    return by_hand(job, long=True)


def by_hand(job: Job, long: bool) -> Found:
    """The hand-made network in a space that holds it alone, so that all else goes the same way."""
    began = time.monotonic()
    task, training = hand_made(job)
    proposal = Proposal(only(training.space))
    _, once = training.fit(proposal.architecture, job.seed)
    epochs = training.recipe.epochs
    if long:
        left = job.seconds - (time.monotonic() - began)
        rounds = -(-FINALS // job.workers)
        epochs = max(epochs, int(0.9 * left * once.epochs / (rounds * once.seconds)))
    trial = Trial(0, proposal, "done", once, (-once.metrics[task.metric],), key="by hand")
    with tempfile.TemporaryDirectory() as folder, job.processes() as workers:
        chosen = finish(
            training,
            [trial],
            Objectives.of(maximize(task.metric)),
            FinalPlan(0, 0, 0, FINALS, epochs),
            workers=workers,
            folder=Path(folder),
            seed=job.seed,
        )
    assert chosen is not None
    return Found(task, training.space, training.recipe, [trial], 0.0, dict(chosen.outcome))


def hand_made(job: Job) -> tuple[Task, Training]:
    task = job.task()

    def network(max_params: int) -> torch.nn.Module:
        return task.baseline(max_params=max_params) if max_params else task.baseline()

    # A choice of one: an open argument makes the space build the network anew each time, with fresh weights.
    space = Space(searchable(network)(choice(job.max_params or 0, name="ceiling")))
    return task, Training(space, task)


def only(space: Space) -> Architecture:
    """The one architecture of a space that has no other."""
    return next(iter(space))


METHODS: dict[str, Callable[[Job], Found]] = {
    "archwright": by_archwright,
    "random": by_random,
    "spos": by_spos,
    "sandwich": by_sandwich,
    "optuna": by_optuna,
    "optuna-gp": by_optuna_gp,
    "cnn": by_cnn,
    "cnn-long": by_cnn_long,
}


USUAL = ["archwright", "random", "optuna", "cnn", "cnn-long"]

# Runs


def run(job: Job, method: str) -> dict[str, Any]:
    """One run as JSON values: what was found, what it took, and where and when."""
    about = describe()
    began = time.monotonic()
    found = METHODS[method](job)
    took = time.monotonic() - began
    outcome = found.outcome or {}
    metric = found.task.metric
    statuses = [t.reason if t.reason == "pruned" else t.status for t in found.trials]
    measured = [t.measurement.metrics[metric] for t in found.trials if t.scores and t.measurement]
    candidates = {c["number"]: c["validation"].get(metric) for c in outcome.get("candidates", ())}
    return {
        "method": method,
        **vars(job),
        "took_s": round(took, 1),
        "test": outcome.get("test", {}).get(metric),
        "validation": candidates.get(outcome.get("chosen")),
        "candidates": candidates,
        "params": outcome.get("costs", {}).get("params"),
        "architecture": outcome.get("architecture"),
        "plan": outcome.get("plan"),
        "search_epochs": found.recipe.epochs,
        "recipe": found.recipe.to_json(),
        "trials": {status: statuses.count(status) for status in dict.fromkeys(statuses)},
        "best_trials": sorted(measured, reverse=True)[:10],
        "any_time": any_time(found, metric),
        "refused": found.refused,
        "about": about,
    }


def any_time(found: Found, metric: str) -> list[list[float]]:
    """When the search found a better trial, in seconds from the start, and how well that validated."""
    best: list[list[float]] = []
    for trial in sorted((t for t in found.trials if t.scores and t.measurement), key=lambda t: t.finished):
        assert trial.measurement is not None
        value = trial.measurement.metrics[metric]
        if not best or value > best[-1][1]:
            best.append([round(found.before_s + trial.finished, 2), value])
    return best


# The file and the tables


def read(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []


def same(record: dict[str, Any], job: Job, method: str) -> bool:
    return record["method"] == method and all(record[name] == value for name, value in vars(job).items())


def append(place: Path, record: dict[str, Any]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("a") as file:
        file.write(json.dumps(record) + "\n")


def grouped(records: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[tuple[Any, ...], list[dict[str, Any]]]:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for record in records:
        groups.setdefault(tuple(record[name] for name in names), []).append(record)
    return groups


def table(records: Sequence[dict[str, Any]]) -> str:
    """A row for each data set, ceiling, method and length, over its seeds."""
    columns = ("data", "ceiling", "must reach", "method", "seconds", "test, mean and deviation over searches")
    lines = [table_head(*columns, "each search", "validation", "parameters", "trials of a search", "epochs", "idle")]
    names = ("data", "ceiling", "seconds", "method", "workers")
    for (data, ceiling, length, method, _), group in grouped(records, names).items():
        tests = [r["test"]["mean"] for r in group if r["test"]]
        validations = [statistics.mean(r["validation"]) for r in group if r["validation"]]
        goal = GOALS.get(data, {}).get(ceiling)
        reached = f"{mean(tests)} ± {statistics.stdev(tests) if len(tests) > 1 else 0:.4f}" if tests else "no network"
        final = ", ".join(dict.fromkeys(str(r["plan"]["final_epochs"]) for r in group if r["plan"]))
        lines.append(
            row(
                data,
                ceiling,
                goal if goal else "",
                method,
                f"{length:g}",
                f"**{reached}**" if tests and goal and statistics.mean(tests) >= goal else reached,
                " ".join(f"{value:.4f}" for value in tests),
                mean(validations) if validations else "",
                " ".join(f"{r['params']:.0f}" for r in group if r["params"]),
                "; ".join(", ".join(f"{n} {status}" for status, n in r["trials"].items()) for r in group),
                f"{group[0]['search_epochs']}, then {final}",
                "yes" if all(r["about"]["busy"].startswith("idle") for r in group) else "no",
            )
        )
    return "\n".join(lines)


def mean(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.4f}"


def beside(records: Sequence[dict[str, Any]], ours: str = "archwright") -> str:
    """Ours against every other method on the same data, ceiling, length, workers and seed."""
    columns = ("data", "ceiling", "seconds", "against", "seeds", "ahead, level, behind", "test, ours less theirs")
    lines = [table_head(*columns, "share of their time until ours validated as well")]
    names = ("data", "ceiling", "seconds", "workers")
    for (data, ceiling, length, _), group in grouped(records, names).items():
        runs = {(r["method"], r["seed"]): r for r in group if r["test"]}
        for other in dict.fromkeys(method for method, _ in runs if method != ours):
            seeds = [s for m, s in runs if m == other and (ours, s) in runs]
            pairs = [(runs[ours, s], runs[other, s]) for s in seeds]
            if not pairs:
                continue
            lead = [a["test"]["mean"] - b["test"]["mean"] for a, b in pairs]
            counts = sum(d > 0 for d in lead), sum(d == 0 for d in lead), sum(d < 0 for d in lead)
            each = " ".join(f"{d:+.4f}" for d in lead)
            shares = " ".join(caught_up(a, b) for a, b in pairs)
            told = f"{statistics.mean(lead):+.4f} ({each})"
            lines.append(
                row(data, ceiling, f"{length:g}", other, len(pairs), ", ".join(map(str, counts)), told, shares)
            )
    return "\n".join(lines)


def caught_up(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """After which share of the time that another search took to its best trial ours had one as good, on validation."""
    if not theirs["any_time"]:
        return ""
    last_s, value = theirs["any_time"][-1]
    when = next((s for s, v in ours["any_time"] if v >= value), None)
    return "never" if when is None else f"{when / last_s:.2f}"


def print_table(records: Sequence[dict[str, Any]]) -> None:
    print(heading("The main job"))
    print(f"Bold: what must be reached was reached on average.\n\n{table(records)}\n\n{beside(records)}\n")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", nargs="+", default=list(GOALS), help="names, or files that a search reads")
    arguments.add_argument("--ceiling", nargs="+", help="parameters, as 2k; by default those of the data set")
    arguments.add_argument("--only", nargs="+", choices=list(METHODS), default=USUAL, metavar="METHOD")
    arguments.add_argument("--seeds", type=int, default=3, help="how many seeds, from --first-seed on")
    arguments.add_argument("--first-seed", type=int, default=0)
    arguments.add_argument("--minutes", type=float, default=5.0)
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--file", type=Path, default=Path("runs/main_job.jsonl"))
    arguments.add_argument("--again", action="store_true", help="run also what the file holds already")
    arguments.add_argument("--table", action="store_true", help="only print the table of the file")
    given = arguments.parse_args()
    if given.table:
        print_table(read(given.file))
        return
    torch.set_num_threads(1)  # whatever trains in this process does so as workers do
    jobs = [
        (Job(data, ceiling, seed, 60 * given.minutes, given.workers), method)
        for seed in range(given.first_seed, given.first_seed + given.seeds)
        for data in given.data
        for ceiling in given.ceiling or GOALS[data]
        for method in given.only
    ]
    for i, (job, method) in enumerate(jobs, start=1):
        what = f"{i} of {len(jobs)}: {method} on {job.data}, ceiling {job.ceiling}, seed {job.seed}"
        if not given.again and any(same(r, job, method) for r in read(given.file)):
            print(f"{what}: in {given.file} already", flush=True)
            continue
        record = run(job, method)
        append(given.file, record)
        brief = ("test", "validation", "params", "trials", "took_s", "plan", "refused")
        print(f"{what}: {json.dumps({k: record[k] for k in brief if record.get(k)})}", flush=True)
    print()
    print_table([r for r in read(given.file) if any(same(r, job, method) for job, method in jobs)])


if __name__ == "__main__":
    main()
