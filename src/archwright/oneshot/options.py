"""What all one-shot algorithms take."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from archwright.errors import EvaluationError, ObjectiveError, did_you_mean
from archwright.evaluator import Recipe
from archwright.objective import Goal, Objectives

if TYPE_CHECKING:
    from archwright.oneshot.point import Point
    from archwright.task import Task

__all__ = ["RECIPE", "Options", "check_task", "objectives_for"]

RECIPE = Recipe(
    optimizer="sgd",
    lr=0.03,
    momentum=0.9,
    weight_decay=3e-4,
    schedule="cosine",
    warmup=0.0,
    label_smoothing=0.0,
    clip_norm=5.0,
    keep="last",
    precision="float32",
    layout="contiguous",
)
"""How shared weights are trained where nothing else is said: as in DARTS, SGD, cosine, clipped at 5. Its peak rate is
a little above the paper's, for small data mean few steps; ten times the paper's is too much for deep spaces."""


@dataclass(frozen=True)
class Options:
    """What all algorithms take.

    Args:
        epochs: Passes over the samples that the weights learn from.
        seed: All randomness is a function of it.
        objectives: One goal, a metric of the task (its own by default), and ceilings (`archwright.at_most`), which what
            is read out meets exactly.
        recipe: How weights are trained; `RECIPE` by default. A precision or layout of ``"auto"`` is float32 and
            contiguous: what is fastest was measured for single networks.
        folder: Where to keep a checkpoint; a run that is called again with the same arguments goes on from it, and ends
            as if it had never stopped. None keeps nothing.
        save_every: Between two checkpoints: a time, as ``"1 min"``, or a number of steps.
        deadline: Time that training may take, earlier runs of the same folder included: ``"10 min"`` or seconds.
            Then it ends, and the architecture is read out from what there is; of candidates that would be measured
            for that, twice `top` at least are.
        device: ``"cpu"``, ``"cuda"``, or ``"auto"``.
        top: How many architectures to read out, best first.
        watch: Called with the point of each epoch that ends.
        stepped: Called after each step of the weights with how many are done, and how many there are.
    """

    epochs: int = 10
    seed: int = 0
    objectives: Any = None
    recipe: Recipe | None = None
    folder: str | os.PathLike[str] | None = None
    save_every: int | str = "1 min"
    deadline: float | str | None = None
    device: str = "auto"
    top: int = 5
    watch: Callable[[Point], None] | None = None
    stepped: Callable[[int, int], None] | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "top"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} cannot be {value!r}: give a whole number of 1 or more")
        if isinstance(self.save_every, int) and (isinstance(self.save_every, bool) or self.save_every < 1):
            raise ValueError(f"save_every cannot be {self.save_every!r}: give a number of steps, or a time as '1 min'")


def check_task(task: Task) -> None:
    """Raise `EvaluationError` for a task that shared weights cannot be trained for.

    Its step is one descent of a loss (`Task.one_loss`), and its batches are samples as they are (`Task.drawn`).
    """
    if _draws(task):
        raise EvaluationError(
            f"one-shot algorithms train on samples as they are, and task {task.name!r} ({type(task).__name__}) draws "
            f"more for each batch: take a strategy that trains each network, such as 'evolution'"
        )
    if not task.one_loss:
        raise EvaluationError(
            f"a supernet is trained by one loss, and task {task.name!r} ({type(task).__name__}) has several that play "
            f"against each other: search its networks one by one, as aw.search(task) does"
        )


def _draws(task: Task) -> bool:
    """Whether its batches are more than samples; one kind of task may draw for some data, and for others not."""
    from archwright.task import Task as Plain

    if type(task).drawn is Plain.drawn:
        return False
    inputs = task.train.inputs[:1]
    found, _ = task.drawn(inputs, task.train.targets[:1], torch.Generator().manual_seed(0))
    return found is not inputs


def objectives_for(given: Any, task: Task) -> Objectives:
    """One goal, a metric of the task, and ceilings.

    Raises:
        ObjectiveError: Several goals, or one that is no metric of the task.
    """
    own = Goal(task.metric, task.metrics[task.metric].direction)
    if given is None:
        return Objectives((own,))
    try:
        found = Objectives.of(given)
    except ObjectiveError as error:
        if "there is no goal" not in str(error):
            raise
        found = Objectives.of([own, given])
    if len(found.goals) > 1 or found.goals[0].metric not in task.metrics:
        listed = ", ".join(map(str, found.goals))
        raise ObjectiveError(
            f"training a supernet has one goal, a metric of task {task.name!r}; got {listed}. "
            + did_you_mean(found.goals[0].metric, task.metrics)
            + " Costs can have ceilings (at_most); for several goals search what was trained: "
            "aw.search(task, evaluate=result.evaluator(), space=result.space, objectives=...)"
        )
    return found
