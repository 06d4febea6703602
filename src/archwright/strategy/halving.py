"""Successive halving around any strategy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archwright.errors import SpaceExhaustedError
from archwright.strategy.brackets import Bracket, Brackets
from archwright.strategy.fidelity import Starter, rungs_of, starts
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["SuccessiveHalving"]


class SuccessiveHalving(Strategy):
    """Train many architectures briefly, keep the best of them, train those longer, and so on: the same epochs a rung.

    Jamieson & Talwalkar, *Non-stochastic Best Arm Identification and Hyperparameter Optimization*, AISTATS 2016
    (https://arxiv.org/abs/1502.07943), figure 3, with the keeping of one in `reduction` of Li et al., *Hyperband*, JMLR
    2018, Algorithm 1, lines 3 to 10. Departures:

    - When a bracket has ended the next begins; and while a rung waits for its last trainings, idle workers begin it.
    - New architectures come from a strategy: see `archwright.strategy.fidelity.Starter` on what that one is told.
    - Whoever goes on does so from its weights, so a rung costs only the epochs that it adds.
    - With several goals a rung is ordered by non-dominated rank, then crowding.
    - A failed training is last of its rung; an architecture that was refused before training is in none.

    Args:
        strategy: What proposes new architectures; told nothing yet.
        max_epochs: Epochs of a full training.
        min_epochs: The lowest rung has at least so many.
        reduction: One in so many is kept, and trained so many times as long; 2 in the paper.
        architectures: How many begin a bracket; by default so many that one of them is trained in full.
        enough: Results that a rung must have before new architectures are chosen by them.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        max_epochs: int,
        min_epochs: int = 1,
        reduction: int = 3,
        architectures: int | None = None,
        enough: int = 20,
    ):
        self.rungs = rungs_of(max_epochs, min_epochs, reduction)
        least = reduction ** (len(self.rungs) - 1)
        if architectures is not None and architectures < least:
            raise ValueError(
                f"architectures must be at least {least}, so that one is left for the last of the rungs "
                f"{self.rungs}, got {architectures}"
            )
        self.strategy = strategy
        self.max_epochs = max_epochs
        self.min_epochs = min_epochs
        self.reduction = reduction
        self.architectures = architectures
        self.enough = enough
        sizes = tuple((architectures or least) // reduction**k for k in range(len(self.rungs)))
        self._starter = Starter(strategy, self.rungs, enough=enough)
        self.space = self._starter.space
        self._brackets = Brackets(self.space, [Bracket(sizes, self.rungs)])

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        return ask(self._brackets, self._starter, rng, pending)

    def tell(self, trial: Trial) -> None:
        self._starter.tell(trial)
        self._brackets.tell(trial)


def ask(brackets: Brackets, starter: Starter, rng: np.random.Generator, pending: Sequence[Proposal]) -> Proposal:
    """Who goes on in the brackets, or a new architecture for them."""
    due = brackets.next(pending)
    if isinstance(due, Proposal):
        return due
    try:
        return starts(starter.ask(rng, [p for p in pending if p.continues is None]), due)
    except SpaceExhaustedError:
        found = brackets.last(pending)
        if found is None:
            raise
        return found
