"""``archwright supernet``: train a supernet once, then search it for many budgets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archwright.cli import console, learning, options
from archwright.cli.guard import interruptible
from archwright.cli.invocation import examples
from archwright.cli.oneshot import ONESHOT, find_algorithm
from archwright.cli.strategy import find_strategy
from archwright.errors import BudgetError, ResumeError, StoreError

if TYPE_CHECKING:
    from archwright.objective import Objectives
    from archwright.oneshot import Result
    from archwright.trial import Trial

__all__ = ["COMMANDS"]

ABOUT = "supernet.json"

TRAIN_EXAMPLES = examples(
    {
        "archwright supernet train digits --out runs/net": "random paths through the space of the digits",
        "archwright supernet train photos/ --algorithm sandwich --epochs 60 --out runs/net": "the largest network "
        "teaches the others; the same command again goes on after Ctrl-C or a crash",
    }
)
SEARCH_EXAMPLES = examples(
    {
        "archwright supernet search runs/net": "the front of accuracy and parameters, and nothing is trained",
        "archwright supernet search runs/net --max-params 30k --max-latency 2ms": "what fits a device",
        "archwright supernet search runs/net --strategy evolution --maximize f1 --max-macs 1M": "one goal",
    }
)
RANK_EXAMPLES = examples(
    {"archwright supernet rank runs/net --sample 12": "train 12 architectures alone: is the supernet's order theirs?"}
)

Where = Annotated[Path, typer.Argument(metavar="NET", help="The folder of a trained supernet.")]


def train(
    data: options.Data,
    algorithm: Annotated[
        str, typer.Option(metavar="NAME", help=f"How: {', '.join(ONESHOT)}.", autocompletion=lambda: list(ONESHOT))
    ] = "spos",
    epochs: Annotated[int, typer.Option(metavar="N", help="Passes over the training samples.")] = 30,
    budget: Annotated[str | None, typer.Option(metavar="TIME", help="End the training after this time.")] = None,
    space: options.Space = None,
    seed: options.Seed = 0,
    target: options.Target = None,
    kind: options.Kind = None,
    text: options.Text = None,
    resize: options.Resize = None,
    out: Annotated[Path | None, typer.Option(metavar="NET", help="Folder. Default: runs/DATA-supernet.")] = None,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Train one network that holds every architecture of a space.

    The same command again goes on where it was left; NET then holds the weights and what is known of them.
    """
    entry = find_algorithm(algorithm)
    if epochs < 1:
        raise BudgetError(f"--epochs cannot be {epochs}: give a whole number, 1 or more")
    reading = learning.data_options(target=target, kind=kind, resize=resize, text=text)
    with interruptible(), console.Waiting(quiet) as waiting:
        waiting.on(f"reading {data}")
        from archwright.report import Progress
        from archwright.run.oneshot import Phase

        task = learning.load_task(data, reading)
        goals = learning.objectives(task, (), (), ())
        folder = out or Path("runs") / f"{task.name.removeprefix('ucr:')}-supernet"
        searched = task.space(space)
        phase = Phase(entry.begin(epochs), searched, task, goals, seed=seed, folder=folder, device="auto")
        about = {
            "data": learning.where_from(data),
            "options": reading,
            "space": space,
            "algorithm": entry.name,
            "epochs": epochs,
            "seed": seed,
        }
        _write(folder, about)
        waiting.stop()
        with Progress(goals, quiet=quiet) as progress:
            progress.phase(f"training a supernet by {entry.name}", total=epochs)
            from archwright.run.session import said

            trained = phase.train(epochs, seconds=_seconds(budget), watch=lambda p: progress.step(said(p, epochs)))
    result = phase.to_json()
    _write(folder, {**about, "result": result})
    if as_json:
        console.emit({"folder": str(folder), **about, "result": result})
        return
    from archwright.supernet.sharing import params_of

    shown = console.out()
    shown.print(
        f"{folder}: a supernet of {params_of(trained.supernet):,} parameters, {len(trained.history)} epochs in "
        f"{trained.seconds:.0f} s" + (f" (ended early: {trained.stopped})" if trained.stopped else "")
    )
    for ranked in trained.top[:3]:
        shown.print(f"  {trained.metric} {ranked.metrics[trained.metric]:.4f} with shared weights: {_brief(ranked)}")
    shown.print(f"Next: archwright supernet rank {folder}, archwright supernet search {folder} --max-params 30k")


