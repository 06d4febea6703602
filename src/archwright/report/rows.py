"""What tables show, as plain JSON values: for ``--json``, for the page, and for `archwright.report.tables`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archwright.objective import latest, ranked
from archwright.report.outcome import ceilings, failures, final_costs, references, sentence, test_of
from archwright.report.record import RunRecord, trained, value
from archwright.trial import Trial

if TYPE_CHECKING:
    from archwright.objective import Objectives

__all__ = ["leaderboard_rows", "outcome_row", "survey_rows", "trial_row"]


def trial_row(trial: Trial, objectives: Objectives, *, curve: bool = True) -> dict[str, Any]:
    """One trial in full; `curve` leaves the learning curve out when False. Numbers that are not finite become None."""
    m = trial.measurement
    row: dict[str, Any] = {
        "number": trial.number,
        "status": trial.status,
        "goals": {g.metric: value(trial, g.metric) for g in objectives.goals},
        "metrics": dict(m.metrics) if m else {},
        "costs": dict(m.costs) if m else {},
        "violation": trial.violation,
        "epochs": m.epochs if m else 0,
        "epochs_in_all": trained(trial),
        "seconds": m.seconds if m else None,
        "finished": trial.finished,
        "origin": trial.proposal.origin,
        "parents": list(trial.proposal.parents),
        "continues": trial.proposal.continues,
        "reason": trial.reason,
        "seed": trial.seed,
        "key": trial.key,
        "architecture": dict(trial.architecture),
    }
    if curve:
        row["curve"] = [dict(point) for point in m.curve] if m else []
    return _finite(row)


def leaderboard_rows(trials: Sequence[Trial], objectives: Objectives, n: int | None = 10) -> list[dict[str, Any]]:
    """The best `n` measured trials (all with None), each with its ``rank`` from 1.

    Of a trial and those that go on with it, the last.
    """
    best = ranked(latest(t for t in trials if t.status == "done" and t.scores))[:n]
    return [{"rank": i, **trial_row(t, objectives, curve=False)} for i, t in enumerate(best, 1)]


def survey_rows(survey: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a cost: name, min, median, max."""
    return [
        _finite({"cost": name, **{k: found.get(k) for k in ("min", "median", "max")}})
        for name, found in (survey.get("costs") or {}).items()
    ]


def outcome_row(record: RunRecord) -> dict[str, Any]:
    """The outcome: the sentence, the chosen trial, its test figures, ceilings, files, and how trials ended."""
    won = record.winner
    return _finite(
        {
            "name": record.name,
            "outcome": sentence(record),
            "chosen": won.number if won and record.final else None,
            "best": trial_row(won, record.objectives, curve=False) if won else None,
            "test": test_of(record),
            "references": dict(references(record)),
            "calibration_error": ((record.final or {}).get("calibration") or {}).get("ece"),
            "groups": (record.final or {}).get("groups"),
            "costs": dict(final_costs(record)),
            "ceilings": [
                {"cost": h.name, "limit": h.limit, "found": h.found, "holds": h.holds} for h in ceilings(record)
            ],
            "trials": record.counts(),
            "failures": [{"reason": r, "count": n, "example": e} for r, n, e in failures(record)],
            "seconds": record.seconds,
            "files": [dict(f) for f in (record.final or {}).get("files") or ()],
            "left_out": dict((record.final or {}).get("left_out") or {}),
            "command": record.command,
        }
    )


def _finite(found: Any) -> Any:
    """The same value with NaN and infinities as None, and tuples as lists: what every JSON reader takes."""
    if isinstance(found, float):
        return found if math.isfinite(found) else None
    if isinstance(found, Mapping):
        return {str(k): _finite(v) for k, v in found.items()}
    if isinstance(found, (list, tuple)):
        return [_finite(v) for v in found]
    return found
