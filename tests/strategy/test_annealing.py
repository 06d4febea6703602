import math

import numpy as np
import pytest

from archwright.space import Space, choice
from archwright.strategy import Random, SimulatedAnnealing
from archwright.testing import StrategyContract
from archwright.testing.strategy import CAPPED, TOY, run
from archwright.trial import Measurement, Proposal, Trial

LINE = Space({c: choice(*range(6)) for c in "abcdef"})


def told(number, loss, *, parents=(0,)):
    """A trial that is done; its architecture does not matter."""
    architecture = LINE.architecture([(number // 6**i) % 6 for i in range(6)])
    return Trial(
        number, Proposal(architecture, parents=parents), "done", Measurement({"loss": loss}), (loss,), key=str(number)
    )


def here(strategy):
    """The number of the trial that the walk is at."""
    return strategy.ask(np.random.default_rng(0)).parents


class TestSimulatedAnnealing(StrategyContract):
    def make(self, space):
        return SimulatedAnnealing(space, steps=30)

    def test_it_beats_random_search(self):
        # A one-sided sign test at 20 pairs fails by chance in less than 1 of 1,000 runs when 17 or more are won.
        wins = 0
        for seed in range(20):
            ours = min(t.scores[0] for t in run(SimulatedAnnealing(TOY, steps=80), TOY, n=80, seed=seed))
            chance = min(t.scores[0] for t in run(Random(TOY), TOY, n=80, seed=seed))
            wins += ours <= chance
        assert wins >= 17

    @pytest.mark.parametrize(("delta", "temperature"), [(0.1, 0.1), (0.2, 0.1), (0.1, 1.0)])
    def test_a_worse_step_is_taken_with_probability_exp_of_minus_delta_over_t(self, delta, temperature):
        n, taken = 1_500, 0
        for seed in range(n):
            strategy = SimulatedAnnealing(
                LINE, initial_temperature=temperature, final_temperature=temperature, seed=seed
            )
            strategy.tell(told(1, 1.0, parents=()))
            strategy.tell(told(2, 0.0))  # scores span 0..1 now, and the walk is at the best
            strategy.tell(told(3, delta))
            taken += here(strategy) == (3,)
        expected = math.exp(-delta / temperature)
        # 4.5 standard deviations: a false alarm in 1 of 100,000 runs.
        assert abs(taken / n - expected) < 4.5 * math.sqrt(expected * (1 - expected) / n)

    def test_a_better_step_is_always_taken(self):
        strategy = SimulatedAnnealing(LINE, initial_temperature=1e-9)
        strategy.tell(told(1, 1.0, parents=()))
        for number in range(2, 30):
            strategy.tell(told(number, 1.0 / number))
            assert here(strategy) == (number,)

    def test_the_temperature_falls_geometrically_from_the_first_to_the_last_and_starts_again(self):
        strategy = SimulatedAnnealing(LINE, steps=5, initial_temperature=0.4, final_temperature=0.1)
        strategy.tell(told(1, 1.0, parents=()))
        temperatures = []
        for number in range(2, 7):
            temperatures.append(strategy.temperature)
            strategy.tell(told(number, 1.0 / number))
        assert temperatures == pytest.approx(np.geomspace(0.4, 0.1, 5))
        assert strategy.temperature == 0.4
        assert strategy.ask(np.random.default_rng(0)).origin == "random start"
        strategy.tell(told(7, 0.5))  # a late child of the walk that has ended
        assert strategy.ask(np.random.default_rng(0)).origin == "random start"
        strategy.tell(told(8, 0.9, parents=()))
        assert here(strategy) == (8,)

    def test_the_first_temperature_is_that_at_which_half_of_the_first_worse_steps_are_taken(self):
        strategy = SimulatedAnnealing(LINE, probes=3, steps=1_000)
        strategy.tell(told(1, 0.0, parents=()))
        for number, loss in enumerate([1.0, 0.2, 0.4], start=2):
            assert strategy.temperature == 0
            strategy.tell(told(number, loss))
            assert here(strategy) == (1,)
        assert math.exp(-0.4 / (strategy.temperature / 1e-3 ** (3 / 999))) == pytest.approx(0.5)

    def test_infeasible_trials_do_not_cool_it(self):
        strategy = SimulatedAnnealing(TOY, steps=30, initial_temperature=0.1)
        cooled = [0.1]
        for trial in run(SimulatedAnnealing(TOY, steps=30, initial_temperature=0.1), TOY, n=60, objectives=CAPPED):
            strategy.tell(trial)
            if trial.status == "infeasible":
                assert strategy.temperature == cooled[-1]
            cooled.append(strategy.temperature)
        assert min(cooled) < 0.05

    def test_it_walks_to_where_a_ceiling_holds(self):
        strategy = SimulatedAnnealing(TOY, initial_temperature=1e-6, final_temperature=1e-6)
        trials = run(strategy, TOY, n=60, objectives=CAPPED, seed=next(s for s in range(20) if starts_above(s)))
        assert trials[0].status == "infeasible"
        assert sum(t.status == "done" for t in trials[30:]) > 15

    def test_steps_change_one_decision_and_what_it_switches_on(self):
        trials = run(SimulatedAnnealing(LINE), LINE, n=60, evaluate=lambda a: Measurement({"loss": sum(a.values())}))
        for trial in trials:
            if "neighbour" in trial.proposal.origin:
                (parent,) = trial.proposal.parents
                assert len(trial.architecture.differs(trials[parent].architecture)) == 1

    def test_it_jumps_where_all_neighbours_have_been_seen(self):
        small = Space({c: choice(0, 1) for c in "abcdef"})
        # The best is met early, and nothing else is ever as good: the walk stays there.
        strategy = SimulatedAnnealing(small, steps=500, initial_temperature=1e-9)
        trials = run(strategy, small, n=64, evaluate=lambda a: Measurement({"loss": float(sum(a.values()))}))
        origins = [t.proposal.origin for t in trials]
        assert any("2 changes" in o for o in origins)
        assert any("3 changes" in o for o in origins)
        assert len({t.key for t in trials}) == 64

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"steps": 1}, "steps must be at least 2"),
            ({"initial_temperature": 0.0}, "initial_temperature must be above 0, in units of reward"),
            ({"final_temperature": math.inf}, "final_temperature must be above 0"),
            ({"initial_temperature": 0.1, "final_temperature": 0.2}, "at most initial_temperature"),
            ({"probes": 0}, "at least 1"),
            ({"tries": 0}, "at least 1"),
        ],
    )
    def test_settings_that_make_no_sense_are_refused(self, given, said):
        with pytest.raises(ValueError, match=said):
            SimulatedAnnealing(TOY, **given)


def starts_above(seed):
    """Whether the first architecture of a search with this seed exceeds the ceiling."""
    return run(SimulatedAnnealing(TOY), TOY, n=1, seed=seed, objectives=CAPPED)[0].status == "infeasible"
