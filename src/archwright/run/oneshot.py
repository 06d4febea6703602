"""A one-shot phase: before its trials a search trains a supernet, and tries first what that prefers."""

from __future__ import annotations

import inspect
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archwright.errors import ArchwrightError, BudgetError, EvaluationError, did_you_mean
from archwright.objective import Goal, Objectives
from archwright.run.pace import pace
from archwright.space import Architecture, Space
from archwright.trial import Proposal, Trial

if TYPE_CHECKING:
    from archwright.oneshot import Point
    from archwright.oneshot import Result as Trained
    from archwright.task import Task

__all__ = ["ALGORITHMS", "OneShot", "Phase"]

ALGORITHMS = (
    "darts", "gdas", "snas", "pc_darts", "drnas", "beta_darts", "spos", "fairnas", "sandwich", "progressive", "enas",
)  # fmt: skip
"""Functions of `archwright.oneshot`."""

EPOCHS = 20
"""How long a supernet is trained where no time says it, and nobody else."""

MOST = 200
"""Epochs that a time or a budget of epochs is made into, at most."""

FULL_SHARE = 0.8
"""Of the time for searching, that a supernet may take whose epochs were said; else it is `OneShot.share`."""

SAMPLED, LEARNT = 0.7, 0.85
"""Of its time, how much a supernet trains: where candidates are measured for what is read out, and where gates tell."""

DRAWN = 16
"""Values of a decision of which nothing was learnt, up to which they are kept for the report."""

SAVED = "15 s"
"""Between two checkpoints: at most so much is lost when it is killed."""

COMPARED = 40
"""So many trials at most are measured with shared weights too, to say how these rank."""


