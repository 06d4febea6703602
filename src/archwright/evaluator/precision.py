"""Which number format and memory layout trains fastest here: measured, not guessed.

A CPU with bfloat16 instructions trains convolutions of some width about twice as fast in that format and with channels
last; narrow networks, and CPUs without, lose by the conversions. So a few networks of the space are trained for a
few steps each way. Another way than plain float32 is chosen only when it is clearly faster and learns as well.
"""

from __future__ import annotations

import copy
import itertools
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from archwright.errors import EvaluationError
from archwright.evaluator.loop import autocast, in_layout, laid_out
from archwright.evaluator.optimizer import make_optimizer
from archwright.evaluator.randomness import generator, seeded

if TYPE_CHECKING:
    from archwright.evaluator.recipe import Layout, Precision, Recipe
    from archwright.space import Architecture, Space
    from archwright.task import Task

__all__ = ["Timing", "Way", "device_of", "fastest", "measure", "tuned"]

CLEARLY = 1.15
"""How many times faster a way must be than plain float32 to be chosen: what noise alone seldom does."""

NETWORKS, ATTEMPTS = 3, 6
"""How many networks are trained each way, and how many are tried for it."""

PLAIN: tuple[Precision, Layout] = ("float32", "contiguous")


@dataclass(frozen=True)
class Timing:
    """One way of training one network, median over the steps.

    Args:
        precision: Number format of the forward pass.
        layout: Memory layout of images.
        step_ms: Milliseconds a step; on a CPU those that the thread computed, which neighbours do not lengthen.
        passed_ms: Milliseconds that passed in a step, by the clock on the wall.
        loss: After the last step.
    """

    precision: Precision
    layout: Layout
    step_ms: float
    passed_ms: float
    loss: float


@dataclass(frozen=True)
class Way:
    """The way to train the networks of a space: precision, layout, and the milliseconds that a step then takes.

    `step_ms` is the median over the networks measured, by the clock on the wall; None where nothing was measured.
    """

    precision: Precision
    layout: Layout
    step_ms: float | None = None


_chosen: dict[tuple[object, ...], Way] = {}


def device_of(device: str) -> torch.device:
    """The device called so; ``"auto"`` is a CUDA device where there is one, else the CPU."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def tuned(recipe: Recipe, task: Task, space: Space, *, device: str = "auto") -> Recipe:
    """The recipe with precision and layout fixed to what trains fastest on this machine; see `fastest`.

    What is fixed already stays. Since a measurement is never quite the same twice, whoever promises reproducible
    results calls this once and keeps the answer.

    Raises:
        EvaluationError: none of the networks tried could be built and trained for a step.
    """
    if recipe.is_tuned:
        return recipe
    way = fastest(task, space, recipe, device=device)
    return replace(recipe, precision=way.precision, layout=way.layout)


def fastest(
    task: Task,
    space: Space,
    recipe: Recipe,
    *,
    device: str = "auto",
    examples: Sequence[Architecture] = (),
    seconds: float = 3.0,
) -> Way:
    """The precision and layout in which networks of `space` train fastest; measured once a process.

    Args:
        task: Whose training batches are used.
        space: Builds the networks.
        recipe: Batch size and optimizer; a precision or layout that it fixes is kept.
        device: As in `device_of`.
        examples: What is trained: the first three that can be. By default some drawn from the space, always the same.
        seconds: No further network is measured after so long.
    """
    on = device_of(device)
    drawn = (space.sample(np.random.default_rng(draw)) for draw in range(ATTEMPTS))
    tried = tuple(examples or drawn)[:ATTEMPTS]
    samples = len(task.train)
    size = recipe.batch_for(samples, task.input_shape)
    kind = (on, task.input_shape, space.fingerprint, size, recipe.precision, recipe.layout, tried)
    if kind not in _chosen:
        precisions: list[Precision] = ["float32", "bfloat16"] if recipe.precision == "auto" else [recipe.precision]
        layouts: list[Layout] = ["contiguous", "channels_last"] if recipe.layout == "auto" else [recipe.layout]
        if len(task.input_shape) != 3:  # only images have a layout
            layouts = layouts[:1]
        ways = list(itertools.product(precisions, layouts))
        measured = len(ways) > 1 or not recipe.is_tuned  # of a single way it tells the pace
        _chosen[kind] = _fastest_of(ways, task, space, recipe, on, tried, seconds) if measured else Way(*ways[0])
    return _chosen[kind]


def _fastest_of(
    ways: list[tuple[Precision, Layout]],
    task: Task,
    space: Space,
    recipe: Recipe,
    device: torch.device,
    tried: Sequence[Architecture],
    seconds: float,
) -> Way:
    from archwright.nn import materialize

    began = time.monotonic()
    spent = dict.fromkeys(ways, 0.0)
    passed: dict[tuple[Precision, Layout], list[float]] = {way: [] for way in ways}
    plain, reason = ways[0], None
    for number, architecture in enumerate(tried):
        if passed[plain] and (len(passed[plain]) == NETWORKS or time.monotonic() - began > seconds):
            break
        left = [way for way in ways if spent[way] <= spent[plain]]  # what is slower so far will not be clearly faster
        try:
            with seeded(number, device):
                module = materialize(space.build(architecture), task.input_shape, dtype=task.input_dtype)
            timings = measure(module, task, recipe, left, device=device)
        except Exception as error:  # a network that cannot be trained says nothing about speed
            reason = error
            continue
        for way, timing in zip(left, timings, strict=True):
            sane = math.isfinite(timing.loss) and timing.loss <= 1.1 * timings[0].loss + 0.1
            spent[way] += timing.step_ms if sane else math.inf
            passed[way].append(timing.passed_ms)
    if not passed[plain]:
        raise EvaluationError(f"none of {len(tried)} networks of the space could be trained for a step: {reason}")
    best = min(left, key=lambda way: spent[way])
    chosen = best if spent[plain] >= CLEARLY * spent[best] else plain
    return Way(*chosen, statistics.median(passed[chosen]))


def measure(
    module: nn.Module,
    task: Task,
    recipe: Recipe,
    ways: list[tuple[Precision, Layout]],
    *,
    device: torch.device,
    steps: int = 5,
    warmup: int = 1,
) -> list[Timing]:
    """Train copies of `module` for a few steps each way, in turns, so that a disturbance meets all alike.

    A way that raises has an infinite time.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the workers that will train; and several would wait for each other on a busy machine
    try:
        return _measured(module, task, recipe, ways, device, steps, warmup)
    finally:
        torch.set_num_threads(threads)


