"""MOEA/D: one search for each weighting of the goals, neighbours helping each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from archwright.errors import ObjectiveError
from archwright.objective import Objectives, pareto_front
from archwright.space import Space
from archwright.strategy.breeding import Variation
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["MOEAD", "simplex_lattice"]

LEAST_WEIGHT = 1e-3
"""A weight of 0 would make a goal not matter at all, and so keep what any other architecture dominates."""


class MOEAD(Strategy):
    """Divide several goals into subproblems, each a weighting of them, and breed each from its neighbours.

    Zhang & Li, *MOEA/D: A Multiobjective Evolutionary Algorithm Based on Decomposition*, IEEE TEVC 11(6), 2007
    (https://doi.org/10.1109/TEVC.2007.892759), with the Tchebycheff approach (section II-B). It is here beside NSGA-II,
    and NSGA-III is not, because it renews its population after each trial, so that it learns in budgets smaller than
    a few generations and never waits for a worker; NSGA-III is for more goals than a search of architectures has.
    Departures:

    - Goals are scaled (section V-F of the paper) from the best score of all trials within the ceilings to the worst on
      the front of the population. Over all trials, one bad network would make the others look alike.
    - A trial competes where it fits best: in the neighbourhood of the subproblem in which its value is least,
      whichever it was bred for (Wang et al., *A Replacement Strategy for Balancing Convergence and Diversity
      in MOEA/D*, CEC 2014). So prior runs and late children of other workers count like all others.
    - It takes the places of at most `replacements` members, those that it improves on most (as Li & Zhang, IEEE TEVC
      13(2), 2009). With one goal all subproblems are one, and it takes the place of the worst.
    - Of two that exceed ceilings, the one that exceeds less is better, and any within is better than both. What
      exceeds them most goes first, wherever it is.
    - Crossover and mutation are the space's own. A child is drawn again, up to `tries` times, while its function has
      been seen; then a mutation of its first parent, then a random architecture takes its place.
    - A failed trial takes no place.

    Args:
        space: Where architectures are drawn.
        population_size: Subproblems, at most; *N* in the paper. With three goals and more, what an even lattice has.
        neighbours: Subproblems that a child's parents are from, itself included; *T* in the paper.
        replacements: Members that a trial may take the place of.
        crossover: ``"one-point"``, ``"multi-point"`` or ``"uniform"``.
        crossover_rate: How often a child has two parents, 0 to 1.
        mutation_rate: How often a crossed child has one decision mutated, 0 to 1.
        tries: Children drawn in search of a new function.
        objectives: The goals, if known; else their number is that of the first trial's scores.
    """

    def __init__(
        self,
        space: Space,
        *,
        population_size: int = 100,
        neighbours: int = 20,
        replacements: int = 2,
        crossover: str = "uniform",
        crossover_rate: float = 0.9,
        mutation_rate: float = 0.6,
        tries: int = 20,
        objectives: Objectives | None = None,
    ):
        goals = len(objectives.goals) if objectives is not None else 1
        if population_size < max(2, goals):
            raise ValueError(f"population_size must be at least {max(2, goals)}, got {population_size}")
        if not 2 <= neighbours <= population_size:
            raise ValueError(f"neighbours must lie in 2..population_size, {population_size}, got {neighbours}")
        if replacements < 1:
            raise ValueError(f"replacements must be at least 1, got {replacements}")
        self._variation = Variation(crossover, crossover_rate, mutation_rate, tries)
        self.space = space
        self.population_size = population_size
        self.neighbours = neighbours
        self.replacements = replacements
        self.crossover = crossover
        self.crossover_rate = crossover_rate
        self.mutation_rate = mutation_rate
        self.tries = tries
        self.objectives = objectives
        self._goals = goals if objectives is not None else 0  # 0: not known yet
        self._seen = Seen(space)
        self._told = 0
        self._first: list[Trial] = []  # until there are enough for a population
        self._population: list[Trial] = []  # one a subproblem
        self._weights = np.ones((0, 1))
        self._near: NDArray[np.int64] = np.zeros((0, 0), dtype=np.int64)
        self._ideal: np.ndarray | None = None  # the best of each goal so far
        self._span: np.ndarray | float = 1.0  # from there to the worst on the front

    @property
    def population(self) -> tuple[Trial, ...]:
        """The best so far of each subproblem; empty until `population_size` trials have been told."""
        return tuple(self._population)

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        if self._population:
            subproblem = (self._told + len(pending)) % len(self._population)  # in turn, as in the paper
            pair = rng.choice(self._near[subproblem], 2, replace=False)
            a, b = (self._population[i] for i in pair)
        elif len(self._first) + len(pending) < self.population_size or not self._first:
            return Proposal(self._seen.fresh(rng, pending), origin="random")
        else:
            a, b = (self._first[i] for i in rng.integers(len(self._first), size=2))
        return self._variation.child(a, b, self._seen, rng, pending)

    def tell(self, trial: Trial) -> None:
        self._seen.add(trial)
        self._told += 1
        if trial.status == "failed" or (trial.status == "done" and trial.scores is None):
            return
        self._learn(trial)
        if self._population:
            self._compete(trial)
            return
        self._first.append(trial)
        if len(self._first) == self.population_size:
            self._begin()

    def _learn(self, trial: Trial) -> None:
        """Learn the best of each goal, and how many goals there are."""
        if trial.scores is None:
            return
        self._goals = self._goals or len(trial.scores)
        if len(trial.scores) != self._goals:
            raise ObjectiveError(f"trial {trial.number} has {len(trial.scores)} scores, there are {self._goals} goals")
        if trial.violation > 0 or not np.all(np.isfinite(trial.scores)):
            return
        scores = np.asarray(trial.scores, dtype=float)
        self._ideal = scores if self._ideal is None else np.minimum(self._ideal, scores)

    def _scale(self, trials: Sequence[Trial]) -> None:
        """Set the unit of each goal by the front of these."""
        front = pareto_front(trials)
        if front and self._ideal is not None:
            span = np.max(np.array([t.scores for t in front], dtype=float), axis=0) - self._ideal
            self._span = np.where((span > 0) & np.isfinite(span), span, 1.0)

    def _begin(self) -> None:
        """Give each subproblem the best of the first trials."""
        if self._goals < 2:  # unknown while all exceed ceilings: then one goal's way is as good as any
            self._weights = np.ones((self.population_size, 1))
            self._near = np.tile(np.arange(self.population_size), (self.population_size, 1))
            self._population = list(self._first)
        else:
            self._weights = np.maximum(simplex_lattice(self._goals, self.population_size), LEAST_WEIGHT)
            distance = np.linalg.norm(self._weights[:, None] - self._weights[None], axis=2)
            self._near = np.argsort(distance, axis=1, kind="stable")[:, : self.neighbours]
            self._scale(self._first)
            values = np.array([self._values(t) for t in self._first])
            excess = np.array([_excess(t) for t in self._first])
            self._population = [self._first[np.lexsort((column, excess))[0]] for column in values.T]
        self._first = []

    def _compete(self, trial: Trial) -> None:
        """Take the places of members that this trial is better than."""
        if self._goals > 1 and self._weights.shape[1] != self._goals:
            # The first within all ceilings says how many goals there are: from now on each member has a weighting.
            self._first = [*self._population, trial]
            self._begin()
            return
        self._scale([*self._population, trial])
        mine, excess = self._values(trial), _excess(trial)
        others = np.array([_excess(t) for t in self._population])
        members = np.array([self._values(t)[i] for i, t in enumerate(self._population)])
        # With one goal all subproblems are one, and so is the neighbourhood.
        near = self._near[int(np.argmin(mine))]
        gain = np.full(len(members), -math.inf)
        gain[near] = np.where(others[near] == excess, members[near] - mine[near], -math.inf)
        gain[others > excess] = math.inf
        better = np.flatnonzero(gain > 0)
        # What exceeds ceilings goes first, what exceeds them most before that.
        order = better[np.lexsort((-gain[better], -others[better]))]
        for i in order[: self.replacements]:
            self._population[i] = trial

    def _values(self, trial: Trial) -> np.ndarray:
        """The Tchebycheff value of a trial in each subproblem, smaller is better. Shape: (n_subproblems,)."""
        if trial.scores is None or self._ideal is None:
            return np.zeros(len(self._weights))
        scaled = np.nan_to_num((np.asarray(trial.scores) - self._ideal) / self._span, nan=np.inf)
        return np.asarray((self._weights * scaled).max(axis=1))


def _excess(trial: Trial) -> float:
    """By how much a trial exceeds ceilings; above 0 for every infeasible one."""
    return max(trial.violation, math.ulp(0.0)) if trial.status == "infeasible" else trial.violation


def simplex_lattice(goals: int, most: int) -> np.ndarray:
    """Evenly spread weights that sum to 1, at most so many but at least one a goal. Shape: (n, goals).

    Das & Dennis, *Normal-Boundary Intersection*, SIAM Journal on Optimization 8(3), 1998.

    >>> simplex_lattice(2, 3).tolist()
    [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]]
    """
    parts = 1
    while math.comb(parts + goals, goals - 1) <= most and goals > 1:
        parts += 1
    return np.array(list(_compositions(parts, goals)), dtype=float) / parts


def _compositions(total: int, parts: int) -> Iterator[tuple[int, ...]]:
    """All ways to write a total as so many whole numbers, in order."""
    if parts == 1:
        yield (total,)
        return
    for first in range(total + 1):
        yield from ((first, *rest) for rest in _compositions(total - first, parts - 1))