@dataclass(frozen=True)
class OneShot:
    """What to do before the first trial: train a supernet by an algorithm of `archwright.oneshot`, and read it out.

    The architectures that it prefers are the first trials, then some random ones, by which its order can be judged;
    after that the search's strategy decides, and has learnt from both.

    Args:
        algorithm: One of `ALGORITHMS`.
        settings: Arguments of its function, such as ``{"epochs": 30}`` or ``{"order": 2}``.
        first: How many of the architectures it prefers are tried.
        sample: How many random ones.
        share: Of the time for searching that the phase may take, or of the epochs where they are the budget. An epoch
            of the supernet counts as one, though it costs several.
    """

    algorithm: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    first: int = 5
    sample: int = 5
    share: float = 0.5

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise EvaluationError(
                f"there is no one-shot algorithm {self.algorithm!r}. {did_you_mean(self.algorithm, ALGORITHMS)}"
            )
        for name, least in (("first", 1), ("sample", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise EvaluationError(f"OneShot({name}={value!r}): give a whole number of {least} or more")
        if not 0 < self.share < 1:
            raise EvaluationError(f"OneShot(share={self.share!r}): a share of the search time lies between 0 and 1")

    @classmethod
    def of(cls, given: OneShot | str) -> OneShot:
        """The same, or that of an algorithm's name."""
        return given if isinstance(given, cls) else cls(str(given))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "settings": dict(self.settings)}

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> OneShot:
        """Read what `to_json` wrote, which may stand among other values."""
        return cls(**{name: d[name] for name in cls.__dataclass_fields__})

    def check(self, task: Task | None, objectives: Objectives) -> None:
        """Raise an error for what a supernet cannot be trained for, before anything starts."""
        if task is None:
            raise EvaluationError(
                f"{self.algorithm} trains a supernet as the task says: give a task, and no function of yours"
            )
        from archwright.oneshot.options import check_task, objectives_for

        check_task(task)
        objectives_for(objectives, task)
        accepted = {**inspect.signature(self._function()).parameters, **_options()}
        for name in self.settings:
            if name not in accepted and self.algorithm not in _BILEVEL:
                raise EvaluationError(f"{self.algorithm} takes no {name!r}. {did_you_mean(name, accepted)}")

    def _function(self) -> Callable[..., Trained]:
        from archwright import oneshot

        found: Callable[..., Trained] = getattr(oneshot, self.algorithm)
        return found


_BILEVEL = ("darts", "gdas", "snas", "pc_darts", "drnas", "beta_darts")
"""These pass their settings on, and tell themselves what they do not know."""


def _options() -> Mapping[str, inspect.Parameter]:
    from archwright.oneshot import Options

    return inspect.signature(Options).parameters


class Phase:
    """One one-shot phase of a search.

    Args:
        oneshot: What to do.
        space: What is searched.
        task: What is learnt.
        objectives: One goal of the task, and ceilings.
        seed: Of everything.
        folder: Of the checkpoint, by which a killed phase goes on.
        device: As for the search.
    """

    def __init__(
        self,
        oneshot: OneShot,
        space: Space,
        task: Task,
        objectives: Objectives,
        *,
        seed: int,
        folder: Path,
        device: str,
    ):
        self.oneshot, self.space, self.task, self.objectives = oneshot, space, task, objectives
        self.seed, self.folder, self.device = seed, folder, device
        self._trained: Trained | None = None

    def epochs_for(self, seconds: float | None, epochs: int | None = None) -> int:
        """How many epochs to train: as the settings say, or the share of those of a budget, or as many as fit.

        Args:
            seconds: For the phase, of which this takes some; None where no time says how long it may take.
            epochs: The budget of epochs for all, or None.

        Raises:
            BudgetError: Not one fits.
        """
        if "epochs" in self.oneshot.settings:
            return int(self.oneshot.settings["epochs"])
        told = [MOST] if epochs is None else [MOST, max(1, round(self.oneshot.share * epochs))]
        if seconds is None:
            return EPOCHS if epochs is None else min(told)
        known = pace(lambda **more: self._train({**self.oneshot.settings, "top": 1, **more}), seconds)
        trains = (SAMPLED if self._sampled else LEARNT) * (seconds - known.took_s)
        fitting = known.fitting(trains)
        if fitting < 1:
            raise self.too_short(seconds, f"making it and one epoch take about {known.making_s + known.epoch_s:.3g} s")
        return min(fitting, *told)

    def too_short(self, seconds: float, why: str) -> BudgetError:
        """The error of a time in which no supernet can be trained."""
        return BudgetError(
            f"the supernet of {self.oneshot.algorithm} had {seconds:.3g} s of the time, and {why} here: with less than "
            "an epoch nothing is learnt. Give a budget of several times as much, or a strategy without a supernet"
        )

    @property
    def _sampled(self) -> bool:
        return "candidates" in inspect.signature(self.oneshot._function()).parameters

    def train(self, epochs: int, *, seconds: float | None, watch: Callable[[Point], None]) -> Trained:
        """Train the supernet, or what is left of that, and read it out.

        Raises:
            BudgetError: The time was over before an epoch was.
        """
        settings = {"save_every": SAVED, **self.oneshot.settings, "epochs": epochs, "top": max(5, self.oneshot.first)}
        self._trained = self._train({**settings, "folder": self.folder, "deadline": seconds, "watch": watch})
        if not self._trained.history and seconds is not None:
            raise self.too_short(seconds, "its first epoch took longer")
        return self._trained

    def _train(self, settings: Mapping[str, Any]) -> Trained:
        return self.oneshot._function()(
            self.space, self.task, objectives=self.objectives, seed=self.seed, device=self.device, **settings
        )

    @property
    def trained(self) -> Trained:
        """The supernet as it was trained here, or else as an earlier sitting left it.

        Raises:
            ResumeError: Its checkpoint is gone.
        """
        if self._trained is None:
            from archwright.oneshot.loading import load

            self._trained = load(self.folder, self.space, self.task, metric=self.objectives.goals[0].metric)
        return self._trained

    def first(self) -> list[Architecture]:
        """What to try first: what it prefers, then random architectures of other functions that meet the ceilings."""
        from archwright.oneshot.fitting import Ceilings

        ceilings = Ceilings(self.objectives, self.trained.evaluator().costs)
        found = {self.space.key(r.architecture): r.architecture for r in self.trained.top[: self.oneshot.first]}
        wanted, rng = len(found) + self.oneshot.sample, np.random.default_rng([self.seed, 60])
        for _ in range(20 * self.oneshot.sample):
            if len(found) == wanted:
                break
            architecture = self.space.sample(rng)
            if ceilings.excess(architecture) == 0:
                found.setdefault(self.space.key(architecture), architecture)
        return list(found.values())

    def to_json(self) -> dict[str, Any]:
        """What came of it, for the report: history, what was read out, and the values of the decisions."""
        trained = self.trained
        codes = self.space.codes([trained.architecture])[0].tolist()
        learnt = trained.history[-1].probabilities if trained.history else {}
        return {
            "metric": trained.metric,
            "seconds": trained.seconds,
            "stopped": trained.stopped,
            "read_from": trained.read_from,
            "soft": trained.soft,
            "gap": trained.gap,
            "history": [_finite(asdict(point)) for point in trained.history],
            "top": [
                {**_finite(asdict(ranked)), "architecture": dict(ranked.architecture)}
                for ranked in trained.top
            ],
            "values": {
                d.name: [str(v) for v in d.values]
                for d in self.space.decisions
                if d.name in learnt or (d.kind != "real" and d.size <= DRAWN)
            },
            "chosen": {d.name: code for d, code in zip(self.space.decisions, codes, strict=True) if code >= 0},
        }  # fmt: skip

    def trust(self, trials: Sequence[Trial]) -> dict[str, Any] | None:
        """How the order of shared weights compares with what training alone gave; None where too few were trained."""
        from archwright.evaluator import Shared
        from archwright.oneshot.ranking import ranking_goal
        from archwright.oneshot.trust import Checked, judged

        metric = self.trained.metric
        goal, by = Goal(metric, self.task.metrics[metric].direction), ranking_goal(self.task, metric)
        longest = max((t.measurement.epochs for t in trials if t.measurement), default=0)
        alone = [t for t in trials if t.status == "done" and t.measurement and t.measurement.epochs == longest]
        unique = list({t.key: t for t in alone}.values())[:COMPARED]
        shared, found, began = Shared(self.trained.supernet, self.task), list[Checked](), time.monotonic()
        for trial in unique:
            assert trial.measurement is not None
            try:
                value = shared(Proposal(trial.architecture)).metrics[by.metric]
            except ArchwrightError:
                continue
            params = trial.measurement.costs.get("params", math.nan)
            found.append(Checked(trial.architecture, value, trial.measurement.metrics[metric], params))
        if len(found) < 3:
            return None
        told = judged(found, goal, by, seed=self.seed, seconds=time.monotonic() - began)
        return {
            "text": str(told),
            "by": told.by,
            "warnings": list(told.warnings),
            **{name: _finite(asdict(getattr(told, name))) for name in ("correlation", "top", "params")},
            "sample": [[c.shared, c.alone, c.params] for c in told.sample],
        }


def _finite(d: Mapping[str, Any]) -> dict[str, Any]:
    """Without numbers that JSON has no name for."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in d.items()}
