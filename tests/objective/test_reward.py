import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archwright.errors import ObjectiveError
from archwright.objective import Objectives, WeightedReward, dominates, maximize, minimize
from archwright.space import Architecture
from archwright.trial import Proposal, Trial

GOALS = Objectives.of([maximize("accuracy"), minimize("latency_ms"), minimize("params")])
WEIGHTS = {"accuracy": 0.6, "latency_ms": 0.3, "params": 0.1}
BOUNDS = {"accuracy": (0.5, 1.0), "latency_ms": (1.0, 5.0), "params": (0, 10_000)}
REWARD = WeightedReward(GOALS, WEIGHTS, BOUNDS)


def trial(*scores, status="done", violation=0.0, number=0):
    return Trial(number, Proposal(Architecture({})), status, scores=scores or None, violation=violation)


def test_the_reward_is_the_weighted_sum_of_terms_that_are_best_at_one():
    assert REWARD.terms((-1.0, 1.0, 0)) == (1, 1, 1)
    assert REWARD.terms((-0.5, 5.0, 10_000)) == (0, 0, 0)
    assert REWARD.terms((-0.75, 2.0, 10_000)) == (0.5, 0.75, 0)
    assert REWARD.reward((-0.75, 2.0, 10_000)) == pytest.approx(0.6 * 0.5 + 0.3 * 0.75)
    assert REWARD.fitness((-0.75, 2.0, 10_000)) == pytest.approx(0.525 / 1.525)


def test_values_beyond_the_bounds_are_clipped():
    assert REWARD.terms((-0.2, 0.1, 99_999)) == (0, 1, 0)


score = st.tuples(st.floats(-1, 0), st.floats(0, 10), st.floats(0, 20_000))
any_trial = st.one_of(
    st.builds(lambda s: trial(*s), score),
    st.builds(lambda s, v: trial(*s, violation=v), score, st.floats(0.001, 1e6)),
    st.builds(lambda v: trial(status="infeasible", violation=v), st.floats(0.001, 1e6)),
    st.just(trial(status="failed")),
)


@given(any_trial, any_trial)
def test_fitness_is_bounded_and_never_prefers_the_dominated(a, b):
    assert -1 <= REWARD(a) <= 1
    if dominates(a, b):
        assert REWARD(a) >= REWARD(b)


def test_the_worst_within_the_ceilings_beats_all_beyond_and_those_beat_failures():
    worst, beyond = trial(0.0, 99.0, 1e9), trial(-1.0, 1.0, 1.0, violation=0.25)
    assert REWARD(worst) == 0
    assert REWARD(beyond) == REWARD(trial(status="infeasible", violation=0.25)) == -0.2
    assert REWARD(trial(status="failed")) == REWARD(trial(status="infeasible", violation=math.inf)) == -1


def test_missing_bounds_are_learnt_and_given_ones_stay():
    reward = WeightedReward(GOALS, WEIGHTS, {"params": (0, 10_000)})
    with pytest.raises(ObjectiveError, match="fitted"):
        reward.fitness((-0.5, 1, 1))
    told = [trial(-0.9, 4.0, 10), trial(-0.7, 2.0, 20), trial(-0.1, 99.0, 5, violation=1.0), trial(status="failed")]
    assert reward.fitted(told).bounds == {"accuracy": (0.7, 0.9), "latency_ms": (2.0, 4.0), "params": (0, 10_000)}
    assert reward.bounds == {"params": (0, 10_000)}
    with pytest.raises(ObjectiveError, match="learnt"):
        reward.fitted([trial(status="failed")])


def test_bounds_that_coincide_tell_nothing_apart():
    reward = WeightedReward(GOALS, WEIGHTS).fitted([trial(-0.9, 4.0, 10)])
    assert reward.reward((-0.9, 4.0, 10)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("weights", "bounds", "words"),
    [
        ({"accuracy": 1, "latency_ms": 1}, {}, "no weight for params"),
        ({**WEIGHTS, "acuracy": 1}, {}, "Did you mean 'accuracy'"),
        ({**WEIGHTS, "params": -1}, {}, "0 or more"),
        ({**WEIGHTS, "params": math.inf}, {}, "finite"),
        (dict.fromkeys(WEIGHTS, 0), {}, "above 0"),
        (WEIGHTS, {"speed": (0, 1)}, "no goal"),
        (WEIGHTS, {"params": (5, 1)}, "lowest, highest"),
    ],
)
def test_weights_and_bounds_that_make_no_sense_are_refused(weights, bounds, words):
    with pytest.raises(ObjectiveError, match=words):
        WeightedReward(GOALS, weights, bounds)
