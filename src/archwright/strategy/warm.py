"""Warm start: any strategy, with architectures to begin with and what earlier searches found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from archwright.space import Space
from archwright.strategy.making import space_of
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["WarmStart"]


class WarmStart(Strategy):
    """Begin a strategy with what is known: trials of earlier searches, then architectures to try first.

    Earlier trials are told to the strategy before it is asked anything, as numbers -1, -2, ... from the last to the
    first; they are no trials of this search, and their architectures are not tried again. Then the `architectures`
    are proposed, in order, but those whose function is among the earlier trials; then the strategy decides.

    Feurer, Springenberg & Hutter, *Initializing Bayesian Hyperparameter Optimization via Meta-Learning*, AAAI 2015,
    on what good first proposals are worth; Swersky, Snoek & Adams, *Multi-Task Bayesian Optimization*, NeurIPS 2013,
    on earlier trials.

    Args:
        strategy: Decides after that; told nothing yet.
        architectures: To be tried first; architectures, or their values by name.
        trials: Of earlier searches of this space under the same goals and ceilings, in the order told; trials, or what
            `plain_trial` makes of them. Status, scores, violation and epochs are kept.

    Raises:
        OutOfSpaceError: One of the architectures is not of this space.
    """

    def __init__(
        self,
        strategy: Strategy,
        *,
        architectures: Sequence[Mapping[str, Any]] = (),
        trials: Sequence[Trial | Mapping[str, Any]] = (),
    ):
        self.space = space_of(strategy)
        self.strategy = strategy
        self.architectures = [dict(values) for values in architectures]
        self.trials = [plain_trial(t) if isinstance(t, Trial) else dict(t) for t in trials]
        self._first = [self.space.architecture(values) for values in self.architectures]
        self._keys = [self.space.key(a) for a in self._first]
        self.rungs = strategy.rungs
        self._seen = Seen(self.space)
        for number, values in enumerate(self.trials, start=-len(self.trials)):
            trial = _trial(number, values, self.space)
            self._seen.add(trial)
            strategy.tell(trial)

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        given = self._seen.new(self._keys, pending)
        if given:
            return Proposal(self._first[given[0]], self.rungs[0] if self.rungs else None, origin="given to begin with")
        asked = self.strategy.ask(rng, pending)
        origin = re.sub(r"(?<!\S)-(\d+)\b", r"prior trial \1", asked.origin)
        # The weights of another search's trial are not there to be continued.
        continues = None if asked.continues is not None and asked.continues < 0 else asked.continues
        return replace(asked, continues=continues, origin=origin)

    def tell(self, trial: Trial) -> None:
        self._seen.add(trial)
        self.strategy.tell(trial)


def plain_trial(trial: Trial) -> dict[str, Any]:
    """What another search can learn from a trial, as JSON values."""
    kept: dict[str, Any] = {"architecture": dict(trial.architecture), "status": trial.status}
    if trial.scores is not None:
        kept["scores"] = list(trial.scores)
    if trial.violation:
        kept["violation"] = trial.violation
    if trial.proposal.epochs is not None:
        kept["epochs"] = trial.proposal.epochs
    return kept


def _trial(number: int, values: Mapping[str, Any], space: Space) -> Trial:
    architecture = space.architecture(values["architecture"])
    scores = values.get("scores")
    return Trial(
        number,
        Proposal(architecture, epochs=values.get("epochs"), origin="of an earlier search"),
        values["status"],
        scores=None if scores is None else tuple(scores),
        violation=values.get("violation", 0.0),
        key=space.key(architecture),
    )
