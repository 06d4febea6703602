"""A start screened by a proxy: of many random architectures, those that a cheap score likes best are tried first."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from archwright.errors import ArchwrightError, SpaceExhaustedError
from archwright.objective import non_dominated_rank
from archwright.space import Architecture, Space
from archwright.strategy.evolution import RegularizedEvolution
from archwright.strategy.making import space_of
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["Screened"]


class Screened(Strategy):
    """Begin a strategy with the architectures that a score knows to be good before any training.

    The warm-up of Abdelfattah, Mehrotra, Dudziak & Lane, *Zero-Cost Proxies for Lightweight NAS*, ICLR 2021
    (https://arxiv.org/abs/2101.08134), section 5: `n` random architectures are scored, and the best `keep` are the
    first trials; then the strategy, which was told of them, decides. One addition, for a proxy that is good on one
    space misleads on another: the rank correlation of the score to what training found is kept as `tau`, and where it
    is not above 0 after `drop_after` trainings, the score is dropped, and the strategy takes over.

    Args:
        strategy: Decides after the start; told nothing yet. A space stands for evolution in it.
        score: The larger, the better it will be trained; a zero-cost proxy. Called once an architecture; it must be
            a function of the architecture alone. One that cannot be scored (an `ArchwrightError`) counts as worst.
        n: Random architectures that are scored, when first asked.
        keep: The best so many of them are tried.
        drop_after: Trainings after which a score without positive correlation is dropped.
        seed: Of the random architectures.
    """

    def __init__(
        self,
        strategy: Strategy | Space,
        *,
        score: Callable[[Architecture], float],
        n: int = 100,
        keep: int = 20,
        drop_after: int = 10,
        seed: int = 0,
    ):
        if isinstance(strategy, Space):
            strategy = RegularizedEvolution(strategy, population_size=20, tournament_size=5)
        if not callable(score):
            raise TypeError(f"score must be a function of an architecture, got {score!r:.80}")
        if not 1 <= keep <= n:
            raise ValueError(f"keep must lie in 1..n, got {keep=} with {n=}")
        if drop_after < 3:
            raise ValueError(f"drop_after must be at least 3, or chance decides, got {drop_after}")
        self.space = space_of(strategy)
        self.rungs = strategy.rungs
        self.strategy = strategy
        self.score = score
        self.n = n
        self.keep = keep
        self.drop_after = drop_after
        self.seed = seed
        self.tau = math.nan
        """Kendall's rank correlation of the score to trained results, over the trainings it chose; above 0 is good."""
        self.dropped = False
        """Whether the score was dropped, for want of a positive correlation."""
        self._seen = Seen(self.space)
        self._scores: dict[str, float] = {}  # by canonical key
        self._chosen: list[Architecture] | None = None
        self._trained: list[Trial] = []

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        if not self.dropped:
            chosen = self._start()
            new = self._seen.new([self.space.key(a) for a in chosen], pending)
            if new:
                origin = f"number {new[0] + 1} by score of {len(self._scores)} random ones"
                return Proposal(chosen[new[0]], self.rungs[0] if self.rungs else None, origin=origin)
        return self.strategy.ask(rng, pending)

    def tell(self, trial: Trial) -> None:
        self._seen.add(trial)
        self.strategy.tell(trial)
        key = trial.key or self.space.key(trial.architecture)
        if trial.status != "done" or trial.proposal.continues is not None or self.dropped:
            return  # one that goes on with a training is no training of its own
        self._start()
        if key not in self._scores or not math.isfinite(self._scores[key]):
            return
        self._trained.append(trial)
        if len(self._trained) < 3:
            return
        from scipy.stats import kendalltau  # here, for it takes longer to import than all strategies

        scores = [self._scores[t.key or self.space.key(t.architecture)] for t in self._trained]
        with np.errstate(invalid="ignore"):
            found = kendalltau(scores, -non_dominated_rank(self._trained)).statistic
        self.tau = float(found) if np.isfinite(found) else 0.0  # all alike: it tells nothing
        if len(self._trained) == self.drop_after and not self.tau > 0:
            self.dropped = True

    def _start(self) -> list[Architecture]:
        """What is tried first, best score first: a function of the arguments alone, found when first needed."""
        if self._chosen is None:
            drawn: dict[str, Architecture] = {}
            rng, blank = np.random.default_rng(self.seed), Seen(self.space)
            try:
                for _ in range(self.n):
                    architecture = blank.fresh(rng)
                    drawn[self.space.key(architecture)] = architecture
                    blank.add(Trial(0, Proposal(architecture), "failed"))
            except SpaceExhaustedError:
                pass  # a small space is scored as a whole
            self._scores = {key: self._score(architecture) for key, architecture in drawn.items()}
            best = sorted(drawn, key=lambda key: -self._scores[key])[: self.keep]
            self._chosen = [drawn[key] for key in best]
        return self._chosen

    def _score(self, architecture: Architecture) -> float:
        try:
            value = float(self.score(architecture))
        except ArchwrightError:
            return -math.inf
        return value if not math.isnan(value) else -math.inf
