"""Exhaustive search: every architecture of a grid, in a stated order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from archwright.errors import SpaceExhaustedError, did_you_mean
from archwright.space import Architecture, Space
from archwright.space.counting import Numbered
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["ORDERS", "Grid"]

ORDERS = ("spread", "lexicographic")

MOST_SKIPPED = 1_000_000


class Grid(Strategy):
    """Propose every architecture of a grid, each function once, in an order that no random number changes.

    Choices and subsets take all their values, and so do integers with few; a `real` and an `integer` with more than
    `levels` values take `levels` of them, evenly spaced by code (so over the logarithm where ``log=True``), ends
    included. Points are numbered, not listed, so a grid too large to finish can be begun.

    - ``order="lexicographic"``: the last decision changes first, as in nested loops.
    - ``order="spread"``: point ``i * g mod n`` of the n points, g the first number prime to n from the golden section
      of n on. The multiples of the golden section fill a line as evenly as any step can (Steinhaus's three gaps), so a
      search that is cut off has seen all values of the first decisions about equally often. It is the default,
      for both orders are the same when the grid is finished, and a lexicographic one that is not has seen the first
      values of the first decisions alone.

    Bergstra & Bengio, *Random Search for Hyper-Parameter Optimization*, JMLR 13, 2012
    (https://jmlr.org/papers/v13/bergstra12a.html), on why random search is often better than either.

    Args:
        space: What is gone through.
        levels: Values of a `real`, and of an `integer` that has more than so many.
        order: One of `ORDERS`.
    """

    def __init__(self, space: Space, *, levels: int = 5, order: str = "spread"):
        if levels < 2:
            raise ValueError(f"levels must be at least 2, the two ends, got {levels}")
        if order not in ORDERS:
            raise ValueError(f"there is no order {order!r}. {did_you_mean(order, ORDERS)}")
        self.space = space
        self.levels = levels
        self.order = order
        self._codes = [_levels(d.size, levels if d.kind in ("real", "integer") else d.size) for d in space.decisions]
        # The same decisions with levels for codes; one that no level of its parent switches on is never live.
        self._points = Numbered([
            replace(
                d,
                size=len(codes),
                conditions=tuple(
                    (parent, frozenset(i for i, code in enumerate(self._codes[parent]) if code in on))
                    for parent, on in d.conditions
                ),
            )
            for d, codes in zip(space.decisions, self._codes, strict=True)
        ])  # fmt: skip
        self._step = _golden_step(self.size) if order == "spread" else 1
        self._seen = Seen(space)
        self._next = 0  # all before it are told or forbidden: found in ask, but a function of what was told

    @property
    def size(self) -> int:
        """Points of the grid, before rules and with those that compute the same function."""
        return self._points.size

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        end = min(self.size, self._next + MOST_SKIPPED)
        while self._next < end and not self._new(self._point(self._next)):
            self._next += 1
        number = self._next
        while number < end and not self._new(self._point(number), pending):
            number += 1
        if number < end:
            return Proposal(self._point(number), origin=f"point {number + 1:,} of {self.size:,}")
        if end < self.size:
            raise SpaceExhaustedError(
                f"{MOST_SKIPPED:,} points in a row were forbidden or not new, {self.size - end:,} are left: "
                "loosen the rules of the space, or use another strategy"
            )
        finer = f"; {self.levels} levels of each real or long integer" if self._coarse else ""
        raise SpaceExhaustedError(f"all {self.size:,} points of the grid have been proposed{finer}")

    def tell(self, trial: Trial) -> None:
        self._seen.add(trial)

    def _point(self, number: int) -> Architecture:
        levels = self._points.codes(number * self._step % self.size)
        return self.space.architecture([c[i] if i >= 0 else -1 for c, i in zip(self._codes, levels, strict=True)])

    def _new(self, architecture: Architecture, pending: Sequence[Proposal] = ()) -> bool:
        # Rules last: they are the user's code, and may be slow.
        return bool(self._seen.new([self.space.key(architecture)], pending)) and architecture in self.space

    @property
    def _coarse(self) -> bool:
        return any(len(c) < d.size for c, d in zip(self._codes, self.space.decisions, strict=True))


def _levels(size: int, levels: int) -> Sequence[int]:
    """The codes that a grid takes of a decision."""
    if size <= levels:
        return range(size)
    return [round(i * (size - 1) / (levels - 1)) for i in range(levels)]


def _golden_step(n: int) -> int:
    """The first number prime to n, from n's golden section on."""
    step = max(1, math.isqrt(5 * n * n) - n) // 2 or 1  # in integers: n may have hundreds of digits
    while math.gcd(step, n) != 1:
        step += 1
    return step
