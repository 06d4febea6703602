"""What every run that trains a supernet shares: its parts, its steps, its checkpoints. The algorithms are elsewhere."""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Generator, Tensor, nn

from archwright.errors import BudgetError, EvaluationError, ResumeError
from archwright.evaluator.checkpoint import write
from archwright.evaluator.loop import autocast, in_layout, laid_out
from archwright.evaluator.optimizer import make_optimizer
from archwright.evaluator.precision import device_of
from archwright.evaluator.randomness import derived, generator, reseed, seeded
from archwright.objective import parse_seconds
from archwright.oneshot.batches import Batches, divided
from archwright.oneshot.options import RECIPE, Options, check_task, objectives_for
from archwright.oneshot.point import Point
from archwright.space import Architecture, Space
from archwright.supernet import Supernet
from archwright.task import Part

if TYPE_CHECKING:
    from archwright.task import Task

__all__ = ["Session"]

FILE = "checkpoint.pt"


class Kept(Protocol):
    """What a checkpoint can hold."""

    def state_dict(self) -> Any: ...
    def load_state_dict(self, state: Any) -> Any: ...


@dataclass
class _Values:
    """Numbers of an algorithm's own that must survive."""

    values: dict[str, Any] = field(default_factory=dict)

    def state_dict(self) -> dict[str, Any]:
        return self.values

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.values.clear()
        self.values.update(state)


