"""What came of a run, in words and figures: the sentence, ceilings and margins, lineage, failures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from archwright.objective import GAP
from archwright.report.record import RunRecord, value
from archwright.report.wording import cost, cost_name, count, duration, metric, plural, setting, signed
from archwright.trial import Trial

__all__ = [
    "Exported",
    "Held",
    "Step",
    "ceilings",
    "exported",
    "failures",
    "final_costs",
    "lineage",
    "references",
    "sentence",
    "test_of",
    "told",
]


def test_of(record: RunRecord) -> Mapping[str, Any] | None:
    """The test figures of the run's first goal, or of its first metric where that goal is a cost; None without."""
    test = (record.final or {}).get("test") or {}
    names = [g.metric for g in record.objectives.goals if g.metric in test] or list(test)
    return {"metric": names[0], **test[names[0]]} if names else None


def told(record: RunRecord) -> Mapping[str, Mapping[str, Any]]:
    """The test figures that are worth a line: of gaps between groups that of the main metric, and those with a goal
    or a ceiling.
    """
    test = (record.final or {}).get("test") or {}
    return {name: found for name, found in test.items() if not name.startswith(GAP) or "low" in found}


def references(record: RunRecord) -> tuple[tuple[str, float], ...]:
    """What simple methods score on test in the metric of `test_of`: (name, value)."""
    test = test_of(record)
    found = (record.final or {}).get("references") or {}
    return tuple((name, scores[test["metric"]]) for name, scores in found.items() if test and test["metric"] in scores)


def final_costs(record: RunRecord) -> Mapping[str, float]:
    """The costs of the chosen network: as measured at the end, or else in its trial."""
    won = record.winner
    searched = dict(won.measurement.costs) if won and won.measurement else {}
    return {**searched, **((record.final or {}).get("costs") or {})}


def sentence(record: RunRecord) -> str:
    """The outcome in one sentence."""
    won, counts = record.winner, record.counts()
    phase = record.meta.get("oneshot") or {}
    shared = "shared_weights" in (record.meta.get("notes") or {})
    seen = f"{plural(len(record.trials), 'trial')} in {duration(record.seconds)}"
    if won is None:
        if not record.trials and phase.get("top"):
            first = phase["top"][0]["metrics"].get(phase["metric"])
            return (
                f"A supernet, trained by {phase['algorithm']} for {plural(len(phase['history']), 'epoch')} in "
                f"{duration(phase['seconds'])}: the first architecture that was read out of it has {metric(first)} "
                f"validation {phase['metric'].replace('_', ' ')} with shared weights."
            )
        if not record.trials:
            return "No trial has ended yet."
        why = " and ".join(f"{n:,} {s}" for s, n in counts.items() if n and s != "done") or "none measured"
        return f"No network was measured in {seen}: {why}."
    costs = final_costs(record)
    broken = "" if won.violation <= 0 else ", though it does not meet every ceiling"
    named = (
        f"A network of {count(costs['params'])} parameters"
        if "params" in costs
        else f"The network of trial {won.number}"
    )
    test = test_of(record)
    if test is not None:
        name, per_seed = test["metric"].replace("_", " "), test.get("per_seed") or []
        spread = [f"±{metric(test['deviation'])}"] if test.get("deviation") is not None and len(per_seed) > 1 else []
        if test.get("low") is not None and test.get("high") is not None:
            share = (record.final or {}).get("confidence", 0.95)
            spread.append(f"{share:.0%} interval {metric(test['low'])}..{metric(test['high'])}")
        if per_seed:
            spread.append(plural(len(per_seed), "seed"))
        inside = f" ({', '.join(spread)})" if spread else ""
        return f"{named} reaches {metric(test['mean'])} test {name}{inside}, chosen from {seen}{broken}."
    reached = ", ".join(
        f"{metric(value(won, g.metric))} validation {g.metric.replace('_', ' ')}"
        if won.measurement and g.metric in won.measurement.metrics
        else f"{cost(g.metric, value(won, g.metric))} {cost_name(g.metric)}"
        for g in record.objectives.goals
    )
    if shared:
        return (
            f"{named} reaches {reached} with the shared weights of a supernet, the best of {seen}; none is trained yet."
        )
    return f"{named} reaches {reached}, the best of {seen}{broken}; no final choice has been made."


@dataclass(frozen=True)
class Held:
    """One ceiling and what the chosen network has: `share` of the limit is used; None where it was not measured."""

    name: str
    limit: float
    found: float | None

    @property
    def share(self) -> float | None:
        """Found over limit."""
        return None if self.found is None or not self.limit else self.found / self.limit

    @property
    def holds(self) -> bool | None:
        """Whether the ceiling holds; None where it was not measured."""
        return None if self.found is None else self.found <= self.limit

    def __str__(self) -> str:
        name, limit = cost_name(self.name), cost(self.name, self.limit)
        if self.found is None:
            return f"{name} at most {limit}: not measured"
        margin = abs(1 - (self.share or 0))
        ends = f"held with {margin:.1%} to spare" if self.holds else f"exceeded by {margin:.1%}"
        return f"{name} {cost(self.name, self.found)} of at most {limit}: {ends}"


