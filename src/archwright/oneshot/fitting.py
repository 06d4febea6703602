"""The architectures that the gates prefer most among those that meet every ceiling, by real costs."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from archwright.errors import ArchwrightError, NothingFitsError
from archwright.objective import Objectives, format_cost
from archwright.space import Architecture, Space
from archwright.space.variation import is_live

__all__ = ["Ceilings", "Costs", "Fit", "by_regret", "fitting", "regrets"]

Costs = Callable[[Architecture, Sequence[str]], Mapping[str, float]]

LEVELS = 8
"""A decision of more than 64 values is tried at so many of them, evenly spaced."""

MOST_LOOKED_AT = 200_000


@dataclass(frozen=True)
class Fit:
    """An architecture that meets the ceilings.

    Args:
        architecture: Which.
        regret: How much the gates prefer the unconstrained choice: the sum over live decisions of
            ``log p(most probable value) - log p(this value)``; 0 is what argmax gives.
        costs: Its costs with a ceiling.
    """

    architecture: Architecture
    regret: float
    costs: Mapping[str, float] = field(default_factory=dict)


def regrets(space: Space, preferences: Sequence[Sequence[float] | None]) -> list[dict[int, float]]:
    """For each decision what each code costs in preference, from preferences such as log probabilities.

    Regrets, and not probabilities, are added up: in a conditional space the most probable architecture is mostly one
    with few decisions, whose few factors make a large product, and not what the decisions prefer one by one.

    Args:
        space: Whose decisions.
        preferences: A number a code, more is better; None for a decision of which nothing is known.
    """
    found = []
    for d, preferred in zip(space.decisions, preferences, strict=True):
        if preferred is not None:
            best = max(preferred)
            found.append({code: float(best - value) for code, value in enumerate(preferred)})
        else:
            levels = np.unique(np.linspace(0, d.size - 1, min(d.size, LEVELS if d.size > 64 else d.size)).round())
            found.append({int(code): 0.0 for code in levels})
    return found


def by_regret(space: Space, costs_of_codes: Sequence[Mapping[int, float]]) -> Iterator[tuple[float, tuple[int, ...]]]:
    """Every architecture's codes, least regret first: best-first search over decisions in their order.

    Each prefix has a completion that adds no regret, so its own regret is the exact bound: the k-th architecture comes
    after about k times as many prefixes as there are decisions.
    """
    decisions = space.decisions
    counter = itertools.count()
    heap: list[tuple[float, int, int, tuple[int, ...]]] = [(0.0, 0, 0, ())]
    while heap:
        regret, _, _, codes = heapq.heappop(heap)
        while len(codes) < len(decisions) and not is_live(decisions[len(codes)], codes):
            codes = (*codes, -1)
        if len(codes) == len(decisions):
            if not space.rules or space.architecture(codes) in space:
                yield regret, codes
            continue
        for code, more in costs_of_codes[len(codes)].items():
            if math.isfinite(more):
                heapq.heappush(heap, (regret + more, -len(codes) - 1, next(counter), (*codes, code)))


def fitting(
    space: Space,
    preferences: Sequence[Sequence[float] | None],
    objectives: Objectives | None,
    costs: Costs,
    *,
    k: int = 1,
    most: int = 500,
) -> list[Fit]:
    """The k architectures of least regret that meet all ceilings.

    Best-first search, exact while no more than `most` architectures are too costly. If none of those fits, the search
    walks from the preferred one along single changes, each time the one that takes most from the excess for its regret,
    and then back along changes that fit and prefer more: that is a good architecture, and not always the best.

    Args:
        space: Where.
        preferences: See `regrets`.
        objectives: Whose ceilings; None, or none of them, for no limit.
        costs: ``costs(architecture, names)``, real ones.
        k: How many.
        most: Architectures whose costs are looked at before walking.

    Raises:
        NothingFitsError: No architecture that was found meets the ceilings; says how near the nearest came.
    """
    table = regrets(space, preferences)
    ceiling = Ceilings(objectives, costs)
    found: list[Fit] = []
    looked = 0
    for looked, (regret, codes) in enumerate(itertools.islice(by_regret(space, table), MOST_LOOKED_AT), start=1):
        architecture = space.architecture(codes)
        if ceiling.excess(architecture) == 0:
            found.append(Fit(architecture, regret, ceiling.known(architecture)))
        if len(found) == k or looked >= most:
            break
    else:
        if not found:
            raise ceiling.nothing(f"of all {looked:,} architectures")
    if not found:
        found = [_walked(space, table, ceiling)]
    return found


class Ceilings:
    """Real costs, asked for once an architecture: measured latency is never twice the same."""

    def __init__(self, objectives: Objectives | None, costs: Costs):
        self.objectives = objectives if objectives is not None and objectives.needs else None
        self.costs = costs
        self.names = tuple(sorted(self.objectives.needs)) if self.objectives else ()
        self.least: dict[str, float] = {}
        self._known: dict[Architecture, tuple[float, Mapping[str, float]]] = {}

    def excess(self, architecture: Architecture) -> float:
        """By how much it exceeds them, 0 where it does not; infinite where it cannot be built."""
        if self.objectives is None:
            return 0.0
        if architecture not in self._known:
            try:
                found = self.costs(architecture, self.names)
                self._known[architecture] = self.objectives.violation(found), found
            except ArchwrightError:  # it cannot be built
                self._known[architecture] = math.inf, {}
            for name, value in self._known[architecture][1].items():
                self.least[name] = min(value, self.least.get(name, math.inf))
        return self._known[architecture][0]

    def known(self, architecture: Architecture) -> Mapping[str, float]:
        return self._known[architecture][1] if self.objectives else {}

    def nothing(self, where: str) -> NothingFitsError:
        assert self.objectives is not None
        cheapest = ", ".join(
            f"{c.cost} {format_cost(c.cost, self.least[c.cost]) if c.cost in self.least else 'unknown'} at least "
            f"(ceiling {format_cost(c.cost, c.limit)})"
            for c in self.objectives.ceilings
            if not c.measured
        )
        return NothingFitsError(
            f"no architecture meets the ceilings: {where}, the cheapest had {cheapest}. Raise the ceiling, or give a "
            "space with smaller networks"
        )


def _walked(space: Space, table: Sequence[Mapping[int, float]], ceilings: Ceilings) -> Fit:
    """Down to the ceilings by single changes, half of the excess a round, and back up as far as they allow."""
    here = next(by_regret(space, table))[1]
    excess = _excess(space, here, ceilings)
    while excess > 0:
        base, worths = _regret(table, here), []
        for changed in _neighbours(space, table, here):
            less = excess - _excess(space, changed, ceilings) if math.isfinite(excess) else 1.0
            if less > 0:
                worths.append((less / (max(0.0, _regret(table, changed) - base) + 1e-3), changed))
        before, start, done = excess, here, set[int]()
        for _, changed in sorted(worths, reverse=True):
            i = next(j for j, (a, b) in enumerate(zip(start, changed, strict=True)) if a != b)
            if i in done or here[i] < 0:
                continue
            tried = _changed(space, table, here, i, changed[i])
            if _allowed(space, tried) and (now := _excess(space, tried, ceilings)) < excess:
                here, excess = tried, now
                done.add(i)
            if excess <= before / 2:
                break
        if excess == before:
            raise ceilings.nothing(
                f"from the preferred one down by single changes, over {len(ceilings._known):,} others"
            )
    improved = True
    while improved:
        base = _regret(table, here)
        nearer = sorted((_regret(table, c), c) for c in _neighbours(space, table, here))
        better = (c for regret, c in nearer if regret < base and _excess(space, c, ceilings) == 0)
        improved = (step := next(better, None)) is not None
        here = step or here
    architecture = space.architecture(here)
    return Fit(architecture, _regret(table, here), ceilings.known(architecture))


def _excess(space: Space, codes: tuple[int, ...], ceilings: Ceilings) -> float:
    return ceilings.excess(space.architecture(codes))


def _regret(table: Sequence[Mapping[int, float]], codes: Sequence[int]) -> float:
    return sum(row[c] for row, c in zip(table, codes, strict=True) if c >= 0)


def _allowed(space: Space, codes: tuple[int, ...]) -> bool:
    return not space.rules or space.architecture(codes) in space


def _neighbours(
    space: Space, table: Sequence[Mapping[int, float]], codes: tuple[int, ...]
) -> Iterator[tuple[int, ...]]:
    for i, code in enumerate(codes):
        for other in table[i] if code >= 0 else ():
            if other != code and _allowed(space, changed := _changed(space, table, codes, i, other)):
                yield changed


def _changed(
    space: Space, table: Sequence[Mapping[int, float]], codes: tuple[int, ...], i: int, code: int
) -> tuple[int, ...]:
    """One decision set anew; what it switches on takes its preferred code."""
    found = [*codes[:i], code]
    for j in range(i + 1, len(codes)):
        live = is_live(space.decisions[j], found)
        kept = codes[j] if codes[j] >= 0 else min(table[j], key=lambda c, j=j: table[j][c])  # type: ignore[misc]
        found.append(kept if live else -1)
    return tuple(found)
