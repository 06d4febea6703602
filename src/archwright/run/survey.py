"""A look at the space before the search: what share of it meets the ceilings, and what it costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archwright.errors import ArchwrightError, NothingFitsError
from archwright.evaluator import Evaluator
from archwright.objective import Objectives, format_cost
from archwright.space import Architecture, Space
from archwright.space.narrowing import fitting

__all__ = ["Survey", "survey"]

ALWAYS = ("params", "macs")

NARROWED = 16
"""Samples that are made narrower until they meet the ceilings: at least as many as a strategy begins with."""

LONGEST_WALK_S = 6.0
"""How long an architecture that meets the ceilings is looked for, before it is said that nothing does."""


@dataclass(frozen=True)
class Survey:
    """What random architectures of the space cost.

    Args:
        sampled: How many were drawn.
        broken: How many of them could not be built.
        feasible: The share that meets every ceiling, 0..1.
        costs: For each cost, the minimum, median and maximum seen.
        examples: Architectures that meet every ceiling: the space's default; some samples, those that exceed one made
            narrower; and the other samples, those first that make most of the ceilings.
    """

    sampled: int
    broken: int
    feasible: float
    costs: Mapping[str, Mapping[str, float]]
    examples: tuple[Architecture, ...]

    def to_json(self) -> dict[str, Any]:
        """All but the examples, as JSON values."""
        return {
            "sampled": self.sampled,
            "broken": self.broken,
            "feasible": self.feasible,
            "costs": {name: dict(found) for name, found in self.costs.items()},
        }


def survey(
    space: Space, evaluator: Evaluator, objectives: Objectives, *, seed: int = 0, n: int = 200, seconds: float = 3.0
) -> Survey | None:
    """Measure the costs of up to `n` random architectures within about `seconds`; None if none can be known.

    Where no sample meets the ceilings, the least violating ones are mutated towards them, for some seconds more.

    Raises:
        NothingFitsError: Not even those meet the ceilings; the message tells what was nearest.
        ArchwrightError: No architecture of the space could be built at all; the first one's error.
    """
    known = getattr(evaluator, "costs", None)
    if known is None:
        return None
    names = tuple(dict.fromkeys((*sorted(objectives.costs), *ALWAYS)))
    rng = np.random.default_rng([seed, 2**31])
    found: list[tuple[float, Architecture, Mapping[str, float]]] = []
    errors: list[ArchwrightError] = []
    started = time.monotonic()
    # Latency takes tens of milliseconds a network, and repeats of one architecture tell nothing new.
    for architecture in dict.fromkeys(space.sample(rng, n)):
        if found and time.monotonic() - started > seconds:
            break
        try:
            costs = known(architecture, names)
        except ArchwrightError as error:
            errors.append(error)
            if len(errors) >= 20 and not found:
                raise
            continue
        found.append((objectives.violation(costs), architecture, costs))
    if not found:
        raise errors[0]
    within = sorted((f for f in found if f[0] == 0), key=lambda f: -_used(objectives, f[2]))
    share = len(within) / (len(found) + len(errors))

    def fits(architecture: Architecture) -> bool:
        try:
            return objectives.violation(known(architecture, names)) == 0
        except ArchwrightError:
            return False

    examples = _default(space, fits)
    if objectives.ceilings:
        examples += _narrowed(space, [a for _, a, _ in found], fits, time.monotonic() + seconds / 2)
    examples = list(dict.fromkeys([*examples, *(a for _, a, _ in within)]))
    if objectives.ceilings and not examples:
        examples = [_nearest(space, known, names, objectives, found, rng, LONGEST_WALK_S)]
    table = {}
    for name in names:
        values = [costs[name] for _, _, costs in found if name in costs]
        if values:
            table[name] = {"min": min(values), "median": float(np.median(values)), "max": max(values)}
    return Survey(len(found) + len(errors), len(errors), share, table, tuple(examples))


def _default(space: Space, fits: Callable[[Architecture], bool]) -> list[Architecture]:
    """The space's default; where it exceeds the ceilings, the widest narrower one that does not, if there is one."""
    found = None if space.default is None else _fitting(space, space.default, fits)
    return [] if found is None else [found]


def _narrowed(
    space: Space, sampled: Sequence[Architecture], fits: Callable[[Architecture], bool], until: float
) -> list[Architecture]:
    """The first of the samples, made narrower until they meet the ceilings.

    Of a tight ceiling random architectures tell little else than that simple ones are small: what would be good at a
    smaller width may be missing among those that meet it.
    """
    found: list[Architecture] = []
    for architecture in sampled:
        if len(found) == NARROWED or time.monotonic() > until:
            break
        narrower = _fitting(space, architecture, fits)
        if narrower is not None:
            found.append(narrower)
    return found


def _fitting(space: Space, architecture: Architecture, fits: Callable[[Architecture], bool]) -> Architecture | None:
    """The architecture, or else the widest narrower one, that meets the ceilings; None where there is none."""
    codes = fitting(space.decisions, space.codes([architecture])[0], lambda c: fits(space.architecture(c)))
    found = None if codes is None else space.architecture(codes)
    return found if found is not None and found in space else None


def _used(objectives: Objectives, costs: Mapping[str, float]) -> float:
    """The largest share that is used of any ceiling; measured latency, which is never twice the same, is left out."""
    return max(
        (costs[c.cost] / c.limit for c in objectives.ceilings if c.cost in costs and c.cost != "latency_ms"),
        default=0.0,
    )


def _nearest(  # type: ignore[no-untyped-def]
    space: Space, known, names, objectives: Objectives, found: list, rng: np.random.Generator, seconds: float
) -> Architecture:
    """An architecture that meets the ceilings, reached from the samples by steps that violate them less."""
    violation, architecture, costs = min(found, key=lambda f: f[0])
    started = time.monotonic()
    tried = 0
    while violation > 0 and time.monotonic() - started < seconds and space.size > 1:
        candidate = space.mutate(architecture, rng)
        tried += 1
        try:
            its = known(candidate, names)
        except ArchwrightError:
            continue
        if objectives.violation(its) <= violation:
            violation, architecture, costs = objectives.violation(its), candidate, its
    if violation > 0:
        cheapest = ", ".join(
            f"{c.cost} {format_cost(c.cost, min(*(f[2][c.cost] for f in found), costs[c.cost]))} at least (ceiling "
            f"{format_cost(c.cost, c.limit)})"
            for c in objectives.ceilings
            if not c.measured
        )
        raise NothingFitsError(
            f"no architecture of the space meets the ceilings: of {len(found):,} random ones and {tried:,} steps from "
            f"the nearest, the cheapest had {cheapest}. Raise the ceiling, or give a space with smaller networks"
        )
    return architecture
