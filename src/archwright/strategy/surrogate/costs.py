"""Costs that are known without training: each asked for once, kept below ceilings, and features of what they tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from archwright.errors import ArchwrightError
from archwright.objective import Objectives
from archwright.space import Architecture, Space
from archwright.space.narrowing import fitting

__all__ = ["KnownCosts"]

Array = NDArray[np.float64]
Codes = NDArray[np.int32]

REFERENCE = 64
"""Random architectures that say where the costs of a space lie."""


class KnownCosts:
    """Exact costs, remembered by architecture: of two of one function, one may have parameters that nothing reads.

    Args:
        space: Where the architectures come from.
        costs: What knows them.
        objectives: Whose ceilings are to be kept.
    """

    def __init__(self, space: Space, costs: Callable[[Architecture], Mapping[str, float]], objectives: Objectives):
        self.space, self.costs, self.objectives = space, costs, objectives
        self._known: dict[bytes, Mapping[str, float] | None] = {}

    def of(self, codes: Codes) -> Mapping[str, float] | None:
        """The costs of one architecture; None where it cannot be built."""
        key = codes.tobytes()
        if key not in self._known:
            try:
                self._known[key] = self.costs(self.space.architecture(codes))
            except ArchwrightError:
                self._known[key] = None
        return self._known[key]

    @property
    def names(self) -> list[str]:
        """What the costs are that are known; nothing before one has been asked for."""
        return next((sorted(k) for k in self._known.values() if k), [])

    def together(self, codes: Codes) -> dict[str, Array]:
        """The costs of several architectures that can be built, each of shape (n,)."""
        known = [k for k in map(self.of, codes) if k is not None]
        return {name: np.array([k[name] for k in known]) for name in self.names}

    def fits(self, codes: Codes) -> bool:
        """Whether one architecture can be built, and keeps the ceilings."""
        its = self.of(codes)
        return its is not None and self.objectives.violation(its) <= 0

    def fitted(self, codes: Codes) -> Codes:
        """Those of the architectures that fit, and the others made narrower until they do, where that is possible.

        The best under a ceiling lie close below it: without this all of their edits that make a network deeper, or a
        kernel larger, would be lost, and a search could only go down from there.
        """
        found = [fitting(self.space.decisions, c, self.fits) for c in codes]
        return np.array([c for c in found if c is not None], dtype=np.int32).reshape(-1, codes.shape[1])

    def features(self, codes: Codes) -> Array:
        """Logarithms of the costs, one column each, such that what fits is about standard normal; 0 where unknown.

        Of no group of features of the network is a cost a simple function: it is a sum of products of widths. Yet how
        much of a ceiling is used tells more than most of them.
        """
        names, centre, spread = self._scale
        rows = [self.of(c) for c in codes]
        logs = np.array([[np.nan if r is None else _log(r[n]) for n in names] for r in rows]).reshape(-1, len(names))
        return np.nan_to_num((logs - centre) / spread)

    @cached_property
    def _scale(self) -> tuple[tuple[str, ...], Array, Array]:
        """Names of the costs, their mean logarithms and their deviations, over random architectures that fit."""
        drawn = self.fitted(self.space.sample_codes(np.random.default_rng(0), REFERENCE))
        known = [k for k in map(self.of, drawn) if k is not None]
        if not known:
            return (), np.zeros(0), np.zeros(0)
        names = self.names
        logs = np.array([[_log(k[n]) for n in names] for k in known]).reshape(len(known), len(names))
        varied = [i for i in range(len(names)) if np.ptp(logs[:, i]) > 0]
        logs = logs[:, varied]
        return tuple(names[i] for i in varied), logs.mean(axis=0), logs.std(axis=0)


def _log(cost: float) -> float:
    return float(np.log(max(cost, 1e-12)))
