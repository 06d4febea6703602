"""ASHA: asynchronous successive halving around any strategy."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np

from archwright.errors import SpaceExhaustedError
from archwright.objective import ranked
from archwright.strategy.fidelity import Starter, goes_on, key_of, may_go_on, rungs_of, starts
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["ASHA"]


class ASHA(Strategy):
    """Train many architectures briefly, and the best third of every rung three times as long, without ever waiting.

    Algorithm 2 of Li et al., *A System for Massively Parallel Hyperparameter Tuning*, MLSys 2020
    (https://arxiv.org/abs/1810.05934): whenever a worker is free, the best architecture among the first
    1/`reduction` of a rung that has not gone on yet goes on, looked for from the highest rung down; where there is
    none, a new one begins at the lowest. Departures:

    - New architectures come from a strategy, not from chance alone: see `archwright.strategy.fidelity.Starter`, which
      says what that strategy is told.
    - Rungs are laid down from `max_epochs`, so that the highest is a full training whatever the numbers.
    - Whoever goes on does so from its weights, so a rung costs only the epochs that it adds.
    - With several goals a rung is ordered by non-dominated rank, then crowding (as MO-ASHA, Schmucker et al.,
      https://arxiv.org/abs/2106.12639). Failed trials, and those above a ceiling, are in no rung.
    - Where `max_epochs` leaves no rung of `min_epochs` below it, every architecture is trained in full.
    - When the space has nothing new left, the best goes on until one is trained in full, however small its rung.

    Args:
        strategy: What proposes new architectures; told nothing yet.
        max_epochs: Epochs of a full training; *R* in the paper.
        min_epochs: The lowest rung has at least so many; *r* in the paper.
        reduction: One in so many goes on, to so many times the epochs; *eta* in the paper.
        enough: Results that a rung must have before new architectures are chosen by them.
    """

    def __init__(
        self, strategy: Strategy, *, max_epochs: int, min_epochs: int = 1, reduction: int = 3, enough: int = 20
    ):
        self.rungs = rungs_of(max_epochs, min_epochs, reduction)
        self.strategy = strategy
        self.max_epochs = max_epochs
        self.min_epochs = min_epochs
        self.reduction = reduction
        self.enough = enough
        self._starter = Starter(strategy, self.rungs, enough=enough)
        self.space = self._starter.space
        self._members: list[list[Trial]] = [[] for _ in self.rungs]
        self._highest: dict[str, int] = {}  # the highest rung told of each key
        self._order: dict[int, list[Trial]] = {}  # members best first, where known

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        under_way = {self.space.key(p.architecture) for p in pending}
        for rung in reversed(range(len(self.rungs) - 1)):
            best = self._ranked(rung)[: len(self._members[rung]) // self.reduction]
            found = self._waiting(best, rung, under_way)
            if found is not None:
                return goes_on(found, self.rungs[rung + 1])
        try:
            return starts(self._starter.ask(rng, [p for p in pending if p.continues is None]), self.rungs[0])
        except SpaceExhaustedError:
            last = self._last_one(under_way)
            if last is None:
                raise
            return last

    def tell(self, trial: Trial) -> None:
        self._starter.tell(trial)
        rung = self._starter.rung_of(trial)
        key = key_of(trial, self.space)
        self._highest[key] = max(rung, self._highest.get(key, 0))
        if may_go_on(trial):
            self._members[rung].append(trial)
            if len(trial.scores or ()) == 1 and rung in self._order:
                bisect.insort(self._order[rung], trial, key=lambda t: (t.scores, t.number))
            else:
                self._order.pop(rung, None)

    def _ranked(self, rung: int) -> list[Trial]:
        if rung not in self._order:
            self._order[rung] = ranked(self._members[rung])
        return self._order[rung]

    def _waiting(self, best: Sequence[Trial], rung: int, under_way: set[str]) -> Trial | None:
        """The first that neither went on nor is going on."""
        for trial in best:
            key = key_of(trial, self.space)
            if self._highest[key] == rung and key not in under_way:
                return trial
        return None

    def _last_one(self, under_way: set[str]) -> Proposal | None:
        """Who goes on where nothing can begin: none once one has been trained in full."""
        if self._members[-1]:
            return None
        for rung in reversed(range(len(self.rungs) - 1)):
            found = self._waiting(self._ranked(rung), rung, under_way)
            if found is not None:
                return goes_on(found, self.rungs[rung + 1])
        return None
