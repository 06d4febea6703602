"""The reference evaluator: build the network, train it, measure it on validation."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import nn

from archwright.errors import EvaluationError
from archwright.evaluator import checkpoint
from archwright.evaluator.average import Average
from archwright.evaluator.evaluator import Context
from archwright.evaluator.expense import expense
from archwright.evaluator.loop import State, in_layout, observed, train
from archwright.evaluator.optimizer import make_optimizer
from archwright.evaluator.pace import epochs_within
from archwright.evaluator.precision import device_of, tuned
from archwright.evaluator.randomness import derived, generator, seeded
from archwright.evaluator.recipe import Recipe
from archwright.nn import deployed, materialize
from archwright.task import Part
from archwright.trial import Measurement, Proposal

if TYPE_CHECKING:
    from archwright.space import Architecture, Space
    from archwright.task import Task

__all__ = ["Training"]


class Training:
    """Trains each architecture on the task's training part and measures it on validation.

    The same (proposal, seed) gives the same measurement on the same machine with the same number of threads; with
    `Recipe.seconds` that is so for a proposal that says its epochs, of which the measurement tells how many they were.

    Args:
        space: Builds networks from architectures.
        task: The learning problem. Its test part is never touched here.
        recipe: How to train; by default as suits the task (`Recipe.suiting`). A precision or layout of ``"auto"`` is
            measured now, once (`archwright.evaluator.precision`), so that one evaluator and all its copies in other
            processes train alike; `recipe` then holds the choice.
        device: ``"cpu"``, ``"cuda"``, ...; ``"auto"`` is a CUDA device where there is one.
        tune: False leaves ``"auto"`` as it is, for one that is asked for costs alone.
    """

    def __init__(
        self, space: Space, task: Task, recipe: Recipe | None = None, *, device: str = "auto", tune: bool = True
    ):
        self.space = space
        self.task = task
        self.device = device
        recipe = recipe or Recipe.suiting(task)
        self.recipe = tuned(recipe, task, space, device=device) if tune else recipe
        self._resident: dict[str, Part] = {}

    def __call__(self, proposal: Proposal, seed: int, context: Context | None = None) -> Measurement:
        """Train and measure one architecture.

        Where the recipe has `Recipe.folds`, and the proposal leaves the length of its training to it, this is done on
        as many divisions of training and validation part, each from the beginning; the metrics are means over those
        that the deadline left time for, the curve is that of the first, and the seconds and epochs are those of all.

        With `Context.folder` and `Proposal.epochs`, the training is kept there, and a proposal that `continues` this
        trial adds the missing epochs alone. Where the weights to continue are gone, it trains from the beginning
        and says so in ``extra["restarted"]``.

        Returns:
            The metrics of the weights kept, on validation; a curve of the epochs trained here. ``extra`` holds
            ``best_epoch``, ``stopped`` where the training ended early, ``part_of_epoch`` where that was in its first
            epoch, ``measured_on`` where only so many samples of the validation part were (`Recipe.samples`), and
            ``folds`` where there was more than one division.

        Raises:
            EvaluationError: a shape that cannot work, a loss that is not finite, a deadline before the first step.
        """
        context = Context() if context is None else context
        first = self._first(proposal, seed, context)
        folds = min(self.recipe.folds, self.task.folds) if proposal.epochs is None else 1
        if folds == 1 or "stopped" in first.extra:
            return first
        measured = [first]
        for fold in range(1, folds):
            if context.deadline is not None and time.monotonic() + first.seconds > context.deadline:
                break
            _, again = self.fit(proposal.architecture, derived(seed, 2, fold), epochs=first.epochs, fold=fold)
            measured.append(again)
        return replace(
            first,
            metrics={name: statistics.mean(m.metrics[name] for m in measured) for name in first.metrics},
            seconds=sum(m.seconds for m in measured),
            epochs=sum(m.epochs for m in measured),
            extra={**first.extra, "folds": len(measured)},
        )

    def _first(self, proposal: Proposal, seed: int, context: Context) -> Measurement:
        """Train on the task's own division, anew or further."""
        started = time.monotonic()
        extra: dict[str, Any] = {}
        with seeded(derived(seed, 0), self._device):
            state = self._begin(proposal.architecture)
            epochs = self._epochs(state.module) if proposal.epochs is None else proposal.epochs
            if proposal.continues is not None:
                extra.update(self._resume(state, proposal, epochs, context.folder))
                torch.manual_seed(derived(seed, 1, state.epoch))  # dropout does not repeat the draws of before
            before = state.epoch
            train(
                state,
                self.task,
                self.recipe,
                self._on_device("train"),
                self._on_device("validation"),
                epochs=epochs,
                seed=seed,
                deadline=context.deadline,
                report=lambda point: context.report({**point, "epochs": epochs}),
            )
        if context.folder is not None and proposal.epochs is not None:
            try:
                checkpoint.save(checkpoint.path_of(context.folder, context.number), state, proposal.architecture)
            except OSError as error:  # the measurement is good all the same
                extra["not_saved"] = str(error)
        _, metrics = self._kept(state, self._on_device("validation"))
        return self._measurement(state, metrics, started, before, extra)

    def costs(self, architecture: Architecture, names: Sequence[str]) -> dict[str, float]:
        """The costs called `names` of the untrained network: ``params``, ``macs``, ``bytes``, ``latency_ms``, ..."""
        return expense(self.space.build(architecture), self.task.input_shape, names, self.task.input_dtype)

    def fit(
        self,
        architecture: Architecture,
        seed: int,
        part: Literal["train", "train+validation"] = "train",
        epochs: int | None = None,
        deadline: float | None = None,
        fold: int = 0,
    ) -> tuple[nn.Module, Measurement]:
        """Train one architecture and give back the network.

        Args:
            architecture: What to build.
            seed: Of all randomness.
            part: What to learn from. With ``"train+validation"`` nothing is left to measure on: the last epoch's
                weights (or their average, where the recipe has one) are kept, and there are no metrics.
            epochs: How long; the recipe's epochs by default.
            deadline: When to end, on the clock of `time.monotonic`.
            fold: Which division of training and validation part, with ``"train"``; see `Task.fold`.

        Returns:
            The network (evaluation mode, float32, contiguous, on the CPU, no lazy layers), and its measurement.

        Raises:
            EvaluationError: as when it is called.
        """
        if part not in ("train", "train+validation"):
            raise EvaluationError(f"fit(part={part!r}) is unknown: allowed are 'train' and 'train+validation'")
        started = time.monotonic()
        if part == "train+validation":
            learnt, validation = self._on_device(part), None
        elif fold:
            learnt, validation = self.task.fold(fold)
            learnt, validation = learnt.to(self._device), self._measured(validation).to(self._device)
        else:
            learnt, validation = self._on_device(part), self._on_device("validation")
        with seeded(derived(seed, 0), self._device):
            state = self._begin(architecture)
            train(
                state,
                self.task,
                self.recipe,
                learnt,
                validation,
                epochs=self.recipe.epochs if epochs is None else epochs,
                seed=seed,
                deadline=deadline,
            )
        module, metrics = self._kept(state, validation)
        return _plain(deployed(module)), self._measurement(state, metrics, started, 0, {})

    def _begin(self, architecture: Architecture) -> State:
        """A network of fresh weights, ready for its first step. Draws from torch's global generator."""
        module = self.space.build(architecture)
        if not isinstance(module, nn.Module):
            raise EvaluationError(f"the space builds a {type(module).__name__}: training needs a torch.nn.Module")
        module = in_layout(
            materialize(module, self.task.input_shape, dtype=self.task.input_dtype).to(self._device), self.recipe.layout
        )
        average = Average(module, self.recipe.ema) if self.recipe.ema else None
        return State(module, make_optimizer(module, self.recipe), average)

    def _epochs(self, module: nn.Module) -> int:
        """How long a training is where nobody says."""
        if self.recipe.seconds is None:
            return self.recipe.epochs
        return epochs_within(self.recipe.seconds / self.recipe.folds, module, self.task, self.recipe, self.device)

    def _resume(self, state: State, proposal: Proposal, epochs: int, folder: Path | None) -> Mapping[str, Any]:
        number = proposal.continues
        assert number is not None
        if folder is None or not checkpoint.restore(checkpoint.path_of(folder, number), state, proposal.architecture):
            return {"restarted": f"the weights of trial {number} are gone"}
        if state.epoch >= epochs:
            raise EvaluationError(
                f"trial {number} has been trained for {state.epoch} epochs already: it cannot continue to {epochs}"
            )
        return {"continued_from_epoch": state.epoch}

    def _kept(self, state: State, validation: Part | None) -> tuple[nn.Module, dict[str, float]]:
        """The network with the weights to keep, and all its metrics on validation, if that was measured."""
        module = state.measured
        if state.best is None or validation is None:
            return module, {}
        module.load_state_dict(state.best.weights)
        kept = observed(module, self.task, validation.inputs, self.recipe.layout)
        return module, self.task.score(kept, validation.targets, groups=validation.groups)

    def _measurement(
        self, state: State, metrics: Mapping[str, float], started: float, before: int, extra: dict[str, Any]
    ) -> Measurement:
        if state.best is not None:
            extra["best_epoch"] = state.best.epoch
        if state.stopped:
            extra["stopped"] = state.stopped
        if state.part_of_epoch < 1:
            extra["part_of_epoch"] = state.part_of_epoch
        if state.best is not None and len(self._on_device("validation")) < len(self.task.validation):
            extra["measured_on"] = len(self._on_device("validation"))
        return Measurement(
            metrics=metrics,
            costs={"params": float(sum(p.numel() for p in deployed(state.module).parameters()))},
            curve=tuple(state.curve),
            seconds=time.monotonic() - started,
            epochs=state.epoch - before,
            extra=extra,
        )

    @property
    def _device(self) -> torch.device:
        return device_of(self.device)

    def _on_device(self, name: str) -> Part:
        """A part of the data on the device, sent there once."""
        if name not in self._resident:
            part = self.task.train_and_validation() if name == "train+validation" else getattr(self.task, name)
            if name == "validation":
                part = self._measured(part)
            self._resident[name] = part.to(self._device)
        return self._resident[name]

    def _measured(self, validation: Part) -> Part:
        """What of the validation part is measured: all, or the same samples for every network."""
        n = self.recipe.measured_of(len(validation), len(self.task.train))
        if n == len(validation):
            return validation
        return validation[torch.randperm(len(validation), generator=generator("cpu", 0))[:n].sort().values]

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_resident": {}}

    def __repr__(self) -> str:
        return f"Training({self.task!r}, {self.recipe!r})"


def _plain(module: nn.Module) -> nn.Module:
    """On the CPU, float32, contiguous, in evaluation mode, trainable: ready to be saved, exported or tuned further."""
    module = module.to("cpu", torch.float32, memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    return module.requires_grad_(True)
