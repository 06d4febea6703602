"""The training loop: what happens in a step and in an epoch, in sight.

Fast on small networks, where Python and dispatch cost more than arithmetic: the data lie in memory as tensors and a
batch is one `index_select` of a random order (no DataLoader, no collation), the optimizer is fused, nothing is read
back from the device within an epoch, and validation runs in cache-sized batches without autograd.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.evaluator.average import Average
from archwright.evaluator.evaluator import StopTrial
from archwright.evaluator.randomness import generator

if TYPE_CHECKING:
    from archwright.evaluator.recipe import Recipe
    from archwright.task import Part, Task

__all__ = ["Best", "State", "autocast", "in_layout", "laid_out", "observed", "outputs", "train"]

CACHED = 2**17
"""Numbers in an evaluation batch on a CPU. Larger ones fall out of its caches: a 28x28 CNN then takes twice as long."""

SLOW_METRICS = frozenset(
    {"precision", "recall", "f1", "roc_auc", "ece", "bleu", "chrf", "map", "hr10_all", "ndcg10_all"}
)
"""As slow as some epochs: only measured at the end, if not the main metric."""


@dataclass(frozen=True)
class Best:
    """The best epoch so far: its number, metrics, weights, and the smoothed metric that it was chosen by."""

    epoch: int
    standing: float
    metrics: Mapping[str, float]
    weights: Mapping[str, Tensor]


@dataclass
class State:
    """All that a training needs to go on."""

    module: nn.Module
    optimizer: torch.optim.Optimizer
    average: Average | None = None
    epoch: int = 0
    best: Best | None = None
    curve: list[dict[str, float]] = field(default_factory=list)
    stopped: str = ""
    part_of_epoch: float = 1.0
    """Less than 1 where the deadline came in the first epoch: how much of it was done."""

    @property
    def measured(self) -> nn.Module:
        """The network that is measured and kept: the average where there is one."""
        return self.module if self.average is None else self.average.module


def train(
    state: State,
    task: Task,
    recipe: Recipe,
    part: Part,
    validation: Part | None,
    *,
    epochs: int,
    seed: int,
    deadline: float | None = None,
    report: Callable[[Mapping[str, float]], None] | None = None,
) -> None:
    """Train `state.module` until `epochs` epochs are done in all; `state` holds what came of it.

    Dropout draws from torch's global generator: see `archwright.evaluator.randomness.seeded`.

    Args:
        state: Where the training stands; changed in place.
        task: Gives loss, augmentation and metrics.
        recipe: Says how; its precision and layout must be fixed.
        part: Samples to learn from, on the module's device.
        validation: Samples to measure on after each epoch, or None.
        epochs: When to end. The schedule runs over the epochs from `state.epoch` to here.
        seed: Of the order of samples and of augmentation.
        deadline: On the clock of `time.monotonic`. Looked at before each step. In a later epoch the training ends with
            what was measured before; in the first one, with what a part of it has taught.
        report: Told each point of the curve; may raise `StopTrial`, which ends the training well.

    Raises:
        EvaluationError: a loss or an output that is not finite; no step was done before the deadline.
    """
    start, device = state.epoch, part.inputs.device
    state.stopped = ""
    draws = generator(device, seed, start)
    seen = recipe.drawn_of(len(part))
    steps = max(1, round(seen / recipe.batch_for(len(part), part.inputs.shape[1:])))
    size = seen // steps  # equal batches: no odd last one, which would cost a norm its statistics
    precise = autocast(recipe.precision, device)
    window = min(5, max(1, (epochs - start) // 10))
    last = recipe.keep == "last"
    names = [n for n, m in task.metrics.items() if n == task.metric or not (m.grouped or n in SLOW_METRICS)]
    for epoch in range(start + 1, epochs + 1):
        state.module.train()
        order = torch.randperm(len(part), generator=draws, device=device)
        total = torch.zeros((), device=device)
        for step in range(steps):
            if deadline is not None and time.monotonic() > deadline:
                state.stopped = "deadline"
                if state.epoch > start:
                    return
                if step == 0:
                    raise EvaluationError(f"the deadline came before epoch {epoch} began")
                state.part_of_epoch = step / steps
                break  # a network that has learnt from a part of the data is better than none
            rows = order[step * size : (step + 1) * size]
            inputs, targets = part.inputs.index_select(0, rows), part.targets.index_select(0, rows)
            if recipe.augment:
                inputs, targets = task.augmented(inputs, targets, draws)
            inputs, targets = task.drawn(inputs, targets, draws)
            done = step + 1
            lr = recipe.lr_at(((epoch - 1 - start) * steps + step) / ((epochs - start) * steps))
            for group in state.optimizer.param_groups:
                group["lr"] = lr
            batch = laid_out(inputs, recipe.layout)
            for loss in task.losses(state.module, batch, targets, recipe.label_smoothing, precise):
                state.optimizer.zero_grad()
                loss.backward()
                if recipe.clip_norm:
                    nn.utils.clip_grad_norm_(state.module.parameters(), recipe.clip_norm)
                state.optimizer.step()
                total += loss.detach()
            if state.average is not None:
                state.average.update()
        mean_loss = total.item() / done
        if not math.isfinite(mean_loss):
            raise EvaluationError(f"non-finite loss at epoch {epoch}")
        point = {"epoch": epoch, "train_loss": mean_loss, "lr": lr}
        state.epoch = epoch
        if validation is not None:
            where = f" on validation at epoch {epoch}"
            with precise:  # the curve; what is kept is measured in float32 (`Training`)
                output = observed(state.measured, task, validation.inputs, recipe.layout, names=names, where=where)
            metrics = task.score(output, validation.targets, names)
            point.update(metrics)
        state.curve.append(point)
        if validation is not None:
            recent = [p[task.metric] for p in state.curve[-window:]]
            standing = sum(recent) / len(recent)
            if state.best is None or _is_better(task, standing, state.best.standing) or (last and epoch == epochs):
                state.best = Best(epoch, standing, metrics, _copied(state.measured))
        if report is not None:
            try:
                report(point)
            except StopTrial as stop:
                state.stopped = str(stop) or "stopped"
        if state.stopped:
            return


def outputs(
    module: nn.Module,
    inputs: Tensor,
    layout: str = "contiguous",
    *,
    keep: Callable[[Tensor, Tensor], Tensor] = lambda batch, output: output,
    where: str = "",
) -> Tensor:
    """What the network says of a whole part, in evaluation mode and float32. The module stays in evaluation mode.

    Args:
        module: The network.
        inputs: Of the part.
        layout: Of images.
        keep: What is kept of each batch of inputs and its output.
        where: For the message of an `EvaluationError`, where an output is not finite.
    """
    module.eval()
    size = 4096 if inputs.device.type != "cpu" else min(512, max(32, CACHED // inputs[0].numel()))
    kept = []
    with torch.inference_mode():
        for batch in inputs.split(size):
            output = module(laid_out(batch, layout)).float()
            if not torch.isfinite(output).all():
                raise EvaluationError(f"non-finite output{where}")
            kept.append(keep(batch, output))
        return torch.cat(kept)


def observed(
    module: nn.Module,
    task: Task,
    inputs: Tensor,
    layout: str = "contiguous",
    *,
    names: Sequence[str] | None = None,
    where: str = "",
) -> Tensor:
    """What `task.score` needs of the network for a whole part, to tell the metrics `names`: see `Task.observed`."""

    def keep(batch: Tensor, output: Tensor) -> Tensor:
        return task.observed(module, batch, output, names)

    return outputs(module, inputs, layout, keep=keep, where=where)


def autocast(precision: str, device: torch.device) -> AbstractContextManager[Any]:
    """Where forward passes run: under bfloat16 autocast, or as they are."""
    if precision == "bfloat16":
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def laid_out(inputs: Tensor, layout: str) -> Tensor:
    """Images in the layout asked for; all else as it is."""
    if layout == "channels_last" and inputs.ndim == 4:
        return inputs.contiguous(memory_format=torch.channels_last)
    return inputs


def in_layout(module: nn.Module, layout: str) -> nn.Module:
    """The module with the kernels of its image layers in the layout asked for."""
    if layout == "channels_last":
        return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def _is_better(task: Task, standing: float, than: float) -> bool:
    """Whether it is at least as good; of equals the later is better, for its rate had come down further."""
    return standing >= than if task.metrics[task.metric].direction == "maximize" else standing <= than


def _copied(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
