"""NSGA-II: evolve a whole Pareto front."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archwright.objective import ranked
from archwright.space import Space
from archwright.strategy.breeding import Variation
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["NSGA2"]


class NSGA2(Strategy):
    """Keep the best fronts of parents and children together, and of the last front that has room the loneliest.

    Deb, Pratap, Agarwal & Meyarivan, *A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II*, IEEE TEVC 6(2),
    2002 (https://doi.org/10.1109/4235.996017): the main loop of section III-C, binary tournaments by rank and crowding
    (III-B), constrained domination (VI-A). With one goal it is an elitist genetic algorithm. Departures:

    - Crossover and mutation are the space's own, as decisions are mostly unordered: a crossed child has one
      decision mutated with probability `mutation_rate`, one that is not crossed always.
    - Generations do not wait: the population is renewed whenever `offspring_size` children have been told,
      whichever population their parents were of. With one it is the steady-state variant of Durillo et al., *On the
      Effect of the Steady-State Selection Scheme in Multi-Objective Genetic Algorithms*, EMO 2009.
    - A child is drawn again, up to `tries` times, while its function has been seen; then a mutation of its first
      parent, then a random architecture takes its place. So the population holds no function twice.
    - A failed trial joins no population.

    Args:
        space: Where architectures are drawn.
        population_size: Members that survive; *N* in the paper.
        offspring_size: Children between two renewals of the population; None for as many as it has members, as in the
            paper.
        crossover: ``"one-point"``, ``"multi-point"`` or ``"uniform"``.
        crossover_rate: How often a child has two parents, 0 to 1.
        mutation_rate: How often a crossed child has one decision mutated, 0 to 1.
        tries: Children drawn in search of a new function.
    """

    def __init__(
        self,
        space: Space,
        *,
        population_size: int = 100,
        offspring_size: int | None = None,
        crossover: str = "uniform",
        crossover_rate: float = 0.9,
        mutation_rate: float = 0.6,
        tries: int = 20,
    ):
        if population_size < 2:
            raise ValueError(f"population_size must be at least 2, got {population_size}")
        if offspring_size is not None and offspring_size < 1:
            raise ValueError(f"offspring_size must be at least 1, got {offspring_size}")
        self._variation = Variation(crossover, crossover_rate, mutation_rate, tries)
        self.space = space
        self.population_size = population_size
        self.offspring_size = offspring_size
        self.crossover = crossover
        self.crossover_rate = crossover_rate
        self.mutation_rate = mutation_rate
        self.tries = tries
        self._population: list[Trial] = []  # in the order of `ranked`
        self._children: list[Trial] = []
        self._seen = Seen(space)

    @property
    def population(self) -> tuple[Trial, ...]:
        """Those that survived, best first; empty until `population_size` trials have been told."""
        return tuple(self._population)

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        members = self._population
        if not members:
            if len(self._children) + len(pending) < self.population_size or not self._children:
                return Proposal(self._seen.fresh(rng, pending), origin="random")
            members = ranked(self._children)
        # Members are in order, so the better of two is the one that comes first.
        a, b = (members[int(rng.integers(len(members), size=2).min())] for _ in range(2))
        return self._variation.child(a, b, self._seen, rng, pending)

    def tell(self, trial: Trial) -> None:
        self._seen.add(trial)
        if trial.status == "failed":
            return
        self._children.append(trial)
        full = (self.offspring_size or self.population_size) if self._population else self.population_size
        if len(self._children) >= full:
            self._population = ranked(self._population + self._children)[: self.population_size]
            self._children = []
