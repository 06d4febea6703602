import numpy as np
import pytest

from archwright.objective import Objectives, WeightedReward, minimize
from archwright.space import Space, choice, integer, real
from archwright.strategy.qlearning import QLearning
from archwright.testing import StrategyContract
from archwright.testing.strategy import ONE, TOY, run
from archwright.trial import Measurement, Proposal, Trial

TREE = Space({"a": choice(0, 1), "b": choice(0, 1, 2)})
ADDITIVE = Space({f"d{i}": choice(0, 1, 2, 3) for i in range(8)})
WORTH = np.array([[0.1, 0.9, 0.3], [0.4, 0.5, 0.8]])
WHOLE = WeightedReward(Objectives.of([minimize("loss")]), {"loss": 1.0}, {"loss": (0.0, 1.0)})


def additive(architecture):
    return Measurement({"loss": float(sum((v - 1) ** 2 for v in architecture.values()))})


def of_tree(number, a, b):
    proposal = Proposal(TREE.architecture([a, b]))
    return Trial(number, proposal, "done", Measurement(), (1 - float(WORTH[a, b]),))


class TestQLearning(StrategyContract):
    def make(self, space):
        return QLearning(space, schedule=[(1.0, 10), (0.5, 10), (0.1, 10)])

    @pytest.mark.parametrize("discount", [1.0, 0.5])
    def test_values_converge_to_the_right_ones_on_a_tiny_tree(self, discount):
        # Rewards are certain, so each value approaches its own by a share of learning_rate at every visit.
        strategy = QLearning(TREE, memory=None, discount=discount, replay=50, weighted=WHOLE)
        for number in range(60):
            strategy.tell(of_tree(number, *divmod(number % 6, 3)))
        fitness = WORTH / (1 + WORTH)
        for a in (0, 1):
            assert strategy.value([a]) == pytest.approx(fitness[a].tolist(), abs=1e-3)
        assert strategy.value([]) == pytest.approx((discount * fitness.max(axis=1)).tolist(), abs=1e-3)

    def test_one_trial_is_learnt_from_last_step_first_by_equation_3(self):
        strategy = QLearning(TREE, learning_rate=0.5, replay=0, memory=None, weighted=WHOLE)
        strategy.tell(of_tree(0, 0, 1))
        worth = 0.9 / 1.9
        after = 0.5 + 0.5 * (worth - 0.5)
        assert strategy.value([0]) == pytest.approx([0.5, after, 0.5])
        assert strategy.value([]) == pytest.approx([0.5 + 0.5 * (max(after, 0.5) - 0.5), 0.5])
        assert strategy.value([0, 1]) == []

    def test_memory_says_which_states_are_one(self):
        space = Space({"a": choice(0, 1), "b": choice(0, 1), "c": choice(0, 1)})
        one, whole = (QLearning(space, memory=m, scale="range") for m in (1, None))
        for strategy in (one, whole):
            for number, codes in enumerate(([0, 0, 0], [1, 0, 1])):
                strategy.tell(Trial(number, Proposal(space.architecture(codes)), "done", Measurement(), (number,)))
        assert one.value([0, 0]) == one.value([1, 0])
        assert whole.value([0, 0]) != whole.value([1, 0])

    def test_epsilon_falls_by_the_schedule_and_stays_at_its_last(self):
        strategy = QLearning(TOY, schedule=[(1.0, 3), (0.5, 2), (0.1, 1)])
        assert [strategy.epsilon(n) for n in range(8)] == [1.0, 1.0, 1.0, 0.5, 0.5, 0.1, 0.1, 0.1]
        default = QLearning(TOY)
        assert default.epsilon(0) == 1.0
        assert default.epsilon(60) == default.epsilon(10_000) == 0.1

    def test_actions_are_random_with_probability_epsilon(self):
        # One decision of 100 values, the first of which is the best; every action else is drawn at random. Of 2,000
        # first draws 20 % are random: between 330 and 470 but for chances of 1e-4.
        space = Space({"a": choice(*range(100))})
        best = Proposal(space.architecture([0]))

        def first(epsilon, seed):
            strategy = QLearning(space, schedule=[(epsilon, 1)], tries=1)
            strategy._table[(0,)] = [1.0] + [0.0] * 99
            return strategy.ask(np.random.default_rng(seed)).architecture == best.architecture

        assert all(first(0.0, seed) for seed in range(20))
        others = sum(not first(0.2, seed) for seed in range(2000))
        assert 330 < others < 470

    def test_it_does_better_than_random_search_where_decisions_add_up(self):
        # The loss of a random architecture has mean 12 and standard deviation 4.24, so the mean of 30 of them is
        # below 9.5 with a chance of 1 in 1,600; ours must be in each of three seeds.
        for seed in range(3):
            trials = run(QLearning(ADDITIVE), ADDITIVE, n=100, seed=seed, evaluate=additive)
            assert np.mean([t.scores[0] for t in trials[-30:]]) < 9.5

    def test_reals_and_large_integers_are_decided_by_parts_of_their_range(self):
        space = Space({"x": real(0.0, 1.0), "n": integer(1, 1000)})
        loss = lambda a: Measurement({"loss": abs(a["x"] - 0.3) + abs(a["n"] - 700) / 1000})  # noqa: E731
        trials = run(QLearning(space, levels=4), space, n=150, evaluate=loss, objectives=ONE)
        late = trials[100:]
        assert len({t.architecture["x"] for t in late}) == 50
        assert np.mean([0.25 <= t.architecture["x"] < 0.5 for t in late]) > 0.5

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"schedule": []}, "schedule"),
            ({"schedule": [(1.5, 3)]}, "schedule"),
            ({"schedule": [(0.5, 0)]}, "schedule"),
            ({"learning_rate": 0.0}, "learning_rate"),
            ({"discount": 1.1}, "discount"),
            ({"replay": -1}, "replay must be at least 0, got -1"),
            ({"tries": 0}, "tries must be at least 1, got 0"),
            ({"memory": -1}, "memory must be at least 0"),
            ({"levels": 1}, "levels"),
        ],
    )
    def test_arguments_that_make_no_sense_are_refused(self, settings, message):
        with pytest.raises(ValueError, match=message):
            QLearning(TOY, **settings)
