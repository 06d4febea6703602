"""How many architectures a layout has, and all of them as an array."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from archwright.space.layout import Decision

__all__ = ["all_codes", "count"]


def count(decisions: Sequence[Decision]) -> int:
    """The exact number of architectures, before any rule.

    Decisions are gone through in order, parents first. What later decisions depend on is only which of them
    have been switched on, so that set is the state of a dynamic programme.
    """
    children: list[list[tuple[int, frozenset[int]]]] = [[] for _ in decisions]
    for i, d in enumerate(decisions):
        for parent, codes in d.conditions:
            children[parent].append((i, codes))

    @functools.cache
    def ways(i: int, on: frozenset[int]) -> int:
        total = 1
        while i < len(decisions):
            d = decisions[i]
            if d.conditions and i not in on:
                i += 1
                continue
            on = on - {i}
            if not children[i]:
                total *= d.size  # nothing depends on it: its codes simply multiply
                i += 1
                continue
            groups: dict[frozenset[int], int] = {}
            for code in range(d.size):
                switched = frozenset(child for child, codes in children[i] if code in codes)
                groups[switched] = groups.get(switched, 0) + 1
            return total * sum(n * ways(i + 1, on | switched) for switched, n in groups.items())
        return total

    return ways(0, frozenset())


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
