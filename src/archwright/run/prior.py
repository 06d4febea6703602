"""What an earlier run knows that a new search can begin with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archwright.errors import ObjectiveError, StoreError
from archwright.objective import Objectives, ranked
from archwright.run.settings import describe_task
from archwright.space import Space
from archwright.store import Store
from archwright.trial import Trial

if TYPE_CHECKING:
    from archwright.task import Task

__all__ = ["prior"]

SEEDS = 10
"""So many of the best architectures are taken from a run on other data, or of shared weights."""

SHARED_WEIGHTS = "shared_weights"
"""The note of a run whose trials were measured with a supernet's weights: no trials of a search that trains."""


def prior(
    place: str | os.PathLike[str],
    space: Space,
    objectives: Objectives,
    task: Task | None = None,
    run: str | None = None,
) -> dict[str, Any]:
    """Arguments for `archwright.strategy.WarmStart` from a stored run of the same space.

    Trials on the same data are taken as trials, with scores and violations as today's goals and ceilings have them.
    Numbers from other data cannot be compared, nor can those of shared weights: of such a run the best architectures
    are tried again, first.

    Args:
        place: The store.
        space: What will be searched.
        objectives: What better means now.
        task: What will be learnt.
        run: Which run; by default the newest.

    Raises:
        StoreError: Its space is another one; the message shows the difference.
        ObjectiveError: The run did not measure what a goal names.
    """
    with Store(place, create=False) as kept:
        own = [r.name for r in kept.runs() if "baseline_of" not in r.meta]
        found = kept.run(run or (own[-1] if own else None))
        trials = [record.trial for record in kept.trials(found.id)]
    stored = found.meta["space"]
    if stored.get("fingerprint") != space.fingerprint:
        raise StoreError(
            f"run '{found.name}' searched another space, so its trials say nothing about this one (- then, + now):\n"
            f"{space.difference(stored.get('text', ''))}\nWarm-start from a run of the same space, or without one"
        )
    trained = SHARED_WEIGHTS not in (found.meta.get("notes") or {})
    if not trained and task is not None:
        objectives = _of_shared_weights(objectives, task)
    told = _rescored(trials, objectives, found.name)
    then: Mapping[str, Any] = found.meta.get("task") or {}
    now: Mapping[str, Any] = describe_task(task) or {}
    if trained and then.get("fingerprint") == now.get("fingerprint"):
        return {"trials": told}
    best = [t for t in ranked(told) if t.status == "done"][:SEEDS]
    return {"architectures": [dict(t.architecture) for t in best]}


def _of_shared_weights(objectives: Objectives, task: Task) -> Objectives:
    """The same with the metrics that shared weights are ranked by."""
    from archwright.oneshot.ranking import ranking_goal

    goals = (ranking_goal(task, g.metric) if g.metric in task.metrics else g for g in objectives.goals)
    return replace(objectives, goals=tuple(goals))


def _rescored(trials: Sequence[Trial], objectives: Objectives, name: str) -> list[Trial]:
    """The trials under other goals and ceilings; without those that were never trained but would be now."""
    found = []
    for trial in trials:
        if trial.measurement is None:
            if trial.status == "failed":
                found.append(trial)
            continue
        try:
            violation = objectives.violation(trial.measurement.costs)
            if violation > 0:
                found.append(replace(trial, status="infeasible", scores=None, violation=violation))
            elif trial.status == "done":
                told = {**trial.measurement.metrics, **trial.measurement.costs}
                violation = objectives.violation(told)
                found.append(replace(trial, scores=objectives.scores(trial.measurement), violation=violation))
            elif trial.status == "failed":
                found.append(trial)
        except ObjectiveError as error:
            raise ObjectiveError(
                f"trial {trial.number} of run '{name}' cannot be told to this search: {error}"
            ) from error
    return found