def search(
    where: Where,
    maximize: options.Maximize = None,
    minimize: options.Minimize = None,
    max_params: options.MaxParams = None,
    max_macs: options.MaxMacs = None,
    max_bytes: options.MaxBytes = None,
    max_peak_memory: options.MaxPeakMemory = None,
    max_latency: options.MaxLatency = None,
    strategy: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="What decides. Default: nsga2 for several goals, evolution for one."),
    ] = None,
    trials: Annotated[int, typer.Option(metavar="N", help="Architectures to measure.")] = 300,
    budget: Annotated[str, typer.Option(metavar="TIME", help="End after this time.")] = "45s",
    seed: options.Seed = 0,
    data: options.MovedData = None,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Search a trained supernet: the best architectures under ceilings, in seconds, and nothing is trained.

    Without --maximize or --minimize: the data's own metric, and the parameters, as a front.
    """
    limits = learning.ceilings(
        params=max_params, macs=max_macs, bytes=max_bytes, peak_bytes=max_peak_memory, latency_ms=max_latency
    )
    if strategy is not None:
        find_strategy(strategy)
    with interruptible(), console.Waiting(quiet) as waiting:
        waiting.on("reading the supernet")
        trained, _ = _read(where, data)
        from archwright.objective import Goal
        from archwright.run import search as start

        task = trained.task
        if not (maximize or minimize):
            own = Goal(task.metric, task.metrics[task.metric].direction)
            from archwright.objective import Objectives

            goals = Objectives.of([own, Goal("params", "minimize"), *limits])
        else:
            goals = learning.objectives(task, maximize or (), minimize or (), limits)
        waiting.stop()
        deciding = find_strategy(strategy or ("nsga2" if len(goals.goals) > 1 else "evolution"))
        result = start(
            task,
            space=trained.space,
            evaluate=trained.evaluator(),
            objectives=goals,
            strategy=deciding.make,
            budget=budget,
            trials=trials,
            seed=seed,
            progress=not quiet,
        )
    _tell(result.trials, goals, as_json)


def rank(
    where: Where,
    sample: Annotated[int, typer.Option(metavar="N", help="Architectures to train alone.")] = 10,
    train_epochs: options.TrainEpochs = None,
    seed: options.Seed = 0,
    data: options.MovedData = None,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Train a sample alone, and compare: does the supernet put architectures in the order that training does?"""
    if sample < 3:
        raise BudgetError(f"--sample cannot be {sample}: a rank correlation needs 3 architectures, 20 for a clear word")
    with interruptible(), console.Waiting(quiet) as waiting:
        waiting.on("reading the supernet")
        trained, about = _read(where, data)
        from archwright.evaluator import Recipe
        from archwright.oneshot import trust

        waiting.on(f"training {sample} architectures alone")
        recipe = None if train_epochs is None else Recipe.suiting(trained.task, epochs=train_epochs)
        found = trust(trained, n=sample, recipe=recipe, seed=seed)
    told = {
        "metric": found.metric,
        "correlation": vars(found.correlation),
        "top": vars(found.top),
        "params": vars(found.params),
        "warnings": list(found.warnings),
        "sample": [
            {"architecture": dict(c.architecture), "shared": c.shared, "alone": c.alone, "params": c.params}
            for c in found.sample
        ],
    }
    _write(where, {**about, "trust": told})
    if as_json:
        console.emit(told)
        return
    from rich.table import Table

    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in (f"{found.metric} alone", "with shared weights", "parameters"):
        table.add_column(name, justify="right")
    better = trained.task.metrics[found.metric].direction == "maximize"
    for checked in sorted(found.sample, key=lambda c: c.alone, reverse=better):
        table.add_row(f"{checked.alone:.4f}", f"{checked.shared:.4f}", f"{checked.params:,.0f}")
    shown = console.out()
    shown.print(table)
    shown.print(str(found))


def _tell(trials: tuple[Trial, ...], goals: Objectives, as_json: bool) -> None:
    """The front, best first."""
    from archwright.objective import pareto_front
    from archwright.report import tables
    from archwright.report.rows import leaderboard_rows

    done = [t for t in trials if t.status == "done"]
    front = pareto_front(done) if len(goals.goals) > 1 else done
    if as_json:
        console.emit({"trials": len(trials), "front": leaderboard_rows(front, goals, None)})
        return
    shown = console.out()
    shown.print(tables.leaderboard(front, goals, 20))
    shown.print(
        f"{len(done):,} architectures measured with shared weights, none trained. Before you believe one, train it: "
        "archwright search DATA --strategy spos does both."
    )


def _seconds(budget: str | None) -> float | None:
    from archwright.objective import parse_seconds

    return None if budget is None else parse_seconds(budget, where="--budget", error=BudgetError)


def _brief(ranked: Any) -> str:
    text = ", ".join(f"{k}={v}" for k, v in ranked.architecture.items())
    return text if len(text) < 100 else text[:99] + "…"


def _write(folder: Path, about: Mapping[str, Any]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{ABOUT}.part"
        part.write_text(json.dumps(about, default=str), encoding="utf-8")
        part.replace(folder / ABOUT)
    except OSError as error:
        raise StoreError(f"cannot write to {folder}: {error.strerror}. Choose another --out") from error


def _read(where: Path, data: str | None) -> tuple[Result, dict[str, Any]]:
    """The supernet of a folder, and what is known of it."""
    from archwright.oneshot.loading import load

    try:
        about = json.loads((where / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ResumeError(
            f"{where} holds no supernet: there is no {ABOUT} in it. Train one: "
            f"archwright supernet train DATA --out {where}"
        ) from None
    task = learning.load_task(data or about["data"], about["options"])
    return load(where, task.space(about["space"]), task), about


COMMANDS: list[tuple[Any, str, str]] = [
    (train, "Supernet", TRAIN_EXAMPLES),
    (search, "Supernet", SEARCH_EXAMPLES),
    (rank, "Supernet", RANK_EXAMPLES),
]
