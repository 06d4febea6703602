"""``archwright search`` and ``archwright resume``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import typer

from archwright.cli import console, learning, options, places
from archwright.cli.guard import INTERRUPTED, interruptible
from archwright.cli.invocation import command_line, examples
from archwright.cli.oneshot import find_deciding
from archwright.cli.strategy import DEFAULT_STRATEGY
from archwright.errors import BudgetError, EvaluationError

if TYPE_CHECKING:
    from archwright.run import Result
    from archwright.store import Run

__all__ = ["COMMANDS"]

SEARCH_EXAMPLES = examples(
    {
        "archwright search digits --budget 2m": "two minutes for everything, on data that scikit-learn brings along",
        "archwright search photos/ --resize 64x64 --max-params 50k --budget 1h": "a folder with a folder of "
        "images for each class; at most 50k parameters",
        "archwright search houses.csv --target price --minimize mae --budget 100trials": "a table; 100 trials",
        "archwright search sales.csv --horizon 14 --group shop --target sold": "the next 14 rows of each shop's series",
        "archwright search loans.csv --target repaid --group sex --max-gap 0.05": "accuracy that differs by at most "
        "0.05 between groups",
        "archwright search digits --maximize accuracy --minimize latency_ms": "two goals, a front",
        "archwright search digits --strategy drnas --budget 10m": "a supernet first: its choices are trained "
        "alone, then the default strategy goes on",
    }
)

RESUME_EXAMPLES = examples(
    {
        "archwright resume runs/digits": "go on after Ctrl-C, a crash, or a power cut, within the old budget",
        "archwright resume runs/digits --budget 20m": "more time, what was spent included",
        "archwright resume runs/digits --trials 200 --workers 4": "until there are 200 trials, with four workers",
    }
)


def search(
    ctx: typer.Context,
    data: options.Data,
    budget: options.Budget = None,
    trials: options.Trials = None,
    epochs: options.Epochs = None,
    timeout: options.Timeout = None,
    memory_limit: options.MemoryLimit = None,
    maximize: options.Maximize = None,
    minimize: options.Minimize = None,
    max_params: options.MaxParams = None,
    max_macs: options.MaxMacs = None,
    max_bytes: options.MaxBytes = None,
    max_peak_memory: options.MaxPeakMemory = None,
    max_latency: options.MaxLatency = None,
    max_gap: options.MaxGap = None,
    space: options.Space = None,
    strategy: options.Strategy = DEFAULT_STRATEGY,
    workers: options.Workers = None,
    seed: options.Seed = 0,
    deterministic: options.Deterministic = False,
    train_epochs: options.TrainEpochs = None,
    supernet_epochs: options.SupernetEpochs = None,
    baseline: options.Baseline = None,
    warm_start: options.WarmStart = None,
    target: options.Target = None,
    kind: options.Kind = None,
    text: options.Text = None,
    horizon: options.Horizon = None,
    context: options.Context = None,
    season: options.Season = None,
    time: options.Time = None,
    group: options.Group = None,
    user: options.User = None,
    item: options.Item = None,
    resize: options.Resize = None,
    memory: options.Memory = None,
    on_bad_image: options.OnBadImage = None,
    on_bad_box: options.OnBadBox = None,
    resample: options.Resample = None,
    clip_seconds: options.ClipSeconds = None,
    on_bad_clip: options.OnBadClip = None,
    out: options.OutFolder = None,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Search for a network: choose the best, train it, test it once, and write it down.

    Ctrl-C ends the search well: all trials are kept, and [cyan]archwright resume[/] goes on.
    """
    phase, deciding = find_deciding(strategy)
    if phase is None and supernet_epochs is not None:
        raise BudgetError(f"--supernet-epochs is for one-shot algorithms, such as --strategy darts; got {strategy!r}")
    supernet = None if supernet_epochs is None else _positive(supernet_epochs, "--supernet-epochs")
    processes = _workers(workers)
    earlier = None if warm_start is None else places.find(warm_start).store
    limits = learning.ceilings(
        params=max_params, macs=max_macs, bytes=max_bytes, peak_bytes=max_peak_memory, latency_ms=max_latency
    )
    if budget is None and trials is None and epochs is None:
        budget = options.DEFAULT_BUDGET
    reading = learning.data_options(
        target=target, kind=kind, resize=resize, on_bad_image=on_bad_image, on_bad_box=on_bad_box, text=text,
        horizon=horizon, context=context, season=season, time=time, group=group, user=user, item=item,
        memory=memory, resample=resample, seconds=clip_seconds, on_bad_clip=on_bad_clip,
    )  # fmt: skip
    command = command_line(ctx, {"--workers": processes} if deterministic else None)
    with interruptible(), console.Waiting(quiet) as waiting:
        waiting.on("starting")
        from archwright.evaluator import Recipe
        from archwright.run import Budget
        from archwright.run import search as start

        Budget.of(budget, trials=trials, epochs=epochs)
        length = None if train_epochs is None else _positive(train_epochs, "--train-epochs")
        waiting.on(f"reading {data}")
        task = learning.load_task(data, reading, waiting)
        recipe = None if length is None else Recipe.suiting(task, epochs=length)
        searched = task.space(space)
        goals = learning.objectives(task, maximize or (), minimize or (), [*limits, *learning.gap(task, max_gap)])
        with places.claimed(out, task.name.removeprefix("ucr:")) as (place, taken):
            if taken is not None:
                waiting.stop()
                console.note(f"{taken} holds an earlier search, so that this one goes to {place}")
            waiting.on("looking at the space")

            def begun(run: Run) -> None:
                waiting.stop()
                if not (quiet or as_json):
                    from archwright.cli.telling import introduce

                    introduce(run, task, searched, place)

            result = start(
                task,
                space=searched,
                objectives=goals,
                strategy=deciding.make,
                budget=budget,
                trials=trials,
                epochs=epochs,
                workers=processes,
                store=place.store,
                seed=seed,
                deterministic=deterministic,
                timeout=timeout,
                memory_limit=memory_limit,
                recipe=recipe,
                baseline=baseline,
                warm_start=earlier,
                oneshot=None if phase is None else phase.begin(supernet),
                progress=not quiet,
                command=command,
                notes={"data": learning.where_from(data), "options": reading, "space": space},
                begun=begun,
            )
            _end(result, place, quiet, as_json, "nothing was kept")


