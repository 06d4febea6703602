"""Batches as a function of (seed, step): whoever resumes a run at any step sees the same data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from archwright.errors import DataError
from archwright.evaluator.randomness import generator
from archwright.task import Part

if TYPE_CHECKING:
    from archwright.task import Task

__all__ = ["Batches", "divided"]


class Batches:
    """Batches of one part, each epoch in another order, augmented.

    Args:
        part: The samples.
        size: About so many a batch: an epoch is cut into equal batches.
        seed: Of order and augmentation.
        stream: Tells apart several streams of one seed.
        task: Whose augmentation to apply; None for none.

    Raises:
        DataError: Batches would be of one example, on which no batch norm can train.
    """

    def __init__(self, part: Part, size: int, seed: int, stream: int, task: Task | None):
        self.part, self.seed, self.stream, self.task = part, seed, stream, task
        self.steps = max(1, round(len(part) / size))
        self.size = len(part) // self.steps
        if self.size < 2:
            raise DataError(
                f"batches would be of {self.size} example ({len(part)} samples in batches of {size}), on which a batch "
                "norm cannot train: give more data, or a recipe with a larger batch_size"
            )
        self._order: tuple[int, Tensor] | None = None

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a step."""
        device = self.part.inputs.device
        epoch, place = divmod(step, self.steps)
        if self._order is None or self._order[0] != epoch:
            draws = generator(device, self.seed, self.stream, 0, epoch)
            self._order = epoch, torch.randperm(len(self.part), generator=draws, device=device)
        rows = self._order[1][place * self.size : (place + 1) * self.size]
        inputs, targets = self.part.inputs.index_select(0, rows), self.part.targets.index_select(0, rows)
        if self.task is not None:
            inputs = self.task.augment(inputs, generator(device, self.seed, self.stream, 1, step))
        return inputs, targets


def divided(part: Part, share: float, seed: int) -> tuple[Part, Part]:
    """A random share of a part's samples, and the rest."""
    order = torch.randperm(len(part), generator=generator("cpu", seed, 7)).to(part.inputs.device)
    cut = round(share * len(part))
    if cut < 2 or len(part) - cut < 2:
        raise DataError(
            f"{len(part)} training samples cannot be divided between weights and gates ({share:.0%} for the weights): "
            "each needs two or more"
        )
    first, rest = order[:cut], order[cut:]
    return part[first], part[rest]
