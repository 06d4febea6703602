"""Learning-curve stopping around any strategy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from archwright.strategy.fidelity import Starter, goes_on, key_of, may_go_on, rungs_of, starts
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["CurveStopping"]

FEWEST = 5
"""Full trainings before a curve is extrapolated: a line through fewer points tells nothing of its own error."""


class CurveStopping(Strategy):
    """Train a few epochs at a time, and go on only while the extrapolated curve may still beat the best.

    Baker, Gupta, Raskar & Naik, *Accelerating Neural Architecture Search using Performance Prediction*, 2017
    (https://arxiv.org/abs/1705.10823), section 3: regress the final score on the curve so far over the architectures
    trained in full, and stop where the chance to beat the best is small. Domhan et al. (IJCAI 2015) is where stopping
    by extrapolation is from. Departures:

    - The regression is least squares on the score at the last check. With tens of full trainings, more of the curve
      adds more error than it removes.
    - In place of a normal distribution of errors, their leave-one-out quantile (the jackknife; Barber et al.,
      *Predictive Inference with the Jackknife+*, 2021, https://arxiv.org/abs/1905.02928): with n full trainings the
      r-th largest error is believed, r = floor(chance * (n + 1)). So for architectures that are like those trained in
      full, a check stops the eventual best with odds of about `chance`, and at most of twice that. While r is 0, all
      are trained in full.
    - Checks are at epochs that grow by `reduction`, not after each epoch: each is the end of a cycle of the learning
      rate, and scores in the midst of a cycle tell little.
    - With several goals each is extrapolated by itself, and whoever could at best be dominated is stopped.

    Args:
        strategy: What proposes new architectures; told nothing yet. `archwright.strategy.fidelity.Starter` says what it
            is told of them.
        max_epochs: Epochs of a full training.
        min_epochs: The first check comes after at least so many.
        reduction: The epochs of a check are so many times those of the one before.
        chance: The odds that are taken, at each check, of stopping what would have been the best.
        enough: Results that a check must have before new architectures are chosen by them.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        max_epochs: int,
        min_epochs: int = 1,
        reduction: int = 3,
        chance: float = 0.1,
        enough: int = 20,
    ):
        self.rungs = rungs_of(max_epochs, min_epochs, reduction)
        if not 0 < chance < 0.5:
            raise ValueError(f"chance must lie above 0 and below 0.5, got {chance!r}")
        self.strategy = strategy
        self.max_epochs = max_epochs
        self.min_epochs = min_epochs
        self.reduction = reduction
        self.chance = chance
        self.enough = enough
        self._starter = Starter(strategy, self.rungs, enough=enough)
        self.space = self._starter.space
        self._curves: dict[str, list[tuple[float, ...] | None]] = {}  # scores at each check, by key
        self._full: list[list[tuple[float, ...]]] = []  # the curves of those trained in full
        self._going: dict[str, tuple[Trial, int]] = {}  # those to go on with, and from which check

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        under_way = {self.space.key(p.architecture) for p in pending}
        for key, (trial, rung) in self._going.items():
            if key not in under_way:
                return goes_on(trial, self.rungs[rung + 1])
        return starts(self._starter.ask(rng, [p for p in pending if p.continues is None]), self.rungs[0])

    def tell(self, trial: Trial) -> None:
        self._starter.tell(trial)
        key = key_of(trial, self.space)
        self._going.pop(key, None)
        if not may_go_on(trial) or trial.scores is None:
            return
        rung = self._starter.rung_of(trial)
        curve = self._curves.setdefault(key, [None] * len(self.rungs))
        curve[rung] = trial.scores
        if rung == len(self.rungs) - 1:
            whole = [scores for scores in curve if scores is not None]
            if len(whole) == len(self.rungs):
                self._full.append(whole)
        elif not self._hopeless(trial.scores, rung):
            self._going[key] = (trial, rung)

    def _hopeless(self, scores: tuple[float, ...], rung: int) -> bool:
        """Whether the best that may come of these scores would still be beaten by a full training."""
        n = len(self._full)
        believed = math.floor(self.chance * (n + 1))
        if n < FEWEST or believed < 1:
            return False
        full = np.array(self._full)  # (n, checks, goals)
        final = full[:, -1]
        reachable = [optimistic(full[:, rung, g], final[:, g], score, believed) for g, score in enumerate(scores)]
        return bool((final <= reachable).all(axis=1).any())


def optimistic(early: np.ndarray, final: np.ndarray, score: float, believed: int) -> float:
    """The best final score, smaller being better, that may come of an early one.

    Args:
        early: Scores of others at the same check, shape (n,).
        final: Theirs at the end, shape (n,).
        score: The early score to extrapolate.
        believed: Which of the n gains over what was predicted for them is believed in, from the largest, 1 to n.

    >>> round(optimistic(np.array([1.0, 2.0, 3.0]), np.array([0.5, 1.0, 1.5]), 4.0, 1), 6)
    2.0
    """
    n = len(early)
    centred = early - early.mean()
    spread = float(centred @ centred)
    slope = float(centred @ final) / spread if spread > 0 else 0.0
    leverage = 1 / n + (centred**2 / spread if spread > 0 else 0.0)
    predicted = final.mean() + slope * centred
    gains = (predicted - final) / np.maximum(1 - leverage, 1e-9)
    return float(final.mean() + slope * (score - early.mean()) - np.sort(gains)[-believed])
