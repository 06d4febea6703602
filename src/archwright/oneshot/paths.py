"""Single paths that meet the ceilings: what shared weights learn is what may be taken."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from archwright.errors import ArchwrightError
from archwright.oneshot.fitting import fitting
from archwright.oneshot.reading import shared_of
from archwright.oneshot.sampling import uniform
from archwright.space import Architecture

if TYPE_CHECKING:
    from archwright.oneshot.session import Session

__all__ = ["Paths"]

POOL = 128
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
        self._objectives = replace(session.objectives, ceilings=counted)
        self._names = tuple(sorted(self._objectives.needs))
        self._costs = shared_of(session).costs
        self.pool: tuple[Architecture, ...] = tuple(self._found()) if self._names else ()

    def __call__(self, step: int, path: int = 0) -> Architecture:
        """The one of this step; `path` tells apart those of one step."""
        if not self._names:
            return uniform(self.space, self.seed, step, path)
        return self.pool[int(np.random.default_rng([self.seed, 23, step, path]).integers(len(self.pool)))]

    def fits(self, architecture: Architecture) -> bool:
        """Whether it can be built and meets the ceilings that can be counted."""
        try:
            return self._objectives.violation(self._costs(architecture, self._names)) == 0
        except ArchwrightError:
            return False

    def _found(self) -> list[Architecture]:
        rng = np.random.default_rng([self.seed, 24])
        found = dict[str, Architecture]()  # one of each function
        seen = set[str]()

        def look(architecture: Architecture) -> None:
            key = self.space.key(architecture)
            if key not in seen:
                seen.add(key)
                if self.fits(architecture):
                    found[key] = architecture

        for _ in range(DRAWS):
            look(self.space.sample(rng))
            if len(found) == POOL:
                return list(found.values())
        if not found:
            nothing_known = [None] * len(self.space.decisions)
            look(fitting(self.space, nothing_known, self._objectives, self._costs)[0].architecture)
        for _ in range(DRAWS):
            if len(found) == POOL:
                break
            known = list(found.values())
            look(self.space.mutate(known[int(rng.integers(len(known)))], rng))
        return list(found.values())
