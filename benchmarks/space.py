"""Spaces: many architectures at once, and what one step of a strategy costs.

The large space has 40 decisions: a network of up to six blocks, each of them nothing, a separable, a plain or an
inverted convolution with settings of its own, most of which are live only under others.

    python benchmarks/space.py            # Markdown for RESULTS.md; ten seconds
"""

from __future__ import annotations

import argparse

import numpy as np
from machine import heading, row, seconds, spread, table_head

from archwright import nn
from archwright.space import Space, choice, repeat

ASK_STEPS = 2_000


def forty_decisions() -> Space:
    """A conditional space of 40 decisions; identity, order and residual sums make different answers equal."""
    act = choice("relu", "silu", "hardswish", name="activation")
    kernel, expansion = choice(3, 5, 7, name="kernel"), choice(1, 2, 3, 4, name="expansion")
    block = choice(
        nn.Identity(),
        nn.Residual(nn.SeparableBlock(kernel=kernel, activation=act), project=False),
        nn.Residual(nn.ConvBlock(kernel=choice(1, 3, 5, name="kernel"), activation=act), project=False),
        nn.InvertedResidual(None, expansion, kernel, squeeze=choice(0, 0.25, name="squeeze"), activation=act),
        name="block",
    )
    return Space(
        nn.Sequential(
            nn.ConvBlock(choice(8, 16, 24, 32, name="width"), kernel=choice(3, 5, name="kernel")),
            repeat(block, (1, 6)),
            nn.Classifier(10, pool=choice("avg", "max", name="pool")),
        )
    )


def batch(space: Space, n: int, seed: int) -> tuple[float, float, float, int]:
    """Seconds to sample, canonicalise and encode `n`, and how many different functions they hold."""
    rng = np.random.default_rng(seed)
    found: dict[str, np.ndarray] = {}
    sampling = seconds(lambda: found.update(codes=space.sample_codes(rng, n)))
    canonicalising = seconds(lambda: found.update(keys=space.keys(found["codes"])))
    encoding = seconds(lambda: found.update(features=space.encode(found["codes"])))
    assert found["features"].shape == (n, len(space.feature_names))
    return sampling, canonicalising, encoding, len(np.unique(found["keys"]))


def steps(space: Space, seed: int) -> dict[str, float]:
    """Seconds that one of each step takes, over a few thousand."""
    rng = np.random.default_rng(seed)
    sampled = space.sample(rng, ASK_STEPS)
    others = space.sample(rng, ASK_STEPS)
    pairs = list(zip(sampled, others, strict=True))
    return {
        what: seconds(work) / ASK_STEPS
        for what, work in {
            "`default_rng([seed, number])`": lambda: [np.random.default_rng([seed, i]) for i in range(ASK_STEPS)],
            "`space.sample(rng)`": lambda: [space.sample(rng) for _ in sampled],
            "`space.key(a)`": lambda: [space.key(a) for a in sampled],
            "`a in space`": lambda: [a in space for a in sampled],
            "`space.mutate(a, rng)`": lambda: [space.mutate(a, rng) for a in sampled],
            "`space.crossover(a, b, rng)`": lambda: [space.crossover(a, b, rng) for a, b in pairs],
            "`space.build(a)`": lambda: [space.build(a) for a in sampled[:100] * (ASK_STEPS // 100)],
        }.items()
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--architectures", type=int, default=100_000)
    arguments.add_argument("--repeats", type=int, default=5)
    given = arguments.parse_args()
    print(heading("Spaces"))
    spaces = {
        f"{len(forty_decisions().decisions)} decisions": forty_decisions(),
        "default of sequences": nn.spaces.sequence((1, 40), 10),
        "default of images": nn.spaces.convnet((1, 8, 8), 10),
    }
    print(
        f"{given.architectures:,} architectures at once; median (least to greatest) of {given.repeats}. Goal for the "
        "first: under 1 s in all.\n"
    )
    print(table_head("space", "decisions", "sample", "canonicalise", "encode", "in all", "different functions"))
    for name, space in spaces.items():
        batch(space, 10, 0)  # traces the space, once
        found = [batch(space, given.architectures, seed) for seed in range(given.repeats)]
        parts = [spread(times) for times in list(zip(*found, strict=True))[:3]]
        print(row(name, len(space.decisions), *parts, spread(sum(f[:3]) for f in found), f"{found[0][3]:,}"))
    print(f"\nOne at a time, mean of {ASK_STEPS:,}; median (least to greatest) of {given.repeats}.\n")
    print(table_head("step", *spaces))
    measured = {name: [steps(space, seed) for seed in range(given.repeats)] for name, space in spaces.items()}
    for what in next(iter(measured.values()))[0]:
        print(row(what, *(spread((times[what] for times in found), "us", 1e6) for found in measured.values())))


if __name__ == "__main__":
    main()
