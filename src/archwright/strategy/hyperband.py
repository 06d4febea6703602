"""Hyperband around any strategy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from archwright.strategy.brackets import Bracket, Brackets
from archwright.strategy.fidelity import Starter, rungs_of
from archwright.strategy.halving import ask
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["Hyperband", "brackets_of"]


def brackets_of(rungs: Sequence[int], reduction: int) -> list[Bracket]:
    """The brackets of Algorithm 1 over these rungs, the one that begins lowest first.

    >>> [(b.sizes[0], b.epochs[0]) for b in brackets_of((1, 3, 9, 27, 81), 3)]
    [(81, 1), (34, 3), (15, 9), (8, 27), (5, 81)]
    """
    n_brackets = len(rungs)
    found = []
    for s in reversed(range(n_brackets)):
        n = math.ceil(n_brackets * reduction**s / (s + 1))
        found.append(Bracket(tuple(n // reduction**i for i in range(s + 1)), tuple(rungs[n_brackets - 1 - s :])))
    return found


class Hyperband(Strategy):
    """Successive halving with every trade between many brief trainings and few long ones, in turn.

    Algorithm 1 of Li et al., *Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization*, JMLR 18 (2018)
    (https://arxiv.org/abs/1603.06560): the bracket *s* begins with ``ceil((s_max + 1) / (s + 1) * eta**s)``
    architectures for ``R * eta**-s`` epochs and keeps one in *eta* at each rung; s runs from s_max down to 0, again and
    again. It guards against rungs too low to tell anything, at the price of brackets that did not need it. Departures:

    - While a rung waits for its last trainings, idle workers begin the next bracket.
    - New architectures come from a strategy: see `archwright.strategy.fidelity.Starter` on what that one is told.
    - Rungs are laid down from `max_epochs` and rounded to whole epochs.
    - Whoever goes on does so from its weights, so a rung costs only the epochs that it adds.
    - With several goals a rung is ordered by non-dominated rank, then crowding.
    - A failed training is last of its rung; an architecture that was refused before training is in none.

    Args:
        strategy: What proposes new architectures; told nothing yet.
        max_epochs: Epochs of a full training; *R* in the paper.
        min_epochs: The lowest rung has at least so many.
        reduction: One in so many is kept, and trained so many times as long; *eta* in the paper.
        enough: Results that a rung must have before new architectures are chosen by them.
        random_share: The share of new architectures drawn at random instead.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        max_epochs: int,
        min_epochs: int = 1,
        reduction: int = 3,
        enough: int = 20,
        random_share: float = 0.0,
    ):
        self.rungs = rungs_of(max_epochs, min_epochs, reduction)
        self.strategy = strategy
        self.max_epochs = max_epochs
        self.min_epochs = min_epochs
        self.reduction = reduction
        self.enough = enough
        self.random_share = random_share
        self._starter = Starter(strategy, self.rungs, enough=enough, random_share=random_share)
        self.space = self._starter.space
        self._brackets = Brackets(self.space, brackets_of(self.rungs, reduction))

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        return ask(self._brackets, self._starter, rng, pending)

    def tell(self, trial: Trial) -> None:
        self._starter.tell(trial)
        self._brackets.tell(trial)
