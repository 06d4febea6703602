"""A trial as one number, for strategies that learn from a single reward."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from typing import Literal

from archwright.objective import WeightedReward
from archwright.trial import Trial

__all__ = ["Reward"]

GROWTH = 1.1
"""Ranks are taken anew when so many times as many trials have been told."""


class Reward:
    """Rewards of trials, larger is better: 0..1 for those within all ceilings, -1..0 for the others.

    By default each goal is scaled to 0..1 over the range that the trials told so far span, and several goals are
    averaged; so the reward of a trial shifts as the range grows, and a strategy that keeps trials asks again when it
    needs it. A `WeightedReward` with bounds decides instead where one is given, by its bounded fitness
    ``F = R / (1 + |R|)``. A trial above a ceiling gets ``-violation / (1 + violation)``, a failed one -1.

    Args:
        weighted: What several goals are worth to the user.
        scale: ``"range"``, as above; or ``"rank"``: the share of told trials that are worse, for strategies that a few
            broken networks far below all others would otherwise leave with hardly a difference between the good ones.
            Ranks are among the trials told up to some time ago, and taken anew when there are a tenth more.
    """

    def __init__(self, weighted: WeightedReward | None = None, *, scale: Literal["range", "rank"] = "range"):
        if scale not in ("range", "rank"):
            raise ValueError(f"scale must be 'range' or 'rank', got {scale!r}")
        self.weighted = weighted
        self.scale = scale
        self._lowest: list[float] | None = None
        self._highest: list[float] | None = None
        self._told: list[tuple[float, ...]] = []
        self._sorted: list[list[float]] = []  # a list a goal

    def add(self, trial: Trial) -> bool:
        """Widen the range by a trial that was told; True where that changed the rewards of other trials."""
        if self.weighted is not None or trial.status != "done" or trial.scores is None:
            return False
        scores = tuple(map(float, trial.scores))
        if not all(map(math.isfinite, scores)):
            return False
        if self.scale == "rank":
            self._told.append(scores)
            if self._sorted and len(self._told) < GROWTH * len(self._sorted[0]):
                return False
            self._sorted = [sorted(goal) for goal in zip(*self._told, strict=True)]
            return True
        before = (self._lowest, self._highest)
        self._lowest = list(map(min, self._lowest or scores, scores))
        self._highest = list(map(max, self._highest or scores, scores))
        return (self._lowest, self._highest) != before

    def of(self, trial: Trial) -> float:
        """The reward of a trial of any status."""
        if self.weighted is not None:
            return self.weighted(trial)
        if trial.status == "failed" or (trial.status == "done" and trial.scores is None):
            return -1.0
        if trial.status == "infeasible" or trial.violation > 0:
            return -trial.violation / (1 + trial.violation) if math.isfinite(trial.violation) else -1.0
        scores = [float(s) if not math.isnan(s) else math.inf for s in trial.scores or ()]
        if self.scale == "rank":
            if not self._sorted:
                return 0.0
            ranks = map(_share_worse, self._sorted, scores)
            return sum(ranks) / len(scores)
        if self._lowest is None or self._highest is None:
            return 0.0
        return sum(map(_share_of_range, self._lowest, self._highest, scores)) / len(scores)


def _share_worse(told: list[float], score: float) -> float:
    """The share of scores that are larger; equal ones count half."""
    return 1 - (bisect_left(told, score) + bisect_right(told, score)) / (2 * len(told))


def _share_of_range(lowest: float, highest: float, score: float) -> float:
    return min(1.0, max(0.0, (highest - score) / (highest - lowest))) if highest > lowest else 1.0
