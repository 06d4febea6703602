"""Architectures measured with the weights of a trained supernet: milliseconds each, and nothing is trained."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.evaluator.evaluator import Context
from archwright.evaluator.expense import expense
from archwright.evaluator.loop import outputs
from archwright.evaluator.randomness import generator
from archwright.trial import Measurement, Proposal

if TYPE_CHECKING:
    from archwright.space import Architecture, Space
    from archwright.supernet import Supernet
    from archwright.task import Task

__all__ = ["Shared"]


class Shared:
    """Measures each architecture on validation with the weights that it has in a trained supernet.

    Guo et al., *Single Path One-Shot*, ECCV 2020 (https://arxiv.org/abs/1904.00420): the subnet's batch norms get their
    statistics anew from training batches before it is measured. A search by such numbers is cheap, and only as good as
    the order in which shared weights put architectures: see `archwright.oneshot.trust`.

    Args:
        supernet: Trained; its space is the one to search.
        task: Whose validation part measures.
        batches: Training batches that batch norms see, always the same ones; 0 keeps the supernet's own statistics,
            which fit no single architecture.
        batch_size: Samples in each.
        seed: Draws these samples.
    """

    def __init__(self, supernet: Supernet, task: Task, *, batches: int = 8, batch_size: int = 128, seed: int = 0):
        for name, value, least in (("batches", batches, 0), ("batch_size", batch_size, 2)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise EvaluationError(f"Shared({name}={value!r}): give a whole number of {least} or more")
        if tuple(supernet.input_shape) != task.input_shape:
            raise EvaluationError(
                f"the supernet takes inputs of shape {tuple(supernet.input_shape)}, task {task.name!r} has "
                f"{task.input_shape}: give the task that it was trained on"
            )
        self.supernet = supernet
        self.task = task
        self.batches = batches
        self.batch_size = batch_size
        self.seed = seed

    @property
    def space(self) -> Space:
        """The supernet's space."""
        return self.supernet.space

    def __call__(self, proposal: Proposal, seed: int = 0, context: Context | None = None) -> Measurement:
        """All metrics of one architecture on validation, with its parameters; no randomness is left to `seed`.

        Raises:
            EvaluationError: The output is not finite.
        """
        started = time.monotonic()
        module = self.subnet(proposal.architecture)
        validation = self.task.validation
        output = outputs(module, validation.inputs.to(self._device)).to(validation.targets.device)
        if not torch.isfinite(output).all():
            raise EvaluationError("non-finite output on validation with shared weights")
        return Measurement(
            metrics=self.task.score(output, validation.targets, groups=validation.groups),
            costs={"params": float(sum(p.numel() for p in module.parameters() if p.requires_grad))},
            seconds=time.monotonic() - started,
        )

    def subnet(self, architecture: Architecture) -> nn.Module:
        """The network that is measured: a plain module with copied weights and its own batch-norm statistics."""
        return self.supernet.subnet(architecture, batches=self._sample() if self.batches else None).eval()

    def costs(self, architecture: Architecture, names: Sequence[str]) -> dict[str, float]:
        """The costs called `names` of the network: ``params``, ``macs``, ``bytes``, ``latency_ms``, ..."""
        return expense(self.space.build(architecture), self.task.input_shape, names, self.task.input_dtype)

    def _sample(self) -> list[Tensor]:
        inputs = self.task.train.inputs
        rows = torch.randperm(len(inputs), generator=generator("cpu", self.seed, 11))
        size = min(self.batch_size, max(2, len(inputs) // self.batches))
        picked = rows[: size * self.batches].split(size)
        return [inputs[r.to(inputs.device)].to(self._device) for r in picked if len(r) > 1]

    @property
    def _device(self) -> Any:
        return next((t.device for t in self.supernet.parameters()), torch.device("cpu"))

    def __repr__(self) -> str:
        return f"Shared({self.supernet.space!r}, {self.task!r})"
