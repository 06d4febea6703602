"""Supernets: what shared weights cost beside single networks.

A path through the supernet is compared with the same network taken out of it: forward and backward of a batch of 64,
the two taking turns, so that a disturbance of the machine meets both. "First" is a path's first step, when the parts
that it needs are made, as in a training that draws another architecture each step. Many parts have been met after some
hundred architectures, so it is asked at the start of a training and later.

    python benchmarks/supernet.py            # Markdown for RESULTS.md; some minutes
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from machine import heading, row, seconds, spread, table_head

from archwright import nn
from archwright.cost.counting import Walk
from archwright.space import Space
from archwright.supernet import Supernet

BATCH = 64
GOAL = 1.3


def cells() -> tuple[Space, tuple[int, ...]]:
    """Three cells of NAS-Bench-201's operations, each decided for itself, 16 channels wide."""

    def cell() -> Any:
        operations = [nn.Identity(), nn.Zero(), nn.ConvBlock(), nn.ConvBlock(kernel=1), nn.AvgPool(3, 1, "same")]
        return nn.Cell(*nn.edges(operations, 4))

    return Space(nn.Sequential(nn.ConvBlock(16), cell(), cell(), cell(), nn.Classifier(10))), (3, 16, 16)


def convnet() -> tuple[Space, tuple[int, ...]]:
    """The default space of images, at the size of MNIST."""
    return nn.spaces.convnet((1, 28, 28), 10), (1, 28, 28)


SPACES: dict[str, Callable[[], tuple[Space, tuple[int, ...]]]] = {"convnet 1x28x28": convnet, "cells 3x16x16": cells}


def step(run: Callable[[], torch.Tensor]) -> float:
    """Seconds of one forward and backward."""
    began = time.perf_counter()
    run().square().mean().backward()
    return time.perf_counter() - began


def overhead(name: str, architectures: int, turns: int, before: int) -> tuple[list[float], list[float], list[float]]:
    """For each architecture: milliseconds alone, and how many times that a path takes at first and afterwards.

    Args:
        name: Of the space.
        architectures: How many.
        turns: Steps of each of the two afterwards.
        before: So many other architectures were run before.
    """
    space, shape = SPACES[name]()
    supernet = Supernet(space, shape).train()
    x = torch.randn(BATCH, *shape)
    rng = np.random.default_rng(0)
    with torch.no_grad():
        for architecture in space.sample(rng, before):
            supernet(x[:2], architecture)
    alone, first, later = [], [], []
    for architecture in space.sample(rng, architectures):
        network = supernet.subnet(architecture)
        step(lambda: network(x))  # noqa: B023
        new = step(lambda: supernet(x, architecture))  # noqa: B023
        pairs = [(step(lambda: network(x)), step(lambda: supernet(x, architecture))) for _ in range(turns)]  # noqa: B023
        single = statistics.median(a for a, _ in pairs)
        alone.append(single * 1e3)
        first.append(new / single)
        later.append(statistics.median(b for _, b in pairs) / single)
        supernet.zero_grad()
    return alone, first, later


class Live(Walk):
    """Follows the memory of all tensors that come into being, computing everything."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(tensor, torch.Tensor):
                self._watch(tensor, args)
        return out


def peak(name: str, soft: bool, **settings: Any) -> float:
    """Mebibytes of tensors alive at once in one step of a batch of 64, weights apart, their gradients included."""
    space, shape = SPACES[name]()
    supernet = Supernet(space, shape, **settings).train()
    gates: Any = space.sample(np.random.default_rng(0))
    if soft:
        gates = [torch.full((d.size,), 1 / d.size, requires_grad=True) for d in space.decisions]
    x = torch.randn(BATCH, *shape)
    with Live([*supernet.parameters(), *supernet.buffers()], [x]) as live:
        step(lambda: supernet(x, gates))
    return live.peak_bytes / 2**20


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--architectures", type=int, default=100)
    arguments.add_argument("--before", type=int, default=1000)
    arguments.add_argument("--turns", type=int, default=5)
    arguments.add_argument("--subnets", type=int, default=1000)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    print(heading("Supernets"))
    print(
        f"A path against the same network alone, forward and backward of {BATCH}, one thread; median (least to "
        f"greatest) over {given.architectures} random architectures. Goal: at most {GOAL} times, at first too.\n"
    )
    print(table_head("space", "run before", "alone", "path, times alone", "path at first, times alone"))
    for name in SPACES:
        for before in (0, given.before):
            alone, first, later = overhead(name, given.architectures, given.turns, before)
            print(row(name, before, spread(alone, "ms"), spread(later, "times"), spread(first, "times")), flush=True)
    print(f"\nPeak memory of tensors in one step, batch {BATCH}, of the cells.\n")
    print(table_head("gates", "MiB"))
    for what, soft, settings in (
        ("one path", False, {}),
        ("all soft", True, {}),
        ("all soft, checkpoint=True", True, {"checkpoint": True}),
        ("all soft, partial=4", True, {"partial": 4}),
        ("all soft, partial=4, checkpoint=True", True, {"partial": 4, "checkpoint": True}),
    ):
        print(row(what, f"{peak('cells 3x16x16', soft, **settings):.1f}"), flush=True)
    print(f"\nMaking supernets, and taking {given.subnets:,} networks out.\n")
    print(table_head("space", "made in", "parameters", f"{given.subnets:,} networks in"))
    for name, space, shape in (
        ("mlp (10)", nn.spaces.mlp((10,), 10), (10,)),
        ("sequence (1, 40)", nn.spaces.sequence((1, 40), 10), (1, 40)),
        ("convnet (1, 8, 8)", nn.spaces.convnet((1, 8, 8), 10), (1, 8, 8)),
        ("convnet (1, 28, 28)", *convnet()),
        ("mobile (3, 32, 32)", nn.spaces.mobile((3, 32, 32), 10), (3, 32, 32)),
        ("cells (3, 16, 16)", *cells()),
    ):
        made: list[Supernet] = []
        making = seconds(lambda: made.append(Supernet(space, shape)))  # noqa: B023
        drawn = space.sample(np.random.default_rng(0), given.subnets)
        taking = seconds(lambda: [made[0].subnet(a) for a in drawn])  # noqa: B023
        params = sum(p.numel() for p in made[0].parameters())
        print(row(name, f"{making:.1f} s", f"{params:,}", f"{taking:.1f} s"), flush=True)


if __name__ == "__main__":
    main()
