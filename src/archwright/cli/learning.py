"""From what was typed to what is learnt: tasks, spaces and objectives; and back from what a run keeps of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright.errors import DataError, ObjectiveError, ResumeError

if TYPE_CHECKING:
    from archwright.cli.console import Waiting
    from archwright.objective import Objectives
    from archwright.space import Space
    from archwright.store import Run
    from archwright.task import Task

__all__ = ["ceilings", "data_options", "gap", "load_task", "objectives", "same_problem"]

CEILINGS = {
    "params": "--max-params",
    "macs": "--max-macs",
    "bytes": "--max-bytes",
    "peak_bytes": "--max-peak-memory",
    "latency_ms": "--max-latency",
}


def data_options(**given: Any) -> dict[str, Any]:
    """Options for `archwright.task.load` as JSON values, without those that are None."""
    if given.get("resize") is not None:
        given["resize"] = _size(given["resize"])
    return {name: value for name, value in given.items() if value is not None}


def _size(text: str) -> list[int]:
    """Height and width: ``28x28``, or ``28`` for both.

    >>> _size("28x32"), _size("28")
    ([28, 32], [28, 28])
    """
    sides = re.fullmatch(r"\s*(\d+)\s*(?:[x×,]\s*(\d+)\s*)?", text)
    if sides is None or "0" in (sides[1].lstrip("0") or "0", (sides[2] or "1").lstrip("0") or "0"):
        raise DataError(f"--resize: {text!r} is not a size: write HEIGHTxWIDTH, for example 28x28")
    return [int(sides[1]), int(sides[2] or sides[1])]


def load_task(data: str, options: Mapping[str, Any], waiting: Waiting | None = None) -> Task:
    """The task of a name or path, with options as `data_options` gives them; `waiting` says how far it is."""
    from archwright.task import load
    from archwright.task.decoding import told

    given = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    with told(waiting.on) if waiting is not None else nullcontext():
        return load(data, **given)


def where_from(data: str) -> str:
    """The name of data, or their whole path: a run may be resumed from another folder."""
    path = Path(data).expanduser()
    return str(path.resolve()) if path.exists() else data


def ceilings(**limits: str | None) -> list[Any]:
    """Ceilings from ``params="50k"`` and the like; None where no ceiling was given. Messages name the option."""
    from archwright.objective import at_most, parse_cost

    found = []
    for cost, text in limits.items():
        if text is None:
            continue
        try:
            found.append(at_most(**{cost: parse_cost(cost, text)}))
        except ObjectiveError as error:
            raise ObjectiveError(str(error).replace(f"at_most({cost}=...)", CEILINGS[cost])) from None
    return found


def gap(task: Task, text: str | None) -> list[Any]:
    """The ceiling of ``--max-gap``: on the gap of the task's own metric, or of one that is named: ``f1=0.1``."""
    from archwright.objective import GAP, at_most, parse_cost

    if text is None:
        return []
    named, _, limit = text.rpartition("=")
    cost = f"{GAP}{named.strip() or task.metric}"
    try:
        return [at_most(**{cost: parse_cost(cost, limit)})]
    except ObjectiveError as error:
        raise ObjectiveError(str(error).replace(f"at_most({cost}=...)", "--max-gap")) from None


def objectives(task: Task, maximize: Sequence[str], minimize: Sequence[str], limits: Sequence[Any]) -> Objectives:
    """Goals in the order typed (those to maximise first), or the task's own where there is none; and the ceilings."""
    from archwright.objective import Goal, Objectives

    goals = [Goal(name, "maximize") for name in maximize] + [Goal(name, "minimize") for name in minimize]
    if not goals:
        goals = [Goal(task.metric, task.metrics[task.metric].direction)]
    return Objectives.of([*goals, *limits])


def same_problem(run: Run, data: str | None = None, waiting: Waiting | None = None) -> tuple[Task, Space]:
    """The task and the space that a run began with, made again from what the run keeps.

    Args:
        run: The run.
        data: Where its data are now, if they have moved.
        waiting: Says how far the reading is.

    Raises:
        ResumeError: It was begun from Python, so only Python knows its task; or its data are gone.
    """
    notes = run.meta.get("notes") or {}
    if "data" not in notes:
        raise ResumeError(
            f"run '{run.name}' was begun from Python, which alone knows its task: go on there, with archwright.resume"
        )
    then = Path(notes["data"])
    if data is None and then.is_absolute() and not then.exists():
        raise ResumeError(
            f"the data of run '{run.name}' were in {then}, which is gone: say where they are, with --data"
        )
    task = load_task(data or notes["data"], notes.get("options") or {}, waiting)
    return task, task.space(notes.get("space"))
