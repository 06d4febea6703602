"""`search` and `resume`: data and a budget in, a trained network and the evidence for it out."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archwright.errors import BudgetError, ResumeError
from archwright.evaluator import Evaluator, Recipe
from archwright.objective import Objectives, parse_bytes, parse_seconds
from archwright.report import Progress
from archwright.run.budget import Budget
from archwright.run.oneshot import OneShot
from archwright.run.prior import SHARED_WEIGHTS, prior
from archwright.run.problem import Problem, make_problem, settled
from archwright.run.result import Result, versions
from archwright.run.session import Options, Session
from archwright.run.settings import (
    check_same_space,
    check_same_task,
    describe_space,
    describe_strategy,
    describe_task,
    make_strategy,
)
from archwright.run.survey import Survey, survey
from archwright.space import Architecture, Space
from archwright.store import Run, Store
from archwright.strategy import GaussianProcess, Known, Strategy, WarmStart, make
from archwright.worker import InProcess, Processes, Workers

if TYPE_CHECKING:
    import os

    from archwright.task import Task

__all__ = ["resume", "search"]


def search(
    task: Task | None = None,
    *,
    space: Space | Any = None,
    evaluate: Callable[..., Any] | Evaluator | None = None,
    objectives: Any = None,
    strategy: Strategy | Callable[..., Strategy] | None = None,
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
    warm_start: str | os.PathLike[str] | None = None,
    oneshot: OneShot | str | None = None,
    begun: Callable[[Run], None] | None = None,
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
        strategy: What decides: a strategy, or something that makes one from the space, such as its class; it is told
            what its arguments name of `archwright.strategy.Known`.
        budget: Time for everything, as ``"10 min"`` or seconds; or ``"100 trials"``. Half of a time is kept
            for the final choice and training, and up to three quarters where few trainings fit into it.
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
        warm_start: A store whose newest run searched the same space: its trials are told to the strategy first. If it
            was on other data, its best architectures are tried first instead.
        oneshot: An algorithm of `archwright.oneshot` (``"darts"``, or a `OneShot` with settings): a supernet is trained
            first, and the architectures that it prefers are the first trials. Its checkpoint lies beside the store.
        begun: Called with the stored run before its first trial; its `meta` then holds the survey of the space.

    Returns:
        The result; also where it was interrupted (Ctrl-C), with all trials till then.

    Raises:
        ArchwrightError: Anything that makes no sense, before the search starts, with what to do about it.
    """
    allowance = Budget.of(budget, trials=trials, epochs=epochs)
    options = Options(seed, _workers(workers), deterministic, _seconds(timeout), _bytes(memory_limit))
    began = time.monotonic()
    with _workers_of(options, evaluate) as ready, _opened(store) as kept:
        problem = make_problem(task, space, evaluate, objectives, recipe, device, input_shape)
        first = OneShot.of(oneshot) if oneshot is not None else None
        if first is not None:
            first.check(problem.task if problem.training else None, problem.objectives)
        earlier = prior(warm_start, problem.space, problem.objectives, task) if warm_start is not None else None
        # A look before the search must not eat a small budget: a tenth of it at most.
        # Where a search shall be the same again, so shall the architectures that it looks at first.
        hurried = allowance.seconds is not None and not deterministic
        longest_s = 3.0 if problem.objectives.ceilings else 0.5  # without a ceiling it only tells what to expect
        looking_s = min(longest_s, 0.1 * (allowance.seconds or math.inf)) if hurried else math.inf
        surveyed = survey(problem.space, problem.evaluator, problem.objectives, seed=seed, seconds=looking_s)
        made = _strategy(strategy or GaussianProcess, problem.space, _known(problem, surveyed))
        # One with rungs trains briefly by itself, and its longest training is a full one.
        shorten = not made.rungs and recipe is None
        examples = surveyed.examples if surveyed else ()
        problem = settled(problem, examples, options.workers, allowance if shorten else None, deterministic)
        if shorten:
            made = _strategy(strategy or GaussianProcess, problem.space, _known(problem, surveyed))
        if earlier is not None:
            made = WarmStart(made, **earlier)
        shown = _shown(progress, problem, allowance)
        meta = {
            "space": describe_space(problem.space),
            "task": describe_task(task),
            "objectives": json.loads(problem.objectives.to_json()),
            "strategy": describe_strategy(made),
            **options.to_json(),
            "budget": allowance.to_json(),
            "recipe": problem.training.recipe.to_json() if problem.training else None,
            "full_epochs": problem.full_epochs,
            "search_share": problem.search_share,
            "device": device,
            "baseline": baseline,
            "survey": surveyed.to_json() if surveyed else {},
            **({"oneshot": first.to_json()} if first else {}),
            "versions": versions(),
            "command": command,
            "notes": dict(notes or {}),
            "prepared_s": time.monotonic() - began,
        }
        run = kept.create(Run(name or (task.name if task else "search"), meta))
        session = Session(kept, run, problem, made, options, allowance, shown, began, ready)
        with kept.lock(run.id):
            if begun is not None:
                begun(run)
            return session.go()


