"""Zero-cost proxies: what one costs, and how far it ranks architectures as their trainings do.

Costs are processor time of one proxy of one network at 16 images of 28x28, on one thread, its private copy of the
network included, over random architectures of the default space of images. (Processor time, so that a busy machine adds
little.) Rank correlations are to the validation accuracy of
architectures of the data's default space, drawn at random below a ceiling and each trained for a few epochs: Kendall's
tau with a 95% bootstrap interval over architectures.

    python benchmarks/proxies.py                                    # Markdown for RESULTS.md; some four minutes
    python benchmarks/proxies.py --architectures 10 --epochs 1      # a quick look
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from machine import heading, row, table_head

from archwright import task
from archwright.evaluator import Recipe, Training, ZeroCost
from archwright.evaluator.randomness import seeded
from archwright.evaluator.zerocost import PROXIES, RankCorrelation, rank_correlation
from archwright.evaluator.zerocost.proxies import look
from archwright.nn import materialize, spaces
from archwright.space import Architecture, Space
from archwright.trial import Proposal

SHAPE, CLASSES, BATCH = (1, 28, 28), 10, 16


def costs(n: int, seed: int) -> dict[str, list[float]]:
    """Milliseconds of each proxy on `n` random architectures."""
    space = spaces.convnet(SHAPE, CLASSES)
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(BATCH, *SHAPE, generator=source)
    y = torch.randint(0, CLASSES, (BATCH,), generator=source)
    found: dict[str, list[float]] = {name: [] for name in PROXIES}
    for i, architecture in enumerate([*space.sample(np.random.default_rng(seed), n + 2)]):
        with seeded(i):
            network = materialize(space.build(architecture), SHAPE)
        for name in PROXIES:
            began = time.process_time()
            look([name], network, x, y)
            if i >= 2:  # the first networks warm torch up
                found[name].append(1000 * (time.process_time() - began))
    return found


def below(space: Space, evaluator: Training, n: int, most: int, seed: int) -> list[Architecture]:
    """Random architectures of different function with at most so many parameters."""
    rng, found = np.random.default_rng(seed), dict[str, Architecture]()
    while len(found) < n:
        architecture = space.sample(rng)
        if evaluator.costs(architecture, ("params",))["params"] <= most:
            found.setdefault(space.key(architecture), architecture)
    return list(found.values())


def correlations(
    data: str, n: int, epochs: int, most: int, seed: int
) -> tuple[dict[str, RankCorrelation], list[float]]:
    """The rank correlation of each proxy with validation accuracy, and the accuracies."""
    learning = task.load(data)
    space = learning.space()
    training = Training(space, learning, Recipe(epochs=epochs, precision="float32", layout="contiguous"))
    looker = ZeroCost(space, learning, seed=seed, reference=16)
    chosen = below(space, training, n, most, seed)
    accuracies = [training(Proposal(a), seed).metrics["accuracy"] for a in chosen]
    scores = [looker.score(a) for a in chosen]
    return {name: rank_correlation([s[name] for s in scores], accuracies) for name in looker.proxies}, accuracies


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", nargs="*", default=["digits", "mnist1d"])
    arguments.add_argument("--architectures", type=int, default=30, help="trained on each data set")
    arguments.add_argument("--epochs", type=int, default=3)
    arguments.add_argument("--most-params", type=int, default=30_000)
    arguments.add_argument("--timed", type=int, default=12, help="architectures that costs are measured on")
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    print(heading("Zero-cost proxies"))
    print(
        f"Milliseconds of processor time over {given.timed} random architectures of `convnet` at {BATCH} images of "
        f"28x28, one thread. Kendall's tau (95% interval) to validation accuracy over {given.architectures} random "
        f"architectures with at most {given.most_params:,} parameters, {given.epochs} epochs, seed {given.seed}.\n"
    )
    ms = costs(given.timed, given.seed)
    ms["az_nas"] = [
        sum(of) for of in zip(*(ms[v] for v in ("expressivity", "progressivity", "trainability", "macs")), strict=True)
    ]
    measured = {
        data: correlations(data, given.architectures, given.epochs, given.most_params, given.seed)
        for data in given.data
    }
    print(table_head("proxy", "ms, median", "ms, max", *(f"tau, {data}" for data in measured)))
    for name, took in ms.items():
        cells = [f"{c.tau:+.2f} ({c.low:+.2f} to {c.high:+.2f})" for c in (taus[name] for taus, _ in measured.values())]
        print(row(f"`{name}`", f"{statistics.median(took):.1f}", f"{max(took):.0f}", *cells))
    for data, (_, accuracies) in measured.items():
        least, middle, most = min(accuracies), statistics.median(accuracies), max(accuracies)
        print(f"\nAccuracies on {data}: {least:.3f} to {most:.3f}, median {middle:.3f}.")


if __name__ == "__main__":
    main()
