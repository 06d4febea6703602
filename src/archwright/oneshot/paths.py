"""Single paths that meet the ceilings: what shared weights learn is what may be taken."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from archwright.evaluator.expense import expense
from archwright.objective import Objectives
from archwright.oneshot.fitting import Ceilings, fitting
from archwright.oneshot.sampling import fair, uniform, with_code, within
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

TRIED = 4
"""A value that is in no path yet is tried in so many of them, those with most room beneath the ceilings."""

STAGE = 16
"""So many more are looked for within some values alone."""


class Paths:
    """Random architectures for the steps of a run, as functions of (seed, step, path).

    Without ceilings every live decision is uniform over its values. With them, what exceeds one is not drawn: Guo et
    al., *SPOS*, call it uniform constraint sampling; an architecture that nobody may take would use up most of
    the time, and pull the shared weights its own way. Where fewer than one in three fit, more are made by changing
    single decisions of those that do; a value that none of them has is put into one where that fits, for else its
    weights would be measured untrained. Latency is measured, not counted, and limits no path.

    Args:
        session: Whose space, seed and ceilings.

    Attributes:
        pool: What is drawn from; nothing without ceilings.

    Raises:
        NothingFitsError: No architecture meets the ceilings.
    """

    def __init__(self, session: Session):
        self.space, self.seed = session.space, session.seed
        counted = tuple(c for c in session.objectives.ceilings if not c.measured and c.cost != "latency_ms")
        objectives = replace(session.objectives, ceilings=counted)
        task = session.task
        self.ceilings, self.pool = (
            _pool(self.space, task.input_shape, task.input_dtype, objectives, self.seed)
            if objectives.needs
            else (Ceilings(None, _no_costs), ())
        )
        self._fair: list[int] = []
        self._taken = _Taken(self.space, self.pool)

    def __call__(self, step: int, path: int = 0) -> Architecture:
        """The one of this step; `path` tells apart those of one step."""
        if not self.pool:
            return uniform(self.space, self.seed, step, path)
        return self.pool[int(np.random.default_rng([self.seed, 23, step, path]).integers(len(self.pool)))]

    def fits(self, architecture: Architecture) -> bool:
        """Whether it meets the ceilings that can be counted."""
        return self.ceilings.excess(architecture) == 0

    def fair(self, number: int) -> Architecture:
        """The path of this number, over the whole run, such that values are taken equally often.

        Without ceilings exactly so: see `archwright.oneshot.sampling.fair`. With them no more than paths which fit
        allow, for a wide layer may fit beside few other values alone. Each is the path whose values have together been
        taken least, in comparison with the others of their decisions: the steepest way (Frank and Wolfe's) to the
        mixture of paths in which the squared differences between how often values are taken are least.
        """
        if not self.pool:
            return fair(self.space, self.seed, number)
        while len(self._fair) <= number:
            self._fair.append(self._taken.next(np.random.default_rng([self.seed, 25, len(self._fair)])))
        return self.pool[self._fair[number]]

    def within(self, allowed: Mapping[int, Sequence[int]], known: Sequence[Architecture]) -> tuple[Architecture, ...]:
        """Those known and some more that meet the ceilings, and whose codes of some decisions are among those allowed.

        Args:
            allowed: Codes by the number of the decision.
            known: One at least that is among them, and others, some of which may be.
        """
        rng = np.random.default_rng([self.seed, 26])
        found = _Found(self.space, self.ceilings)
        for architecture in known:
            if _is_within(self.space, architecture, allowed):
                found.look(architecture)
        most = len(found.paths) + STAGE
        for _ in range(2 * STAGE):
            if len(found.paths) == most:
                break
            found.look(within(self.space, allowed, rng))
        found.change(most, 2 * STAGE, rng, lambda a: _is_within(self.space, a, allowed))
        return tuple(found.paths.values())


class _Taken:
    """How often each value of each decision was taken, by drawing from some paths the one that is most due."""

    def __init__(self, space: Space, pool: Sequence[Architecture]):
        columns = space.codes(list(pool)).T if pool else np.zeros((0, 0), dtype=int)
        self.columns: list[tuple[np.ndarray, np.ndarray]] = []
        """For each decision the rows of the paths in which it is live, and which of its values these have."""
        for column, d in zip(columns, space.decisions, strict=False):
            rows = np.flatnonzero(column >= 0)
            if len(rows) and d.kind != "real":
                self.columns.append((rows, np.unique(column[rows], return_inverse=True)[1]))
        self.times = [np.zeros(values.max() + 1) for _, values in self.columns]
        self.paths = len(pool)

    def next(self, rng: np.random.Generator) -> int:
        """The number of the path that is most due; among equals a random one."""
        ahead = np.zeros(self.paths)
        for (rows, values), times in zip(self.columns, self.times, strict=True):
            ahead[rows] += (times - times.mean())[values]
        path = int(rng.choice(np.flatnonzero(ahead <= ahead.min() + 1e-9)))
        for (rows, values), times in zip(self.columns, self.times, strict=True):
            times[values[rows == path]] += 1
        return path


class _Found:
    """Architectures of different functions that meet the ceilings."""

    def __init__(self, space: Space, ceilings: Ceilings):
        self.space, self.ceilings = space, ceilings
        self.paths: dict[str, Architecture] = {}
        self._seen: set[str] = set()

    def look(self, architecture: Architecture) -> bool:
        """Keep it if it fits and is new; whether it was."""
        key = self.space.key(architecture)
        if key in self._seen:
            return False
        self._seen.add(key)
        if self.ceilings.excess(architecture) > 0:
            return False
        self.paths[key] = architecture
        return True

    def change(
        self, most: int, draws: int, rng: np.random.Generator, keep: Callable[[Architecture], bool] = lambda a: True
    ) -> None:
        """Look for more, up to `most`, by changing single decisions of those that are there."""
        for _ in range(draws):
            if len(self.paths) == most:
                return
            known = list(self.paths.values())
            changed = self.space.mutate(known[int(rng.integers(len(known)))], rng)
            if keep(changed):
                self.look(changed)

    def cover(self) -> None:
        """Put each value that none has into one that has room for it; parents first, which make others live."""
        for i, d in enumerate(self.space.decisions):
            if d.kind == "real":
                continue
            rows = self.space.codes(list(self.paths.values())).tolist()
            missing = sorted(set(range(d.size) if d.size <= POOL else ()) - {row[i] for row in rows})
            roomy = [row for _, row in sorted((self._full(a), row) for a, row in zip(
                self.paths.values(), rows, strict=True) if row[i] >= 0)]  # fmt: skip
            for code in missing:
                for row in roomy[:TRIED]:
                    changed = with_code(self.space, row, i, code, largest=False)
                    if (not self.space.rules or changed in self.space) and self.look(changed):
                        break

    def _full(self, architecture: Architecture) -> float:
        """The largest share of a ceiling that it takes."""
        assert self.ceilings.objectives is not None
        known = self.ceilings.known(architecture)
        return max(known[c.cost] / c.limit for c in self.ceilings.objectives.ceilings)


@functools.lru_cache(maxsize=4)  # a search times some steps first, and then makes the same again
def _pool(
    space: Space, input_shape: tuple[int, ...], dtype: torch.dtype, objectives: Objectives, seed: int
) -> tuple[Ceilings, tuple[Architecture, ...]]:
    """Up to `POOL` architectures that meet the ceilings, of different functions, and some for values that none had."""
    rng = np.random.default_rng([seed, 24])

    def costs(architecture: Architecture, names: Sequence[str]) -> dict[str, float]:
        return expense(space.build(architecture), input_shape, names, dtype)

    found = _Found(space, Ceilings(objectives, costs))
    for _ in range(DRAWS):
        if len(found.paths) == POOL:
            break
        found.look(space.sample(rng))
    if not found.paths:
        found.look(fitting(space, [None] * len(space.decisions), objectives, costs)[0].architecture)
    found.change(POOL, DRAWS, rng)
    found.cover()
    return found.ceilings, tuple(found.paths.values())


def _is_within(space: Space, architecture: Architecture, allowed: Mapping[int, Sequence[int]]) -> bool:
    codes = space.codes([architecture])[0].tolist()
    return all(codes[i] < 0 or codes[i] in some for i, some in allowed.items())


def _no_costs(architecture: Architecture, names: Sequence[str]) -> dict[str, float]:
    return {}
