"""The genetic algorithm, with its classical operators."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from archwright.errors import MissingExtraError, SpaceError, did_you_mean
from archwright.space import Architecture, Space
from archwright.space.variation import REAL_STEP, is_live
from archwright.strategy.breeding import bred, check_operators
from archwright.strategy.reward import Reward
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["MUTATIONS", "SELECTIONS", "GeneticAlgorithm"]

SELECTIONS = ("tournament", "roulette")
MUTATIONS = ("change", "swap")


class Fitness(NamedTuple):
    """What DEAP's selections read of an individual; larger is better."""

    values: tuple[float]


class Member(NamedTuple):
    """One individual of a population."""

    trial: Trial
    fitness: Fitness


class GeneticAlgorithm(Strategy):
    """Breed generation after generation: select two parents, cross them, mutate the child, keep the best.

    Holland, *Adaptation in Natural and Artificial Systems*, 1975; the operators as in Goldberg, *Genetic Algorithms in
    Search, Optimization and Machine Learning*, 1989, by those of DEAP (Fortin et al., *DEAP: Evolutionary Algorithms
    Made Easy*, JMLR 13, 2012, https://jmlr.org/papers/v13/fortin12a.html). A gene is the code of a decision.

    - Fitness is the `Reward` (several goals averaged; for a front use `NSGA2`), less that of the population's
      worst: Goldberg's window. So under roulette the worst is never selected, and all are alike when none is better.
    - A decision that is not live in one parent takes part in crossover with the other parent's code, or with a random
      one where neither has it; what is not live in the child is then removed. Multi-point crossover has two points.
    - Mutation by change draws a gene anew, as DEAP does, the old code among the possible ones; a `real` makes a normal
      step of a tenth of its range. Mutation by swap moves codes among decisions with the same values, and
      where no two such differ, change takes its place.
    - Generations do not wait: a generation is full when enough children have been told, whichever generation their
      parents were of, and until then children are bred from the last full one (the first, random one: from what is
      there). So with several workers a few children are late, and nothing stands still.
    - A failed trial joins no population. An infeasible one joins neither, for it costs nothing; while the first
      generation is being filled and as many have been infeasible as it has members, every second child is of theirs.
    - A child is drawn again, up to `tries` times, while its function has been seen; then a mutation of its first
      parent, then a random architecture takes its place.

    DEAP draws from the global generator of the module `random`: around each call it is seeded from the search's own,
    and its state is put back afterwards. In a program that draws from it in another thread meanwhile, that
    thread's numbers and the search's own would depend on each other.

    Args:
        space: Where architectures are drawn.
        population_size: Members of a generation.
        selection: One of `SELECTIONS`.
        tournament_size: Members compared to choose a parent, where selection is by tournament.
        crossover: ``"one-point"``, ``"multi-point"`` or ``"uniform"``.
        crossover_rate: How often a child has two parents, 0 to 1.
        mutation: One of `MUTATIONS`.
        mutation_rate: How often each gene of a child is mutated, 0 to 1; None for one over their number.
        elitism: How many of the best stay in the next generation.
        tries: Children drawn in search of a new function.

    Raises:
        MissingExtraError: DEAP is not installed.
    """

    def __init__(
        self,
        space: Space,
        *,
        population_size: int = 50,
        selection: str = "tournament",
        tournament_size: int = 3,
        crossover: str = "uniform",
        crossover_rate: float = 0.9,
        mutation: str = "change",
        mutation_rate: float | None = None,
        elitism: int = 2,
        tries: int = 20,
    ):
        if population_size < 2:
            raise ValueError(f"population_size must be at least 2, got {population_size}")
        if not 0 <= elitism < population_size:
            raise ValueError(f"elitism must lie in 0..{population_size - 1}, below population_size, got {elitism}")
        if selection not in SELECTIONS:
            raise ValueError(f"there is no selection {selection!r}. {did_you_mean(selection, SELECTIONS)}")
        if not 1 <= tournament_size <= population_size:
            raise ValueError(
                f"tournament_size must lie in 1..population_size, {population_size}, got {tournament_size}"
            )
        if mutation not in MUTATIONS:
            raise ValueError(f"there is no mutation {mutation!r}. {did_you_mean(mutation, MUTATIONS)}")
        check_operators(crossover, tries, crossover_rate=crossover_rate, mutation_rate=mutation_rate)
        _import_deap()
        self.space = space
        self.population_size = population_size
        self.selection = selection
        self.tournament_size = tournament_size
        self.crossover = crossover
        self.crossover_rate = crossover_rate
        self.mutation = mutation
        self.mutation_rate = mutation_rate
        self.elitism = elitism
        self.tries = tries
        self._population: list[Trial] = []  # the last full generation
        self._children: list[Trial] = []  # of the generation that is being filled
        self._infeasible: deque[Trial] = deque(maxlen=population_size)
        self._seen = Seen(space)
        self._reward = Reward()
        self._alike = _alike(space)

    @property
    def population(self) -> tuple[Trial, ...]:
        """The last full generation, the best that it kept of the one before first; empty until the first is full."""
        return tuple(self._population)

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        members = self._population or self._children
        if not self._population:
            crowded_out = len(self._infeasible) == self.population_size and rng.random() < 0.5
            if crowded_out:
                members = [*self._infeasible, *self._children]
            elif len(self._children) + len(pending) < self.population_size or not self._children:
                return Proposal(self._seen.fresh(rng, pending), origin="random")
        a, b = self._select(members, rng)
        parents = (a, b) if a.architecture != b.architecture and rng.random() < self.crossover_rate else (a,)
        return bred(self._seen, parents, lambda: self._child(parents, rng), rng, pending, self.tries)

    def tell(self, trial: Trial) -> None:
        self._seen.add(trial)
        self._reward.add(trial)
        if trial.status == "infeasible":
            self._infeasible.append(trial)
        if trial.status != "done":
            return
        self._children.append(trial)
        stay = self.elitism if self._population else 0
        if len(self._children) + stay == self.population_size:
            best = sorted(self._population, key=self._reward.of, reverse=True)[:stay]
            self._population, self._children = best + self._children, []

    def _select(self, trials: Sequence[Trial], rng: np.random.Generator) -> list[Trial]:
        """Two parents; they may be the same."""
        from deap import tools

        rewards = [self._reward.of(t) for t in trials]
        lowest = min(rewards) if max(rewards) > min(rewards) else min(rewards) - 1
        members = [Member(t, Fitness((r - lowest,))) for t, r in zip(trials, rewards, strict=True)]
        with _random_of(rng):
            if self.selection == "roulette":
                chosen = tools.selRoulette(members, 2)
                # The wheel may stop where rounding has left nobody.
                chosen += [max(members, key=lambda m: m.fitness)] * (2 - len(chosen))
            else:
                chosen = tools.selTournament(members, 2, self.tournament_size)
        return [m.trial for m in chosen]

    def _child(self, parents: Sequence[Trial], rng: np.random.Generator) -> Architecture:
        genes = self.space.codes([p.architecture for p in parents]).tolist()
        for _ in range(self.tries):
            with _random_of(rng):
                codes = self._crossed(*genes) if len(genes) == 2 else self._settled(genes[0])
                child = self.space.architecture(self._settled(self._mutated(codes)))
            if not self.space.rules or child in self.space:
                return child
        raise SpaceError(f"the rules forbade {self.tries} children in a row")

    def _crossed(self, a: list[int], b: list[int]) -> list[int]:
        from deap import tools

        drawn = [random.randrange(d.size) for d in self.space.decisions]
        first, second = (
            [mine if mine >= 0 else other if other >= 0 else new for mine, other, new in zip(*both, drawn, strict=True)]
            for both in ((a, b), (b, a))
        )
        if self.crossover == "uniform":
            tools.cxUniform(first, second, 0.5)
        elif len(first) > 1:  # a point lies between two genes
            {"one-point": tools.cxOnePoint, "multi-point": tools.cxTwoPoint}[self.crossover](first, second)
        return self._settled(first)

    def _mutated(self, codes: list[int]) -> list[int]:
        from deap import tools

        live = [i for i, code in enumerate(codes) if code >= 0 and self.space.decisions[i].size > 1]
        rate = self.mutation_rate if self.mutation_rate is not None else 1 / max(1, len(live))
        mutated = list(codes)

        def put(places: list[int], genes: list[Any]) -> None:
            for i, gene in zip(places, genes, strict=True):
                mutated[i] = min(self.space.decisions[i].size - 1, max(0, round(gene)))

        groups = [[i for i in group if codes[i] >= 0] for group in self._alike] if self.mutation == "swap" else []
        groups = [group for group in groups if len({codes[i] for i in group}) > 1]
        for group in groups:
            put(group, tools.mutShuffleIndexes([codes[i] for i in group], rate)[0])
        if not groups:
            reals = [i for i in live if self.space.decisions[i].kind == "real"]
            others = [i for i in live if self.space.decisions[i].kind != "real"]
            last = [self.space.decisions[i].size - 1 for i in live]
            steps = [REAL_STEP * self.space.decisions[i].size for i in reals]
            put(reals, tools.mutGaussian([codes[i] for i in reals], 0.0, steps, rate)[0])
            last = [self.space.decisions[i].size - 1 for i in others]
            put(others, tools.mutUniformInt([codes[i] for i in others], 0, last, rate)[0])
        return mutated

    def _settled(self, genes: Sequence[int]) -> list[int]:
        """Codes without what is not live; what is live and has no code is drawn."""
        codes: list[int] = []
        for d, gene in zip(self.space.decisions, genes, strict=True):
            codes.append((gene if gene >= 0 else random.randrange(d.size)) if is_live(d, codes) else -1)
        return codes


def _alike(space: Space) -> list[list[int]]:
    """Places of decisions that take the same values, two or more each."""
    groups: dict[Any, list[int]] = {}
    for i, d in enumerate(space.decisions):
        # Values alone would take True for 1.
        values = tuple((type(v), v) for v in d.values) or repr(d.node)
        groups.setdefault((d.kind, values), []).append(i)
    return [places for places in groups.values() if len(places) > 1]


@contextmanager
def _random_of(rng: np.random.Generator) -> Iterator[None]:
    """The module `random` seeded from `rng` inside, and as it was afterwards."""
    before = random.getstate()
    random.seed(int(rng.integers(2**63)))
    try:
        yield
    finally:
        random.setstate(before)


def _import_deap() -> None:
    try:
        import deap.tools  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("deap", extra="evolution", purpose="for the genetic algorithm") from error
