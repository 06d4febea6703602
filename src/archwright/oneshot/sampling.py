"""Codes of single paths as functions of (seed, step): uniform, strictly fair, largest and smallest, growing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from archwright.errors import ArchwrightError
from archwright.oneshot.fitting import LEVELS, Costs
from archwright.space import Architecture, Space
from archwright.space.variation import is_live

__all__ = ["extreme", "fair", "uniform", "with_code", "within"]

MOST_DRAWS = 1000


def uniform(space: Space, seed: int, step: int, path: int = 0) -> Architecture:
    """A random architecture: every live decision uniform over its values, rules kept."""
    return space.sample(np.random.default_rng([seed, 21, step, path]))


def fair(space: Space, seed: int, number: int) -> Architecture:
    """The path of this number, such that each value of a decision is taken equally often.

    A decision of n values goes through them in a random order, then in another, and so on: n paths that begin at a
    multiple of n take each value exactly once, and so do all decisions of n values at once. Where a rule of the
    space forbids what comes of it, a random architecture takes its place; what is live only beneath some value of
    another decision is taken equally often on average alone.

    Args:
        space: Where.
        seed: Of the orders.
        number: Of the path, over the whole run.
    """
    codes: list[int] = []
    for i, d in enumerate(space.decisions):
        if not is_live(d, codes):
            codes.append(-1)
        elif d.size > 4096:  # a real
            codes.append(int(np.random.default_rng([seed, 22, i, number]).integers(d.size)))
        else:
            turn, place = divmod(number, d.size)
            codes.append(int(np.random.default_rng([seed, 22, i, turn]).permutation(d.size)[place]))
    architecture = space.architecture(codes)
    return architecture if not space.rules or architecture in space else uniform(space, seed, number, 1)


def within(space: Space, allowed: Mapping[int, Sequence[int]], rng: np.random.Generator) -> Architecture:
    """A random architecture whose codes of some decisions are among those allowed."""
    for _ in range(MOST_DRAWS):
        codes: list[int] = []
        for i, d in enumerate(space.decisions):
            options = allowed.get(i)
            drawn = int(rng.integers(d.size if options is None else len(options)))
            codes.append(-1 if not is_live(d, codes) else drawn if options is None else options[drawn])
        architecture = space.architecture(codes)
        if not space.rules or architecture in space:
            return architecture
    return space.sample(rng)


def extreme(
    space: Space,
    costs: Costs,
    *,
    largest: bool,
    sweeps: int = 2,
    begin: Sequence[Architecture] = (),
    fits: Callable[[Architecture], bool] | None = None,
) -> Architecture:
    """The architecture of most (or fewest) multiply-accumulates, then parameters, decision by decision.

    Each decision in turn takes the code that makes the network largest, the others as they are: exact where
    decisions do not depend on each other. Decisions of many values are tried at eight of them.

    Args:
        space: Where.
        costs: ``costs(architecture, names)``, real ones.
        largest: Whether the largest is wanted, or the smallest.
        sweeps: How often to go through the decisions.
        begin: The most extreme of these is where it begins; 16 random ones by default.
        fits: What may be taken, of which one of `begin` must be: what is found then is not always the largest of all,
            but none that differs from it in one decision is larger.
    """
    sign = -1.0 if largest else 1.0
    known: dict[Architecture, tuple[float, float]] = {}

    def size(architecture: Architecture) -> tuple[float, float]:
        if architecture not in known:
            try:
                found = costs(architecture, ("macs", "params"))
                known[architecture] = sign * found["macs"], sign * found["params"]
            except ArchwrightError:
                known[architecture] = float("inf"), float("inf")
        return known[architecture]

    here = min(begin or space.sample(np.random.default_rng(0), 16), key=size)
    for _ in range(sweeps):
        before = here
        for i, d in enumerate(space.decisions):
            codes = space.codes([here])[0].tolist()
            if codes[i] < 0 or d.size < 2:
                continue
            levels = sorted({round(x) for x in np.linspace(0, d.size - 1, min(d.size, LEVELS))})
            tried = [with_code(space, codes, i, code, largest) for code in levels]
            allowed = (a for a in tried if (not space.rules or a in space) and (fits is None or fits(a)))
            here = min((here, *allowed), key=size)
        if here == before:
            break
    return here


def with_code(space: Space, codes: Sequence[int], i: int, code: int, largest: bool) -> Architecture:
    """One decision set anew; what it switches on takes its last code, or its first."""
    found = [*codes[:i], code]
    for d, old in zip(space.decisions[i + 1 :], codes[i + 1 :], strict=True):
        live = is_live(d, found)
        found.append(-1 if not live else old if old >= 0 else d.size - 1 if largest else 0)
    return space.architecture(found)
