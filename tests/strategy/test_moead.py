import numpy as np
import pytest

from archwright.errors import ObjectiveError
from archwright.objective import Objectives, at_most, hypervolume, minimize
from archwright.space import Space, choice
from archwright.strategy import MOEAD, Random
from archwright.strategy.moead import simplex_lattice
from archwright.testing import StrategyContract
from archwright.testing.strategy import CAPPED, TOY, TWO, run, toy
from archwright.trial import Measurement, Proposal, Trial

FRONT = Space({f"d{i}": choice(*range(8)) for i in range(6)})
THREE = Objectives.of([minimize("loss"), minimize("size"), minimize("third")])


def trade(architecture):
    """Half of the decisions are worth something to all goals, the others set the first two against each other."""
    values = np.array(list(architecture.values()), dtype=float) / 7
    loss, share = values[:3].mean(), values[3:].mean()
    return Measurement({"loss": loss + share**2, "size": loss + (1 - share) ** 2, "third": loss + abs(share - 0.5)})


def population(n, seed=0):
    """What a search for two goals ends with."""
    strategy = MOEAD(FRONT, population_size=12, neighbours=5)
    for trial in run(
        MOEAD(FRONT, population_size=12, neighbours=5), FRONT, n=n, objectives=TWO, evaluate=trade, seed=seed
    ):
        strategy.tell(trial)
    return np.array([t.scores for t in strategy.population])


def far(scores):
    """How far the nearest point is from one end of the front, and from the other."""
    return [np.abs(scores - end).max(axis=1).min() for end in ((0.0, 1.0), (1.0, 0.0))]


class TestMOEAD(StrategyContract):
    def make(self, space):
        return MOEAD(space, population_size=8, neighbours=4)

    def test_its_front_has_more_volume_than_that_of_random_search(self):
        # A one-sided sign test at 12 pairs fails by chance in less than 1 of 300 runs when 11 or more are won.
        wins = 0
        for seed in range(12):
            volumes = [
                hypervolume([t.scores for t in run(s, FRONT, n=100, seed=seed, objectives=TWO, evaluate=trade)], (2, 2))
                for s in (MOEAD(FRONT, population_size=12, neighbours=5), Random(FRONT))
            ]
            wins += volumes[0] > volumes[1]
        assert wins >= 11

    def test_it_reaches_both_ends_of_a_front(self):
        # Ends, over five seeds, that some point comes within a tenth of.
        drawn = [run(Random(FRONT), FRONT, n=400, seed=s, objectives=TWO, evaluate=trade) for s in range(5)]
        random = [d < 0.1 for trials in drawn for d in far(np.array([t.scores for t in trials]))]
        ours = [d < 0.1 for seed in range(5) for d in far(population(400, seed))]
        assert sum(ours) >= 7
        assert sum(random) <= 2

    def test_its_members_are_each_good_at_their_own_weighting(self):
        scores = population(200)
        # Weights go from the second goal alone to the first alone.
        assert np.corrcoef(np.arange(len(scores)), scores[:, 0])[0, 1] < -0.9
        assert np.corrcoef(np.arange(len(scores)), scores[:, 1])[0, 1] > 0.9

    def test_the_number_of_goals_is_learnt_from_the_first_trial_or_told(self):
        learnt = run(MOEAD(FRONT, population_size=12, neighbours=5), FRONT, n=40, objectives=THREE, evaluate=trade)
        told = MOEAD(FRONT, population_size=12, neighbours=5, objectives=THREE)
        assert run(told, FRONT, n=40, objectives=THREE, evaluate=trade) == learnt
        assert len(told.population) == 10  # the largest even lattice of three weights with at most 12 points
        with pytest.raises(ObjectiveError, match="has 1 scores, there are 3 goals"):
            told.tell(Trial(40, learnt[0].proposal, "done", learnt[0].measurement, (1.0,)))

    def test_with_one_goal_the_population_is_the_best_so_far(self):
        strategy = MOEAD(TOY, population_size=8, neighbours=4, replacements=1)
        told = run(MOEAD(TOY, population_size=8, neighbours=4, replacements=1), TOY, n=60)
        for trial in told:
            strategy.tell(trial)
        assert sorted(t.scores for t in strategy.population) == sorted(t.scores for t in told)[:8]

    @pytest.mark.parametrize("objectives", [CAPPED, Objectives.of([*TWO.goals, *CAPPED.ceilings])])
    def test_it_leaves_what_exceeds_a_ceiling(self, objectives):
        strategy = self.make(TOY)
        for trial in run(self.make(TOY), TOY, n=100, objectives=objectives):
            strategy.tell(trial)
        assert {t.status for t in strategy.population} == {"done"}

    def test_a_beginning_above_all_ceilings_is_walked_out_of(self):
        tight = Objectives.of([*TWO.goals, at_most(params=16)])
        strategy = self.make(TOY)
        above = [a for a in TOY.sample(np.random.default_rng(0), 40) if toy(a).costs["params"] > 50]
        for number, architecture in enumerate(above):
            violation = tight.violation(toy(architecture).costs)
            strategy.tell(Trial(number, Proposal(architecture), "infeasible", violation=violation))
        trials = run(strategy, TOY, n=60, objectives=tight)
        assert sum(t.status == "done" for t in trials) > 10

    def test_weights_are_even_and_sum_to_one(self):
        weights = simplex_lattice(3, 15)
        assert len(np.unique(weights, axis=0)) == len(weights) == 15
        assert np.allclose(weights.sum(axis=1), 1)

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"population_size": 1}, "population_size must be at least 2"),
            ({"population_size": 2, "objectives": THREE, "neighbours": 2}, "population_size must be at least 3"),
            ({"population_size": 10}, r"neighbours must lie in 2\.\.population_size, 10, got 20"),
            ({"replacements": 0}, "replacements must be at least 1"),
            ({"crossover_rate": -1}, "crossover_rate is a probability"),
        ],
    )
    def test_settings_that_make_no_sense_are_refused(self, given, said):
        with pytest.raises(ValueError, match=said):
            MOEAD(TOY, **given)