def resume(
    store: str | os.PathLike[str],
    name: str | None = None,
    *,
    task: Task | None = None,
    space: Space | Any = None,
    evaluate: Callable[..., Any] | Evaluator | None = None,
    strategy: Strategy | Callable[..., Strategy] | None = None,
    budget: Budget | str | float | None = None,
    trials: int | str | None = None,
    epochs: int | str | None = None,
    workers: int | None = None,
    input_shape: tuple[int, ...] | None = None,
    progress: Progress | bool = True,
    begun: Callable[[Run], None] | None = None,
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
        begun: As in `search`.

    Raises:
        ResumeError: The space or the data changed (the message shows how), or the run is finished.
    """
    with Store(store, create=False) as kept:
        own = [r.name for r in kept.runs() if "baseline_of" not in r.meta]  # not random search beside another
        run = kept.run(name or (own[-1] if own else None))
        meta = run.meta
        if SHARED_WEIGHTS in (meta.get("notes") or {}) and evaluate is None:
            raise ResumeError(
                f"run '{run.name}' measured a supernet's shared weights, and trained nothing: search the supernet "
                "again (archwright supernet search), or begin a search with what it found (archwright search "
                "--warm-start)"
            )
        objectives = Objectives.from_json(json.dumps(meta["objectives"]))
        recipe = Recipe.from_json(meta["recipe"]) if meta["recipe"] else None
        problem = make_problem(task, space, evaluate, objectives, recipe, meta["device"], input_shape)
        share = meta.get("search_share", problem.search_share)
        problem = replace(problem, full_epochs=meta["full_epochs"], search_share=share)
        check_same_space(meta["space"], problem.space)
        check_same_task(meta["task"], task)
        made = _again(strategy, meta["strategy"], problem)
        options = Options.from_json(meta)
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
        shown = _shown(progress, problem, allowance)
        with kept.lock(run.id), _workers_of(options, evaluate) as ready:
            kept.update(run.id, status="running", meta={**meta, "budget": allowance.to_json()})
            run = kept.run(run.id)
            if begun is not None:
                begun(run)
            began = time.monotonic()
            return Session(kept, run, problem, made, options, allowance, shown, began, ready).go()


def _strategy(strategy: Strategy | Callable[..., Strategy], space: Space, known: Known) -> Strategy:
    if isinstance(strategy, Strategy):
        return strategy
    made = make(strategy, space, known)
    if not isinstance(made, Strategy):
        raise TypeError(f"strategy={strategy!r} made a {type(made).__name__}, not a Strategy")
    return made


def _again(
    strategy: Strategy | Callable[..., Strategy] | None, described: Mapping[str, Any], problem: Problem
) -> Strategy:
    """The strategy of a stored run; made by `strategy` where that is given."""
    known = _known(problem)
    if strategy is None:
        return make_strategy(described, problem.space, known)
    made = _strategy(strategy, problem.space, known)
    warm = described["name"] == WarmStart.__name__ and not isinstance(made, WarmStart)
    return WarmStart(made, **described["arguments"]) if warm else made


def _known(problem: Problem, surveyed: Survey | None = None) -> Known:
    """What a strategy may be told. Measured latency is left out of the costs: asked again, it would be another."""
    names = tuple(sorted(problem.objectives.costs - {"latency_ms"}))
    costs = getattr(problem.evaluator, "costs", None)
    return Known(
        objectives=problem.objectives,
        max_epochs=problem.training.recipe.epochs if problem.training else None,
        costs=None if costs is None or not names else lambda architecture: costs(architecture, names),
        examples=_to_begin_with(problem, surveyed),
    )


def _to_begin_with(problem: Problem, surveyed: Survey | None) -> tuple[Architecture, ...]:
    """The space's default where it meets the ceilings; where there are some, then others that do."""
    if surveyed is not None and problem.objectives.ceilings:
        return surveyed.examples
    default = problem.space.default
    return () if default is None or problem.objectives.ceilings else (default,)


def _workers_of(options: Options, evaluate: Any) -> Workers:
    """Who will evaluate. Processes start to import what training takes now, while the search is being prepared."""
    if options.workers == 0:
        return InProcess()
    module = "archwright.evaluator.training" if evaluate is None else ""
    return Processes(n=options.workers, memory_limit=options.memory_limit, module=module)


def _workers(n: int) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise BudgetError(f"workers cannot be {n!r}: allowed is 0 (this process), or the number of processes")
    return n


def _seconds(value: float | str | None) -> float | None:
    return None if value is None else parse_seconds(value, where="timeout", error=BudgetError)


def _bytes(value: int | str | None) -> int | None:
    return None if value is None else parse_bytes(value, where="memory_limit", error=BudgetError)


def _shown(progress: Progress | bool, problem: Problem, budget: Budget) -> Progress:
    if isinstance(progress, Progress):
        return progress
    seconds = budget.seconds * problem.search_share if budget.seconds else None
    return Progress(problem.objectives, seconds=seconds, trials=budget.trials, epochs=budget.epochs, quiet=not progress)


@contextlib.contextmanager
def _opened(store: str | os.PathLike[str] | None) -> Iterator[Store]:
    with Store(":memory:" if store is None else store) as kept:
        yield kept
