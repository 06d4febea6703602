"""``archwright supernet``: train a supernet once, then search it for many budgets."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from time import monotonic as now  # `time` is an option here
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archwright.cli import console, learning, net, options, places
from archwright.cli.guard import interruptible
from archwright.cli.invocation import command_line, examples
from archwright.cli.oneshot import ONESHOT, find_algorithm
from archwright.cli.strategy import find_strategy
from archwright.errors import BudgetError, StoreError

if TYPE_CHECKING:
    from archwright.objective import Objectives
    from archwright.trial import Trial

__all__ = ["COMMANDS"]

DEFAULT_EPOCHS = 30

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
    ctx: typer.Context,
    data: options.Data,
    algorithm: Annotated[
        str, typer.Option(metavar="NAME", help=f"How: {', '.join(ONESHOT)}.", autocompletion=lambda: list(ONESHOT))
    ] = "spos",
    epochs: Annotated[
        int | None,
        typer.Option(metavar="N", help="Passes over the training samples. Default: as the budget allows, else 30."),
    ] = None,
    budget: Annotated[str | None, typer.Option(metavar="TIME", help="End the training after this time.")] = None,
    space: options.Space = None,
    seed: options.Seed = 0,
    target: options.Target = None,
    kind: options.Kind = None,
    text: options.Text = None,
    horizon: options.Horizon = None,
    context: options.Context = None,
    season: options.Season = None,
    time: options.Time = None,
    group: options.Group = None,
    resize: options.Resize = None,
    memory: options.Memory = None,
    on_bad_image: options.OnBadImage = None,
    resample: options.Resample = None,
    clip_seconds: options.ClipSeconds = None,
    on_bad_clip: options.OnBadClip = None,
    out: Annotated[Path | None, typer.Option(metavar="NET", help="Folder. Default: runs/DATA-supernet.")] = None,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Train one network that holds every architecture of a space.

    The same command again goes on where it was left; NET then holds the weights, what is known of them, and a page.
    """
    entry = find_algorithm(algorithm)
    if epochs is not None and epochs < 1:
        raise BudgetError(f"--epochs cannot be {epochs}: give a whole number, 1 or more")
    seconds = _seconds(budget)
    reading = learning.data_options(
        target=target, kind=kind, resize=resize, on_bad_image=on_bad_image, text=text, horizon=horizon, context=context,
        season=season, time=time, group=group, memory=memory, resample=resample,
        seconds=clip_seconds, on_bad_clip=on_bad_clip,
    )  # fmt: skip
    with interruptible(), console.Waiting(quiet) as waiting:
        waiting.on(f"reading {data}")
        from archwright.report import Progress
        from archwright.run.oneshot import Phase
        from archwright.run.session import said
        from archwright.run.settings import describe_task

        task = learning.load_task(data, reading, waiting)
        goals = learning.objectives(task, (), (), ())
        folder = out or Path("runs") / f"{task.name.removeprefix('ucr:')}-supernet"
        about = {
            "data": learning.where_from(data),
            "options": reading,
            "space": space,
            "algorithm": entry.name,
            "seed": seed,
            "task": describe_task(task),
            "command": command_line(ctx),
        }
        began = now()
        phase = Phase(entry.begin(epochs), task.space(space), task, goals, seed=seed, folder=folder, device="auto")
        if epochs is None:
            waiting.on("timing its steps")
            epochs = _epochs_before(folder, about) or (DEFAULT_EPOCHS if seconds is None else phase.epochs_for(seconds))
        about["epochs"] = epochs
        if seconds is not None:
            seconds -= now() - began
        before = net.known(folder)
        # Until it is known that this goes on with what is there, what is known of that stays.
        net.write_about(folder, before or about)
        waiting.stop()
        with Progress(goals, quiet=quiet) as progress:
            progress.phase(f"training a supernet by {entry.name}", total=epochs)
            trained = phase.train(epochs, seconds=seconds, watch=lambda p: progress.step(said(p, epochs)))
        about |= {"result": phase.to_json(), **({"trust": before["trust"]} if "trust" in before else {})}
        net.write_about(folder, about)
        waiting.on("writing the page")
        page = net.write_report(folder, about, task)
    if as_json:
        console.emit({"folder": str(folder), "report": str(page), **about})
        return
    from archwright.report.wording import duration, plural
    from archwright.supernet.sharing import params_of

    shown = console.out()
    early = f" (ended early: {trained.stopped})" if trained.stopped else ""
    shown.print(
        f"A supernet of {params_of(trained.supernet):,} parameters, {plural(len(trained.history), 'epoch')} in "
        f"{duration(trained.seconds)}{early}; it lies in {folder}, with {page.name}.",
        soft_wrap=True,
    )
    for ranked in trained.top[:3]:
        shown.print(
            f"  {trained.metric} {ranked.metrics[trained.metric]:.4f} with shared weights: {_brief(ranked)}",
            soft_wrap=True,
        )
    where = shlex.quote(str(folder))
    shown.print()
    console.hint(
        shown,
        {
            f"archwright supernet rank {where}": "can its order be trusted?",
            f"archwright supernet search {where} --max-params 30k": "the best under ceilings, in seconds",
        },
    )