def _measured(
    module: nn.Module,
    task: Task,
    recipe: Recipe,
    ways: list[tuple[Precision, Layout]],
    device: torch.device,
    steps: int,
    warmup: int,
) -> list[Timing]:
    size = recipe.batch_for(len(task.train), task.input_shape)
    rows = torch.randperm(len(task.train), generator=generator("cpu", 0))[:size]
    inputs, targets = task.train.inputs[rows].to(device), task.train.targets[rows].to(device)
    with seeded(0, device):
        runs = [_Run(copy.deepcopy(module), recipe, way, device) for way in ways]
        for step in range(warmup + steps):
            for run in runs:
                run.step(task, inputs, targets, timed=step >= warmup)
    return [run.timing() for run in runs]


class _Run:
    def __init__(self, module: nn.Module, recipe: Recipe, way: tuple[Precision, Layout], device: torch.device):
        self.way, self.recipe = way, recipe
        self.module = in_layout(module.to(device), way[1]).train()
        self.optimizer = make_optimizer(self.module, recipe)
        self.precise = autocast(way[0], device)
        self.draws = generator(device, 0)
        # Other processes of a CPU slow down now this way and now that: what this thread computes is what counts.
        self.clock = time.thread_time if device.type == "cpu" else time.perf_counter
        self.steps: list[tuple[float, float]] = []
        self.loss = math.nan
        self.failed = False

    def timing(self) -> Timing:
        """What came of it."""
        if self.failed:
            return Timing(*self.way, math.inf, math.inf, self.loss)
        step, passed = (1000 * statistics.median(seconds) for seconds in zip(*self.steps, strict=True))
        return Timing(*self.way, step, passed, self.loss)

    def step(self, task: Task, inputs: torch.Tensor, targets: torch.Tensor, timed: bool) -> None:
        if self.failed:
            return
        began, passed = self.clock(), time.perf_counter()
        try:
            if self.recipe.augment:
                inputs, targets = task.augmented(inputs, targets, self.draws)
            inputs, targets = task.drawn(inputs, targets, self.draws)
            batch, total = laid_out(inputs, self.way[1]), 0.0
            for loss in task.losses(self.module, batch, targets, precise=self.precise):
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item()  # waits for the device too
            self.loss = total
        except (RuntimeError, NotImplementedError):
            if self.way == PLAIN:
                raise
            self.failed = True
        if timed:
            self.steps.append((self.clock() - began, time.perf_counter() - passed))
