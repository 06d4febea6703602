"""What strategies that train for few epochs first share: their rungs, and what the strategy inside them learns from."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from archwright.errors import SpaceExhaustedError
from archwright.space import Space
from archwright.strategy.making import space_of
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["Starter", "fresh_copy", "goes_on", "key_of", "may_go_on", "rungs_of", "starts"]

MOST_REFUSED = 20
"""Proposals of a strategy that were seen at another rung, before a random architecture takes their place."""


def rungs_of(max_epochs: int, min_epochs: int, reduction: int) -> tuple[int, ...]:
    """The numbers of epochs after which architectures are compared, laid down from the longest.

    >>> rungs_of(81, 1, 3), rungs_of(60, 2, 3), rungs_of(60, 5, 4)
    ((1, 3, 9, 27, 81), (2, 7, 20, 60), (15, 60))
    """
    for name, value, least in (
        ("max_epochs", max_epochs, 1),
        ("min_epochs", min_epochs, 1),
        ("reduction", reduction, 2),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    if min_epochs > max_epochs:
        raise ValueError(f"min_epochs must be at most max_epochs, got {min_epochs=} with {max_epochs=}")
    rungs = [max_epochs]
    while (below := round(max_epochs / reduction ** len(rungs))) >= min_epochs and below < rungs[-1]:
        rungs.append(below)
    return tuple(reversed(rungs))


def may_go_on(trial: Trial) -> bool:
    """Whether it is worth a longer training: measured, in numbers, and within every ceiling."""
    return (
        trial.status == "done"
        and trial.violation <= 0
        and trial.scores is not None
        and all(math.isfinite(s) for s in trial.scores)
    )


def goes_on(trial: Trial, epochs: int) -> Proposal:
    """A proposal to train the architecture of `trial` further, from its weights.

    A trial of an earlier search (numbered below 0) left no weights to go on from: it is trained from the beginning.
    """
    return Proposal(
        trial.architecture,
        epochs,
        continues=trial.number if trial.number >= 0 else None,
        parents=trial.proposal.parents,
        origin=f"trial {trial.number} trained on to {epochs} epochs",
    )


def fresh_copy(strategy: Strategy) -> Strategy:
    """The same strategy, told nothing: made again of the arguments that it keeps under their own names.

    Raises:
        TypeError: It does not keep one of them.
    """
    kind = type(strategy)
    arguments = {}
    for name, parameter in list(inspect.signature(kind.__init__).parameters.items())[1:]:
        if hasattr(strategy, name):
            arguments[name] = getattr(strategy, name)
        elif parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
            raise TypeError(
                f"{kind.__name__} cannot be made again, once for each rung: it keeps no attribute {name!r} for the "
                f"argument of this name"
            )
    made: Strategy = kind(**arguments)
    return made


class Starter:
    """Chooses the architectures that begin: asks a strategy that learns from results of one length alone.

    Scores after 2 epochs and after 60 cannot be compared, and a strategy told both would take the longer training for
    the better architecture. So there is one copy of the strategy for each rung, told each architecture once, with what
    was measured at that rung; asked is the copy of the highest rung that has enough results, as BOHB does (Falkner et
    al. 2018, section 3.2). Infeasible architectures, which no rung can change, are told to all. A copy does not know
    what only lower rungs have met: when it proposes that, it is asked again with that proposal as one more pending.

    Args:
        strategy: What decides, told nothing yet. Where its attribute `reads_epochs` is true, a single copy is told
            every trial, for it takes `Proposal.epochs` as an input.
        rungs: Their epochs, shortest first.
        enough: Measured results that a rung must have before its copy is asked.
        random_share: The share of architectures drawn at random instead.
    """

    def __init__(self, strategy: Strategy, rungs: Sequence[int], *, enough: int, random_share: float = 0.0):
        if isinstance(enough, bool) or not isinstance(enough, int) or enough < 1:
            raise ValueError(f"enough must be a whole number of at least 1, got {enough!r}")
        if not 0 <= random_share <= 1:
            raise ValueError(f"random_share must lie in 0..1, got {random_share!r}")
        self.space = space_of(strategy)
        self.rungs, self.enough, self.random_share = tuple(rungs), enough, random_share
        alike = bool(strategy.reads_epochs)
        self._copies = [fresh_copy(strategy) for _ in ([0] if alike else rungs)]
        self._measured = [0] * len(self._copies)
        self._seen = Seen(self.space)

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal]) -> Proposal:
        """An architecture that no rung has met; its epochs are for the caller to say.

        Raises:
            SpaceExhaustedError: There is none.
        """
        if self.random_share and rng.random() < self.random_share:
            return Proposal(self._seen.fresh(rng, pending), origin="random")
        copy = self._copies[self._wisest]
        also = list(pending)
        for _ in range(MOST_REFUSED):
            try:
                proposal = copy.ask(rng, also)
            except SpaceExhaustedError:
                break
            if self._seen.new([self.space.key(proposal.architecture)], pending):
                return proposal
            also.append(proposal)
        return Proposal(self._seen.fresh(rng, pending), origin="random, for want of a new proposal")

    def tell(self, trial: Trial) -> None:
        """Learn from a trial."""
        self._seen.add(trial)
        rung = min(self.rung_of(trial), len(self._copies) - 1)
        for i, copy in enumerate(self._copies):
            if i == rung or trial.status == "infeasible":
                copy.tell(trial)
        self._measured[rung] += trial.status == "done"

    def rung_of(self, trial: Trial) -> int:
        """The highest rung whose epochs a trial was asked for; the lowest for one of fewer epochs than any."""
        epochs = trial.proposal.epochs
        if epochs is None:
            return len(self.rungs) - 1
        return max(0, sum(r <= epochs for r in self.rungs) - 1)

    @property
    def _wisest(self) -> int:
        """The highest rung with enough results; while there is none, the one with most."""
        taught = [i for i, n in enumerate(self._measured) if n >= self.enough]
        return taught[-1] if taught else max(range(len(self._measured)), key=lambda i: (self._measured[i], -i))


def starts(proposal: Proposal, epochs: int) -> Proposal:
    """What the strategy inside proposed, for so many epochs."""
    return replace(proposal, epochs=epochs, continues=None)


def key_of(trial: Trial, space: Space) -> str:
    """The canonical key of a trial's architecture, also where it was told without one."""
    return trial.key or space.key(trial.architecture)
