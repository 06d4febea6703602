"""A trial as one number, for strategies that learn from a single reward."""

from __future__ import annotations

import numpy as np

from archwright.objective import WeightedReward
from archwright.trial import Trial

__all__ = ["Reward"]


class Reward:
    """Rewards of trials, larger is better: 0..1 for those within all ceilings, -1..0 for the others.

    By default each goal is scaled to 0..1 over the range that the trials told so far span, and several goals are
    averaged; so the reward of a trial shifts as the range grows, and a strategy that keeps trials asks again when it
    needs it. A `WeightedReward` with bounds decides instead where one is given, by its bounded fitness
    ``F = R / (1 + |R|)``. A trial above a ceiling gets ``-violation / (1 + violation)``, a failed one -1.

    Args:
        weighted: What several goals are worth to the user.
    """

    def __init__(self, weighted: WeightedReward | None = None):
        self.weighted = weighted
        self._lowest: np.ndarray | None = None
        self._highest: np.ndarray | None = None

    def add(self, trial: Trial) -> None:
        """Widen the range by a trial that was told."""
        if trial.status != "done" or trial.scores is None or not np.all(np.isfinite(trial.scores)):
            return
        scores = np.asarray(trial.scores, dtype=float)
        self._lowest = scores if self._lowest is None else np.minimum(self._lowest, scores)
        self._highest = scores if self._highest is None else np.maximum(self._highest, scores)

    def of(self, trial: Trial) -> float:
        """The reward of a trial of any status."""
        if self.weighted is not None:
            return self.weighted(trial)
        if trial.status == "failed" or (trial.status == "done" and trial.scores is None):
            return -1.0
        if trial.status == "infeasible" or trial.violation > 0:
            return -trial.violation / (1 + trial.violation) if np.isfinite(trial.violation) else -1.0
        if self._lowest is None or self._highest is None:
            return 0.0
        span = self._highest - self._lowest
        scores = np.clip(np.asarray(trial.scores, dtype=float), self._lowest, self._highest)
        terms = np.where(span > 0, (self._highest - scores) / np.where(span > 0, span, 1.0), 1.0)
        return float(terms.mean())
