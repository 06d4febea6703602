"""What better means: goals to make large or small, and ceilings that must hold."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from archwright.errors import ObjectiveError, did_you_mean
from archwright.objective.quantity import (
    format_bytes,
    format_count,
    format_seconds,
    parse_bytes,
    parse_count,
    parse_seconds,
)
from archwright.trial import Measurement

__all__ = ["COSTS", "Ceiling", "Goal", "Objectives", "at_most", "format_cost", "maximize", "minimize", "parse_cost"]

COSTS = ("params", "macs", "bytes", "peak_bytes", "latency_ms")
"""Costs that are known before training: trainable parameters, multiply-accumulates of one inference, bytes of
weights and buffers, peak bytes of activations at batch 1, and measured milliseconds of one inference."""

GAP = "gap_"
"""Metrics so called tell how far groups of samples are apart (`archwright.task.Groups`): known after training only, and
yet what a ceiling may be on."""


@dataclass(frozen=True)
class Goal:
    """A metric or cost to make large or small. Made by `maximize` and `minimize`."""

    metric: str
    direction: Literal["maximize", "minimize"]

    def __post_init__(self) -> None:
        if not isinstance(self.metric, str) or not self.metric:
            raise ObjectiveError(f"a goal names a metric, got {self.metric!r}: write for example maximize('accuracy')")
        if self.direction not in ("maximize", "minimize"):
            raise ObjectiveError(
                f"the direction of {self.metric!r} cannot be {self.direction!r}. "
                + did_you_mean(str(self.direction), ("maximize", "minimize"))
            )

    def score(self, value: float) -> float:
        """The value turned so that smaller is better; its own inverse."""
        return -value if self.direction == "maximize" else value

    def __str__(self) -> str:
        return f"{self.direction} {self.metric}"


@dataclass(frozen=True)
class Ceiling:
    """A cost, or a gap between groups, that must not exceed a limit. Made by `at_most`."""

    cost: str
    limit: float

    def __post_init__(self) -> None:
        if self.cost not in COSTS and not self.measured:
            raise ObjectiveError(f"at_most cannot limit {self.cost!r}. {did_you_mean(self.cost, COSTS)}")
        if isinstance(self.limit, bool) or not isinstance(self.limit, (int, float)) or not 0 < self.limit < math.inf:
            raise ObjectiveError(
                f"at_most({self.cost}={self.limit!r}) can never hold, or always does: give a finite number above zero"
            )

    @property
    def measured(self) -> bool:
        """Whether a network must be trained before it can be told."""
        return self.cost.startswith(GAP)

    def __str__(self) -> str:
        return f"{self.cost} at most {format_cost(self.cost, self.limit)}"


def maximize(metric: str) -> Goal:
    """Make a validation metric (or a cost) as large as possible.

    >>> maximize("accuracy")
    Goal(metric='accuracy', direction='maximize')
    """
    return Goal(metric, "maximize")


def minimize(metric: str) -> Goal:
    """Make a validation metric or a cost as small as possible."""
    return Goal(metric, "minimize")


def at_most(**limits: float | str) -> tuple[Ceiling, ...]:
    """Ceilings on costs that are known before training; a network above one is never trained.

    A gap between groups of samples, such as ``gap_accuracy=0.05``, can have a ceiling too: it is looked at after
    training, and a network above it loses to every one below.

    Args:
        limits: Limits by cost (see `COSTS`), as numbers or as people write them.

    >>> at_most(params="50k", latency_ms="5ms")
    (Ceiling(cost='params', limit=50000), Ceiling(cost='latency_ms', limit=5.0))
    """
    if not limits:
        raise ObjectiveError(
            f"at_most() names no cost: write for example at_most(params='50k'). Known: {', '.join(COSTS)}"
        )
    return tuple(Ceiling(cost, parse_cost(cost, value)) for cost, value in limits.items())


def parse_cost(cost: str, value: float | str) -> float:
    """A limit for `cost` as people write it, in the unit of that cost; a bare number is in that unit already.

    >>> parse_cost("latency_ms", "250us"), parse_cost("latency_ms", "5"), parse_cost("bytes", "200KB")
    (0.25, 5.0, 200000)
    """
    where = f"at_most({cost}=...)"
    if cost in ("params", "macs"):
        return parse_count(value, where=where)
    if cost in ("bytes", "peak_bytes"):
        return parse_bytes(value, where=where)
    if cost == "latency_ms":
        try:
            bare = isinstance(value, str) and math.isfinite(float(value))
        except ValueError:
            bare = False
        if not isinstance(value, str) or bare:  # already milliseconds
            return parse_seconds(float(value) if bare else value, where=where, error=ObjectiveError)
        return parse_seconds(value, where=where, error=ObjectiveError) * 1000
    if cost.startswith(GAP):
        try:
            return float(value)
        except ValueError:
            raise ObjectiveError(f"{where}: {value!r} is not a number: write for example 0.05") from None
    raise ObjectiveError(f"at_most cannot limit {cost!r}. {did_you_mean(cost, COSTS)}")


_FORMATS: Mapping[str, Callable[[float], str]] = {
    "params": format_count,
    "macs": format_count,
    "bytes": format_bytes,
    "peak_bytes": format_bytes,
    "latency_ms": lambda ms: format_seconds(ms / 1000),
}


def format_cost(cost: str, value: float) -> str:
    """A cost for people, with its unit.

    >>> format_cost("params", 50_000), format_cost("latency_ms", 0.25)
    ('50k', '250us')
    """
    return _FORMATS.get(cost, format_count)(value)


@dataclass(frozen=True)
class Objectives:
    """Goals and ceilings together; usually made by `Objectives.of`.

    >>> o = Objectives.of([maximize("accuracy"), minimize("latency_ms"), at_most(params="50k")])
    >>> o.scores(Measurement(metrics={"accuracy": 0.9}, costs={"latency_ms": 1.5}))
    (-0.9, 1.5)
    >>> o.violation({"params": 75_000})
    0.5
    """

    goals: tuple[Goal, ...]
    ceilings: tuple[Ceiling, ...] = ()

    def __post_init__(self) -> None:
        if not self.goals:
            raise ObjectiveError("there is no goal: add one, for example maximize('accuracy')")
        for kind, names in (("goal", [g.metric for g in self.goals]), ("ceiling", [c.cost for c in self.ceilings])):
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ObjectiveError(f"more than one {kind} on {', '.join(map(repr, twice))}: keep one of them")

    @classmethod
    def of(cls, items: Objectives | Goal | Ceiling | Iterable[Any]) -> Objectives:
        """Objectives from what `maximize`, `minimize` and `at_most` return, nested in lists as they come."""
        if isinstance(items, Objectives):
            return items
        flat = list(_flat(items))
        return cls(
            tuple(i for i in flat if isinstance(i, Goal)),
            tuple(i for i in flat if isinstance(i, Ceiling)),
        )

    @property
    def needs(self) -> frozenset[str]:
        """Names of the costs that must be known before training: those with a ceiling."""
        return frozenset(c.cost for c in self.ceilings if not c.measured)

    @property
    def costs(self) -> frozenset[str]:
        """Names of all costs that goals or ceilings speak of."""
        return self.needs | {g.metric for g in self.goals if g.metric in COSTS}

    def scores(self, measurement: Measurement) -> tuple[float, ...]:
        """One number a goal, smaller is better. A name is looked for in the metrics, then in the costs.

        Raises:
            ObjectiveError: The measurement lacks a goal's metric, or it is not a finite number.
        """
        return tuple(goal.score(self._value(goal, measurement)) for goal in self.goals)

    def _value(self, goal: Goal, measurement: Measurement) -> float:
        for found in (measurement.metrics, measurement.costs):
            if goal.metric in found:
                value = found[goal.metric]
                try:
                    number = float(value)
                except (TypeError, ValueError):
                    number = math.nan
                if not math.isfinite(number):
                    raise ObjectiveError(f"{goal}: {goal.metric!r} was measured as {value!r}, not a finite number")
                return number
        known = [*measurement.metrics, *measurement.costs]
        raise ObjectiveError(f"{goal}: {goal.metric!r} was not measured. {did_you_mean(goal.metric, known)}")

    def violation(self, costs: Mapping[str, float]) -> float:
        """By how much ceilings are exceeded: the sum of ``max(0, cost / limit - 1)``; 0 means that all hold.

        Args:
            costs: Costs by name, and after training metrics beside them: a gap that is not among them is let pass.

        Raises:
            ObjectiveError: A cost with a ceiling is missing, or not a number.
        """
        total = 0.0
        for ceiling in self.ceilings:
            if ceiling.cost not in costs:
                if ceiling.measured:
                    continue
                raise ObjectiveError(f"{ceiling}: its cost was not measured. {did_you_mean(ceiling.cost, costs)}")
            cost = costs[ceiling.cost]
            if math.isnan(cost):
                raise ObjectiveError(f"{ceiling}: its cost was measured as {cost!r}, not a number")
            total += max(0.0, cost / ceiling.limit - 1)
        return total

    def excess(self, costs: Mapping[str, float]) -> str:
        """The ceilings that `costs` exceed, as a sentence for people; empty when all hold.

        >>> Objectives.of([maximize("accuracy"), at_most(params="50k")]).excess({"params": 75_000})
        'params 75k is above 50k'
        """
        over = (c for c in self.ceilings if costs.get(c.cost, 0) > c.limit)
        return ", ".join(
            f"{c.cost} {format_cost(c.cost, costs[c.cost])} is above {format_cost(c.cost, c.limit)}" for c in over
        )

    def to_json(self) -> str:
        """The objectives as a JSON object."""
        return json.dumps(
            {"goals": {g.metric: g.direction for g in self.goals}, "ceilings": {c.cost: c.limit for c in self.ceilings}}
        )

    @classmethod
    def from_json(cls, text: str) -> Objectives:
        """Read what `to_json` wrote."""
        try:
            read = json.loads(text)
            goals = tuple(Goal(metric, direction) for metric, direction in read["goals"].items())
            ceilings = tuple(Ceiling(cost, limit) for cost, limit in read["ceilings"].items())
        except ObjectiveError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ObjectiveError(f"objectives cannot be read from {text!r}: {error!r}") from error
        return cls(goals, ceilings)

    def __str__(self) -> str:
        return ", ".join(map(str, (*self.goals, *self.ceilings)))


def _flat(items: Any) -> Iterator[Goal | Ceiling]:
    if isinstance(items, (Goal, Ceiling)):
        yield items
    elif isinstance(items, Objectives):
        yield from items.goals
        yield from items.ceilings
    elif isinstance(items, Iterable) and not isinstance(items, (str, bytes, Mapping)):
        for item in items:
            yield from _flat(item)
    else:
        hint = f"maximize({items!r})" if isinstance(items, str) else "maximize('accuracy')"
        raise ObjectiveError(
            f"objectives are made by maximize, minimize and at_most, got {items!r}: write for example {hint}"
        )
