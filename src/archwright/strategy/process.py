"""The search as a decision process: one live decision after the other, a reward at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from archwright.space import Architecture, Space
from archwright.space.variation import is_live
from archwright.strategy.seen import Seen
from archwright.trial import Proposal

__all__ = ["Process", "Step"]

Step = tuple[int, int]
"""A place and the action taken there."""

MOST_KEYS = 50_000


class Process:
    """Episodes that build an architecture of a space, for strategies that learn where to go from where they are.

    - A *state* is the codes of all decisions so far, -1 for those that are not live.
    - The *place* in it is the next decision that is live given these codes, and has more than one value.
    - An *action* is one of its values; of a `real`, or an `integer` of more than `levels` values, one of `levels` equal
      parts of its range, from which the value is drawn uniformly.
    - The episode ends when every decision is taken. Rules of the space (`Space.where`) concern whole architectures, so
      no action is ruled out beforehand: an episode that ends in a forbidden one is run again (`first_new`).

    Args:
        space: What is decided.
        levels: Actions that a real or a large integer has.
    """

    def __init__(self, space: Space, *, levels: int = 8):
        if levels < 2:
            raise ValueError(f"levels must be at least 2, got {levels}")
        self.space = space
        self.levels = levels
        self.sizes = tuple(
            min(d.size, levels) if d.kind in ("real", "integer") else d.size for d in space.decisions
        )  # actions of each decision
        self._keys: dict[tuple[int, ...], str | None] = {}

    def place(self, codes: list[int]) -> int | None:
        """Which decision comes next, or None at the end; codes of those that leave no choice are appended."""
        decisions = self.space.decisions
        while len(codes) < len(decisions):
            d = decisions[len(codes)]
            live = is_live(d, codes)
            if live and d.size > 1:
                return len(codes)
            codes.append(0 if live else -1)
        return None

    def code(self, place: int, action: int, rng: np.random.Generator) -> int:
        """A code that an action stands for."""
        size, parts = self.space.decisions[place].size, self.sizes[place]
        if size == parts:
            return action
        return int(rng.integers(-(-action * size // parts), -(-(action + 1) * size // parts)))

    def action(self, place: int, code: int) -> int:
        """The action that leads to a code."""
        return code * self.sizes[place] // self.space.decisions[place].size

    def steps(self, codes: Sequence[int]) -> list[Step]:
        """The steps of an episode that led to these codes, all decisions or the first ones."""
        return [(i, self.action(i, code)) for i, code in enumerate(codes) if code >= 0 and self.sizes[i] > 1]

    def depths(self) -> set[int]:
        """The decisions that say how many copies of something open there are: integers that switch others on."""
        parents = {parent for d in self.space.decisions for parent, _ in d.conditions}
        return {i for i in parents if self.space.decisions[i].kind == "integer"}

    def codes(self, architecture: Architecture) -> list[int]:
        """The codes of an architecture."""
        found: list[int] = self.space.codes([architecture])[0].tolist()
        return found

    def episode(self, choose: Callable[[int, Sequence[Step]], int], rng: np.random.Generator) -> list[int]:
        """The codes in which an episode ends where ``choose(place, steps so far)`` says which action to take."""
        codes: list[int] = []
        steps: list[Step] = []
        while (place := self.place(codes)) is not None:
            action = choose(place, steps)
            codes.append(self.code(place, action, rng))
            steps.append((place, action))
        return codes

    def changed(self, codes: Sequence[int], place: int, code: int, rng: np.random.Generator) -> list[int]:
        """Codes with one decision set anew: what it switches off is gone, what it switches on is drawn."""
        found = [*codes[:place], code]
        for d, old in zip(self.space.decisions[place + 1 :], codes[place + 1 :], strict=True):
            if not is_live(d, found):
                found.append(-1)
            else:
                found.append(old if old >= 0 else int(rng.integers(d.size)))
        return found

    def first_new(self, drawn: Iterable[Sequence[int]], seen: Seen, pending: Sequence[Proposal]) -> Architecture | None:
        """The first that no rule forbids and whose function is neither seen nor pending, or None."""
        space = self.space
        under_way = {space.key(p.architecture) for p in pending}
        for codes in drawn:
            key = self._key(tuple(codes))
            if key is not None and key not in under_way and seen.new([key]):
                return space.architecture(codes)
        return None

    def _key(self, codes: tuple[int, ...]) -> str | None:
        """The canonical key of these codes, None where a rule forbids them; kept, for it takes longer than to draw."""
        if codes not in self._keys:
            if len(self._keys) == MOST_KEYS:
                self._keys.clear()
            architecture = self.space.architecture(codes)
            allowed = not self.space.rules or architecture in self.space
            self._keys[codes] = self.space.key(architecture) if allowed else None
        return self._keys[codes]
