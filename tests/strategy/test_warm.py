import json

import numpy as np
import pytest

from archwright.errors import OutOfSpaceError
from archwright.strategy import LocalSearch, Random, RegularizedEvolution, Strategy, WarmStart
from archwright.strategy.warm import plain_trial
from archwright.testing import StrategyContract
from archwright.testing.strategy import CAPPED, TOY, run
from archwright.trial import Proposal, Trial

GOOD = {"layers/times": 1, "layers/0/width": 64, "layers/0/kernel": 1, "activation": "silu", "dropout": 1}


class TestWarmStart(StrategyContract):
    def make(self, space):
        inner = RegularizedEvolution(space, population_size=8, tournament_size=3)
        if space.decisions != TOY.decisions:
            return WarmStart(inner)
        # Those above a ceiling have no scores, so they suit one goal and several.
        prior = [t for t in run(Random(TOY), TOY, n=40, seed=99, objectives=CAPPED) if t.status == "infeasible"]
        return WarmStart(inner, architectures=[GOOD], trials=[t for t in prior if t.architecture in space])


class Recorder(Strategy):
    """Keeps what it is told, and proposes to go on with the first of it."""

    def __init__(self, space):
        self.space = space
        self.told = []

    def ask(self, rng, pending=()):
        first = self.told[0]
        return Proposal(first.architecture, 9, first.number, (first.number,), f"mutation of {first.number}")

    def tell(self, trial):
        self.told.append(trial)


def test_architectures_are_proposed_first_in_order_once():
    first = TOY.sample(np.random.default_rng(0), 3)
    trials = run(WarmStart(Random(TOY), architectures=[*first, first[0]]), TOY, n=6, workers=2)
    assert [t.architecture for t in trials[:3]] == first
    assert [t.proposal.origin for t in trials] == ["given to begin with"] * 3 + ["random"] * 3


def test_earlier_trials_are_told_before_the_first_is_asked_for_and_not_repeated():
    prior = run(Random(TOY), TOY, n=20, objectives=CAPPED, fails=lambda number: number == 4)
    inner = Recorder(TOY)
    strategy = WarmStart(inner, architectures=[prior[0].architecture, GOOD], trials=prior)
    assert [t.number for t in inner.told] == list(range(-20, 0))
    assert [(t.status, t.scores, t.violation, t.key) for t in inner.told] == [
        (t.status, t.scores, t.violation, t.key) for t in prior
    ]
    assert dict(strategy.ask(np.random.default_rng(0)).architecture) == GOOD  # the other is known
    known = {t.key for t in prior}
    assert not known & {t.key for t in run(WarmStart(Random(TOY), trials=prior), TOY, n=40)}


def test_weights_of_another_search_are_not_continued_and_its_numbers_are_told_apart():
    prior = run(Random(TOY), TOY, n=2)
    asked = WarmStart(Recorder(TOY), trials=prior).ask(np.random.default_rng(0))
    assert asked.continues is None
    assert asked.origin == "mutation of prior trial 2"
    assert asked.epochs == 9


def test_a_warm_start_starts_better():
    # The best of 5 after a warm start with 60 trials, beside the best of 5 without: of equal strategies the one wins
    # 9 of 10 pairs or more in 11 of 1,024 runs.
    wins = 0
    for seed in range(10):
        prior = run(Random(TOY), TOY, n=60, seed=100 + seed)

        def made():
            return RegularizedEvolution(TOY, population_size=20, tournament_size=5)

        warm = run(WarmStart(made(), trials=prior), TOY, n=5, seed=seed)
        cold = run(made(), TOY, n=5, seed=seed)
        wins += min(t.scores[0] for t in warm) < min(t.scores[0] for t in cold)
    assert wins >= 9


def test_a_local_search_walks_on_from_the_best_of_earlier_trials():
    prior = run(Random(TOY), TOY, n=30)
    best = min(prior, key=lambda t: t.scores[0])
    asked = WarmStart(LocalSearch(TOY), trials=prior).ask(np.random.default_rng(0))
    assert asked.architecture in TOY.neighbours(best.architecture)
    assert asked.parents == (best.number - 30,)


def test_what_is_kept_of_trials_is_json_and_comes_back():
    prior = run(Random(TOY), TOY, n=6, objectives=CAPPED)
    strategy = WarmStart(Recorder(TOY), trials=prior)
    kept = json.loads(json.dumps(strategy.trials))
    again = WarmStart(Recorder(TOY), trials=kept)
    assert again.strategy.told == strategy.strategy.told
    brief = Trial(3, Proposal(prior[0].architecture, epochs=4), "done", scores=(1.0,))
    assert plain_trial(brief) == {
        "architecture": dict(prior[0].architecture), "status": "done", "scores": [1.0], "epochs": 4
    }  # fmt: skip


def test_bad_arguments_are_named():
    with pytest.raises(OutOfSpaceError, match="activation"):
        WarmStart(Random(TOY), architectures=[{**GOOD, "activation": "gelu"}])
    with pytest.raises(TypeError, match=r"holds its space as \.space is needed here, such as Random\(space\), got"):
        WarmStart(TOY)
