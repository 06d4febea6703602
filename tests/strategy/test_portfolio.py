from collections import Counter

import numpy as np
import pytest

from archwright import Space, choice
from archwright.errors import SpaceError
from archwright.strategy import LocalSearch, Portfolio, Random, RegularizedEvolution, Strategy
from archwright.testing import StrategyContract
from archwright.testing.strategy import CAPPED, TOY, TWO, run
from archwright.trial import Measurement, Proposal, Trial


class TestPortfolio(StrategyContract):
    def make(self, space):
        evolution = RegularizedEvolution(space, population_size=8, tournament_size=3)
        return Portfolio([Random(space), evolution, LocalSearch(space)])


RANGE = Space({"x": choice(*range(200))})


class Half(Strategy):
    """Proposes from one half of `RANGE`, and keeps what it is told."""

    def __init__(self, space, *, upper=False):
        self.space = space
        self.upper = upper
        self.told = []

    def ask(self, rng, pending=()):
        taken = {t.architecture["x"] for t in self.told} | {p.architecture["x"] for p in pending}
        left = [x for x in range(100 * self.upper, 100 + 100 * self.upper) if x not in taken]
        return Proposal(RANGE.architecture({"x": int(rng.choice(left))}), origin="half")

    def tell(self, trial):
        self.told.append(trial)


class Upper(Half):
    def __init__(self, space):
        super().__init__(space, upper=True)


def whose(trials):
    return Counter(t.proposal.origin.partition(":")[0] for t in trials)


@pytest.mark.parametrize("workers", [1, 4])
def test_it_shifts_to_the_better_strategy(workers):
    trials = run(
        Portfolio([Half(RANGE), Upper(RANGE)]), RANGE, n=80, workers=workers,
        evaluate=lambda a: Measurement({"loss": float(a["x"])}),
    )  # fmt: skip
    assert whose(trials[40:])["Half"] >= 28
    assert whose(trials)["Upper"] >= 2  # and still looks at the other


def test_evolution_gets_more_trials_than_random_search():
    share = [
        whose(run(Portfolio([Random(TOY), RegularizedEvolution(TOY, population_size=8, tournament_size=3)]),
                  TOY, n=100, seed=seed)[30:])["RegularizedEvolution"] / 70
        for seed in range(8)
    ]  # fmt: skip
    # Of equal strategies, all 8 would get more than half in 1 of 256 runs.
    assert min(share) > 0.5
    assert np.mean(share) > 0.6


def test_all_are_told_everything_and_the_proposer_hears_its_own_words():
    first, second = Half(RANGE), Upper(RANGE)
    trials = run(Portfolio([first, second]), RANGE, n=20, evaluate=lambda a: Measurement({"loss": float(a["x"])}))
    assert [t.number for t in first.told] == [t.number for t in second.told] == list(range(19))
    for told, trial in zip(first.told, trials, strict=False):
        mine = trial.proposal.origin.startswith("Half: ")
        assert told.proposal.origin == ("half" if mine else "Upper: half")


def test_trials_of_nobodys_proposal_are_told_and_earn_nothing():
    portfolio = Portfolio([Random(TOY), LocalSearch(TOY)])
    for trial in run(Random(TOY), TOY, n=5):
        portfolio.tell(trial)
    assert all(np.isnan(credit) for credit in portfolio.credits().values())


def test_credit_is_by_rank_under_ceilings_and_goals_and_none_for_failures():
    portfolio = Portfolio([Random(TOY), LocalSearch(TOY)])
    outcomes = [
        ("Random: random", "done", (1.0, 1.0), 0.0),
        ("LocalSearch: random start", "infeasible", None, 0.2),
        ("Random: random", "done", (2.0, 0.5), 0.0),
        ("LocalSearch: random start", "failed", None, 0.0),
    ]
    for number, (origin, status, scores, violation) in enumerate(outcomes):
        architecture = TOY.sample(np.random.default_rng(number))
        portfolio.tell(Trial(number, Proposal(architecture, origin=origin), status, scores=scores, violation=violation))
    # Two share the front: each is better than two of three and equal to one.
    assert portfolio.credits() == {
        "Random": pytest.approx((2.5 / 3) ** 2),
        "LocalSearch": pytest.approx((1 / 3) ** 2 / 2),
    }


def test_an_exhausted_strategy_is_passed_over():
    class Done(Random):
        def ask(self, rng, pending=()):
            from archwright.errors import SpaceExhaustedError

            raise SpaceExhaustedError("nothing left")

    trials = run(Portfolio([Done(TOY), Random(TOY)]), TOY, n=10)
    assert whose(trials) == {"Random": 10}


def test_strategies_of_one_class_are_told_apart():
    portfolio = Portfolio([Random(TOY), Random(TOY), LocalSearch(TOY)])
    assert portfolio.labels == ["Random 1", "Random 2", "LocalSearch"]


@pytest.mark.parametrize("objectives", [CAPPED, TWO])
def test_a_space_stands_for_three_strategies(objectives):
    portfolio = Portfolio(TOY)
    assert portfolio.labels == ["RegularizedEvolution", "LocalSearch", "Bananas"]
    assert set(whose(run(portfolio, TOY, n=12, objectives=objectives))) == set(portfolio.labels)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="at least two strategies, got 1"):
        Portfolio([Random(TOY)])
    with pytest.raises(ValueError, match="window at least the number of strategies"):
        Portfolio([Random(TOY), Random(TOY)], window=1)
    with pytest.raises(SpaceError, match=r"these differ:\n[^$]*decision x"):
        Portfolio([Random(TOY), Random(RANGE)])
    with pytest.raises(TypeError, match="such as Random"):
        Portfolio([Random(TOY), "random"])
