"""Runs as they lie in a store, read back for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from archwright.cli.oneshot import decides
from archwright.cli.places import Place
from archwright.errors import StoreError, did_you_mean

if TYPE_CHECKING:
    from archwright.objective import Objectives
    from archwright.report import RunRecord
    from archwright.space import Space
    from archwright.store import Run, Store

__all__ = ["objectives_of", "open_run", "record_of", "run_row"]


@contextmanager
def open_run(place: Place, name: str | None = None) -> Iterator[tuple[Store, Run]]:
    """The store of a place and one of its runs: the one of this name, or the newest that is nobody's baseline."""
    from archwright.store import Store

    with Store(place.store, create=False) as store:
        runs = store.runs()
        for run in reversed(runs):
            if run.name == name or (name is None and "baseline_of" not in run.meta):
                yield store, run
                return
        if name is None:
            raise StoreError(f"{place.store} holds no run yet: begin one with: archwright search")
        raise StoreError(f"{place.store} holds no run {name!r}. {did_you_mean(name, [r.name for r in runs])}")


def objectives_of(run: Run) -> Objectives:
    """What better meant in a run."""
    from archwright.objective import Objectives

    return Objectives.from_json(json.dumps(run.meta["objectives"]))


def run_row(store: Store, run: Run, where: str) -> dict[str, Any]:
    """One run in a list of runs; `where` is what to type for it."""
    from archwright.objective import ranked
    from archwright.report.record import value

    trials = [r.trial for r in store.trials(run.id)]
    objectives = objectives_of(run)
    measured = ranked([t for t in trials if t.status == "done" and t.scores])
    return {
        "name": run.name,
        "where": where,
        "status": run.status,
        "task": (run.meta.get("task") or {}).get("name", ""),
        "strategy": decides(run.meta),
        "goal": str(objectives.goals[0]),
        "trials": len(trials),
        "best": value(measured[0], objectives.goals[0].metric) if measured else None,
        "seconds": max((t.finished for t in trials), default=0.0),
        "created": run.created,
        "budget": run.meta.get("budget"),
        "command": run.meta.get("command", ""),
    }


def record_of(store: Store, run: Run, place: Place, space: Space | None = None) -> RunRecord:
    """All that is known of a run.

    Args:
        store: Where it is.
        run: The run.
        place: Whose folder may hold the exported files of this run.
        space: Draws the network; without it the record has no graph.
    """
    from dataclasses import replace

    from archwright.report import RunRecord, baseline_from

    objectives = objectives_of(run)
    finals = store.finals(run.id)
    final = dict(finals[-1]) if finals else None
    if final is not None:
        final |= _files(place, final)
    beside = [r for r in store.runs() if r.meta.get("baseline_of") == run.id]
    rivals = [r.trial for r in store.trials(beside[-1].id)] if beside else []
    record = RunRecord(
        name=run.name,
        objectives=objectives,
        trials=tuple(r.trial for r in store.trials(run.id, curves=True)),
        meta={**run.meta, "created": run.created},
        final=final,
        baseline=baseline_from(rivals, objectives.goals[0]) if rivals else None,
        survey=run.meta.get("survey") or {},
        command=str(run.meta.get("command", "")),
        versions=run.meta.get("versions") or {},
    )
    if space is not None and record.winner is not None:
        record = replace(record, graph=space.graph(record.winner.architecture))
    return record


def _files(place: Place, final: Mapping[str, Any]) -> dict[str, Any]:
    """The files that the folder's card lists, if it is the card of this run's chosen network.

    Read here as JSON: `archwright.export` would bring torch along, which takes longer than all the rest.
    """
    try:
        card = json.loads((place.folder / "card.json").read_text(encoding="utf-8"))
        same = card["architecture"] == json.loads(json.dumps(final.get("architecture")))
        return {"files": card["files"], "left_out": card["left_out"]} if same else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
