"""What goes to a worker, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from archwright.trial import Measurement, Proposal, Status

__all__ = ["Job", "Outcome"]


@dataclass(frozen=True)
class Job:
    """One evaluation to be done.

    Args:
        number: The trial's number.
        proposal: What to measure.
        seed: The seed of the evaluation.
        timeout_s: After so many seconds it is given up and counts as failed; None for never.
        deadline: When a well-behaved evaluator ends by itself with the best that it has, on the clock of
            `time.monotonic` (which all processes of one machine share); None for never.
        folder: Where an evaluator may keep what later trials go on from.
    """

    number: int
    proposal: Proposal
    seed: int
    timeout_s: float | None = None
    deadline: float | None = None
    folder: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Args:
        number: The trial's number.
        status: See `archwright.trial.Status`.
        measurement: What was measured; the costs alone where a ceiling was exceeded; None for most failures.
        reason: Why it failed or was infeasible, in one line.
    """

    number: int
    status: Status
    measurement: Measurement | None = None
    reason: str = ""
