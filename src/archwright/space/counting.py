"""How many architectures a layout has, which is the n-th, and all of them as an array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archwright.space.layout import Decision

__all__ = ["Numbered", "all_codes", "count"]


class Numbered:
    """Every architecture by its number, in lexicographic order, before any rule; none is listed.

    Decisions are gone through in order, parents first. What later decisions depend on is only which of them
    have been switched on, so that set is the state of a dynamic programme.
    """

    def __init__(self, decisions: Sequence[Decision]):
        self._decisions = decisions
        self._children: list[list[tuple[int, frozenset[int]]]] = [[] for _ in decisions]
        for i, d in enumerate(decisions):
            for parent, codes in d.conditions:
                self._children[parent].append((i, codes))
        self._known: dict[tuple[int, frozenset[int]], int] = {}
        self.size = self._ways(0, frozenset())

    def codes(self, number: int) -> list[int]:
        """The codes of one architecture, -1 where not live.

        Args:
            number: 0 to size - 1.
        """
        found: list[int] = []
        on: frozenset[int] = frozenset()
        for i, d in enumerate(self._decisions):
            if d.conditions and i not in on:
                found.append(-1)
            elif not self._children[i]:
                code, number = divmod(number, self._ways(i + 1, on - {i}))
                found.append(code)
            else:
                for code in range(d.size):
                    after = (on - {i}) | self._switched(i, code)
                    ways = self._ways(i + 1, after)
                    if number < ways:
                        break
                    number -= ways
                found.append(code)
                on = after
        return found

    def _switched(self, i: int, code: int) -> frozenset[int]:
        return frozenset(child for child, codes in self._children[i] if code in codes)

    def _ways(self, i: int, on: frozenset[int]) -> int:
        """How many ways there are to decide from i on, where `on` are the conditional decisions that are live."""
        if (i, on) not in self._known:
            self._known[i, on] = self._counted(i, on)
        return self._known[i, on]

    def _counted(self, i: int, on: frozenset[int]) -> int:
        total = 1
        while i < len(self._decisions):
            d = self._decisions[i]
            if d.conditions and i not in on:
                i += 1
                continue
            on = on - {i}
            if not self._children[i]:
                total *= d.size  # nothing depends on it: its codes simply multiply
                i += 1
                continue
            groups: dict[frozenset[int], int] = {}
            for code in range(d.size):
                switched = self._switched(i, code)
                groups[switched] = groups.get(switched, 0) + 1
            return total * sum(n * self._ways(i + 1, on | switched) for switched, n in groups.items())
        return total


def count(decisions: Sequence[Decision]) -> int:
    """The exact number of architectures, before any rule."""
    return Numbered(decisions).size


def all_codes(decisions: Sequence[Decision]) -> np.ndarray:
    """Every architecture, before any rule. Shape: (count(decisions), n_decisions), int32, -1 where not live."""
    codes = np.full((1, len(decisions)), -1, dtype=np.int32)
    for i, d in enumerate(decisions):
        repeats = np.where(live(d, codes), d.size, 1)
        codes = np.repeat(codes, repeats, axis=0)
        starts = np.repeat(np.cumsum(repeats) - repeats, repeats)
        codes[:, i] = np.where(live(d, codes), np.arange(len(codes)) - starts, -1)
    return codes


def live(d: Decision, codes: np.ndarray) -> np.ndarray:
    """In which rows of `codes` (parents decided) a decision is live. Shape: (n,), bool."""
    if not d.conditions:
        return np.ones(len(codes), dtype=bool)
    found = np.zeros(len(codes), dtype=bool)
    for parent, allowed in d.conditions:
        table = np.zeros(max(allowed) + 2, dtype=bool)  # the last entry, False, serves code -1
        table[list(allowed)] = True
        column = codes[:, parent]
        found |= table[np.minimum(column, len(table) - 1)] if len(table) else False
    return found
