"""What is searched: the space, who evaluates, and what better means; checked before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from archwright.errors import EvaluationError, ObjectiveError, SpaceError, did_you_mean
from archwright.evaluator import Evaluator, Function, Recipe
from archwright.objective import COSTS, GAP, Goal, Objectives
from archwright.run.budget import Budget
from archwright.run.plan import SEARCH_SHARE, epoch_samples, search_epochs, search_share, trial_folds, trial_seconds
from archwright.space import Architecture, Space

if TYPE_CHECKING:
    from archwright.evaluator import Training
    from archwright.task import Task

__all__ = ["Problem", "make_problem", "settled"]


@dataclass(frozen=True)
class Problem:
    """What is searched.

    Args:
        space: What may be chosen.
        evaluator: Who measures.
        objectives: What better means.
        task: The learning problem, or None for a function of the user's own.
        training: The evaluator, where it is the task's training.
        full_epochs: How long a full training is; those of the search may be shorter.
        search_share: Of a time budget, what trials get; the rest is the final choice's, which a function of the user's
            has none of.
    """

    space: Space
    evaluator: Evaluator
    objectives: Objectives
    task: Task | None
    training: Training | None
    full_epochs: int = 0
    search_share: float = 1.0


def make_problem(
    task: Task | None,
    space: Any,
    evaluate: Any,
    objectives: Any,
    recipe: Recipe | None,
    device: str,
    input_shape: tuple[int, ...] | None,
) -> Problem:
    """Put the user's parts together, with a clear error for what does not fit; see `archwright.search`.

    Nothing is measured yet: what the recipe leaves open is for `settled`.
    """
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
    if found.rules:
        found.sample(np.random.default_rng(0))  # an error with the rules where they forbid everything
    if objectives is None:
        objectives = Goal(task.metric, task.metrics[task.metric].direction) if task else Goal("score", "maximize")
    goals = Objectives.of(objectives)
    if not goals.goals and task is not None:
        goals = Objectives((Goal(task.metric, task.metrics[task.metric].direction),), goals.ceilings)
    if evaluate is not None:
        shape = input_shape or (task.input_shape if task else None)
        dtype = task.input_dtype if task else None
        if not callable(evaluate):
            raise EvaluationError(f"evaluate cannot be {evaluate!r}: give a function, or an evaluator")
        evaluator = (
            evaluate
            if _is_evaluator(evaluate)
            else Function(evaluate, found, metric=goals.goals[0].metric, input_shape=shape, input_dtype=dtype)
        )
        return Problem(found, evaluator, goals, task, None)
    assert task is not None
    for goal in goals.goals:
        if goal.metric not in task.metrics and goal.metric not in COSTS:
            raise ObjectiveError(
                f"{goal}: task {task.name!r} does not measure {goal.metric!r}. "
                + did_you_mean(goal.metric, [*task.metrics, *COSTS])
            )
    for ceiling in goals.ceilings:
        if ceiling.measured and ceiling.cost not in task.metrics:
            gaps = [name for name in task.metrics if name.startswith(GAP)]
            hint = did_you_mean(ceiling.cost, gaps) if gaps else "It knows of no groups: give group= with the data"
            raise ObjectiveError(f"{ceiling}: task {task.name!r} does not measure {ceiling.cost!r}. {hint}")
    from archwright.evaluator import Training

    training = Training(found, task, recipe, device=device, tune=False)
    return Problem(found, training, goals, task, training, training.recipe.epochs, SEARCH_SHARE)


def _is_evaluator(evaluate: Any) -> bool:
    return not isinstance(evaluate, type) and hasattr(evaluate, "costs") and not hasattr(evaluate, "__code__")


def settled(
    problem: Problem,
    examples: Sequence[Architecture],
    workers: int,
    budget: Budget | None = None,
    deterministic: bool = False,
) -> Problem:
    """Fix what the recipe leaves open: precision and layout, measured on a few of `examples`.

    With a `budget` of time, a training of the search is as long as lets about 40 of them fit (`Recipe.seconds`; a
    `deterministic` search gives all the same epochs instead), and where even of brief ones few fit, they get a smaller
    share of it: the same measurement tells how long an epoch takes. Where one of all samples takes too long even for
    these, it is made one of some (`Recipe.samples`); where there is time for several full trainings and few samples to
    validate on, each network is trained on several divisions (`Recipe.folds`).
    """
    training, task = problem.training, problem.task
    if training is None or task is None or training.recipe.is_tuned:
        return problem
    from archwright.evaluator import Training, pace
    from archwright.evaluator.precision import fastest

    way = fastest(task, problem.space, training.recipe, device=training.device, examples=examples)
    recipe = replace(training.recipe, precision=way.precision, layout=way.layout)
    share = problem.search_share
    if budget is not None and budget.seconds is not None and way.step_ms is not None:
        workers = max(1, workers)
        epoch_s = pace.epoch_s(task, recipe, way.step_ms)
        if recipe.samples is None:
            batch = recipe.batch_for(len(task.train), task.input_shape)
            recipe = replace(recipe, samples=epoch_samples(len(task.train), budget.seconds, workers, epoch_s, batch))
            epoch_s = pace.epoch_s(task, recipe, way.step_ms)
        share = search_share(budget.seconds, workers, epoch_s, problem.full_epochs, recipe.stretch)
        seconds = budget.seconds * share
        if deterministic:
            recipe = replace(recipe, epochs=search_epochs(problem.full_epochs, seconds, workers, epoch_s))
        else:
            length = trial_seconds(seconds, workers, epoch_s)
            folds = trial_folds(task.folds, len(task.validation), length / (problem.full_epochs * epoch_s))
            recipe = replace(recipe, seconds=length, folds=folds)
    training = Training(problem.space, task, recipe, device=training.device)
    return replace(problem, training=training, evaluator=training, search_share=share)
