"""Local search: walk to a better neighbour until there is none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archwright.objective import dominates
from archwright.space import Architecture, Space
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["LocalSearch"]

RESTART = "restart after"


class LocalSearch(Strategy):
    """Try the neighbours of an architecture in random order, move to the first that is better, and start
    again elsewhere when none is.

    The *query until improvement* variant of White, Nolen & Savani, *Exploring the Loss Landscape in Neural
    Architecture Search*, UAI 2021 (https://arxiv.org/abs/2005.02960). Neighbours differ in one decision.
    Better is constrained dominance, so that from an infeasible start it first walks to where ceilings hold.

    Args:
        space: Where architectures and their neighbours come from.
        initial: Random architectures tried first; the walk starts at the best of them.
    """

    def __init__(self, space: Space, *, initial: int = 1):
        if initial < 1:
            raise ValueError(f"initial must be at least 1, got {initial}")
        self.space = space
        self.initial = initial
        self._seen = Seen(space)
        self._told = 0
        self._here: Trial | None = None
        self._around: list[Architecture] = []  # neighbours of _here
        self._keys: list[str] = []  # their canonical keys

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        if self._here is None or self._told + len(pending) < self.initial:
            return Proposal(self._seen.fresh(rng, pending), origin="random start")
        here = self._here
        new = self._seen.new(self._keys, pending)
        if new:
            neighbour = self._around[new[rng.integers(len(new))]]
            return Proposal(neighbour, parents=(here.number,), origin=f"neighbour of {here.number}")
        return Proposal(self._seen.fresh(rng, pending), origin=f"{RESTART} {here.number}")

    def tell(self, trial: Trial) -> None:
        self._seen.add(trial)
        self._told += 1
        if trial.status == "failed":
            return
        # By its own words: a trial of another strategy or of an earlier search has no parents here either.
        starting = trial.proposal.origin.startswith(RESTART)
        if self._here is None or starting or dominates(trial, self._here):
            self._here = trial
            self._around = self.space.neighbours(trial.architecture)
            self._keys = [self.space.key(a) for a in self._around]
