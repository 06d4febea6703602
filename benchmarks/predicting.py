"""What the Gaussian process foretells of architectures of a real space under a ceiling, from few trainings.

Random architectures that meet the ceiling are trained for some seconds each, as a search of ten minutes trains its
trials, and some of them again with another seed. Then, many times over: the model learns from n of them and orders the
others, with the costs of each among its features (as the default strategy has it) and without.

    python benchmarks/predicting.py --data mnist5k --ceiling 3k --minutes 25     # train, one thread; then the table
    python benchmarks/predicting.py --data mnist5k --ceiling 3k --minutes 0 --file benchmarks/records/predicting.jsonl

Each training is appended to the file; begun again, the same command adds more.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import heading, row, table_head
from scipy.stats import spearmanr

from archwright import task as tasks
from archwright.evaluator import Recipe, Training
from archwright.objective import Objectives, at_most, maximize, parse_count
from archwright.space import Space
from archwright.space.features import Features
from archwright.strategy.surrogate.costs import KnownCosts
from archwright.strategy.surrogate.process import Belief, fit, gaussianised
from archwright.trial import Proposal

DIVISIONS = 40
TOLD = (10, 20, 40)
AGAIN = 4  # every so many architectures, one is trained a second time


def train(data: str, ceiling: str, seconds: float, minutes: float, file: Path) -> None:
    """Random architectures within the ceiling, each for `seconds` of the processor's time, for so many minutes."""
    task = tasks.load(data)
    space = task.space()
    training = Training(space, task, replace(Recipe.suiting(task), seconds=seconds))
    known = read(data, ceiling, file)
    seen = {tuple(r["codes"]) for r in known}
    rng, until = np.random.default_rng(len(known)), time.monotonic() + 60 * minutes
    met: list[Any] = []

    def measured(codes: Any) -> None:
        architecture = space.architecture(codes)
        m = training(Proposal(architecture), int(rng.integers(2**31)))
        line = {"data": data, "ceiling": ceiling, "codes": [int(c) for c in codes], "score": m.metrics[task.metric]}
        line |= {"epochs": m.epochs, "seconds": round(m.seconds, 2)}
        with file.open("a") as out:
            out.write(json.dumps(line) + "\n")

    while time.monotonic() < until:
        codes = space.sample_codes(rng, 1)[0]
        params = training.costs(space.architecture(codes), ["params"])["params"]
        if tuple(codes.tolist()) in seen or params > parse_count(ceiling):
            continue
        seen.add(tuple(codes.tolist()))
        met.append(codes)
        measured(codes)
        if len(met) % AGAIN == 0:
            measured(met[rng.integers(len(met))])


def read(data: str, ceiling: str, file: Path) -> list[dict[str, Any]]:
    """What the file holds of these data under this ceiling."""
    lines = file.read_text().splitlines() if file.exists() else []
    return [r for r in map(json.loads, lines) if (r["data"], r["ceiling"]) == (data, ceiling)]


def table(data: str, ceiling: str, file: Path) -> None:
    """Rank correlations of what the model expects and what came, as Markdown."""
    scores: dict[tuple[int, ...], list[float]] = {}
    for r in read(data, ceiling, file):
        scores.setdefault(tuple(r["codes"]), []).append(r["score"])
    task = tasks.load(data)
    space = task.space()
    codes = np.array(list(scores), dtype=np.int32)
    first = np.array([s[0] for s in scores.values()])
    twice = np.array([s[:2] for s in scores.values() if len(s) > 1])
    print(f"{len(codes)} architectures, {len(twice)} of them twice: between two seeds {spearmanr(*twice.T)[0]:.2f}\n")
    print(table_head("features", *(f"{n} trainings" for n in TOLD)))
    for name, (x, groups) in features_of(task, space, codes, ceiling).items():
        print(row(name, *(f"{np.mean(correlations(x, groups, first, n)):.2f}" for n in TOLD)))


def features_of(task: Any, space: Space, codes: Any, ceiling: str) -> dict[str, tuple[Any, list[slice]]]:
    """The features of the default strategy, and the same without costs; and the columns of each group."""
    training = Training(space, task, tune=False)
    objectives = Objectives.of([maximize(task.metric), at_most(params=int(parse_count(ceiling)))])
    features = Features(space)
    x = features(codes).astype(float)
    costs = KnownCosts(space, lambda a: training.costs(a, ["params"]), objectives).features(codes)
    return {
        "what is computed": (x, features.weighed),
        "and parameters": (np.hstack([x, costs]), [*features.weighed, slice(x.shape[1], x.shape[1] + 1)]),
    }


def correlations(x: Any, groups: list[slice], scores: Any, n: int) -> list[float]:
    """Spearman's correlation of expected and measured scores of the others, over random choices of n that are told."""
    found = []
    for division in range(DIVISIONS):
        order = np.random.default_rng(division).permutation(len(scores))
        told, others = order[:n], order[n:]
        y = gaussianised(-scores[told])
        belief = Belief(x[others], fit(x[told], y, groups))
        belief.observe(x[told])
        found.append(float(spearmanr(-belief.mean(y), scores[others])[0]))
    return found


def main() -> None:
    """Train, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist5k")
    parser.add_argument("--ceiling", default="3k")
    parser.add_argument("--seconds", type=float, default=7.5, help="Of each training.")
    parser.add_argument("--minutes", type=float, default=25.0, help="Of all; 0 only prints what the file holds.")
    parser.add_argument("--file", type=Path, default=Path("runs/predicting.jsonl"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.file.parent.mkdir(parents=True, exist_ok=True)
    if given.minutes:
        train(given.data, given.ceiling, given.seconds, given.minutes, given.file)
    print(heading("Foretelling"), "\n")
    table(given.data, given.ceiling, given.file)


if __name__ == "__main__":
    main()
