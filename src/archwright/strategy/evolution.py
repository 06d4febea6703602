"""Regularized (aging) evolution."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from archwright.objective import ranked
from archwright.space import Architecture, Space
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["RegularizedEvolution"]


class RegularizedEvolution(Strategy):
    """Evolve a population whose oldest member dies, however good it is.

    Algorithm 1 of Real et al., *Regularized Evolution for Image Classifier Architecture Search*, AAAI 2019
    (https://arxiv.org/abs/1802.01548). Departures:

    - A failed trial joins no population, so a broken architecture is never a parent.
    - An infeasible one joins neither, for it costs nothing and would age others out. While the population is
      still being filled and as many have been infeasible as it has members, every second proposal mutates one
      that exceeds the ceilings least: where few architectures fit, this finds them sooner than chance.
    - A mutation is drawn again, up to `tries` times, while its function has been seen; then a random
      architecture takes its place.
    - With several goals the tournament is won by constrained Pareto rank, then crowding (Deb et al. 2002).

    Args:
        space: Where architectures are drawn and mutated.
        population_size: Members alive at once; *P* in the paper.
        tournament_size: Members compared to choose a parent; *S* in the paper.
        tries: Mutations drawn in search of a new function.
        examples: Architectures for the first half of the first population, before random ones. Under a ceiling those
            just below it are mostly better than random ones, which are mostly far below.

    Raises:
        OutOfSpaceError: An example is not of this space.
    """

    def __init__(
        self,
        space: Space,
        *,
        population_size: int = 100,
        tournament_size: int = 25,
        tries: int = 20,
        examples: Sequence[Architecture] = (),
    ):
        if not 1 <= tournament_size <= population_size:
            raise ValueError(
                f"tournament_size must lie in 1..population_size, got {tournament_size=} with {population_size=}"
            )
        if tries < 1:
            raise ValueError(f"tries must be at least 1, got {tries}")
        self.space = space
        self.population_size = population_size
        self.tournament_size = tournament_size
        self.tries = tries
        self.examples = tuple(examples)
        self._given = [space.architecture(dict(a)) for a in self.examples[: max(1, population_size // 2)]]
        self._given_keys = [space.key(a) for a in self._given]
        self._population: deque[Trial] = deque(maxlen=population_size)  # maxlen is the ageing
        self._infeasible: deque[Trial] = deque(maxlen=population_size)
        self._seen = Seen(space)

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        filling = len(self._population) + len(pending) < self.population_size or not self._population
        crowded_out = len(self._infeasible) == self.population_size and rng.random() < 0.5
        if filling and not crowded_out:
            given = self._seen.new(self._given_keys, pending)
            if given:
                return Proposal(self._given[given[0]], origin="given to begin with")
            return Proposal(self._seen.fresh(rng, pending), origin="random")
        members = [*self._infeasible, *self._population] if filling else list(self._population)
        drawn = rng.choice(len(members), min(self.tournament_size, len(members)), replace=False)
        parent = ranked([members[i] for i in drawn])[0]
        child = self._seen.mutation(parent.architecture, rng, pending, self.tries)
        if child is None:
            return Proposal(
                self._seen.fresh(rng, pending), origin=f"random, for want of new mutations of {parent.number}"
            )
        return Proposal(child, parents=(parent.number,), origin=f"mutation of {parent.number}")

    def tell(self, trial: Trial) -> None:
        self._seen.add(trial)
        if trial.status == "done":
            self._population.append(trial)
        elif trial.status == "infeasible":
            self._infeasible.append(trial)
