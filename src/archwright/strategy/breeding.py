"""From two parents to a child that is new: what the strategies that cross architectures share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from archwright.errors import SpaceError, did_you_mean
from archwright.space import Architecture
from archwright.strategy.seen import Seen
from archwright.trial import Proposal, Trial

__all__ = ["CROSSOVERS", "Variation", "bred", "check_operators"]

CROSSOVERS = ("one-point", "multi-point", "uniform")


def bred(
    seen: Seen,
    parents: Sequence[Trial],
    draw: Callable[[], Architecture],
    rng: np.random.Generator,
    pending: Sequence[Proposal],
    tries: int,
) -> Proposal:
    """A child whose function is new: of `tries` draws, else of `tries` mutations of the first parent, else random."""
    numbers = tuple(dict.fromkeys(p.number for p in parents))
    said = " and ".join(map(str, numbers))
    try:
        child = seen.first(draw, pending, tries)
    except SpaceError:  # rules forbid all that can be drawn from these parents, or nothing about them can change
        child = None
    if child is not None:
        return Proposal(child, parents=numbers, origin=f"{'child' if len(numbers) > 1 else 'mutation'} of {said}")
    child = seen.mutation(parents[0].architecture, rng, pending, tries)
    if child is not None:
        return Proposal(
            child, parents=numbers[:1], origin=f"mutation of {numbers[0]}, for want of new children of {said}"
        )
    return Proposal(seen.fresh(rng, pending), origin=f"random, for want of new children of {said}")


@dataclass(frozen=True)
class Variation:
    """Children by the space's own operators: crossed with one probability, one decision mutated with another.

    Args:
        crossover: One of `CROSSOVERS`.
        crossover_rate: How often a child has two parents, 0 to 1.
        mutation_rate: How often a crossed child has one decision mutated, 0 to 1; one that is not crossed always has.
        tries: Children drawn in search of a new function.
    """

    crossover: str
    crossover_rate: float
    mutation_rate: float
    tries: int

    def __post_init__(self) -> None:
        rates = {"crossover_rate": self.crossover_rate, "mutation_rate": self.mutation_rate}
        check_operators(self.crossover, self.tries, **rates)

    def child(self, a: Trial, b: Trial, seen: Seen, rng: np.random.Generator, pending: Sequence[Proposal]) -> Proposal:
        """A new child of one parent or both."""
        space = seen.space
        crossed = a.architecture != b.architecture and rng.random() < self.crossover_rate

        def draw() -> Architecture:
            child = a.architecture
            if crossed:
                child = space.crossover(child, b.architecture, rng, self.crossover)  # type: ignore[arg-type]
            return space.mutate(child, rng) if not crossed or rng.random() < self.mutation_rate else child

        return bred(seen, (a, b) if crossed else (a,), draw, rng, pending, self.tries)


def check_operators(crossover: str, tries: int, **rates: float | None) -> None:
    """Raise ValueError for what no operator can do."""
    if crossover not in CROSSOVERS:
        raise ValueError(f"there is no crossover {crossover!r}. {did_you_mean(crossover, CROSSOVERS)}")
    if tries < 1:
        raise ValueError(f"tries must be at least 1, got {tries}")
    for name, rate in rates.items():
        if rate is not None and not 0 <= rate <= 1:
            raise ValueError(f"{name} is a probability, 0 to 1, got {rate}")
