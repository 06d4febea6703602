"""``archwright show`` and ``archwright report``."""

from __future__ import annotations

import shlex
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archwright.cli import console, learning, options, places
from archwright.cli.invocation import examples
from archwright.errors import ArchwrightError, StoreError

if TYPE_CHECKING:
    from archwright.store import Run, Store

__all__ = ["COMMANDS"]

SHOW_EXAMPLES = examples(
    {
        "archwright show": "the runs below this folder",
        "archwright show runs/digits": "how a run stands: its outcome and its leaderboard",
        "archwright show runs/digits --trial 12": "one trial: its network, figures, and learning curve",
        "archwright show runs/digits -n 100 --json": "the hundred best trials, for a program",
    }
)
REPORT_EXAMPLES = examples(
    {
        "archwright report runs/digits": "write report.html again; works while the search runs, and after a crash",
        "archwright report runs/digits --to /tmp/now.html": "into another file",
    }
)


def show(
    where: options.AnyOut = None,
    run: options.Run = None,
    trial: Annotated[int | None, typer.Option(metavar="N", help="One trial in full, with its learning curve.")] = None,
    n: Annotated[int, typer.Option("-n", metavar="N", help="How many trials of the leaderboard.")] = 10,
    as_json: options.AsJson = False,
) -> None:
    """Show runs, a run's leaderboard and outcome, or one trial."""
    from archwright.cli.stored import open_run

    if where is None:
        _list(places.known_stores(), as_json)
        return
    place = places.find(where)
    with open_run(place, run) as (store, found):
        if trial is not None:
            _show_trial(store, found, trial, as_json)
        else:
            _show_run(store, found, place, n, as_json)


def _list(stores: list[Path], as_json: bool) -> None:
    from archwright.cli.stored import run_row
    from archwright.report import tables
    from archwright.store import Store

    rows = []
    for path in stores:
        try:
            with Store(path, create=False) as store:
                where = str(path.parent if path.name == places.STORE else path)
                rows += [run_row(store, run, where) for run in store.runs() if "baseline_of" not in run.meta]
        except StoreError as error:
            console.note(str(error))
    if as_json:
        console.emit({"runs": rows})
        return
    shown = console.out()
    alone = len({row["where"] for row in rows}) == len(rows)
    named = [{**_for_people(row), "name": row["where"] if alone else f"{row['where']}  {row['name']}"} for row in rows]
    shown.print(tables.runs(named))
    if rows:
        shown.print()
        console.hint(shown, {f"archwright show {shlex.quote(rows[-1]['where'])}": "how it stands"})


def _for_people(row: dict[str, Any]) -> dict[str, Any]:
    """What fits into a terminal of 80 columns."""
    return {**row, "created": _local(row["created"])[5:], "task": None, "strategy": None}


def _local(created: float) -> str:
    return datetime.fromtimestamp(created).strftime("%Y-%m-%d %H:%M")


def _show_run(store: Store, run: Run, place: places.Place, n: int, as_json: bool) -> None:
    from archwright.cli.stored import record_of, run_row
    from archwright.report import tables
    from archwright.report.rows import leaderboard_rows, outcome_row

    record = record_of(store, run, place)
    others = [r for r in store.runs() if r.id != run.id]
    if as_json:
        console.emit(
            {
                **run_row(store, run, str(place)),
                **outcome_row(record),
                "leaderboard": leaderboard_rows(record.trials, record.objectives, n),
                "survey": dict(record.survey),
                "task": run.meta.get("task"),
                "other_runs": [r.name for r in others],
            }
        )
        return
    shown = console.out()
    shown.print(_facts(run, run_row(store, run, str(place))))
    shown.print()
    shown.print(tables.leaderboard(record.trials, record.objectives, n))
    shown.print()
    shown.print(tables.outcome(record))
    where = shlex.quote(str(place))
    steps = {}
    if run.status != "finished":
        steps[f"archwright resume {where}"] = "go on where it was left, unless it still runs"
    if record.winner is not None:
        steps[f"archwright show {where} --trial {record.winner.number}"] = "one trial in full"
    if others:
        steps[f"archwright show {where} --run {shlex.quote(others[-1].name)}"] = (
            f"another run here, of {len(others) + 1}"
        )
    shown.print()
    console.hint(shown, steps)


def _facts(run: Run, row: dict[str, Any]) -> Any:
    """What a run is, and how it stands."""
    from rich.table import Table
    from rich.text import Text

    from archwright.report.tables import STYLES
    from archwright.report.wording import plural
    from archwright.run.budget import Budget

    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column()
    facts.add_row("run", Text.assemble((run.name, "bold"), f", begun {_local(run.created)}"))
    facts.add_row("status", Text(run.status, style=STYLES.get(run.status, "")))
    if row["task"]:
        facts.add_row("data", Text(row["task"]))
    budget = str(Budget.from_json(row["budget"])) if row["budget"] else ""
    facts.add_row("budget", f"{budget}, {plural(run.meta['workers'], 'worker')}, seed {run.meta.get('seed')}")
    facts.add_row("strategy", Text(row["strategy"]))
    if row["command"]:
        facts.add_row("command", Text(row["command"], style="cyan"))
    return facts


def _show_trial(store: Store, run: Run, number: int, as_json: bool) -> None:
    from archwright.cli.stored import objectives_of
    from archwright.report import tables
    from archwright.report.rows import trial_row

    found, objectives = store.trial(run.id, number).trial, objectives_of(run)
    if as_json:
        console.emit(trial_row(found, objectives))
    else:
        console.out().print(tables.trial(found, objectives))


def report(
    where: options.Out, run: options.Run = None, to: options.ToFile = None, data: options.MovedData = None
) -> None:
    """Write a run's report again from its store: one page that needs no network, and no archwright."""
    place = places.find(where)
    with console.Waiting() as waiting:
        from archwright.cli.stored import open_run, record_of
        from archwright.report import write_page

        with open_run(place, run) as (store, found):
            waiting.on("reading the data, to draw the network")
            try:
                _, space = learning.same_problem(found, data)
                drawn = space if space.fingerprint == found.meta["space"]["fingerprint"] else None
                why = "the space has changed since"
            except ArchwrightError as error:
                drawn, why = None, str(error)
            if drawn is None:
                console.note(f"the report goes without a drawing of the network: {why}")
            waiting.on("writing the report")
            written = write_page(record_of(store, found, place, drawn), to or place.folder / places.REPORT)
    console.out().print(f"{written}", soft_wrap=True)


COMMANDS: list[tuple[Any, str, str]] = [
    (show, "Look", SHOW_EXAMPLES),
    (report, "Look", REPORT_EXAMPLES),
]
