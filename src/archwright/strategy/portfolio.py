"""A portfolio: several strategies, and a bandit that gives more trials to those whose proposals rank better."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from archwright.errors import SpaceError, SpaceExhaustedError
from archwright.objective import non_dominated_rank
from archwright.space import Space
from archwright.strategy.bananas import Bananas
from archwright.strategy.evolution import RegularizedEvolution
from archwright.strategy.local import LocalSearch
from archwright.strategy.making import space_of
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["Portfolio"]


class Portfolio(Strategy):
    """Ask one of several strategies, tell all of them everything.

    UCB1 of Auer, Cesa-Bianchi & Fischer, *Finite-time Analysis of the Multiarmed Bandit Problem*, Machine Learning 47,
    2002, over the last trials and with rewards by rank, after Fialho, Schoenauer & Sebag, *Toward Comparison-Based
    Adaptive Operator Selection*, GECCO 2010: ranks need no scale of scores, and serve several goals and ceilings.

    - The reward of a trial is the square of the share of the window's trials that it is better than, so that being
      among the best counts for more than being above the middle. Fronts of constrained dominance rank, ties count half.
    - The strategy asked is the one of the largest ``mean reward + exploration * sqrt(2 ln n / n_i)``, for its n_i of
      the window's n trials, pending ones included as if they had earned the mean; one without any comes first.
    - Whose proposal a trial was is read from its origin, which begins with the strategy's name: ``"LocalSearch:
      neighbour of 12"``. Trials of nobody's proposal (prior runs) are told and earn nothing.
    - A strategy to which nothing new is left is passed over.

    Args:
        strategies: Of one space, told nothing yet. A space stands for evolution, local search and BANANAS in it.
        exploration: How much uncertainty counts beside rewards of 0..1.
        window: The last so many trials rank.
    """

    def __init__(self, strategies: Sequence[Strategy] | Space, *, exploration: float = 0.15, window: int = 50):
        if isinstance(strategies, Space):
            space = strategies
            strategies = [
                RegularizedEvolution(space, population_size=20, tournament_size=5),
                LocalSearch(space),
                Bananas(space),
            ]
        if len(strategies) < 2:
            raise ValueError(f"a portfolio needs at least two strategies, got {len(strategies)}")
        if exploration < 0 or window < len(strategies):
            raise ValueError(
                f"exploration must be 0 or more and window at least the number of strategies ({len(strategies)}), "
                f"got {exploration=} and {window=}"
            )
        self.strategies = list(strategies)
        self.space = space_of(self.strategies[0])
        for other in map(space_of, self.strategies[1:]):
            if other is not self.space and other.fingerprint != self.space.fingerprint:
                raise SpaceError(
                    f"the strategies of a portfolio search one space; these differ:\n{other.difference(self.space)}"
                )
        self.rungs = tuple(sorted({epochs for strategy in self.strategies for epochs in strategy.rungs}))
        self.exploration = exploration
        self.window = window
        self.labels = _labels(self.strategies)
        self._window: deque[tuple[int, Trial]] = deque(maxlen=window)  # whose, and what came of it
        self._rewards: np.ndarray | None = None  # of the window's trials; None after a tell

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        exhausted: SpaceExhaustedError | None = None
        for i in self._preferred([self._whose(p) for p in pending]):
            theirs = [self._stripped(p) if self._whose(p) == i else p for p in pending]
            try:
                asked = self.strategies[i].ask(rng, theirs)
            except SpaceExhaustedError as error:
                exhausted = error
                continue
            return replace(asked, origin=f"{self.labels[i]}: {asked.origin}")
        assert exhausted is not None
        raise exhausted

    def tell(self, trial: Trial) -> None:
        whose = self._whose(trial.proposal)
        for i, strategy in enumerate(self.strategies):
            # The one who proposed it sees its own words; to the others it is a trial from elsewhere.
            strategy.tell(replace(trial, proposal=self._stripped(trial.proposal)) if i == whose else trial)
        if whose is not None:
            self._window.append((whose, trial))
            self._rewards = None

    def credits(self) -> dict[str, float]:
        """The mean reward of each strategy over the window, for people; without a trial in it, not a number."""
        rewards, whose = self._rewarded()
        return {
            label: float(rewards[whose == i].mean()) if (whose == i).any() else math.nan
            for i, label in enumerate(self.labels)
        }

    def _preferred(self, pending: Sequence[int | None]) -> list[int]:
        """All strategies, the one to ask first."""
        rewards, whose = self._rewarded()
        mean = float(rewards.mean()) if len(rewards) else 0.0
        waiting = [sum(p == i for p in pending) for i in range(len(self.strategies))]
        tried = len(rewards) + sum(waiting)
        worth = []
        for i, waits in enumerate(waiting):
            own = rewards[whose == i]
            n = len(own) + waits
            if n == 0:
                worth.append(math.inf)
                continue
            earned = (float(own.sum()) + waits * mean) / n
            worth.append(earned + self.exploration * math.sqrt(2 * math.log(tried) / n))
        return sorted(range(len(worth)), key=lambda i: -worth[i])

    def _rewarded(self) -> tuple[np.ndarray, np.ndarray]:
        """Rewards of the window's trials, and whose they are."""
        whose = np.array([i for i, _ in self._window], dtype=int)
        if self._rewards is None:
            ranks = non_dominated_rank([t for _, t in self._window])
            worse = (ranks[:, None] < ranks[None, :]).sum(axis=1)
            equal = (ranks[:, None] == ranks[None, :]).sum(axis=1) - 1
            share = (worse + equal / 2) / max(1, len(ranks) - 1)
            failed = np.array([t.status == "failed" for _, t in self._window], dtype=bool)
            self._rewards = np.where(failed, 0.0, share**2)
        return self._rewards, whose

    def _whose(self, proposal: Proposal) -> int | None:
        label, found, _ = proposal.origin.partition(": ")
        return self.labels.index(label) if found and label in self.labels else None

    def _stripped(self, proposal: Proposal) -> Proposal:
        return replace(proposal, origin=proposal.origin.partition(": ")[2])


def _labels(strategies: Sequence[Strategy]) -> list[str]:
    """A name for each: its class, with the sampler or a number where that is not enough."""
    names = [f"Optuna {s.sampler}" if hasattr(s, "sampler") else type(s).__name__ for s in strategies]
    return [f"{n} {names[: i + 1].count(n)}" if names.count(n) > 1 else n for i, n in enumerate(names)]
