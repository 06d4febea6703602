"""What an ask and a tell of every strategy of the command line cost: the figures of ``archwright strategies``.

The processor's time, which other programs on the machine disturb least, of one thread (`OMP_NUM_THREADS=1`). Before
each mark, random trials are told; then the strategy is asked and told, and the mean of that is taken.

    python benchmarks/asking.py                      # Markdown; some minutes
    python benchmarks/asking.py --only gp,evolution --space images
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when numpy is imported

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
from machine import heading, row, table_head
from overhead import six_decisions

from archwright.cli.strategy import STRATEGIES, StrategyName
from archwright.objective import Objectives, maximize
from archwright.space import Architecture, Space
from archwright.trial import Measurement, Proposal, Trial

EPOCHS = 60
ASKED = 50
GOALS = Objectives.of(maximize("score"))


def images() -> Space:
    """The default space of images: 31 decisions, many of them conditional."""
    from archwright.nn.spaces import convnet

    return convnet((1, 8, 8), 10)


SPACES: dict[str, Callable[[], Space]] = {"six": six_decisions, "images": images}


def trial(space: Space, number: int, proposal: Proposal) -> Trial:
    """A trial whose score is a sum over decisions, with some noise, better after more epochs."""
    value = worth(space, proposal.architecture) - 1 / (proposal.epochs or EPOCHS)
    value += 0.05 * np.random.default_rng([1, number]).standard_normal()
    measured = Measurement({"score": value})
    key = space.key(proposal.architecture)
    return Trial(number, proposal, "done", measured, GOALS.scores(measured), key=key)


def worth(space: Space, architecture: Architecture) -> float:
    codes = space.codes([architecture])[0]
    return float(np.sin(np.arange(1, len(codes) + 1) * np.maximum(codes, -1)).mean())


def milliseconds(entry: StrategyName, space: Space, mark: int, limit_s: float) -> tuple[float, int]:
    """Mean ms of an ask and a tell in the trials just before `mark`, and of how many that is the mean."""
    strategy = entry.make(space, objectives=GOALS, max_epochs=EPOCHS)
    for number in range(mark - ASKED):
        architecture = space.sample(np.random.default_rng([2, number]))
        strategy.tell(trial(space, number, Proposal(architecture, epochs=EPOCHS if strategy.rungs else None)))
    spent, asked, began = 0.0, 0, time.process_time()
    for number in range(mark - ASKED, mark):
        rng = np.random.default_rng([0, number])
        before = time.process_time()
        proposal = strategy.ask(rng)
        middle = time.process_time()
        told = trial(space, number, proposal)
        again = time.process_time()
        strategy.tell(told)
        if number > mark - ASKED:  # the first ask makes up for what random trials have taught
            spent += middle - before + time.process_time() - again
            asked += 1
        if asked and time.process_time() - began > limit_s:
            break
    return spent / asked * 1e3, asked


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", type=lambda text: text.split(","), default=list(STRATEGIES))
    arguments.add_argument("--space", choices=list(SPACES), nargs="+", default=list(SPACES))
    arguments.add_argument("--marks", type=int, nargs="+", default=[100, 1000])
    arguments.add_argument("--limit", type=float, default=60.0, help="seconds for a figure, then it is a mean of fewer")
    given = arguments.parse_args()
    warnings.simplefilter("ignore")
    print(heading("Overhead of a search: asking and telling, every strategy"))
    print(f"Processor's milliseconds, mean of the {ASKED - 1} trials before the mark (of fewer where it says so).\n")
    print(table_head("strategy", *(f"{space}, {mark} trials" for space in given.space for mark in given.marks)))
    for name in given.only:
        cells = []
        for space in given.space:
            for mark in given.marks:
                found, asked = milliseconds(STRATEGIES[name], SPACES[space](), mark, given.limit)
                cells.append(f"{found:.3g}" + (f" (of {asked})" if asked < ASKED - 1 else ""))
        print(row(f"`{name}`", *cells), flush=True)


if __name__ == "__main__":
    main()
