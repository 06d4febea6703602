"""The folder of a trained supernet: its weights, what is known of it, the searches of it, and its page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright.cli import learning, places
from archwright.cli.oneshot import ONESHOT, algorithm_of
from archwright.errors import ArchwrightError, ResumeError, StoreError

if TYPE_CHECKING:
    from archwright.oneshot import Result
    from archwright.oneshot.trust import Trust
    from archwright.report import RunRecord
    from archwright.run import Result as Found
    from archwright.task import Task

__all__ = ["adopt", "keep_search", "known", "open_net", "trust_document", "write_about", "write_report"]

ABOUT = "supernet.json"
RESULT = ("metric", "seconds", "stopped", "read_from", "soft", "gap", "history", "top", "values", "chosen")
"""What a run keeps of what came of its supernet: what `archwright.run.oneshot.Phase.to_json` gives."""


def known(folder: Path) -> dict[str, Any]:
    """What is known of the supernet there; nothing where there is none."""
    try:
        found = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_about(folder: Path, about: Mapping[str, Any]) -> None:
    """Write what is known, whole or not at all."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{ABOUT}.part"
        part.write_text(json.dumps(about, default=str), encoding="utf-8")
        part.replace(folder / ABOUT)
    except OSError as error:
        raise StoreError(f"cannot write to {folder}: {error.strerror}. Choose another --out") from error


def open_net(folder: Path, data: str | None) -> tuple[Result, dict[str, Any]]:
    """The supernet of a folder, and what is known of it.

    Args:
        folder: As ``archwright supernet train`` wrote it.
        data: Where its data are now, if they have moved.

    Raises:
        ResumeError: There is none, its training has not ended, or space or data have changed since.
    """
    from archwright.oneshot.loading import load
    from archwright.run.settings import check_same_task

    about = known(folder)
    if not about:
        raise ResumeError(
            f"{folder} holds no supernet: there is no {ABOUT} in it. Train one: "
            f"archwright supernet train DATA --out {folder}"
        )
    if "result" not in about:
        raise ResumeError(
            f"the training of the supernet in {folder} has not ended: the same command as then goes on with it"
        )
    task = learning.load_task(data or about["data"], about["options"])
    check_same_task(about["task"], task)
    return load(folder, task.space(about["space"]), task), about


def adopt(result: Found, place: places.Place) -> Path | None:
    """Make the supernet that a search began with one that can be searched for other budgets; where it lies, or None."""
    kept, notes = result.meta.get("oneshot") or {}, result.meta.get("notes") or {}
    folders = [path.parent for path in places.supernets(place)]
    if "top" not in kept or "data" not in notes or len(folders) != 1:  # several runs in one store: whose is it?
        return None
    trust = kept.get("trust")
    names = ("shared", "alone", "params")
    told = trust and {**trust, "sample": [dict(zip(names, row, strict=True)) for row in trust["sample"]]}
    about = {
        **{name: notes.get(name) for name in ("data", "options", "space")},
        "algorithm": algorithm_of(kept),
        "seed": result.meta["seed"],
        "task": result.meta["task"],
        "command": result.meta.get("command", ""),
        "epochs": kept["epochs"],
        "result": {name: kept[name] for name in RESULT if name in kept},
        **({"trust": told} if told else {}),
    }
    write_about(folders[0], about)
    return folders[0]


def trust_document(found: Trust) -> dict[str, Any]:
    """How shared weights rank, as JSON."""
    return {
        "metric": found.metric,
        "by": found.by,
        "text": str(found),
        "correlation": vars(found.correlation),
        "top": vars(found.top),
        "params": vars(found.params),
        "warnings": list(found.warnings),
        "sample": [
            {"architecture": dict(c.architecture), "shared": c.shared, "alone": c.alone, "params": c.params}
            for c in found.sample
        ],
    }


def keep_search(folder: Path, about: Mapping[str, Any], found: Found) -> RunRecord:
    """Have the store say that a search of the supernet measured shared weights, so that nobody takes it for trainings.

    Returns:
        What the page of it is made from.
    """
    from archwright.evaluator import Recipe
    from archwright.store import Store

    assert found.task is not None
    recipe = Recipe.suiting(found.task)  # by which `archwright export --trial` trains a network of it alone
    more = {"oneshot": _phase(about), "recipe": recipe.to_json(), "full_epochs": recipe.epochs}
    with Store(folder / places.STORE) as store:
        run = store.run(found.name)
        store.update(run.id, meta={**run.meta, **more})
    record = found.record()
    return replace(record, meta={**record.meta, **more})


def write_report(folder: Path, about: Mapping[str, Any], task: Task, record: RunRecord | None = None) -> Path:
    """Write the page of a supernet: that of its newest search where there is one, else of its training alone."""
    from archwright.report import RunRecord, write_page
    from archwright.run.result import versions
    from archwright.run.settings import describe_task

    if record is None:
        record = _newest(folder)
    if record is None:
        record = RunRecord(
            name=f"{task.name}, a supernet",
            objectives=learning.objectives(task, (), (), ()),
            trials=(),
            meta={"task": describe_task(task), "seed": about["seed"]},
            command=str(about.get("command", "")),
            versions=versions(),
        )
    return write_page(replace(record, meta={**record.meta, "oneshot": _phase(about)}), folder / places.REPORT)


def _newest(folder: Path) -> RunRecord | None:
    """The newest search of the supernet, or None."""
    from archwright.cli.stored import open_run, record_of

    try:
        place = places.find(str(folder))
        with open_run(place) as (store, run):
            _, space = learning.same_problem(run)
            return record_of(store, run, place, space)
    except ArchwrightError:  # there was no search yet
        return None


def _phase(about: Mapping[str, Any]) -> dict[str, Any]:
    """The supernet as a run keeps one that it began with, which is what the page shows."""
    entry = ONESHOT[about["algorithm"]]
    trust = about.get("trust")
    told = trust and {**trust, "sample": [[c["shared"], c["alone"], c["params"]] for c in trust["sample"]]}
    return {
        "algorithm": entry.algorithm,
        "settings": dict(entry.settings),
        "epochs": about["epochs"],
        **about["result"],
        **({"trust": told} if told else {}),
    }
