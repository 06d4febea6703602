"""Which functions a search has met, and a random one that it has not: what keeps work from being done twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np

from archwright.errors import SpaceError, SpaceExhaustedError
from archwright.space import Architecture, Space
from archwright.trial import Proposal, Trial

__all__ = ["Seen"]

MOST_DRAWS = 10_000


class Seen:
    """Canonical keys of all architectures told, for strategies to hold.

    Args:
        space: Where architectures come from.
        tries: Random draws before a space small enough is gone through from end to end.
    """

    def __init__(self, space: Space, *, tries: int = 50):
        self.space = space
        self.tries = tries
        self._keys: set[str] = set()

    def add(self, trial: Trial) -> None:
        """Note a trial's function as seen."""
        self._keys.add(trial.key or self.space.key(trial.architecture))

    def fresh(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Architecture:
        """A random architecture whose function was neither told nor is pending.

        Raises:
            SpaceExhaustedError: There is none (a large space is believed exhausted after 10,000 draws).
        """
        found = self.first(lambda: self.space.sample(rng), pending, self.tries)
        if found is not None:
            return found
        if self.space.enumerable:
            keys, codes = self._all
            left = self.new(keys, pending)
            if left:
                return self.space.architecture(codes[left[rng.integers(len(left))]])
            raise SpaceExhaustedError(
                f"all {len(keys):,} different functions of the space ({len(codes):,} architectures) have been proposed"
            )
        found = self.first(lambda: self.space.sample(rng), pending, MOST_DRAWS)
        if found is None:
            raise SpaceExhaustedError(
                f"{MOST_DRAWS:,} random architectures held no function that is new after {len(self._keys):,} trials"
            )
        return found

    def first(self, draw: Callable[[], Architecture], pending: Sequence[Proposal], tries: int) -> Architecture | None:
        """The first of `tries` draws whose function is new, or None."""
        also = self._keys_of(pending)
        for _ in range(tries):
            architecture = draw()
            key = self.space.key(architecture)
            if key not in self._keys and key not in also:
                return architecture
        return None

    def mutation(
        self, parent: Architecture, rng: np.random.Generator, pending: Sequence[Proposal], tries: int
    ) -> Architecture | None:
        """The first of `tries` mutations of `parent` whose function is new, or None.

        None too where it has no mutation: it is alone in its space, or rules forbid all that differ in one decision.
        """
        try:
            return self.first(lambda: self.space.mutate(parent, rng), pending, tries)
        except SpaceError:
            return None

    def new(self, keys: Sequence[str], pending: Sequence[Proposal] = ()) -> list[int]:
        """Which of these keys are new, as positions."""
        also = self._keys_of(pending)
        return [i for i, key in enumerate(keys) if key not in self._keys and key not in also]

    def _keys_of(self, pending: Sequence[Proposal]) -> set[str]:
        return {self.space.key(p.architecture) for p in pending}

    @cached_property
    def _all(self) -> tuple[list[str], np.ndarray]:
        codes = self.space.all_codes()
        keys, first = np.unique(self.space.keys(codes), return_index=True)
        return [f"{key:016x}" for key in keys.tolist()], codes[first]
