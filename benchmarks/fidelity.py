"""Brief trainings: what they tell of full ones, what going on from weights costs, and what ASHA saves by both.

Two parts. `ranks`: some random architectures are trained in full at once, and again rung by rung, each going on from
its weights; printed are the rank correlation of each rung with the full training, and what the detour costs.
`search`: the default strategy with full trainings, and ASHA around it, over the same number of architectures; each
one's best is trained in full with new seeds on training and validation part, and tested.

    python benchmarks/fidelity.py                              # Markdown for RESULTS.md
    python benchmarks/fidelity.py --data digits --seeds 5 --part search --architectures 60
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from machine import heading, row, table_head
from scipy.stats import kendalltau

import archwright as aw
from archwright.errors import EvaluationError
from archwright.evaluator import Context, Recipe, Training
from archwright.objective import Objectives, latest, ranked
from archwright.run.loop import evaluation_seed
from archwright.space import Architecture
from archwright.strategy import ASHA, GaussianProcess, Strategy
from archwright.trial import Proposal, Trial


def ranks(training: Training, goals: Objectives, rungs: tuple[int, ...], n: int, seed: int) -> list[str]:
    """Rows of the first part: one a rung."""
    rng, names = np.random.default_rng(seed), tuple(goals.needs)
    architectures: list[Architecture] = []
    while len(architectures) < n:
        drawn = training.space.sample(rng)
        if goals.violation(training.costs(drawn, names)) <= 0:
            architectures.append(drawn)
    full, steps = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for i, architecture in enumerate(architectures):
            full.append(_accuracy(training, Proposal(architecture, rungs[-1]), [seed, i], Context(i)))
            scores = []
            for k, epochs in enumerate(rungs):
                number = 1000 * (i + 1) + k
                proposal = Proposal(architecture, epochs, continues=number - 1 if k else None)
                context = Context(number, folder=Path(scratch))
                scores.append(_accuracy(training, proposal, [seed, i, k + 1], context))
            steps.append(scores)
    measured = np.array(steps)
    again = np.array(full)
    rows = []
    for k, epochs in enumerate(rungs):
        tau = kendalltau(measured[:, k], again).statistic
        better = measured[:, k] - again
        error = better.std(ddof=1) / n**0.5
        rows.append(row(training.task.name, epochs, f"{tau:.2f}", f"{better.mean():+.4f} ± {error:.4f}"))
    return rows


def _accuracy(training: Training, proposal: Proposal, seed: list[int], context: Context) -> float:
    number = int(np.random.SeedSequence(seed).generate_state(1)[0]) & 0x7FFFFFFF
    return training(proposal, number, context).metrics["accuracy"]


def search(
    strategy: Strategy, training: Training, goals: Objectives, n: int, seed: int
) -> tuple[list[Trial], int, float]:
    """Until `n` architectures were trained and none of them is to be trained further: trials, epochs, seconds."""
    trials: list[Trial] = []
    spent, begun, began = 0, 0, time.monotonic()
    names = tuple(goals.needs)
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(10_000):
            proposal = strategy.ask(np.random.default_rng([seed, number]))
            if proposal.continues is None and begun == n:
                break
            trial = _trial(number, proposal, training, goals, names, seed, Path(scratch))
            begun += trial.status != "infeasible" and proposal.continues is None
            spent += trial.measurement.epochs if trial.status == "done" and trial.measurement else 0
            trials.append(trial)
            strategy.tell(trial)
    return trials, spent, time.monotonic() - began


def _trial(
    number: int,
    proposal: Proposal,
    training: Training,
    goals: Objectives,
    names: tuple[str, ...],
    seed: int,
    folder: Path,
) -> Trial:
    key = training.space.key(proposal.architecture)
    if names:
        violation = goals.violation(training.costs(proposal.architecture, names))
        if violation > 0:
            return Trial(number, proposal, "infeasible", violation=violation, key=key)
    try:
        measured = training(proposal, evaluation_seed(seed, number), Context(number, folder=folder))
    except EvaluationError as error:
        return Trial(number, proposal, "failed", reason=str(error), key=key)
    return Trial(number, proposal, "done", measured, goals.scores(measured), key=key)


def tested(training: Training, architecture: Architecture, seeds: int) -> float:
    """The accuracy on the test part of full trainings on training and validation part, over `seeds` seeds."""
    part = training.task.open_test()
    found = []
    for seed in range(seeds):
        module, _ = training.fit(architecture, 1000 + seed, "train+validation")
        with torch.inference_mode():
            output = torch.cat([module(x) for x in part.inputs.split(512)])
        found.append(training.task.score(output, part.targets, ["accuracy"])["accuracy"])
    return float(np.mean(found))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", nargs="+", default=["digits", "mnist1d"])
    arguments.add_argument("--part", choices=["ranks", "search", "both"], default="both")
    arguments.add_argument("--architectures", type=int, default=27)
    arguments.add_argument("--seeds", type=int, default=1)
    arguments.add_argument("--finals", type=int, default=3, help="seeds of each final training")
    arguments.add_argument("--epochs", type=int, default=60)
    arguments.add_argument("--min-epochs", type=int, default=2)
    arguments.add_argument("--reduction", type=int, default=4)
    arguments.add_argument("--ceiling", default=None, help="most parameters, such as 3k")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    print(heading("Brief trainings"))
    goals = Objectives.of([aw.maximize("accuracy"), *([aw.at_most(params=given.ceiling)] if given.ceiling else [])])
    trainings = {}
    for name in given.data:
        task = aw.task.load(name)
        trainings[name] = Training(task.space(), task, Recipe(epochs=given.epochs), device="cpu")
    asha = {"max_epochs": given.epochs, "min_epochs": given.min_epochs, "reduction": given.reduction}
    if given.part in ("ranks", "both"):
        print(f"{given.architectures} random architectures\n")
        print(table_head("data", "epochs in all", "Kendall tau with full", "accuracy less that of full at once"))
        for training in trainings.values():
            rungs = ASHA(GaussianProcess(training.space), **asha).rungs
            for line in ranks(training, goals, rungs, given.architectures, seed=0):
                print(line, flush=True)
        print()
    if given.part in ("search", "both"):
        print(f"{given.architectures} architectures a search\n")
        print(table_head("data", "seed", "strategy", "trials", "epochs", "share", "seconds", "validation", "test"))
        for training in trainings.values():
            for seed in range(given.seeds):
                reference = 0
                for name in ("full", "asha"):
                    inner = GaussianProcess(training.space)
                    strategy = inner if name == "full" else ASHA(inner, **asha)
                    trials, spent, took = search(strategy, training, goals, given.architectures, seed)
                    reference = reference or spent
                    best = ranked(latest(t for t in trials if t.status == "done"))[0]
                    validated = best.measurement.metrics["accuracy"] if best.measurement else float("nan")
                    test = tested(training, best.architecture, given.finals)
                    cells = (f"{spent:,}", f"{spent / reference:.2f}", f"{took:.0f}", f"{validated:.4f}", f"{test:.4f}")
                    print(row(training.task.name, seed, name, len(trials), *cells), flush=True)


if __name__ == "__main__":
    main()