def _epochs_before(folder: Path, about: dict[str, Any]) -> int | None:
    """The epochs that the same command settled on before, so that it goes on as the same training."""
    before = net.known(folder)
    same = all(before.get(name) == about[name] for name in ("data", "options", "space", "algorithm", "seed"))
    return int(before["epochs"]) if before and same else None


def search(
    ctx: typer.Context,
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
    top: Annotated[int, typer.Option("-n", metavar="N", help="How many to show.")] = 10,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write those that are shown, as JSON: architectures and figures."),
    ] = None,
    budget: Annotated[str, typer.Option(metavar="TIME", help="End after this time.")] = "45s",
    seed: options.Seed = 0,
    data: options.MovedData = None,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Search a trained supernet: the best architectures under ceilings, in seconds, and nothing is trained.

    Without --maximize or --minimize: the data's own metric, and the parameters, as a front; shared weights tell classes
    apart by their log loss, of which right answers tell less. NET keeps each search as a
    run: [cyan]archwright show NET[/], [cyan]archwright export NET --trial N[/] to train one of them alone,
    [cyan]archwright search DATA --warm-start NET[/] to begin with the best of them.
    """
    if top < 1:
        raise BudgetError(f"-n cannot be {top}: give a whole number, 1 or more")
    limits = learning.ceilings(
        params=max_params, macs=max_macs, bytes=max_bytes, peak_bytes=max_peak_memory, latency_ms=max_latency
    )
    if strategy is not None:
        find_strategy(strategy)
    with interruptible(), console.Waiting(quiet) as waiting:
        waiting.on("reading the supernet")
        trained, about = net.open_net(where, data)
        from archwright.objective import Goal
        from archwright.run import search as start
        from archwright.run.prior import SHARED_WEIGHTS

        task = trained.task
        if not (maximize or minimize):
            from archwright.objective import Objectives
            from archwright.oneshot import ranking_goal

            goals = Objectives.of([ranking_goal(task, task.metric), Goal("params", "minimize"), *limits])
        else:
            goals = learning.objectives(task, maximize or (), minimize or (), limits)
        waiting.stop()
        _warn(about)
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
            store=where / places.STORE,
            name="supernet search",
            command=command_line(ctx),
            notes={**{n: about[n] for n in ("data", "options", "space")}, SHARED_WEIGHTS: about["algorithm"]},
        )
        if result.interrupted and not result.trials:
            raise KeyboardInterrupt
        waiting.on("writing the page")
        page = net.write_report(where, about, task, net.keep_search(where, about, result))
    also = tuple(name for name in (task.metric,) if name not in [g.metric for g in goals.goals])
    _tell(result.trials, goals, where, page, top, save, as_json, also)


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
        trained, about = net.open_net(where, data)
        from archwright.evaluator import Recipe
        from archwright.oneshot import trust

        waiting.on(f"training {sample} architectures alone")
        recipe = None if train_epochs is None else Recipe.suiting(trained.task, epochs=train_epochs)
        found = trust(trained, n=sample, recipe=recipe, seed=seed)
        told = net.trust_document(found)
        about["trust"] = told
        net.write_about(where, about)
        waiting.on("writing the page")
        net.write_report(where, about, trained.task)
    if as_json:
        console.emit(told)
        return
    from rich.table import Table

    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for name in (f"{found.metric} alone", f"{found.by} with shared weights", "parameters"):
        table.add_column(name, justify="right")
    better = trained.task.metrics[found.metric].direction == "maximize"
    for checked in sorted(found.sample, key=lambda c: c.alone, reverse=better):
        table.add_row(f"{checked.alone:.4f}", f"{checked.shared:.4f}", f"{checked.params:,.0f}")
    shown = console.out()
    shown.print(table)
    shown.print(str(found))


def _warn(about: dict[str, Any]) -> None:
    """Say what is known of how far the supernet can be believed."""
    if about["algorithm"] == "pc-darts":
        console.note(
            "pc-darts trained candidates on a part of the channels: with its shared weights whole networks are "
            "measured wrongly. Its gates are what it is for: archwright search DATA --strategy pc-darts"
        )
    for warning in (about.get("trust") or {}).get("warnings", ()):
        console.note(warning)


def _tell(
    trials: tuple[Trial, ...],
    goals: Objectives,
    where: Path,
    page: Path,
    top: int,
    save: Path | None,
    as_json: bool,
    also: tuple[str, ...],
) -> None:
    """The best, or the front of several goals: of that as many as are wanted, from end to end."""
    from archwright.objective import pareto_front
    from archwright.report import tables
    from archwright.report.rows import trial_row

    done = [t for t in trials if t.status == "done" and t.scores]
    if not done:
        raise BudgetError(
            f"no architecture was measured in {len(trials):,} trials: raise the ceilings, or give a larger --budget"
        )
    several = len(goals.goals) > 1
    best = pareto_front(done) if several else done
    best = sorted({t.key: t for t in reversed(best)}.values(), key=lambda t: t.scores or ())
    if several:
        step = max(1.0, len(best) / top)  # evenly along the front, its best end always
        best = [best[int(i * step)] for i in range(min(top, len(best)))]
    best = best[:top]
    rows = [trial_row(t, goals, curve=False) for t in best]
    document = {
        "folder": str(where),
        "report": str(page),
        "trials": len(trials),
        "measured": len(done),
        "front": rows,
    }
    if save is not None:
        try:
            save.parent.mkdir(parents=True, exist_ok=True)
            save.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise StoreError(f"--save: cannot write {save} ({error.strerror}): give another file") from None
    if as_json:
        console.emit(document)
        return
    shown = console.out()
    shown.print(tables.front(best, goals, also) if several else tables.leaderboard(best, goals, top))
    shown.print(
        f"\n{len(done):,} of {len(trials):,} architectures measured with shared weights, none trained. Before you "
        "believe one, train it.",
        soft_wrap=True,
    )
    to, number = shlex.quote(str(where)), best[0].number
    console.hint(
        shown,
        {
            f"archwright show {to} --trial {number}": "one in full",
            f"archwright export {to} --trial {number}": "train it alone, and write its files",
            f"archwright search DATA --warm-start {to}": "a search that begins with the best ten",
            f"archwright supernet rank {to}": "can this order be trusted?",
        },
    )


def _seconds(budget: str | None) -> float | None:
    from archwright.objective import parse_seconds

    return None if budget is None else parse_seconds(budget, where="--budget", error=BudgetError)


def _brief(ranked: Any) -> str:
    text = ", ".join(f"{k}={v}" for k, v in ranked.architecture.items())
    return text if len(text) < 100 else text[:99] + "…"


COMMANDS: list[tuple[Any, str, str]] = [
    (train, "Supernet", TRAIN_EXAMPLES),
    (search, "Supernet", SEARCH_EXAMPLES),
    (rank, "Supernet", RANK_EXAMPLES),
]
