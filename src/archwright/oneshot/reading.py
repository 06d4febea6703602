"""How an architecture is read out: the third of the three things in which methods differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from archwright.errors import ArchwrightError
from archwright.evaluator import Shared
from archwright.oneshot.fitting import Fit, fitting
from archwright.oneshot.logits import Logits
from archwright.oneshot.ranking import ranking_goal
from archwright.oneshot.result import Ranked
from archwright.trial import Proposal

if TYPE_CHECKING:
    from archwright.oneshot.session import Session

__all__ = ["Argmax", "Perturbation", "Preferences", "Reading", "best_of", "measured", "shared_of"]

Preferences = list[list[float] | None]
"""For each decision a number a code, more is better; None where nothing is known."""

REDRAWS = 16
"""Draws of the decisions that nothing was learnt of, among which measurement decides."""


class Reading(Protocol):
    """Says how much each value of each decision is preferred."""

    def __call__(self, session: Session, logits: Logits, probabilities: Sequence[Tensor | None]) -> Preferences:
        """Preferences for `archwright.oneshot.fitting.fitting`."""
        ...


@dataclass(frozen=True)
class Argmax:
    """The most probable values: preferences are log probabilities."""

    def __call__(self, session: Session, logits: Logits, probabilities: Sequence[Tensor | None]) -> Preferences:
        return [None if p is None else p.clamp(min=1e-30).log().tolist() for p in probabilities]


@dataclass(frozen=True)
class Perturbation:
    """The values whose removal from the supernet hurts most, one decision after the other, with tuning between.

    Algorithm 1 of Wang et al., *Rethinking Architecture Selection in Differentiable NAS*, ICLR 2021
    (https://arxiv.org/abs/2108.04392). The preference for a value is the loss without it. Departures:

    - The loss on the held-out samples, not their accuracy, which on small data is the same for many candidates.
    - What is left of the gates sums to 1 again.
    - Decisions come in the order of the space, parents before children: a child of what was not chosen has no say.
    - Decisions of which one value at a time was drawn (`Logits`) are compared value by value.
    - Weights are tuned at a tenth of the recipe's rate.

    Args:
        tune_epochs: Training between two decisions; the paper's 5, of 50. 0 for none, which is much faster.
    """

    tune_epochs: float = 0.5

    def __call__(self, session: Session, logits: Logits, probabilities: Sequence[Tensor | None]) -> Preferences:
        part = session.validation if session.held is None else session.held.part
        decisions = session.space.decisions
        entries: list[int | Tensor] = [0 if p is None else p.detach() for p in probabilities]
        for i in logits.single:
            entries[i] = int(torch.as_tensor(entries[i]).argmax())
        found: Preferences = [None] * len(decisions)
        tuned = 0

        def loss(i: int, entry: int | Tensor) -> float:
            gates = [*entries[:i], entry, *entries[i + 1 :]]
            return session.task.loss(session.outputs(lambda _: gates, part), part.targets).item()

        for i in logits.learnt:
            here = entries[i]
            if not _is_live(session, i, entries):
                continue
            if isinstance(here, Tensor):
                found[i] = [loss(i, _without(here, code)) for code in range(decisions[i].size)]
            else:
                found[i] = [-loss(i, code) for code in range(decisions[i].size)]
            entries[i] = max(range(decisions[i].size), key=lambda code, i=i: found[i][code])  # type: ignore[misc,index]
            for _ in range(round(self.tune_epochs * session.batches.steps)):
                self._tune(session, entries, session.total + tuned)
                tuned += 1
        return found

    @staticmethod
    def _tune(session: Session, gates: list[int | Tensor], step: int) -> None:
        for group in session.optimizer.param_groups:
            group["lr"] = session.recipe.lr / 10
        session.supernet.train()
        session.optimizer.zero_grad()
        session.loss(gates, *session.batches.at(step)).backward()
        session.descend()


def _is_live(session: Session, i: int, entries: Sequence[int | Tensor]) -> bool:
    def allows(parent: int, allowed: frozenset[int]) -> bool:
        entry = entries[parent]
        if not _is_live(session, parent, entries):
            return False
        return entry in allowed if isinstance(entry, int) else any(float(entry[c]) > 0 for c in allowed)

    conditions = session.space.decisions[i].conditions
    return not conditions or any(allows(parent, allowed) for parent, allowed in conditions)


def _without(gates: Tensor, code: int) -> Tensor:
    left = gates.clone()
    left[code] = 0
    if left.sum() <= 0:  # nothing else had any weight
        left = torch.ones_like(gates)
        left[code] = 0
    return left / left.sum()


def shared_of(session: Session) -> Shared:
    """What measures architectures with the session's weights."""
    size = min(128, len(session.task.train))
    return Shared(session.supernet, session.task, batch_size=max(2, size), seed=session.seed)


def measured(session: Session, fits: Sequence[Fit], *, learnt: bool = True) -> tuple[Ranked, ...]:
    """The architectures with their metrics under shared weights, in the same order."""
    shared = shared_of(session)
    found = []
    for fit in fits:
        measurement = shared(Proposal(fit.architecture))
        costs = {**measurement.costs, **fit.costs}
        found.append(Ranked(fit.architecture, measurement.metrics, costs, fit.regret if learnt else None))
    return tuple(found)


def best_of(session: Session, preferences: Preferences) -> tuple[Ranked, ...]:
    """The architectures that are preferred most and meet the ceilings, best first, measured.

    Where decisions are live of which nothing was learnt, random values of them are measured, and the best kept.

    Raises:
        NothingFitsError: No architecture meets the ceilings.
    """
    shared = shared_of(session)
    fits = fitting(session.space, preferences, session.objectives, shared.costs, k=session.options.top)
    open_ones = [
        i for i, (d, p) in enumerate(zip(session.space.decisions, preferences, strict=True)) if p is None and d.size > 1
    ]
    codes = session.space.codes([fits[0].architecture])[0].tolist()
    open_ones = [i for i in open_ones if codes[i] >= 0]
    if not open_ones:
        return measured(session, fits)
    for draw in range(REDRAWS):
        random = session.random(9, draw)
        row = list(codes)
        for i in open_ones:
            row[i] = int(random.integers(session.space.decisions[i].size))
        found = _fit(session, shared, row, fits[0])
        if found is not None and found.architecture not in {f.architecture for f in fits}:
            fits.append(found)
    ranked = measured(session, fits)
    goal = ranking_goal(session.task, session.objectives.goals[0].metric)
    return tuple(sorted(ranked, key=lambda r: goal.score(r.metrics[goal.metric])))[: session.options.top]


def _fit(session: Session, shared: Shared, row: list[int], like: Fit) -> Fit | None:
    architecture = session.space.architecture(row)
    try:
        if architecture not in session.space:
            return None
        names = tuple(sorted(session.objectives.needs))
        costs = shared.costs(architecture, names) if names else {}
    except ArchwrightError:
        return None
    over = session.objectives.violation(costs) if names else 0.0
    return replace(like, architecture=architecture, costs=costs) if math.isfinite(over) and over == 0 else None
