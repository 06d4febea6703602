"""One sitting of a run: from its start, or from where it was left, to its end or the next interrupt."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright.errors import ArchwrightError, ResumeError
from archwright.report import Progress
from archwright.run.budget import Budget
from archwright.run.finish import Chosen, choose, finish
from archwright.run.loop import Loop
from archwright.run.oneshot import FULL_SHARE, OneShot, Phase
from archwright.run.plan import final_plan
from archwright.run.problem import Problem
from archwright.run.result import Result
from archwright.run.settings import describe_strategy
from archwright.store import Run, Store
from archwright.strategy import Random, Strategy, WarmStart
from archwright.worker import Workers

if TYPE_CHECKING:
    from archwright.evaluator import Training
    from archwright.oneshot import Point

__all__ = ["Options", "Session", "said"]

BASELINE_FROM_S = 1200.0
"""From this budget on, random search runs beside the search by default."""

BASELINE_SHARE = 0.25

FIRST_TRIALS_S = 20.0
"""However short the budget, trials may run for so long, workers' start included, before a deadline cuts them."""


@dataclass(frozen=True)
class Options:
    """How a search runs, as `archwright.search` takes it."""

    seed: int
    workers: int
    deterministic: bool
    timeout_s: float | None
    memory_limit: int | None

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return dict(vars(self))

    @classmethod
    def from_json(cls, meta: Mapping[str, Any]) -> Options:
        """Read them back from what a store keeps of a run."""
        return cls(**{name: meta[name] for name in cls.__dataclass_fields__})


