"""Several goals as one number: the weighted reward and its bounded fitness."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from archwright.errors import ObjectiveError, did_you_mean
from archwright.objective.goals import Objectives
from archwright.trial import Trial

__all__ = ["WeightedReward"]


@dataclass(frozen=True)
class WeightedReward:
    """``R = w1 * accuracy + w2 * efficiency + w3 * compactness``, and the bounded fitness ``F = R / (1 + |R|)``.

    Each goal is a term, normalised to 0..1 over its bounds so that 1 is best: a metric to maximise is
    the accuracy term, ``minimize("latency_ms")`` or ``minimize("macs")`` the efficiency term, ``minimize("params")`` or
    ``minimize("bytes")`` the compactness term. Values beyond the bounds are clipped.

    A trial above a ceiling has R = -violation, and a failed trial R = -infinity. So F lies in 0..1 for trials
    within all ceilings, in -1..0 for those beyond, and is -1 for failed ones: any two trials can be compared.

    Args:
        objectives: Goals in the order of the trials' scores.
        weights: A weight of 0 or more for every goal, by metric; at least one above 0.
        bounds: (lowest, highest) value by metric, in its own unit. What is not given here must be learnt by
            `fitted` before the reward is used.

    >>> from archwright.objective import maximize, minimize
    >>> reward = WeightedReward(
    ...     Objectives.of([maximize("accuracy"), minimize("params")]),
    ...     weights={"accuracy": 0.75, "params": 0.25}, bounds={"accuracy": (0.5, 1.0), "params": (0, 1000)})
    >>> reward.terms((-0.75, 1000)), reward.reward((-0.75, 1000)), round(reward.fitness((-0.75, 1000)), 4)
    ((0.5, 0.0), 0.375, 0.2727)
    """

    objectives: Objectives
    weights: Mapping[str, float]
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [g.metric for g in self.objectives.goals]
        for kind, given in (("weight", self.weights), ("bound", self.bounds)):
            for name in given:
                if name not in names:
                    raise ObjectiveError(
                        f"there is a {kind} for {name!r}, which is no goal. {did_you_mean(name, names)}"
                    )
        missing = [n for n in names if n not in self.weights]
        if missing:
            raise ObjectiveError(f"no weight for {', '.join(missing)}: every goal needs one, 0 leaves a goal out")
        if any(not 0 <= w < math.inf for w in self.weights.values()) or not any(self.weights.values()):
            raise ObjectiveError(
                f"weights must be finite, 0 or more, and one of them above 0; got {dict(self.weights)}"
            )
        for name, (lo, hi) in self.bounds.items():
            if not (math.isfinite(lo) and math.isfinite(hi) and lo <= hi):
                raise ObjectiveError(f"bounds of {name!r} must be finite and (lowest, highest), got {(lo, hi)}")

    def fitted(self, trials: Iterable[Trial]) -> WeightedReward:
        """The same reward with missing bounds learnt from measured trials within all ceilings; given bounds stay.

        Raises:
            ObjectiveError: A bound is missing and no such trial is there to learn it from.
        """
        seen = [t.scores for t in trials if t.status == "done" and t.scores is not None and t.violation == 0]
        bounds = dict(self.bounds)
        for i, goal in enumerate(self.objectives.goals):
            if goal.metric not in bounds:
                if not seen:
                    raise ObjectiveError(f"bounds of {goal.metric!r} cannot be learnt: no trial is within the ceilings")
                values = [goal.score(s[i]) for s in seen]
                bounds[goal.metric] = (min(values), max(values))
        return replace(self, bounds=bounds)

    def terms(self, scores: Iterable[float]) -> tuple[float, ...]:
        """Each goal's term in 0..1, 1 is best; 1 where the bounds coincide and so tell nothing apart."""
        return tuple(self._term(i, score) for i, score in enumerate(scores))

    def _term(self, i: int, score: float) -> float:
        goal = self.objectives.goals[i]
        if goal.metric not in self.bounds:
            raise ObjectiveError(f"bounds of {goal.metric!r} are not known: give them, or call fitted(trials)")
        ends = sorted(goal.score(value) for value in self.bounds[goal.metric])
        if ends[0] == ends[1]:
            return 1.0
        return min(1.0, max(0.0, (ends[1] - score) / (ends[1] - ends[0])))

    def reward(self, scores: Iterable[float]) -> float:
        """R of scores as a trial holds them (smaller is better): 0 to the sum of the weights."""
        terms = self.terms(scores)
        return sum(self.weights[g.metric] * t for g, t in zip(self.objectives.goals, terms, strict=True))

    def fitness(self, scores: Iterable[float]) -> float:
        """F = R / (1 + |R|) of scores, in 0..1."""
        return _bounded(self.reward(scores))

    def __call__(self, trial: Trial) -> float:
        """F of a trial of any status, in -1..1; larger is better."""
        if trial.status == "failed" or (trial.status == "done" and trial.scores is None):
            return -1.0
        if trial.status == "infeasible" or trial.violation > 0 or trial.scores is None:
            return _bounded(-trial.violation)
        return self.fitness(trial.scores)


def _bounded(reward: float) -> float:
    """R / (1 + |R|): keeps the order, lies in -1..1, and is -1 at minus infinity."""
    return reward / (1 + abs(reward)) if math.isfinite(reward) else math.copysign(1.0, reward)
