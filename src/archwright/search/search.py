"""`search` and `resume`: data and a budget in, a trained network and the evidence for it out."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright.errors import BudgetError, EvaluationError, ObjectiveError, ResumeError, SpaceError, did_you_mean
from archwright.evaluator import Evaluator, Function, Recipe
from archwright.objective import COSTS, Goal, Objectives
from archwright.report import Progress
from archwright.search.budget import Budget
from archwright.search.finish import Chosen, finish
from archwright.search.loop import Loop
from archwright.search.plan import FINISH_SHARE, epoch_seconds, final_plan, search_epochs
from archwright.search.result import Result, versions
from archwright.search.settings import (
    check_same_space,
    check_same_task,
    describe_space,
    describe_strategy,
    describe_task,
    make_strategy,
)
from archwright.search.survey import survey
from archwright.space import Space
from archwright.store import Run, Store
from archwright.strategy import Random, RegularizedEvolution, Strategy
from archwright.worker import InProcess, Processes, Workers

if TYPE_CHECKING:
    import os

    from archwright.evaluator import Training
    from archwright.task import Task

__all__ = ["default_strategy", "resume", "search"]

BASELINE_FROM_S = 1200.0
"""From this budget on, random search runs beside the search by default."""

BASELINE_SHARE = 0.25


def default_strategy(space: Space) -> Strategy:
    """The strategy where none is given: a small evolution, for budgets of tens to hundreds of trials."""
    return RegularizedEvolution(space, population_size=20, tournament_size=5)


def search(
    task: Task | None = None,
    *,
    space: Space | Any = None,
    evaluate: Callable[..., Any] | Evaluator | None = None,
    objectives: Any = None,
    strategy: Strategy | Callable[[Space], Strategy] | None = None,
    budget: Budget | str | float | None = None,
    trials: int | str | None = None,
    epochs: int | str | None = None,
    workers: int = 0,
    store: str | os.PathLike[str] | None = None,
    name: str | None = None,
    seed: int = 0,
    deterministic: bool = False,
    timeout: float | str | None = None,
    memory_limit: int | str | None = None,
    recipe: Recipe | None = None,
    device: str = "auto",
    input_shape: tuple[int, ...] | None = None,
    baseline: bool | None = None,
    progress: Progress | bool = True,
    command: str = "",
    notes: Mapping[str, Any] | None = None,
) -> Result:
    """Search, choose, train the chosen network, and test it once.

    Either a `task` (then `space` is the task's own unless given, and networks are trained by `recipe`), or a
    `space` and a function of yours as `evaluate`.

    Args:
        task: The learning problem; see `archwright.task`.
        space: What to search: a `Space`, or a value with open choices.
        evaluate: ``train(model, epochs, report) -> metrics`` or ``f(architecture) -> number``, with the arguments
            that it declares (`archwright.evaluator.Function`), or an evaluator. Instead of the task's training.
        objectives: What `maximize`, `minimize` and `at_most` return, in a list; by default the task's own metric.
        strategy: What decides: a strategy, or something that makes one from the space, such as its class.
        budget: Time for everything, as ``"10 min"`` or seconds; or ``"100 trials"``. Forty per cent of a time is kept
            for the final choice and training.
        trials: At most so many trials, infeasible ones not counted.
        epochs: At most so many epochs, over all trials.
        workers: 0 evaluates in this process, n in n processes of one thread each that survive each other's death.
        store: Where to keep the run: a file or a database URL; by default nowhere. See `archwright.store.Store`.
        name: The run's name there.
        seed: All randomness is a function of it.
        deterministic: Make the history independent of which worker finishes first.
        timeout: A longer evaluation fails.
        memory_limit: A worker that uses more bytes fails; ``"2GB"``.
        recipe: How to train.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"``.
        input_shape: With a function of yours: the shape of one input, so that costs are known before it is called.
        baseline: Run random search beside it for a quarter of the search time, for comparison; by default from a
            budget of 20 minutes on.
        progress: Show it, or not, or on this.
        command: What to write into the report as the way to repeat the run.
        notes: JSON values to keep with the run.

    Returns:
        The result; also where it was interrupted (Ctrl-C), with all trials till then.

    Raises:
        ArchwrightError: Anything that makes no sense, before the search starts, with what to do about it.
    """
    allowance = Budget.of(budget, trials=trials, epochs=epochs)
    problem = _problem(task, space, evaluate, objectives, recipe, device, input_shape)
    made = _strategy(strategy, problem.space)
    options = _Options(seed, _workers(workers), deterministic, _seconds(timeout), _bytes(memory_limit))
    shown = _shown(progress, problem.objectives, allowance)
    began = time.monotonic()
    with _opened(store) as kept:
        surveyed = survey(problem.space, problem.evaluator, problem.objectives, seed=seed)
        problem = _fit_epochs(problem, allowance, options.workers, surveyed.examples if surveyed else (), recipe)
        meta = {
            "space": describe_space(problem.space),
            "task": describe_task(task),
            "objectives": json.loads(problem.objectives.to_json()),
            "strategy": describe_strategy(made),
            **options.to_json(),
            "budget": allowance.to_json(),
            "recipe": problem.training.recipe.to_json() if problem.training else None,
            "full_epochs": problem.full_epochs,
            "device": device,
            "baseline": baseline,
            "survey": surveyed.to_json() if surveyed else {},
            "versions": versions(),
            "command": command,
            "notes": dict(notes or {}),
            "prepared_s": time.monotonic() - began,
        }
        run = kept.create(Run(name or (task.name if task else "search"), meta))
        session = _Session(kept, run, problem, made, options, allowance, shown, began)
        return session.go()


def resume(
    store: str | os.PathLike[str],
    name: str | None = None,
    *,
    task: Task | None = None,
    space: Space | Any = None,
    evaluate: Callable[..., Any] | Evaluator | None = None,
    strategy: Strategy | Callable[[Space], Strategy] | None = None,
    budget: Budget | str | float | None = None,
    trials: int | str | None = None,
    epochs: int | str | None = None,
    workers: int | None = None,
    input_shape: tuple[int, ...] | None = None,
    progress: Progress | bool = True,
) -> Result:
    """Go on with a stored run where it was left: after a crash, an interrupt, or with a larger budget.

    The stored trials are told to a fresh strategy again, and the search goes on as if it had never stopped.

    Args:
        store: Where the run is kept.
        name: Which run; by default the newest.
        task: The same task as then.
        space: The same space as then, unless it is the task's own.
        evaluate: The same function as then, if one was given.
        strategy: Only where it cannot be made again from what the store keeps: a class of your script, say.
        budget: A new budget, the time already spent included; by default the old one.
        trials: As in `search`.
        epochs: As in `search`.
        workers: As in `search`; a deterministic run keeps its own number.
        input_shape: As in `search`.
        progress: As in `search`.

    Raises:
        ResumeError: The space or the data changed (the message shows how), or the run is finished.
    """
    with Store(store, create=False) as kept:
        run = kept.run(name)
        meta = run.meta
        objectives = Objectives.from_json(json.dumps(meta["objectives"]))
        recipe = Recipe.from_json(meta["recipe"]) if meta["recipe"] else None
        problem = _problem(task, space, evaluate, objectives, recipe, meta["device"], input_shape)
        problem = replace(problem, full_epochs=meta["full_epochs"])
        check_same_space(meta["space"], problem.space)
        check_same_task(meta["task"], task)
        made = _strategy(strategy, problem.space) if strategy else make_strategy(meta["strategy"], problem.space)
        options = _Options.from_json(meta)
        if workers is not None and workers != options.workers:
            if meta["deterministic"]:
                raise ResumeError(
                    f"a deterministic run depends on its number of workers: it had {options.workers}, resume cannot "
                    f"use {workers}"
                )
            options = replace(options, workers=_workers(workers))
        given = budget is not None or trials is not None or epochs is not None
        allowance = Budget.of(budget, trials=trials, epochs=epochs) if given else Budget.from_json(meta["budget"])
        if run.status == "finished" and not given:
            raise ResumeError(f"run '{run.name}' is finished: give a larger budget to go on, such as budget='20 min'")
        shown = _shown(progress, objectives, allowance)
        with kept.lock(run.id):
            kept.update(run.id, status="running", meta={**meta, "budget": allowance.to_json()})
            run = kept.run(run.id)
            return _Session(kept, run, problem, made, options, allowance, shown, time.monotonic()).go()


# What is searched, and how


@dataclass(frozen=True)
class _Problem:
    space: Space
    evaluator: Evaluator
    objectives: Objectives
    task: Task | None
    training: Training | None
    full_epochs: int = 0


@dataclass(frozen=True)
class _Options:
    seed: int
    workers: int
    deterministic: bool
    timeout_s: float | None
    memory_limit: int | None

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def from_json(cls, meta: Mapping[str, Any]) -> _Options:
        return cls(**{name: meta[name] for name in cls.__dataclass_fields__})


def _problem(
    task: Task | None,
    space: Any,
    evaluate: Any,
    objectives: Any,
    recipe: Recipe | None,
    device: str,
    input_shape: tuple[int, ...] | None,
) -> _Problem:
    if task is None and (evaluate is None or space is None):
        raise EvaluationError(
            "a search needs a task, or a space and a function that evaluates: search(space=..., evaluate=f)"
        )
    if space is None:
        assert task is not None
        space = task.space()
    found = space if isinstance(space, Space) else Space(space)
    if not found.rules and found.size == 1:
        raise SpaceError("the space holds no choice: there is one architecture in it, and nothing to search")
    if objectives is None:
        objectives = Goal(task.metric, task.metrics[task.metric].direction) if task else Goal("score", "maximize")
    goals = Objectives.of(objectives)
    if not goals.goals and task is not None:
        goals = Objectives((Goal(task.metric, task.metrics[task.metric].direction),), goals.ceilings)
    if evaluate is not None:
        shape = input_shape or (task.input_shape if task else None)
        if not callable(evaluate):
            raise EvaluationError(f"evaluate cannot be {evaluate!r}: give a function, or an evaluator")
        evaluator = (
            evaluate
            if _is_evaluator(evaluate)
            else Function(evaluate, found, metric=goals.goals[0].metric, input_shape=shape)
        )
        return _Problem(found, evaluator, goals, task, None)
    assert task is not None
    for goal in goals.goals:
        if goal.metric not in task.metrics and goal.metric not in COSTS:
            raise ObjectiveError(
                f"{goal}: task {task.name!r} does not measure {goal.metric!r}. {did_you_mean(goal.metric, [*task.metrics, *COSTS])}"
            )
    from archwright.evaluator import Training

    training = Training(found, task, recipe, device=device)
    return _Problem(found, training, goals, task, training, training.recipe.epochs)


def _is_evaluator(evaluate: Any) -> bool:
    return not isinstance(evaluate, type) and hasattr(evaluate, "costs") and not hasattr(evaluate, "__code__")


def _fit_epochs(problem: _Problem, budget: Budget, workers: int, examples: Any, given: Recipe | None) -> _Problem:
    """Where a time budget is too short for about 40 full trainings, shorten those of the search."""
    if problem.training is None or budget.seconds is None or given is not None or not examples:
        return problem
    epoch_s = epoch_seconds(problem.training, examples, most_s=0.05 * budget.seconds)
    if epoch_s is None:
        return problem
    seconds = budget.seconds * (1 - FINISH_SHARE)
    epochs = search_epochs(problem.full_epochs, seconds, max(1, workers), epoch_s)
    from archwright.evaluator import Training

    recipe = replace(problem.training.recipe, epochs=epochs)
    assert problem.task is not None
    training = Training(problem.space, problem.task, recipe, device=problem.training.device)
    return replace(problem, training=training, evaluator=training)


def _strategy(strategy: Strategy | Callable[[Space], Strategy] | None, space: Space) -> Strategy:
    if isinstance(strategy, Strategy):
        return strategy
    made = (strategy or default_strategy)(space)
    if not isinstance(made, Strategy):
        raise TypeError(f"strategy={strategy!r} made a {type(made).__name__}, not a Strategy")
    return made


def _workers(n: int) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise BudgetError(f"workers cannot be {n!r}: allowed is 0 (this process), or the number of processes")
    return n


def _seconds(value: float | str | None) -> float | None:
    from archwright.objective import parse_seconds

    return None if value is None else parse_seconds(value, where="timeout", error=BudgetError)


def _bytes(value: int | str | None) -> int | None:
    from archwright.objective import parse_bytes

    return None if value is None else parse_bytes(value, where="memory_limit", error=BudgetError)


def _shown(progress: Progress | bool, objectives: Objectives, budget: Budget) -> Progress:
    if isinstance(progress, Progress):
        return progress
    seconds = budget.seconds * (1 - FINISH_SHARE) if budget.seconds else None
    return Progress(objectives, seconds=seconds, trials=budget.trials, epochs=budget.epochs, quiet=not progress)


@contextlib.contextmanager
def _opened(store: str | os.PathLike[str] | None) -> Iterator[Store]:
    with Store(":memory:" if store is None else store) as kept:
        yield kept


class _Session:
    """One sitting of a run: from its start, or from where it was left, to its end or the next interrupt."""

    def __init__(
        self,
        store: Store,
        run: Run,
        problem: _Problem,
        strategy: Strategy,
        options: _Options,
        budget: Budget,
        progress: Progress,
        began: float,
    ):
        self.store, self.run, self.problem, self.strategy = store, run, problem, strategy
        self.options, self.budget, self.progress, self.began = options, budget, progress, began
        self.waited_s = 0.0

    def go(self) -> Result:
        problem, run = self.problem, self.run
        chosen: Chosen | None = None
        baseline: Mapping[str, Any] | None = None
        interrupted = False
        with tempfile.TemporaryDirectory(prefix="archwright-") as scratch, self.progress as progress:
            loop = self._loop(self.strategy, run.id, Path(scratch))
            records = self.store.trials(run.id)
            if records:
                loop.replay(records)
                progress.resumed([r.trial for r in records], max(r.trial.finished for r in records))
            finals = problem.training is not None
            share = 1 - FINISH_SHARE if finals else 1.0
            total = self.budget.seconds
            # Time that preparing took counts: it was part of the user's wait.
            self.waited_s = time.monotonic() - self.began
            searching = replace(self.budget, seconds=max(0.1, total * share - self.waited_s)) if total else self.budget
            deadline = time.monotonic() + total * (share + (1 - share) / 4) - loop.elapsed_s if total else None
            why = ""
            try:
                with self._workers_for(problem.evaluator, problem.objectives) as workers:
                    why = loop.run(workers, searching, deadline=deadline)
                    baseline = self._baseline(workers, searching, Path(scratch))
                progress.note(f"search ended: {why}")
                if problem.training is not None and any(t.status == "done" for t in loop.trials):
                    chosen = self._finish(problem.training, loop, Path(scratch))
            except KeyboardInterrupt:
                interrupted = True
                why = why or "interrupted"
                progress.note("interrupted: all trials are kept")
        self.store.update(run.id, status="interrupted" if interrupted else "finished")
        if chosen is not None:
            self.store.final(run.id, chosen.outcome)
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

    def _loop(self, strategy: Strategy, run_id: int, folder: Path) -> Loop:
        return Loop(
            self.problem.space,
            strategy,
            self.problem.objectives,
            seed=self.options.seed,
            workers=max(1, self.options.workers),
            deterministic=self.options.deterministic,
            keep=lambda trial, told, asked_after: self.store.add(run_id, trial, told, asked_after),
            watcher=self.progress,
            timeout_s=self.options.timeout_s,
            folder=folder,
        )

    def _workers_for(self, evaluator: Evaluator, objectives: Objectives) -> Workers:
        if self.options.workers == 0:
            return InProcess(evaluator, objectives, on_report=self.progress.reported)
        return Processes(
            evaluator,
            objectives,
            self.options.workers,
            memory_limit=self.options.memory_limit,
            on_report=self.progress.reported,
        )

    def _finish(self, training: Training, loop: Loop, scratch: Path) -> Chosen | None:
        total = self.budget.seconds
        left = total - loop.elapsed_s - self.waited_s if total else None
        measured = [t.measurement for t in loop.trials if t.status == "done" and t.measurement and t.measurement.epochs]
        epoch_s = sorted(m.seconds / m.epochs for m in measured)[len(measured) // 2] if measured else 1.0
        plan = final_plan(self.problem.full_epochs, self.options.workers, left, epoch_s)
        jobs = plan.candidates * plan.seeds + plan.finals
        self.progress.phase("final choice", total=jobs)
        return finish(
            training,
            loop.trials,
            self.problem.objectives,
            plan,
            open_workers=self._workers_for,
            folder=scratch / "final",
            seed=self.options.seed,
            step=self.progress.step,
        )

    def _baseline(self, workers: Workers, searching: Budget, folder: Path) -> Mapping[str, Any] | None:
        """Random search for a share of the time, as a run of its own beside this one."""
        from archwright.report import baseline_from

        wanted = self.run.meta.get("baseline")
        total = self.budget.seconds
        if wanted is False or isinstance(self.strategy, Random) or (wanted is None and (total or 0) < BASELINE_FROM_S):
            return None
        beside = self.store.create(Run(f"{self.run.name}-random", {**self.run.meta, "baseline_of": self.run.id}))
        loop = self._loop(Random(self.problem.space), beside.id, folder)
        share = replace(
            searching,
            seconds=searching.seconds * BASELINE_SHARE if searching.seconds else None,
            trials=searching.trials,
        )
        self.progress.phase("random search for comparison")
        loop.run(workers, share)
        self.store.update(beside.id, status="finished")
        return baseline_from(loop.trials, self.problem.objectives.goals[0])
