"""The one interface of every search algorithm: ask and tell."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from archwright.trial import Proposal, Trial

__all__ = ["Strategy"]


class Strategy(ABC):
    """Decides what to try next, and does nothing else: no files, clocks, threads, networks or data.

    All learning comes through `tell`; `ask` changes no state that matters to later answers, and all its
    randomness comes from the generator that it is given. So a search is resumed by telling a fresh strategy
    the stored trials again, in the order in which they were told.
    """

    rungs: tuple[int, ...] = ()
    """The epochs after which architectures are compared and some go on; none where each is trained in full at once."""

    reads_epochs: bool = False
    """Whether it learns from scores after any number of epochs, which it reads from `Proposal.epochs`."""

    @abstractmethod
    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        """What to measure next.

        Args:
            rng: Where all randomness comes from; the search makes it of (seed, trial number).
            pending: Proposals that are being measured now, and whose trials have not been told.

        Raises:
            SpaceExhaustedError: The space is finite and nothing new is left in it.
        """

    @abstractmethod
    def tell(self, trial: Trial) -> None:
        """Learn from a trial: done, failed or infeasible."""
