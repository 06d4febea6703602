"""Run one job: ceilings first, then the evaluation; whatever goes wrong becomes an outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from archwright.errors import EvaluationError, ObjectiveError
from archwright.evaluator import Context, Evaluator
from archwright.objective import Objectives
from archwright.trial import Measurement
from archwright.worker.job import Job, Outcome
from archwright.worker.reason import reason_of

__all__ = ["Report", "run"]

Report = Callable[[Mapping[str, float]], None]
"""Told each point of a learning curve as it comes."""


def _unheard(point: Mapping[str, float]) -> None:
    """Where nobody listens."""


def run(evaluator: Evaluator, objectives: Objectives, job: Job, report: Report = _unheard) -> Outcome:
    """Do one job. Never raises, but for an interrupt (Ctrl-C).

    An architecture whose costs exceed a ceiling comes back as ``infeasible``, untrained. An exception, a metric that is
    no finite number, or a goal's metric that was not measured: ``failed``, with a reason of one line.
    """
    costs: dict[str, float] = {}
    try:
        if objectives.ceilings:
            costs = _costs(evaluator, job, objectives.needs)
            if costs and objectives.violation(costs) > 0:
                return Outcome(job.number, "infeasible", Measurement(costs=costs), objectives.excess(costs))
        began = time.perf_counter()
        measurement = evaluator(job.proposal, job.seed, Context(job.number, job.deadline, job.folder, report))
        seconds = time.perf_counter() - began
        measurement = _checked(measurement, costs, seconds)
        missing = objectives.costs - measurement.costs.keys() - measurement.metrics.keys()
        if missing:
            measurement = replace(measurement, costs={**measurement.costs, **_costs(evaluator, job, missing)})
        if objectives.violation(measurement.costs) > 0:  # where the costs came with the evaluation only
            return Outcome(job.number, "infeasible", measurement, objectives.excess(measurement.costs))
    except (Exception, SystemExit) as error:
        return Outcome(job.number, "failed", Measurement(costs=costs) if costs else None, reason_of(error))
    try:
        objectives.scores(measurement)
    except ObjectiveError as error:
        return Outcome(job.number, "failed", measurement, reason_of(error))
    return Outcome(job.number, "done", measurement)


def _costs(evaluator: Any, job: Job, names: frozenset[str]) -> dict[str, float]:
    """The costs that the evaluator knows without training; none where it knows none."""
    known = getattr(evaluator, "costs", None)
    if known is None:
        return {}
    return _numbers("cost", known(job.proposal.architecture, tuple(sorted(names))))


def _checked(measurement: Any, costs: Mapping[str, float], seconds: float) -> Measurement:
    """The measurement as plain data: numbers are Python's own, whatever library they came from."""
    if not isinstance(measurement, Measurement):
        raise EvaluationError(
            f"the evaluator returned {measurement!r:.60}, a {type(measurement).__name__}: expected a Measurement"
        )
    return replace(
        measurement,
        metrics=_numbers("metric", measurement.metrics),
        costs={**costs, **_numbers("cost", measurement.costs)},
        curve=tuple(_numbers("curve value", point) for point in measurement.curve),
        seconds=float(measurement.seconds) or seconds,
    )


def _numbers(what: str, values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if type(value) is not float and type(value) is not int:
            try:
                value = float(value)
            except (TypeError, ValueError) as error:
                raise EvaluationError(
                    f"{what} {name!r} is {value!r:.40}, a {type(value).__name__}: expected a number"
                ) from error
        found[name] = value
    return found