class Session:
    """One sitting of a run: from its start, or from where it was left, to its end or the next interrupt."""

    def __init__(
        self,
        store: Store,
        run: Run,
        problem: Problem,
        strategy: Strategy,
        options: Options,
        budget: Budget,
        progress: Progress,
        began: float,
        workers: Workers,
    ):
        self.store, self.run, self.problem, self.strategy = store, run, problem, strategy
        self.options, self.budget, self.progress, self.began = options, budget, progress, began
        self.workers = workers
        self.waited_s = 0.0
        self.supernet_s, self.supernet_now_s, self.supernet_epochs = 0.0, 0.0, 0  # in all sittings, in this one

    def go(self) -> Result:
        """Search, choose, train, test; an interrupt ends it early, with all trials kept."""
        problem, run, workers = self.problem, self.run, self.workers
        chosen: Chosen | None = None
        baseline: Mapping[str, Any] | None = None
        interrupted = False
        with tempfile.TemporaryDirectory(prefix="archwright-") as scratch, self.progress as progress:
            try:
                phase, strategy = self._oneshot(Path(scratch))
            except KeyboardInterrupt:
                progress.note("interrupted before the first trial")
                return self._ended("interrupted", interrupted=True)
            except ArchwrightError:
                self.store.update(run.id, status="interrupted")
                raise
            loop = self._loop(strategy, run.id, Path(scratch), self.options.seed, earlier_s=self.supernet_s)
            records = self.store.trials(run.id)
            if records:
                loop.replay(records)
                progress.resumed([r.trial for r in records], max(r.trial.finished for r in records))
            share, total = problem.search_share, self.budget.seconds
            # Time that preparing took counts: it was part of the user's wait.
            self.waited_s = time.monotonic() - self.began - self.supernet_now_s
            earlier_s = loop.elapsed_s - self.supernet_now_s
            deadline = self.began + total * (share + (1 - share) / 4) - earlier_s if total else None
            if deadline is not None:  # the shortest budget still gets its first trials through their workers' start
                deadline = max(deadline, time.monotonic() + FIRST_TRIALS_S)
            why = ""
            workers.on_report = progress.reported
            try:
                workers.load(problem.evaluator, problem.objectives)
                searching = self.budget
                if total:  # however long loading took, there is time to ask for the first trials
                    least = 0.1 if records else 0.1 + loop.elapsed_s
                    searching = replace(searching, seconds=max(least, total * share - self.waited_s))
                if searching.epochs:  # an epoch of the supernet is one of them
                    searching = replace(searching, epochs=max(1, searching.epochs - self.supernet_epochs))
                why = loop.run(workers, searching, deadline=deadline)
                baseline = self._baseline(workers, searching, Path(scratch))
                progress.note(f"search ended: {why}")
                if phase is not None:
                    self._trust(phase, loop)
                if problem.training is not None and any(t.status == "done" for t in loop.trials):
                    chosen = self._finish(problem.training, loop, workers, Path(scratch))
            except KeyboardInterrupt:
                interrupted = True
                why = why or "interrupted"
                progress.note(f"interrupted{': all trials are kept' if loop.trials else ' before the first trial'}")
        if chosen is not None:
            chosen = replace(chosen, outcome={**chosen.outcome, "test_opened": len(self.store.finals(run.id)) + 1})
            self.store.final(run.id, chosen.outcome)
        return self._ended(why, interrupted=interrupted, chosen=chosen, baseline=baseline)

    def _ended(
        self,
        why: str,
        *,
        interrupted: bool,
        chosen: Chosen | None = None,
        baseline: Mapping[str, Any] | None = None,
    ) -> Result:
        problem, run = self.problem, self.run
        self.store.update(run.id, status="interrupted" if interrupted else "finished")
        return Result(
            name=run.name,
            store=self.store.place,
            objectives=problem.objectives,
            trials=tuple(r.trial for r in self.store.trials(run.id, curves=True)),
            space=problem.space,
            task=problem.task,
            chosen=chosen,
            why_it_ended=why,
            interrupted=interrupted,
            meta={**run.meta, "created": run.created},
            survey=run.meta["survey"],
            baseline=baseline,
        )

    def _oneshot(self, scratch: Path) -> tuple[Phase | None, Strategy]:
        """Train the supernet that this search begins with, if it does; what it prefers is tried before all else.

        What a phase said that ended in an earlier sitting is in the store; one that was cut off goes on from its
        checkpoint.
        """
        kept = self.run.meta.get("oneshot")
        if not kept:
            return None, self.strategy
        problem, oneshot = self.problem, OneShot.from_json(kept)
        assert problem.task is not None
        phase = Phase(
            oneshot,
            problem.space,
            problem.task,
            problem.objectives,
            seed=self.options.seed,
            folder=self._supernet_folder(scratch),
            device=str(self.run.meta.get("device", "auto")),
        )
        if "given" not in kept:
            kept = self._train_supernet(phase, kept)
        self.supernet_s, self.supernet_epochs = kept["spent_s"], len(kept["history"])
        given = [problem.space.architecture(values) for values in kept["given"]]
        # The run keeps what is tried first and the strategy behind it apart, so that the strategy can be made again.
        return phase, WarmStart(self.strategy, architectures=given)

    def _train_supernet(self, phase: Phase, kept: dict[str, Any]) -> dict[str, Any]:
        """Train it and read it out; returns what the store now keeps of it."""
        oneshot, began, total = phase.oneshot, time.monotonic(), self.budget.seconds
        fitted = "epochs" not in oneshot.settings and not self.options.deterministic
        seconds = total * self.problem.search_share - (began - self.began) if total else None
        if seconds is not None:
            seconds *= oneshot.share if fitted else FULL_SHARE
        if "epochs" not in kept:  # kept, so that a phase that is cut off goes on as the same one
            if seconds is not None and fitted:
                self.progress.note(f"one-shot search by {oneshot.algorithm}: timing its steps")
            kept = self._keep({**kept, "epochs": phase.epochs_for(seconds if fitted else None, self.budget.epochs)})
        epochs, timed_s = kept["epochs"], time.monotonic() - began
        self.progress.phase(f"one-shot search by {oneshot.algorithm}", total=epochs)
        trained = phase.train(
            epochs,
            seconds=None if seconds is None else seconds - timed_s,
            watch=lambda point: self.progress.step(said(point, epochs)),
        )
        best, done = trained.top[0].metrics[trained.metric], len(trained.history)
        early = f" after {done} of {epochs} epochs ({trained.stopped})" if trained.stopped else ""
        self.progress.note(
            f"one-shot search ended{early}: its first choice has {trained.metric} {best:.4f} with shared weights"
        )
        given = [dict(architecture) for architecture in phase.first()]
        self.progress.phase("search")
        self.supernet_now_s = time.monotonic() - began
        earlier_s = max(0.0, trained.seconds - (self.supernet_now_s - timed_s))
        return self._keep({**kept, **phase.to_json(), "given": given, "spent_s": self.supernet_now_s + earlier_s})

    def _supernet_folder(self, scratch: Path) -> Path:
        place = Path(self.store.place)
        return place.with_name(f"{place.stem}-supernet-{self.run.id}") if place.is_file() else scratch / "supernet"

    def _keep(self, oneshot: Mapping[str, Any]) -> dict[str, Any]:
        kept = dict(oneshot)
        self.run = replace(self.run, meta={**self.run.meta, "oneshot": kept})
        self.store.update(self.run.id, meta=self.run.meta)
        return kept

    def _trust(self, phase: Phase, loop: Loop) -> None:
        """Say how shared weights ranked what was trained alone since."""
        try:
            told = phase.trust(loop.trials)
        except ResumeError as error:
            self.progress.note(f"the order of shared weights is not judged again: {error}")
            return
        if told is not None:
            self._keep({**self.run.meta["oneshot"], "trust": told})
            for line in told["text"].splitlines():
                self.progress.note(line)

    def _loop(self, strategy: Strategy, run_id: int, folder: Path, seed: int, *, earlier_s: float = 0.0) -> Loop:
        return Loop(
            self.problem.space,
            strategy,
            self.problem.objectives,
            seed=seed,
            workers=max(1, self.options.workers),
            deterministic=self.options.deterministic,
            keep=lambda trial, told, asked_after: self.store.add(run_id, trial, told, asked_after),
            watcher=self.progress,
            timeout_s=self.options.timeout_s,
            folder=folder,
            earlier_s=earlier_s,
        )

    def _finish(self, training: Training, loop: Loop, workers: Workers, scratch: Path) -> Chosen | None:
        total = self.budget.seconds
        left = total - loop.elapsed_s - self.waited_s if total else None
        # The finalists' own pace: under a ceiling the best are among the slowest.
        full, stretch = self.problem.full_epochs, training.recipe.stretch
        finalists = choose(loop.trials, self.problem.objectives, 4)
        paces = [m.seconds / m.epochs for t in finalists if (m := t.measurement) and m.epochs]
        epoch_s = max(paces, default=1.0)
        plan = final_plan(full, self.options.workers, left, epoch_s, stretch=stretch)
        jobs = plan.candidates * plan.seeds + plan.finals
        self.progress.phase("final choice", total=jobs)
        return finish(
            training,
            loop.trials,
            self.problem.objectives,
            plan,
            workers=workers,
            folder=scratch / "final",
            seed=self.options.seed,
            until=None if left is None else time.monotonic() + left,
            step=self.progress.step,
        )

    def _baseline(self, workers: Workers, searching: Budget, folder: Path) -> Mapping[str, Any] | None:
        """Random search for a share of the time, as a run of its own beside this one."""
        from archwright.report import baseline_from

        wanted = self.run.meta.get("baseline")
        total = self.budget.seconds
        if wanted is False or isinstance(self.strategy, Random) or (wanted is None and (total or 0) < BASELINE_FROM_S):
            return None
        strategy = Random(self.problem.space)
        meta = {
            **self.run.meta,
            "oneshot": None,
            "strategy": describe_strategy(strategy),
            "seed": self.options.seed + 1,
        }
        beside = self.store.create(Run(f"{self.run.name}-random", {**meta, "baseline_of": self.run.id}))
        # A seed of its own: many strategies begin at random too, and would share their first trials with it.
        loop = self._loop(strategy, beside.id, folder, self.options.seed + 1)
        share = replace(
            searching,
            seconds=searching.seconds * BASELINE_SHARE if searching.seconds else None,
            trials=searching.trials,
        )
        self.progress.phase("random search for comparison")
        loop.run(workers, share)
        self.store.update(beside.id, status="finished")
        return baseline_from(loop.trials, self.problem.objectives.goals[0])


def said(point: Point, epochs: int) -> str:
    """A line on an epoch."""
    parts = [f"epoch {point.epoch} of {epochs}", *(f"{k.replace('_', ' ')} {v:.3g}" for k, v in point.losses.items())]
    if point.metric is not None:
        parts.append(f"gates {point.metric:.4g}")
    if point.entropy is not None:
        parts.append(f"entropy {point.entropy:.2f}")
    return ", ".join(parts)
