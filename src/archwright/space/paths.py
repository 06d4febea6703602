"""The paths of a network from its input to its output, counted and measured for whole batches of architectures.

Each signal is given a few arrays with a column an architecture, and what an operation, a sum or a choice does to them
is one line each below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np

__all__ = ["Rows", "Signal", "added", "limited", "sets_of"]

MOST_SETS = 5  # up to so many kinds, paths are measured through every set of them; beyond, through each and through all
LONGEST = 8  # paths are counted by their length, and those of so many operations or more together


@dataclass(frozen=True)
class Signal:
    """What is known of one signal of the network; every array has a column an architecture (or one for all).

    Args:
        alive: Whether there is a signal at all.
        sums: What adds up where signals are added: `Rows` says which row is what.
        least: What the smaller of two is taken of; `inf` where there is nothing.
        most: What the larger is taken of; `-inf` where there is nothing.
    """

    alive: Any
    sums: Any
    least: Any
    most: Any


class Rows:
    """Where things are in the arrays of a `Signal`, for the kinds of operations and sets of kinds of one space."""

    def __init__(self, kinds: int, sets: Sequence[frozenset[int]]):
        self.kinds = kinds
        self.inside = np.array([[k in s for k in range(kinds)] for s in sets], dtype=float).reshape(len(sets), kinds)
        at = np.cumsum([0, kinds + 1, len(sets), LONGEST + 1, kinds])
        # Summands by the kind of their operation (the last: the input itself); paths that keep to a set; paths by their
        # length; operations of a kind, once for each path that they are on.
        self.terms, self.keeping, self.lengths, self.met = (slice(i, j) for i, j in pairwise(at))
        self.n_sums = int(at[-1])
        self.n_sets = len(sets)
        # Of paths that keep to a set, their lengths; of all paths, how many of their operations are in the set.
        self.within, self.along = slice(0, len(sets)), slice(len(sets), 2 * len(sets))

    def nothing(self) -> Signal:
        bounds = np.full((2 * self.n_sets, 1), np.inf)
        return Signal(False, np.zeros((self.n_sums, 1)), bounds, -bounds)

    def input(self) -> Signal:
        """One path, on which nothing lies."""
        sums = np.zeros((self.n_sums, 1))
        sums[self.terms.stop - 1] = sums[self.keeping] = sums[self.lengths.start] = 1
        zeros = np.zeros((2 * self.n_sets, 1))
        return Signal(True, sums, zeros, zeros)

    def applied(self, kind: int, x: Signal) -> Signal:
        """What an operation of this kind makes of a signal: it now ends every path."""
        inside = self.inside[:, kind, None]
        sums = np.zeros((self.n_sums, x.sums.shape[1]))
        sums[kind] = 1
        sums[self.keeping] = x.sums[self.keeping] * inside
        lengths = x.sums[self.lengths]
        sums[self.lengths][1:] = lengths[:-1]
        sums[self.lengths.stop - 1] += lengths[-1]
        sums[self.met] = x.sums[self.met]
        sums[self.met.start + kind] += lengths.sum(axis=0)
        outside = np.where(inside > 0, 0, np.inf)
        least, most = (y + np.concatenate([inside, inside]) for y in (x.least, x.most))
        least[self.within] += outside
        most[self.within] -= outside
        return Signal(True, sums, least, most)

    def features(self, output: Signal) -> np.ndarray:
        """The paths from input to output as numbers. Shape: (columns, n)."""
        counts = np.concatenate(
            [output.sums[self.keeping], output.sums[self.lengths], self.inside @ output.sums[self.met]]
        )
        # No path is as good as an endless one, and shorter than the empty one.
        least, most = 1 / (1 + output.least), np.where(np.isfinite(output.most), 1 + output.most, 0)
        return np.concatenate([np.log1p(counts), least, most])


def limited(here: Any, x: Signal) -> Signal:
    """The signal at some architectures, and none at the others."""
    if here is True:
        return x
    return Signal(x.alive & here, x.sums * here, np.where(here, x.least, np.inf), np.where(here, x.most, -np.inf))


def added(xs: Sequence[Signal], rows: Rows) -> Signal:
    """The sum of signals."""
    found = xs[0] if xs else rows.nothing()
    for x in xs[1:]:
        found = Signal(
            found.alive | x.alive,
            found.sums + x.sums,
            np.minimum(found.least, x.least),
            np.maximum(found.most, x.most),
        )
    return found


def sets_of(n: int) -> list[frozenset[int]]:
    """The sets of n kinds that paths are measured through."""
    if n <= MOST_SETS:
        return [frozenset(s) for k in range(1, n + 1) for s in combinations(range(n), k)]
    return [frozenset([i]) for i in range(n)] + [frozenset(range(n))]
