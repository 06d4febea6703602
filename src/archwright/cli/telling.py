"""What a search says of itself: what it is about to do, what came of it, where that lies, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from archwright.cli import console
from archwright.cli.oneshot import decides
from archwright.cli.places import REPORT, Place
from archwright.cli.stored import objectives_of
from archwright.errors import EvaluationError
from archwright.report import tables
from archwright.report.outcome import exported, failures
from archwright.report.record import RunRecord
from archwright.report.rows import leaderboard_rows, outcome_row
from archwright.report.wording import cost, duration, plural
from archwright.run import Budget

if TYPE_CHECKING:
    from archwright.run import Result
    from archwright.space import Space
    from archwright.store import Run
    from archwright.task import Task

__all__ = ["check_measured", "conclude", "files_table", "introduce", "large", "next_steps", "result_document"]

FORMS = {
    "weights": "the weights",
    "source": "the network in plain PyTorch",
    "onnx": "the same for ONNX Runtime",
    "pt2": "the same for torch.export",
}
OTHER_FILES = {
    "card.json": "what it takes, gives and costs",
    REPORT: "the evidence, for a browser",
}


def introduce(run: Run, task: Task, space: Space, place: Place) -> None:
    """What is searched, for what, and for how long; and what the space costs."""
    shown = console.out()
    objectives, meta = objectives_of(run), run.meta
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim")
    facts.add_column()
    facts.add_row("data", Text.assemble((task.name, "bold"), f": {describe_task(task)}"))
    name = (meta.get("notes") or {}).get("space") or task.default_space
    facts.add_row("space", f"{name}: {len(space.decisions)} decisions, {large(space.size)} architectures")
    facts.add_row("goals", ", ".join(map(str, objectives.goals)))
    if objectives.ceilings:
        facts.add_row("ceilings", ", ".join(map(str, objectives.ceilings)))
    budget = Budget.from_json(meta["budget"])
    workers = plural(meta["workers"], "worker")
    recipe = meta.get("recipe") or {}
    of = f" of {recipe['samples']:,} samples" if recipe.get("samples") else ""
    epochs = plural(recipe.get("epochs", 0), "epoch") + of
    facts.add_row("budget", f"{budget}, {workers}, {epochs} a trial, seed {meta['seed']}")
    facts.add_row("strategy", decides(meta))
    facts.add_row("into", str(place))
    for doubt in task.doubts:
        facts.add_row(Text("warning", style="not dim yellow"), Text(doubt))
    shown.print(facts)
    if meta.get("survey"):
        shown.print()
        shown.print(tables.survey(meta["survey"], objectives))
    shown.print()


def describe_task(task: Task) -> str:
    """A task in a line.

    Sizes come from the parts, so that what is searched is what is counted.
    """
    sizes = task.sizes
    if type(task).__name__ == "ImageGeneration":
        return f"{sum(sizes.values()):,} images, more like them: {task.answer} ({_parts(sizes)})"
    shape = "x".join(map(str, task.input_shape)) + ("" if task.input_dtype.is_floating_point else " tokens")
    if type(task).__name__ == "LanguageModelling":
        return f"{sum(sizes.values()):,} windows of {shape}, {task.n_outputs} different ones ({_parts(sizes)})"
    return f"{sum(sizes.values()):,} samples of {shape}, {task.answer} ({_parts(sizes)})"


def _parts(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in sizes.items())


def large(number: int) -> str:
    """A count that may be astronomical.

    >>> large(40), large(1234567), large(10**15)
    ('40', '1,234,567', '1.0e+15')
    """
    return f"{number:,}" if number < 10**9 else f"{number:.1e}"


def conclude(result: Result, place: Place, supernet: Path | None = None) -> None:
    """The leaderboard, the outcome, the files, and what to do next."""
    shown = console.out()
    record = result.record()
    shown.print()
    if record.done:
        shown.print(tables.leaderboard(result.trials, result.objectives, 5))
        shown.print()
    shown.print(tables.outcome(record))
    if result.chosen is not None:
        from archwright.export import read_card

        card = read_card(place.folder).to_json()
        shown.print()
        shown.print(files_table(place, card))
    next_steps(shown, place, interrupted=result.interrupted, trained=result.chosen is not None, supernet=supernet)


def files_table(place: Place, card: Mapping[str, Any], title: str = "") -> Table:
    """The files of a run's folder: what each is for, its size, and how near its outputs are to the network's."""
    table = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim",
        title=Text(title or f"Files in {place.folder}", style="bold"), title_justify="left",
    )  # fmt: skip
    table.add_column("file", no_wrap=True)
    table.add_column("what it is", style="dim", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("outputs", style="dim")
    for f in exported(card):
        if not f.name:
            table.add_row(Text("–"), f"no {f.form}", "", Text(f"left out: {f.note}", style="yellow"))
            continue
        gap = f.max_difference
        near = "" if gap is None else "identical" if gap == 0 else f"within {gap:.0e}"
        table.add_row(f.name, FORMS.get(f.form, f.form), cost("bytes", f.bytes), near)
    for name, purpose in {**OTHER_FILES, place.store.name: "every trial"}.items():
        if (place.folder / name).is_file():
            table.add_row(name, purpose, cost("bytes", (place.folder / name).stat().st_size), "")
    return table


def next_steps(shown: Console, place: Place, *, interrupted: bool, trained: bool, supernet: Path | None = None) -> None:
    """What to do next, as commands to copy."""
    where = shlex.quote(str(place))
    steps = {}
    if interrupted or not trained:
        steps[f"archwright resume {where}"] = "go on where it was left"
    steps[f"archwright show {where}"] = "runs, leaderboard, single trials"
    if trained:
        steps[f"archwright predict {where} DATA"] = "answers for new data"
        if not interrupted:
            steps[f"archwright resume {where} --budget ..."] = "search on with more time"
    if supernet is not None:
        steps[f"archwright supernet search {shlex.quote(str(supernet))} --max-params ..."] = "what else it holds"
    shown.print()
    shown.print(Text("Next", style="bold"))
    console.hint(shown, steps)


def result_document(result: Result, place: Place) -> dict[str, Any]:
    """The end of a search, for programs."""
    card = None
    if result.chosen is not None:
        from archwright.export import read_card

        card = read_card(place.folder)
    record = result.record(card)
    return {
        "run": result.name,
        "out": str(place.folder),
        "store": str(place.store),
        "report": str(place.folder / REPORT),
        "interrupted": result.interrupted,
        "why_it_ended": result.why_it_ended,
        **outcome_row(record),
        "leaderboard": leaderboard_rows(result.trials, result.objectives, 10),
        "survey": dict(result.survey),
        "doubts": list(result.task.doubts) if result.task is not None else [],
        "task": (result.meta.get("task") or {}),
        "budget": result.meta.get("budget"),
        "seed": result.meta.get("seed"),
    }


def check_measured(result: Result) -> None:
    """Raise `EvaluationError` where a search ended without one network measured."""
    record: RunRecord = result.record()
    if record.done:
        return
    reasons = [f"{n:,} failed: {reason}" for reason, n, _ in failures(record)[:1]]
    reasons += [f"{n:,} above a ceiling" for n in [record.counts()["infeasible"]] if n]
    raise EvaluationError(
        f"no network was measured in {len(record.trials):,} trials and {duration(record.seconds)} "
        f"({'; '.join(reasons) or 'none ended'}): {result.why_it_ended or 'the search ended'}. Give more time, or look "
        f"at a trial with archwright show"
    )
