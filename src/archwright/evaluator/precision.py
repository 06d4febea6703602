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
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from archwright.errors import EvaluationError
from archwright.evaluator.loop import autocast, in_layout, laid_out, make_optimizer
from archwright.evaluator.randomness import generator, seeded

if TYPE_CHECKING:
    from archwright.evaluator.recipe import Layout, Precision, Recipe
    from archwright.space import Space
    from archwright.task import Task

__all__ = ["Timing", "device_of", "fastest", "measure"]

CLEARLY = 1.15
"""How many times faster a way must be than plain float32 to be chosen: what noise alone seldom does."""

PLAIN: tuple[Precision, Layout] = ("float32", "contiguous")

_chosen: dict[tuple[object, ...], tuple[Precision, Layout]] = {}


@dataclass(frozen=True)
class Timing:
    """One way of training one network: median milliseconds a step, and the loss after the last step."""

    precision: Precision
    layout: Layout
    step_ms: float
    loss: float


def device_of(device: str) -> torch.device:
    """The device called so; ``"auto"`` is a CUDA device where there is one, else the CPU."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def fastest(
    task: Task, space: Space, recipe: Recipe, *, device: str = "auto", seconds: float = 3.0
) -> tuple[Precision, Layout]:
    """The precision and layout in which networks of `space` train fastest; measured once a process.

    Args:
        task: Whose training batches are used.
        space: Up to three networks are drawn from it, always the same.
        recipe: Batch size and optimizer; a precision or layout that it fixes is kept.
        device: As in `device_of`.
        seconds: No further network is measured after so long.
    """
    on = device_of(device)
    kind = (on, task.input_shape, space.fingerprint, recipe.batch_for(len(task.train)), recipe.precision, recipe.layout)
    if kind in _chosen:
        return _chosen[kind]
    precisions: list[Precision] = ["float32", "bfloat16"] if recipe.precision == "auto" else [recipe.precision]
    layouts: list[Layout] = ["contiguous", "channels_last"] if recipe.layout == "auto" else [recipe.layout]
    if len(task.input_shape) != 3:  # only images have a layout
        layouts = layouts[:1]
    ways = list(itertools.product(precisions, layouts))
    if len(ways) > 1:
        _chosen[kind] = _fastest_of(ways, task, space, recipe, on, seconds)
    else:
        _chosen[kind] = ways[0]
    return _chosen[kind]


def _fastest_of(
    ways: list[tuple[Precision, Layout]], task: Task, space: Space, recipe: Recipe, device: torch.device, seconds: float
) -> tuple[Precision, Layout]:
    from archwright.nn import materialize

    began = time.monotonic()
    spent = dict.fromkeys(ways, 0.0)
    reason: Exception | None = None
    for draw in range(6):
        if draw >= 3 and any(spent.values()):
            break
        if time.monotonic() - began > seconds and any(spent.values()):
            break
        try:
            with seeded(draw, device):
                module = space.build(space.sample(np.random.default_rng(draw)))
                module = materialize(module, task.input_shape, dtype=task.input_dtype)
            timings = measure(module, task, recipe, ways, device=device)
        except Exception as error:  # a network that cannot be trained says nothing about speed
            reason = error
            continue
        plain = timings[0]
        for timing in timings:
            sane = math.isfinite(timing.loss) and timing.loss <= 1.1 * plain.loss + 0.1
            spent[timing.precision, timing.layout] += timing.step_ms if sane else math.inf
        if spent[ways[0]] <= min(spent.values()):  # nothing is even a little faster: other networks would not change it
            break
    if not any(spent.values()):
        raise EvaluationError(f"none of six networks of the space could be trained for a step: {reason}")
    best = min(ways, key=lambda way: spent[way])
    return best if spent[ways[0]] >= CLEARLY * spent[best] else ways[0]


def measure(
    module: nn.Module,
    task: Task,
    recipe: Recipe,
    ways: list[tuple[Precision, Layout]],
    *,
    device: torch.device,
    steps: int = 6,
    warmup: int = 2,
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
    rows = torch.randperm(len(task.train), generator=generator("cpu", 0))[: recipe.batch_for(len(task.train))]
    inputs, targets = task.train.inputs[rows].to(device), task.train.targets[rows].to(device)
    with seeded(0, device):
        runs = [_Run(copy.deepcopy(module), recipe, way, device) for way in ways]
        for step in range(warmup + steps):
            for run in runs:
                run.step(task, inputs, targets, timed=step >= warmup)
    return [Timing(*run.way, run.step_ms, run.loss) for run in runs]


class _Run:
    def __init__(self, module: nn.Module, recipe: Recipe, way: tuple[Precision, Layout], device: torch.device):
        self.way = way
        self.module = in_layout(module.to(device), way[1]).train()
        self.optimizer = make_optimizer(self.module, recipe)
        self.precise = autocast(way[0], device)
        self.seconds: list[float] = []
        self.loss = math.nan
        self.failed = False

    @property
    def step_ms(self) -> float:
        return math.inf if self.failed else 1000 * statistics.median(self.seconds)

    def step(self, task: Task, inputs: torch.Tensor, targets: torch.Tensor, timed: bool) -> None:
        if self.failed:
            return
        began = time.perf_counter()
        try:
            with self.precise:
                output = self.module(laid_out(inputs, self.way[1]))
            loss = task.loss(output.float(), targets)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.loss = loss.item()  # waits for the device too
        except (RuntimeError, NotImplementedError):
            if self.way == PLAIN:
                raise
            self.failed = True
        if timed:
            self.seconds.append(time.perf_counter() - began)
