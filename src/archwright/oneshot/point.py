"""What is known at the end of an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Point"]


@dataclass(frozen=True)
class Point:
    """One epoch of a run.

    Args:
        epoch: From 1.
        losses: Mean losses of the epoch: ``loss`` of the weights, ``gate_loss`` of the gates on the samples held out
            for them, and what else the algorithm notes.
        metric: The goal's metric on validation, under the gates as they were made then; None where it was not measured.
        probabilities: For each decision by name how much of each value there is, in the order of its values; nothing of
            decisions that are not learnt.
        entropy: The mean over decisions of the entropy as a share of the largest possible; None without probabilities.
        skips: The share of the decisions with an identity among their options whose most probable option it is; None
            where there is no such decision.
        eigenvalue: The largest of the Hessian of the held-out loss in the logits; None where it was not computed.
    """

    epoch: int
    losses: Mapping[str, float]
    metric: float | None = None
    probabilities: Mapping[str, list[float]] = field(default_factory=dict)
    entropy: float | None = None
    skips: float | None = None
    eigenvalue: float | None = None
