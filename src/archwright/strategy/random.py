"""Random search: the strategy that every other is compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archwright.space import Space
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["Random"]


class Random(Strategy):
    """Propose random architectures, never two that compute the same function.

    Every live decision is uniform over its values. Li & Talwalkar, *Random Search and Reproducibility for
    Neural Architecture Search*, UAI 2019 (https://arxiv.org/abs/1902.07638), on why it belongs beside every
    search.

    Args:
        space: Where architectures are drawn.
    """

    def __init__(self, space: Space):
        self.space = space
        self._seen = Seen(space)

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        return Proposal(self._seen.fresh(rng, pending), origin="random")

    def tell(self, trial: Trial) -> None:
        self._seen.add(trial)