class Session:
    """A supernet, its optimizer, its data, and the steps of one run.

    Args:
        algorithm: Its name.
        space: What is searched; None for the task's own.
        task: The learning problem.
        options: What the user said.
        settings: What else the algorithm was told; a checkpoint under other settings is refused.
        share: Of the training samples that the weights learn from; the others are for gates or controllers.
        partial, checkpoint: Of the supernet.
    """

    def __init__(
        self,
        algorithm: str,
        space: Space | Any,
        task: Task,
        options: Options,
        settings: Mapping[str, Any],
        *,
        share: float = 1.0,
        partial: int = 1,
        checkpoint: bool = False,
    ):
        if not 0 < share <= 1:
            raise ValueError(
                f"share cannot be {share!r}: it is the part of the training samples for the weights, 0 to 1"
            )
        check_task(task)
        self.algorithm, self.task, self.options = algorithm, task, options
        self.objectives = objectives_for(options.objectives, task)
        recipe = options.recipe or RECIPE
        self.recipe = replace(
            recipe,
            precision="float32" if recipe.precision == "auto" else recipe.precision,
            layout="contiguous" if recipe.layout == "auto" else recipe.layout,
        )
        self.space: Space = task.space() if space is None else space if isinstance(space, Space) else Space(space)
        self.device = device_of(options.device)
        seed = self.seed = options.seed
        train = task.train.to(self.device)
        held: Part | None = None
        if share < 1:
            train, held = divided(train, share, seed)
        augmented = task if self.recipe.augment else None
        self.batches = Batches(train, self.recipe.batch_for(len(train), task.input_shape), seed, 1, augmented)
        self.held = None if held is None else Batches(held, min(self.batches.size, len(held)), seed, 2, None)
        self.validation = task.validation.to(self.device)
        supernet = Supernet(self.space, task.input_shape, seed=derived(seed, 0), partial=partial, checkpoint=checkpoint)
        self.supernet: Supernet = in_layout(supernet.to(self.device), self.recipe.layout)  # type: ignore[assignment]
        self.optimizer = make_optimizer(self.supernet, self.recipe)
        _fill_momentum(self.optimizer)
        self._weights = list(self.supernet.parameters())
        self.total = options.epochs * self.batches.steps
        self.step = 0
        self.history: list[Point] = []
        self.stopped = ""
        self.values: dict[str, Any] = {}
        self._sums: dict[str, Tensor] = {}
        self._kept: dict[str, Kept] = {
            "supernet": self.supernet, "optimizer": self.optimizer, "values": _Values(self.values)
        }  # fmt: skip
        self._before = 0.0
        self._began = time.monotonic()
        self._deadline = _seconds(options.deadline, "deadline")
        self._every = options.save_every
        if isinstance(self._every, str):
            self._every_s = parse_seconds(self._every, where="save_every", error=BudgetError)
        self.settings = {"algorithm": algorithm, "epochs": options.epochs, "seed": seed, "share": share, **settings}

    # Parts

    def keep(self, name: str, part: Any) -> Any:
        """Have a part saved in checkpoints, and restored before the first step; returns it."""
        self._kept[name] = part
        return part

    def draws(self, stream: int, step: int) -> Generator:
        """A generator on the device that is a function of (seed, stream, step)."""
        return generator(self.device, self.seed, 50 + stream, step)

    def random(self, stream: int, step: int) -> Any:
        """A NumPy generator that is a function of (seed, stream, step)."""
        import numpy as np

        return np.random.default_rng([self.seed, 50 + stream, step])

    # Steps

    @property
    def progress(self) -> float:
        """How far the run is, 0..1."""
        return self.step / self.total

    @property
    def epoch_ends(self) -> bool:
        """Whether this step is the last of its epoch."""
        return (self.step + 1) % self.batches.steps == 0

    @property
    def epoch(self) -> int:
        """The epoch of this step, from 1."""
        return self.step // self.batches.steps + 1

    @property
    def seconds(self) -> float:
        """Spent so far, earlier runs of the same folder included."""
        return self._before + time.monotonic() - self._began

    @property
    def late(self) -> bool:
        """Whether the deadline is over."""
        return self._deadline is not None and self.seconds > self._deadline

    def steps(self) -> Iterator[int]:
        """The numbers of the steps that are left, with learning rate and torch's global generator set for each.

        What the caller does with a step it does before asking for the next: between two, checkpoints are written and
        the clock is looked at. So nothing of a step is lost or done twice.
        """
        self._restore()
        saved_at, saved_step = time.monotonic(), self.step
        with seeded(self.seed, self.device):
            while self.step < self.total and not self.stopped:
                if self.late:
                    self.stopped = "deadline"
                    break
                for group in self.optimizer.param_groups:
                    group["lr"] = self.recipe.lr_at(self.progress)
                reseed(derived(self.seed, 3, self.step), self.device)  # dropout
                if not self.supernet.training:
                    self.supernet.train()
                yield self.step
                self.step += 1
                if isinstance(self._every, int):
                    due = self.step - saved_step >= self._every
                else:
                    due = time.monotonic() - saved_at >= self._every_s
                if due:
                    self.save()
                    saved_at, saved_step = time.monotonic(), self.step
                if self.options.stepped is not None:
                    self.options.stepped(self.step, self.total)
        self.save()

    def loss(self, gates: Architecture | Sequence[int | Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
        """The task's loss of what these gates make of a batch."""
        return self.task.loss(self.forward(gates, inputs), targets, self.recipe.label_smoothing)

    def forward(self, gates: Architecture | Sequence[int | Tensor], inputs: Tensor) -> Tensor:
        """What these gates make of a batch, in float32."""
        with autocast(self.recipe.precision, self.device):
            output: Tensor = self.supernet(laid_out(inputs, self.recipe.layout), gates)
        return output.float()

    def outputs(self, gates: Callable[[int], Architecture | Sequence[int | Tensor]], part: Part) -> Tensor:
        """What the supernet says of a whole part in evaluation mode; ``gates(i)`` gives those of the i-th batch."""
        self.supernet.eval()
        with torch.no_grad():
            batches = part.inputs.split(256)
            return torch.cat([self.forward(gates(i), batch) for i, batch in enumerate(batches)])

    def metric(self, gates: Callable[[int], Architecture | Sequence[int | Tensor]]) -> float:
        """The goal's metric on validation."""
        name = self.objectives.goals[0].metric
        part = self.validation
        return self.task.score(self.outputs(gates, part), part.targets, [name], part.groups)[name]

    def descend(self) -> None:
        """A step of the weights along the gradient that is there."""
        if self.recipe.clip_norm:
            nn.utils.clip_grad_norm_(self._weights, self.recipe.clip_norm)
        self.optimizer.step()

    # History

    def note(self, **losses: Tensor) -> None:
        """Losses of this step, for the means of the epoch."""
        for name, loss in losses.items():
            self._sums[name] = self._sums.get(name, torch.zeros(2, device=self.device)) + torch.stack(
                [loss.detach().to(torch.float32), torch.ones((), device=self.device)]
            )

    def record(self, **found: Any) -> Point:
        """The point of an epoch that ends: mean losses, and what else was found.

        Raises:
            EvaluationError: A loss is not finite.
        """
        means = {name: (total / n).item() for name, (total, n) in self._sums.items()}
        self._sums.clear()
        for name, mean in means.items():
            self.check_finite(name, mean)
        self.history.append(Point(epoch=self.epoch, losses=means, **found))
        if self.options.watch is not None:
            self.options.watch(self.history[-1])
        return self.history[-1]

    def check_finite(self, name: str, value: float) -> None:
        """Raise `EvaluationError` where a loss is not finite."""
        if not math.isfinite(value):
            raise EvaluationError(
                f"non-finite {name.replace('_', ' ')} in epoch {self.epoch}: try a smaller lr, or a recipe with "
                "clip_norm"
            )

    # Checkpoints

    @property
    def path(self) -> Path | None:
        """Where the checkpoint is."""
        return None if self.options.folder is None else Path(self.options.folder) / FILE

    def save(self) -> None:
        """Write a checkpoint, whole or not at all."""
        if self.path is None:
            return
        values = {
            "same": self._same(),
            "step": self.step,
            "seconds": self.seconds,
            "stopped": self.stopped if self.stopped != "deadline" else "",
            "history": [asdict(point) for point in self.history],
            "sums": self._sums,
            "parts": {name: part.state_dict() for name, part in self._kept.items()},
        }
        write(self.path, values)

    def _restore(self) -> None:
        if self.path is None or not self.path.exists():
            return
        try:
            values = torch.load(self.path, map_location="cpu", weights_only=True)
        except Exception as error:
            raise ResumeError(
                f"{self.path} cannot be read as a checkpoint ({type(error).__name__}: {error}): give another folder"
            ) from error
        here = self._same()
        changed = [f"{name} ({values['same'].get(name)} then, {here[name]} now)" for name in here if
                   values["same"].get(name) != here[name]]  # fmt: skip
        if changed:
            raise ResumeError(
                f"{self.path} is of another run: {', '.join(changed)}. Give the same arguments, or another folder"
            )
        for name, part in self._kept.items():
            part.load_state_dict(values["parts"][name])
        self.step, self._before, self.stopped = values["step"], values["seconds"], values["stopped"]
        self._began = time.monotonic()
        self.history = [Point(**point) for point in values["history"]]
        self._sums = {name: total.to(self.device) for name, total in values["sums"].items()}

    def _same(self) -> dict[str, str]:
        """What must not change between the parts of one run, as text."""
        return {
            **{name: re.sub(r" at 0x\w+", "", repr(value)) for name, value in self.settings.items()},
            "space": self.space.fingerprint,
            "data": hashlib.sha256(self.task.fingerprint.encode()).hexdigest()[:16],
            "recipe": json.dumps(self.recipe.to_json()),
            "objectives": self.objectives.to_json(),
        }


def _fill_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Zeros for momentum, so that weights which join in later do not break the fused step; no step changes by it."""
    if isinstance(optimizer, torch.optim.SGD):
        for group in optimizer.param_groups:
            if group["momentum"]:
                for p in group["params"]:
                    optimizer.state[p]["momentum_buffer"] = torch.zeros_like(p)


def _seconds(value: float | str | None, where: str) -> float | None:
    return None if value is None else parse_seconds(value, where=where, error=BudgetError)
