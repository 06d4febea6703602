"""Editing the best architectures, by a policy that learns which edits help."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from archwright.objective import WeightedReward, ranked
from archwright.space import Space
from archwright.strategy.process import Process
from archwright.strategy.reward import Reward
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy
from archwright.trial import Proposal, Trial

__all__ = ["Edit", "Editing"]


class Edit(NamedTuple):
    """One decision set anew.

    Args:
        kind: ``add`` or ``remove`` a copy of what a `repeat` repeats, or ``change``.
        place: Which decision.
        action: The action that it is changed to; of adding and removing, 0.
    """

    kind: Literal["add", "remove", "change"]
    place: int
    action: int


class Editing(Strategy):
    """Add a layer to a good architecture, remove one, or change a parameter, in place of building one from nothing.

    After Cai et al., *Efficient Architecture Search by Network Transformation*, AAAI 2018
    (https://arxiv.org/abs/1707.04873), where a policy edits an architecture and is learnt by REINFORCE from what its
    edits led to. Departures:

    - The policy is a softmax over the edits that the architecture allows, each with one preference, in place of a
      bidirectional LSTM that reads it: that is learnt from tens of trials. Preferences are of (kind, decision, value),
      so they hold both where an edit is worth while and which value is good there.
    - One edit makes a proposal, not a sequence of them; its return is the reward of the child less that of its parent,
      less the moving average of that.
    - The parent is the best trial with an edit left that leads to a new function; of the `parents` best, none may have
      one: then a random architecture is proposed.
    - Layers that are added are drawn at random; weights are not inherited (Net2Net), for strategies know of none.

    Adding and removing is the open number of copies of a `repeat`, one up or down; changing is any other decision, a
    real or a large integer by parts of its range. Trials that were not asked for, or whose parent was not told, move no
    preference, but are edited when they are good.

    Args:
        space: Where architectures are edited.
        initial: Random architectures to begin with.
        parents: The best trials that are edited, the best one first.
        learning_rate: How far a preference moves, for a return of 1.
        decay: What the moving average of returns keeps at each trial.
        levels: Parts of the range of a real or a large integer.
        tries: Edits of one parent that are drawn in search of a new function.
        weighted: What several goals are worth; no plain value, so resuming a run then needs the strategy again.
        scale: As in `Reward`.
    """

    def __init__(
        self,
        space: Space,
        *,
        initial: int = 10,
        parents: int = 5,
        learning_rate: float = 1.0,
        decay: float = 0.9,
        levels: int = 8,
        tries: int = 20,
        weighted: WeightedReward | None = None,
        scale: Literal["range", "rank"] = "rank",
    ):
        for name, value in (("initial", initial), ("parents", parents), ("tries", tries)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if not (learning_rate > 0 and math.isfinite(learning_rate)) or not 0 <= decay < 1:
            raise ValueError(
                f"learning_rate must be above 0, decay at least 0 and below 1; got {learning_rate=}, {decay=}"
            )
        self.space = space
        self.initial = initial
        self.parents = parents
        self.learning_rate = learning_rate
        self.decay = decay
        self.levels = levels
        self.tries = tries
        self.weighted = weighted
        self.scale = scale
        self._process = Process(space, levels=levels)
        self._reward = Reward(weighted, scale=scale)
        self._seen = Seen(space)
        self._told = 0
        self._trials: dict[int, tuple[Trial, list[int]]] = {}  # with their codes
        self._best: list[Trial] = []  # at most `parents`, best first
        self._preferences: dict[Edit, float] = {}
        self._average = 0.0
        self._depths = self._process.depths()

    def ask(self, rng: np.random.Generator, pending: Sequence[Proposal] = ()) -> Proposal:
        if self._told + len(pending) >= self.initial:
            for parent in self._best:
                codes = self._trials[parent.number][1]
                found = self._process.first_new(self._edited(codes, rng), self._seen, pending)
                if found is not None:
                    edit = self.edit(codes, self._process.codes(found))
                    name = self.space.decisions[edit.place].name
                    return Proposal(found, parents=(parent.number,), origin=f"{edit.kind} {name} of {parent.number}")
        return Proposal(self._seen.fresh(rng, pending), origin="random")

    def tell(self, trial: Trial) -> None:
        self._seen.add(trial)
        self._told += 1
        self._reward.add(trial)
        codes = self._process.codes(trial.architecture)
        if len(trial.proposal.parents) == 1 and trial.proposal.parents[0] in self._trials:
            self._learn(*self._trials[trial.proposal.parents[0]], trial, codes)
        if trial.status != "failed":
            self._trials[trial.number] = trial, codes
            together = [*self._best, trial]
            by_worth = ranked(together) if self.weighted is None else sorted(together, key=self.weighted, reverse=True)
            self._best = by_worth[: self.parents]

    def edits(self, codes: Sequence[int]) -> list[Edit]:
        """Every edit that an architecture allows, by its codes."""
        found = []
        for i, d in enumerate(self.space.decisions):
            if codes[i] < 0 or d.size == 1:
                continue
            if i in self._depths:
                found += [Edit("add", i, 0)] * (codes[i] < d.size - 1) + [Edit("remove", i, 0)] * (codes[i] > 0)
            else:
                size, here = self._process.sizes[i], self._process.action(i, codes[i])
                found += [Edit("change", i, a) for a in range(size) if a != here]
        return found

    def policy(self, edits: Sequence[Edit]) -> np.ndarray:
        """The probability of each of these edits."""
        preferences = np.array([self._preferences.get(e, 0.0) for e in edits])
        powers = np.exp(preferences - preferences.max())
        return np.asarray(powers / powers.sum())

    def edit(self, before: Sequence[int], after: Sequence[int]) -> Edit:
        """Which edit led from codes to others: of the first decision that differs."""
        i = next(i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b)
        if i in self._depths:
            return Edit("add" if after[i] > before[i] else "remove", i, 0)
        return Edit("change", i, self._process.action(i, after[i]))

    def _edited(self, codes: Sequence[int], rng: np.random.Generator) -> Iterator[list[int]]:
        """Codes after one edit drawn by the policy, none twice."""
        edits = self.edits(codes)
        if not edits:
            return
        # The largest perturbed preferences are draws without replacement (the Gumbel trick).
        order = np.argsort(-(np.log(self.policy(edits)) + rng.gumbel(size=len(edits))))
        for i in order[: self.tries].tolist():
            kind, place, action = edits[i]
            step = {"add": 1, "remove": -1, "change": 0}[kind]
            code = codes[place] + step if step else self._process.code(place, action, rng)
            yield self._process.changed(codes, place, code, rng)

    def _learn(self, parent: Trial, codes: list[int], child: Trial, after: list[int]) -> None:
        """A gradient bandit with a baseline: equation 2.12 of Sutton & Barto, 2nd edition."""
        if codes == after:
            return
        gained = self._reward.of(child) - self._reward.of(parent)
        edits, made = self.edits(codes), self.edit(codes, after)
        if made not in edits:
            return
        step = self.learning_rate * (gained - self._average)
        for edit, share in zip(edits, self.policy(edits).tolist(), strict=True):
            self._preferences[edit] = self._preferences.get(edit, 0.0) + step * ((edit == made) - share)
        self._average = self.decay * self._average + (1 - self.decay) * gained
