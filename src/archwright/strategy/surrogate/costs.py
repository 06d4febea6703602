"""Costs that are known without training, each asked for once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from archwright.errors import ArchwrightError
from archwright.space import Architecture, Space

__all__ = ["KnownCosts"]


class KnownCosts:
    """Exact costs, remembered by architecture: of two of one function, one may have parameters that nothing reads.

    Args:
        space: Where the architectures come from.
        costs: What knows them.
    """

    def __init__(self, space: Space, costs: Callable[[Architecture], Mapping[str, float]]):
        self.space, self.costs = space, costs
        self._known: dict[bytes, Mapping[str, float] | None] = {}

    def of(self, codes: NDArray[np.int32]) -> Mapping[str, float] | None:
        """The costs of one architecture; None where it cannot be built."""
        key = codes.tobytes()
        if key not in self._known:
            try:
                self._known[key] = self.costs(self.space.architecture(codes))
            except ArchwrightError:
                self._known[key] = None
        return self._known[key]
