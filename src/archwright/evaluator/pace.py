"""How long a network's epochs take, and so for how many of them a training of some seconds has time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.evaluator.precision import device_of, measure

if TYPE_CHECKING:
    from torch import nn

    from archwright.evaluator.recipe import Recipe
    from archwright.task import Task

__all__ = ["epoch_s", "epochs_within"]

FEWEST = 2
"""Epochs of the slowest networks: their rate comes up and down at least, and two tell more of a network than one."""


def epoch_s(task: Task, recipe: Recipe, step_ms: float) -> float:
    """Seconds of an epoch whose steps take `step_ms`. Validation is forward passes, about a third of a step each."""
    n = len(task.train)
    samples = recipe.drawn_of(n) + recipe.measured_of(len(task.validation), n) / 3
    return samples / recipe.batch_for(n, task.input_shape) * step_ms / 1000


def epochs_within(seconds: float, module: nn.Module, task: Task, recipe: Recipe, device: str = "auto") -> int:
    """Epochs that fit into so many seconds at the network's own pace: two at least, and the recipe's at most.

    A copy of the network is trained for a few steps. On a CPU those seconds are counted that the thread computes, so
    that what else the machine does makes no training shorter than another.

    Args:
        seconds: For the whole training.
        module: The network, without lazy layers; it stays as it is.
        task: Whose batches are tried.
        recipe: With precision and layout fixed.
        device: As in `archwright.evaluator.precision.device_of`.
    """
    (timing,) = measure(module, task, recipe, [(recipe.precision, recipe.layout)], device=device_of(device))
    fitting = seconds / epoch_s(task, recipe, timing.step_ms)
    return int(max(min(FEWEST, recipe.epochs), min(recipe.epochs, fitting)))
