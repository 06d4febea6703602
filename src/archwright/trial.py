"""What happened: proposals, measurements and trials, as frozen facts.

A *strategy* makes a `Proposal`, an *evaluator* turns it into a `Measurement`, and the search records
both as a `Trial`. All three are plain data: no network, file or torch object is ever held in them, so
that they travel between processes and into a store unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from archwright.space import Architecture

__all__ = ["Measurement", "Proposal", "Status", "Trial"]

Status = Literal["done", "failed", "infeasible"]
"""``done``: measured. ``failed``: an error, a NaN, a time-out, a killed worker; `Trial.reason` says which.
``infeasible``: a ceiling was exceeded before training, so the network was never trained."""


@dataclass(frozen=True)
class Proposal:
    """What a strategy wants measured next.

    Args:
        architecture: The architecture to measure.
        epochs: How long to train, in epochs; None means the evaluator's full schedule.
        continues: The number of an earlier trial of the same architecture whose weights to resume.
        parents: Numbers of the trials that this proposal was derived from.
        origin: How it came about, for people: ``"random"``, ``"mutation of 12"``.
    """

    architecture: Architecture
    epochs: int | None = None
    continues: int | None = None
    parents: tuple[int, ...] = ()
    origin: str = ""


@dataclass(frozen=True)
class Measurement:
    """What an evaluator found out about one architecture.

    Args:
        metrics: Validation metrics by name, e.g. ``{"accuracy": 0.97, "log_loss": 0.1}``.
        costs: Costs by name, e.g. ``{"params": 5120, "macs": 310000, "latency_ms": 0.4}``.
        curve: One mapping an epoch, e.g. ``{"epoch": 1, "train_loss": 2.1, "accuracy": 0.4}``.
        seconds: Wall time that the evaluation took. Not part of equality: time is never reproducible.
        epochs: Epochs trained in this evaluation.
        extra: Anything else worth keeping; JSON values only.
    """

    metrics: Mapping[str, float] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[Mapping[str, float], ...] = ()
    seconds: float = field(default=0.0, compare=False)
    epochs: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Trial:
    """One proposal and what came of it.

    Args:
        number: 0, 1, 2, ... in the order in which proposals were asked for.
        proposal: What was asked for.
        status: See `Status`.
        measurement: What was measured; for an infeasible trial its costs alone; None for most failures.
        scores: One number a goal, oriented so that **smaller is better**; None unless ``done``.
        violation: By how much ceilings are exceeded, as a sum of relative excesses; 0 when all hold.
        reason: Why it failed or was infeasible, in one line.
        key: The canonical key of the architecture: equal keys compute the same function.
        seed: The seed that the evaluation was given.
        finished: When it ended, in seconds of search time since the run began (resumes add up).
    """

    number: int
    proposal: Proposal
    status: Status
    measurement: Measurement | None = None
    scores: tuple[float, ...] | None = None
    violation: float = 0.0
    reason: str = ""
    key: str = ""
    seed: int = 0
    finished: float = field(default=0.0, compare=False)

    @property
    def architecture(self) -> Architecture:
        """The architecture that was proposed."""
        return self.proposal.architecture
