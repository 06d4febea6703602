import numpy as np
import pytest

from archwright.objective import dominates, hypervolume, ranked
from archwright.space import Space, choice
from archwright.strategy import NSGA2, Random
from archwright.testing import StrategyContract
from archwright.testing.strategy import CAPPED, TOY, TWO, run
from archwright.trial import Measurement

FRONT = Space({f"d{i}": choice(*range(8)) for i in range(6)})


def trade(architecture):
    """Half of the decisions are worth something to both goals, the others set one against the other."""
    values = np.array(list(architecture.values()), dtype=float) / 7
    loss, share = values[:3].mean(), values[3:].mean()
    return Measurement({"loss": loss + share**2, "size": loss + (1 - share) ** 2})


def volume(trials):
    return hypervolume([t.scores for t in trials], (2.0, 2.0))


class TestNSGA2(StrategyContract):
    def make(self, space):
        return NSGA2(space, population_size=8)

    @pytest.mark.parametrize("offspring_size", [None, 1])
    def test_its_front_has_more_volume_than_that_of_random_search(self, offspring_size):
        # A one-sided sign test at 12 pairs fails by chance in less than 1 of 300 runs when 11 or more are won.
        wins = 0
        for seed in range(12):
            ours = NSGA2(FRONT, population_size=12, offspring_size=offspring_size)
            ours = run(ours, FRONT, n=100, seed=seed, objectives=TWO, evaluate=trade)
            wins += volume(ours) > volume(run(Random(FRONT), FRONT, n=100, seed=seed, objectives=TWO, evaluate=trade))
        assert wins >= 11

    def test_its_population_spreads_along_the_front(self):
        strategy = NSGA2(FRONT, population_size=12)
        for trial in run(NSGA2(FRONT, population_size=12), FRONT, n=200, objectives=TWO, evaluate=trade):
            strategy.tell(trial)
        front = np.array([t.scores for t in strategy.population])
        first = np.array([t.scores for t in run(Random(FRONT), FRONT, n=12, objectives=TWO, evaluate=trade)])
        assert len(np.unique(front, axis=0)) >= 9
        assert np.all(np.ptp(front, axis=0) > 0.5)
        assert front.sum(axis=1).mean() < first.sum(axis=1).mean() - 0.2

    def test_what_survives_is_what_deb_et_al_keep(self):
        strategy = self.make(TOY)
        told = run(self.make(TOY), TOY, n=16, objectives=TWO)
        for trial in told:
            strategy.tell(trial)
        assert list(strategy.population) == ranked(told)[:8]
        survivors = {t.number for t in strategy.population}
        for lost in (t for t in told if t.number not in survivors):
            assert not any(dominates(lost, kept) for kept in strategy.population)

    def test_constrained_domination_drops_what_exceeds_a_ceiling_first(self):
        strategy = self.make(TOY)
        for trial in run(self.make(TOY), TOY, n=80, objectives=CAPPED):
            strategy.tell(trial)
        assert {t.status for t in strategy.population} == {"done"}

    def test_with_one_goal_the_population_is_the_best_so_far(self):
        strategy = NSGA2(TOY, population_size=8, offspring_size=1)
        told = run(NSGA2(TOY, population_size=8, offspring_size=1), TOY, n=50)
        for trial in told:
            strategy.tell(trial)
        assert [t.scores for t in strategy.population] == sorted(t.scores for t in told)[:8]

    def test_duplicates_are_never_proposed(self):
        trials = run(self.make(TOY), TOY, n=300, objectives=TWO, workers=4)
        assert len({t.key for t in trials}) == 300

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"population_size": 1}, "population_size must be at least 2"),
            ({"offspring_size": 0}, "offspring_size must be at least 1"),
            ({"crossover": "arithmetic"}, "Allowed: one-point"),
            ({"mutation_rate": 2.0}, "mutation_rate is a probability"),
        ],
    )
    def test_settings_that_make_no_sense_are_refused(self, given, said):
        with pytest.raises(ValueError, match=said):
            NSGA2(TOY, **given)
