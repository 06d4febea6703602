"""Single paths that meet the ceilings: what shared weights learn is what may be taken."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from archwright.evaluator.expense import expense
from archwright.objective import Objectives
from archwright.oneshot.fitting import Ceilings, fitting
from archwright.oneshot.sampling import uniform
from archwright.space import Architecture, Space

if TYPE_CHECKING:
    import torch

    from archwright.oneshot.session import Session

__all__ = ["Paths"]

POOL = 64
"""So many paths are looked for, once, and drawn from in every step: counting what one costs takes about as long as
training it on a batch, and weights are shared by values of decisions, each of which is in many of them."""

DRAWS = 3 * POOL
"""At most so many random architectures are looked at, and at most as many changed ones."""


class Paths:
    """Random architectures for the steps of a run, as functions of (seed, step, path).

    Without ceilings every live decision is uniform over its values. With them, what exceeds one is not drawn: Guo et
    al., *SPOS*, call it uniform constraint sampling; an architecture that nobody may take would use up most of
    the time, and pull the shared weights its own way. Where fewer than one in three fit, more are made by changing
    single decisions of those that do. Latency is measured, not counted, and limits no path.

    Args:
        session: Whose space, seed and ceilings.

    Raises:
        NothingFitsError: No architecture meets the ceilings.
    """

    def __init__(self, session: Session):
        self.space, self.seed = session.space, session.seed
        counted = tuple(c for c in session.objectives.ceilings if not c.measured and c.cost != "latency_ms")
        objectives = replace(session.objectives, ceilings=counted)
        task = session.task
        self.pool: tuple[Architecture, ...] = (
            _pool(self.space, task.input_shape, task.input_dtype, objectives, self.seed) if objectives.needs else ()
        )

    def __call__(self, step: int, path: int = 0) -> Architecture:
        """The one of this step; `path` tells apart those of one step."""
        if not self.pool:
            return uniform(self.space, self.seed, step, path)
        return self.pool[int(np.random.default_rng([self.seed, 23, step, path]).integers(len(self.pool)))]


@functools.lru_cache(maxsize=4)  # a search times some steps first, and then makes the same again
def _pool(
    space: Space, input_shape: tuple[int, ...], dtype: torch.dtype, objectives: Objectives, seed: int
) -> tuple[Architecture, ...]:
    """Up to `POOL` architectures that meet the ceilings, of different functions."""
    rng = np.random.default_rng([seed, 24])
    found = dict[str, Architecture]()
    seen = set[str]()

    def costs(architecture: Architecture, names: Sequence[str]) -> dict[str, float]:
        return expense(space.build(architecture), input_shape, names, dtype)

    ceilings = Ceilings(objectives, costs)

    def look(architecture: Architecture) -> None:
        key = space.key(architecture)
        if key not in seen:
            seen.add(key)
            if ceilings.excess(architecture) == 0:
                found[key] = architecture

    for _ in range(DRAWS):
        look(space.sample(rng))
        if len(found) == POOL:
            return tuple(found.values())
    if not found:
        look(fitting(space, [None] * len(space.decisions), objectives, costs)[0].architecture)
    for _ in range(DRAWS):
        if len(found) == POOL:
            break
        known = list(found.values())
        look(space.mutate(known[int(rng.integers(len(known)))], rng))
    return tuple(found.values())
