"""A problem to compare strategies on, whose best is known and whose evaluation takes no time."""

import sys
from functools import partial

import cloudpickle

from archwright.benchmark import Benchmark
from archwright.errors import EvaluationError
from archwright.objective import Objectives, maximize
from archwright.space import Space, choice, integer
from archwright.strategy import LocalSearch, RegularizedEvolution, Strategy
from archwright.trial import Measurement, Proposal

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # worker processes cannot import tests

EVOLUTION = partial(RegularizedEvolution, population_size=6, tournament_size=3)
BOTH = {"evolution": EVOLUTION, "local": LocalSearch}


class Bowl:
    """Accuracy falls with the distance from one architecture; deeper networks take longer; curves rise with epochs."""

    def __init__(self, fails=False):
        self.fails = fails

    def __call__(self, proposal, seed, context=None):
        a = proposal.architecture
        epochs = 10 if proposal.epochs is None else proposal.epochs
        if self.fails and a["op"] == "b":
            raise EvaluationError("it diverged")
        far = abs(a["depth"] - 7) + 3 * abs(a["width"] - 2) + (a["op"] != "c")
        accuracy = 1 - 0.01 * far - 0.02 * (10 - epochs)
        metrics = {"accuracy": accuracy, "test": accuracy - 0.1}
        return Measurement(metrics, self.costs(a, ("params",)), seconds=a["depth"] * epochs / 10, epochs=epochs)

    def costs(self, architecture, names):
        return {"params": float(architecture["depth"] * 10 ** architecture["width"])}


def bowl(*goals, fails=False, name="bowl", **more):
    space = Space({"depth": integer(1, 12), "width": choice(0, 1, 2, 3), "op": choice("a", "b", "c")})
    objectives = Objectives.of([maximize("accuracy"), *goals])
    known = {"best": 1.0, "reported": "test", "max_epochs": 10, **more}
    return Benchmark(name, space, Bowl(fails), objectives, **known)


class Continuing(Strategy):
    """Every architecture for 2 epochs, then on to 10: two trials, one training."""

    def __init__(self, space, max_epochs):
        self.space, self.max_epochs, self.told = space, max_epochs, []

    def ask(self, rng, pending=()):
        if len(self.told) % 2:
            last = self.told[-1]
            return Proposal(last.architecture, epochs=self.max_epochs, continues=last.number)
        return Proposal(self.space.sample(rng), epochs=2)

    def tell(self, trial):
        self.told.append(trial)


def numbers(comparison):
    """All that a comparison found, but for the time it took."""
    return {key: (run.steps, run.incumbents, run.ended) for key, run in comparison.runs.items()}