def resume(
    where: options.Out,
    budget: options.MoreBudget = None,
    trials: options.Trials = None,
    epochs: options.Epochs = None,
    workers: options.MoreWorkers = None,
    run: options.Run = None,
    data: options.MovedData = None,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Go on with a search where it was left: after Ctrl-C or a crash, or with a larger budget."""
    place = places.find(where)
    processes = None if workers is None else _workers(workers)
    with interruptible(), console.Waiting(quiet) as waiting:
        waiting.on("starting")
        from archwright.cli.stored import open_run
        from archwright.run import Budget
        from archwright.run import resume as go_on

        if budget is not None or trials is not None or epochs is not None:
            Budget.of(budget, trials=trials, epochs=epochs)
        with open_run(place, run) as (_, stored):
            pass
        waiting.on("reading the data")
        task, space = learning.same_problem(stored, data, waiting)

        def begun(run: Run) -> None:
            waiting.stop()
            if not (quiet or as_json):
                from archwright.cli.telling import introduce

                introduce(run, task, space, place)

        result = go_on(
            place.store,
            stored.name,
            task=task,
            space=space,
            budget=budget,
            trials=trials,
            epochs=epochs,
            workers=processes,
            progress=not quiet,
            begun=begun,
        )
        _end(result, place, quiet, as_json, f"the run in {place} is as it was")


def _end(result: Result, place: places.Place, quiet: bool, as_json: bool, without: str) -> None:
    """Write the files, tell what came of it, and end with the exit code that says it.

    Where no trial has ended there is nothing to write, and the message ends in `without`.
    """
    from archwright.cli import telling

    if not result.trials:
        if not result.interrupted:
            raise EvaluationError(f"no trial ended ({result.why_it_ended}), and {without}: give a larger budget")
        if places.supernets(place):
            without = f"the supernet's training is kept, and archwright resume {place} goes on with it"
        console.note(f"interrupted before the first trial: {without}")
        raise typer.Exit(INTERRUPTED)
    with console.Waiting(quiet) as waiting:
        waiting.on("writing the network and the report")
        result.save(place.folder)
        supernet = None
        if result.meta.get("oneshot"):
            from archwright.cli.net import adopt

            supernet = adopt(result, place)
    if as_json:
        console.emit(telling.result_document(result, place))
    else:
        telling.conclude(result, place, supernet)
    if result.interrupted:
        raise typer.Exit(INTERRUPTED)
    telling.check_measured(result)


def _workers(given: int | None) -> int:
    if given is None:
        usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(usable, options.MOST_WORKERS)
    return _positive(given, "--workers")


def _positive(value: int, option: str) -> int:
    if value < 1:
        raise BudgetError(f"{option} cannot be {value}: give a whole number, 1 or more")
    return value


COMMANDS: list[tuple[Any, str, str]] = [
    (search, "Search", SEARCH_EXAMPLES),
    (resume, "Search", RESUME_EXAMPLES),
]