def ceilings(record: RunRecord) -> tuple[Held, ...]:
    """Each ceiling beside what the chosen network has; a gap between groups as on test, or else in its trial."""
    costs: dict[str, float] = dict(final_costs(record))
    test = (record.final or {}).get("test") or {}
    for ceiling in record.objectives.ceilings:
        if ceiling.measured and record.winner is not None:
            found = test[ceiling.cost]["mean"] if ceiling.cost in test else value(record.winner, ceiling.cost)
            costs |= {} if found is None else {ceiling.cost: found}
    return tuple(Held(c.cost, c.limit, costs.get(c.cost)) for c in record.objectives.ceilings)


@dataclass(frozen=True)
class Step:
    """One ancestor of the winner: what was changed from its parent, and what that brought in the first goal."""

    trial: Trial
    changes: tuple[tuple[str, str, str], ...]
    found: float | None
    gain: str
    better: bool | None
    others: tuple[int, ...] = ()


def lineage(record: RunRecord, most: int = 60) -> tuple[Step, ...]:
    """The winner and its ancestors, oldest first, following at each step the parent that it differs least from."""
    trial, chain = record.winner, list[Trial]()
    others: dict[int, tuple[int, ...]] = {}
    while trial is not None and len(chain) < most and trial not in chain:
        chain.append(trial)
        here = trial.architecture
        known = [record.by_number[p] for p in trial.proposal.parents if p in record.by_number]
        nearest = min(known, key=lambda p, here=here: len(here.differs(p.architecture)), default=None)  # type: ignore[misc]
        others[trial.number] = tuple(p.number for p in known if p is not nearest)
        trial = nearest
    steps = list[Step]()
    goal = record.goal
    for trial, before in zip(reversed(chain), [None, *reversed(chain)], strict=False):
        found = value(trial, goal.metric)
        earlier = value(before, goal.metric) if before is not None else None
        changes: tuple[tuple[str, str, str], ...] = ()
        if before is not None:
            old, new = before.architecture, trial.architecture
            changes = tuple(
                (k, setting(old[k]) if k in old else "not there", setting(new[k]) if k in new else "not there")
                for k in new.differs(old)
            )
        gap = None if found is None or earlier is None else found - earlier
        better = None if not gap else (gap > 0) == (goal.direction == "maximize")
        steps.append(Step(trial, changes, found, "" if gap is None else signed(gap), better, others[trial.number]))
    return tuple(steps)


@dataclass(frozen=True)
class Exported:
    """One exported form: its file and how far its outputs are from the original's, or why it was left out."""

    name: str
    form: str
    bytes: int | None
    max_difference: float | None
    agrees: bool | None
    load: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        """The comparison with the original, in words."""
        if not self.name:
            return f"left out: {self.note}"
        if self.max_difference is None:
            return self.note or "not compared"
        return "identical" if self.max_difference == 0 else f"largest difference {self.max_difference:.1e}"


def exported(final: Mapping[str, Any]) -> tuple[Exported, ...]:
    """The files of the final choice, then the forms that were left out."""
    made = []
    for f in final.get("files") or ():
        check = f.get("check") or f
        gap, scale, tolerance = check.get("max_difference"), check.get("scale"), check.get("tolerance")
        agrees = check.get("checked")
        if gap is not None and scale is not None and tolerance is not None:
            agrees = gap <= tolerance * max(scale, 1.0)
        written = f.get("name") not in (None, "", "-")
        made.append(
            Exported(
                f["name"] if written else "",
                f.get("form", ""),
                f.get("bytes") if written else None,
                gap,
                agrees if written else None,
                f.get("load") or "",
                f.get("note") or "",
            )
        )
    for form, reason in (final.get("left_out") or {}).items():
        made.append(Exported("", form, None, None, None, note=reason))
    return tuple(made)


NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?:%|[A-Za-z]{0,3}\b)")
"""A number with its unit: ``3``, ``1,204``, ``22.6k``, ``5ms``, ``10%``."""


def failures(record: RunRecord, status: str = "failed") -> list[tuple[str, int, int]]:
    """(reason, how many, an example's number), most frequent first.

    Reasons that differ in numbers alone are one, with ``…`` for the numbers that differ.
    """
    found: dict[str, list[Trial]] = {}
    for trial in record.trials:
        if trial.status == status:
            found.setdefault(NUMBER.sub("#", trial.reason), []).append(trial)
    rows = []
    for trials in found.values():
        numbers = zip(*(NUMBER.findall(t.reason) for t in trials), strict=False)
        same = iter([column[0] if len(set(column)) == 1 else "…" for column in numbers])
        reason = NUMBER.sub(lambda _, same=same: next(same), trials[0].reason)  # type: ignore[misc]
        rows.append((reason or "no reason given", len(trials), trials[0].number))
    return sorted(rows, key=lambda row: -row[1])
