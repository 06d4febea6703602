"""Everything that is known of one run, as plain data: what every table, plot and page here is made from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archwright.objective import best, latest, ranked
from archwright.trial import Trial

if TYPE_CHECKING:
    import networkx as nx

    from archwright.objective import Goal, Objectives

__all__ = ["RunRecord", "baseline_from", "improvements", "trained", "value"]


@dataclass(frozen=True)
class RunRecord:
    """One run, from its first trial to the network that was chosen. All parts but the first three may be missing.

    Args:
        name: What the run is called.
        objectives: Its goals and ceilings.
        trials: All trials, in the order in which they were told.
        meta: What the store keeps of the run: ``task`` and ``space`` (each with ``name``, ``fingerprint``...),
            ``strategy``, ``seed``, ``workers``, ``deterministic``, ``budget``, ``created``. Shown where it is there.
        graph: The chosen network as a DAG whose nodes carry a ``label``; any direction of edges but cycles.
        final: How the choice ended, see below; None while it is open.
        baseline: Random search beside it: ``{"name", "curve": [[seconds, trials, best value], ...]}``, the value in
            the first goal's own orientation, and optionally ``"test"`` as in `final`; `baseline_from` makes one.
        survey: The space before the search: ``{"sampled", "feasible" (share 0..1), "costs": {name: {"min",
            "median", "max"}}}``.
        command: The shell command, or the call, that repeats the run.
        versions: Package name to version.

    `final` is JSON: ``"chosen"`` (a trial number), ``"seeds"``, ``"candidates"`` (a list of ``{"number",
    "validation": {metric: [one value a seed]}, "costs"}``), ``"test"`` (``{metric: {"per_seed": [...], "mean",
    "deviation", "low", "high"}}``, low..high a bootstrap interval), ``"confidence"`` (0.95), ``"test_size"``,
    ``"references"`` (``{name: {metric: value}}`` of simple methods on the same test part),
    ``"calibration"`` (of a classifier, as `archwright.task.calibration` gives it), ``"groups"`` (where a task tells
    groups apart: ``{"name", "metric", "values": [{"group", "count", "compared", "metrics", "low", "high"}]}``,
    low..high of that metric), ``"pictures"`` (of a task that makes images: ``{"shown", "made", "real"}``, PNG in
    base64),
    ``"costs"`` (of the chosen network), ``"plan"`` (settings of the choice), ``"candidates_s"`` (until the candidates
    were trained again), ``"seconds"`` (of the whole choice), and as in an exported card ``"files"`` (a list of
    ``{"name", "form", "bytes", "check": {"max_difference", "scale", "tolerance"}, "load"}``)
    and ``"left_out"`` (form to the reason why it was not written).
    """

    name: str
    objectives: Objectives
    trials: tuple[Trial, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)
    graph: nx.DiGraph | None = None
    final: Mapping[str, Any] | None = None
    baseline: Mapping[str, Any] | None = None
    survey: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def goal(self) -> Goal:
        """The first goal: the one that plots and tables are about where they show a single number."""
        return self.objectives.goals[0]

    @cached_property
    def done(self) -> tuple[Trial, ...]:
        """The trials that were measured and have finite scores, in the order told."""
        return tuple(t for t in self.trials if t.status == "done" and t.scores and all(map(math.isfinite, t.scores)))

    @cached_property
    def ranked(self) -> tuple[Trial, ...]:
        """The measured trials, best first; each architecture once, as it was trained longest."""
        return tuple(ranked(latest(self.done)))

    @cached_property
    def by_number(self) -> Mapping[int, Trial]:
        """Trials by their number."""
        return {t.number: t for t in self.trials}

    @cached_property
    def winner(self) -> Trial | None:
        """The trial chosen at the end; else the best so far (with several goals, the front's knee); else None."""
        chosen = self.by_number.get((self.final or {}).get("chosen", -1))
        return chosen or best(self.done) or (self.ranked[0] if self.ranked else None)

    def curve(self, trial: Trial) -> list[Mapping[str, float]]:
        """The learning curve of a trial, with that of the trials whose weights it went on with before it."""
        points = list(trial.measurement.curve) if trial.measurement else []
        before = self.by_number.get(-1 if trial.proposal.continues is None else trial.proposal.continues)
        if before is None or not points:
            return points
        start = points[0].get("epoch", 0)  # 1 where the weights were gone and the training began anew
        return [p for p in self.curve(before) if p.get("epoch", start) < start] + points

    @property
    def seconds(self) -> float:
        """Search time until the last trial ended."""
        return max((t.finished for t in self.trials), default=0.0)

    def counts(self) -> dict[str, int]:
        """How many trials ended in each status."""
        return {s: sum(t.status == s for t in self.trials) for s in ("done", "failed", "infeasible")}

    def cost_names(self) -> tuple[str, ...]:
        """The costs that measured trials have, those with a ceiling or a goal first."""
        found: dict[str, None] = {}
        for name in (*(c.cost for c in self.objectives.ceilings), *(g.metric for g in self.objectives.goals)):
            found[name] = None
        for trial in self.done:
            found.update(dict.fromkeys(trial.measurement.costs if trial.measurement else ()))
        has = {name for t in self.done if t.measurement for name in t.measurement.costs}
        return tuple(name for name in found if name in has)


def trained(trial: Trial) -> int:
    """For how many epochs the network of a trial was trained, those of the trials that it goes on with included."""
    m = trial.measurement
    return 0 if m is None else m.epochs + int(m.extra.get("continued_from_epoch", 0))


def value(trial: Trial, metric: str) -> float | None:
    """What a trial has under this name, among its metrics or else its costs."""
    m = trial.measurement
    if m is None:
        return None
    found = m.metrics.get(metric, m.costs.get(metric))
    return None if found is None or not math.isfinite(found) else float(found)


def improvements(trials: Sequence[Trial], goal: Goal) -> list[tuple[int, Trial]]:
    """Where the best so far, among trials within every ceiling, changed: (trials told until then, the new best)."""
    reached, steps = math.inf, []
    for told, trial in enumerate(trials, 1):
        found = value(trial, goal.metric) if trial.status == "done" and trial.violation <= 0 else None
        if found is not None and goal.score(found) < reached:
            reached = goal.score(found)
            steps.append((told, trial))
    return steps


def baseline_from(trials: Sequence[Trial], goal: Goal, name: str = "random search") -> dict[str, Any]:
    """The `RunRecord.baseline` that another search's trials make, ready to be stored as JSON."""
    steps = [[t.finished, told, value(t, goal.metric)] for told, t in improvements(trials, goal)]
    if steps:
        steps.append([max(t.finished for t in trials), len(trials), steps[-1][2]])
    return {"name": name, "curve": steps}
