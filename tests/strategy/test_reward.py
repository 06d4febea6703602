import math

import numpy as np
import pytest

from archwright.objective import Objectives, WeightedReward, maximize
from archwright.strategy import Reward
from archwright.testing.strategy import TOY
from archwright.trial import Measurement, Proposal, Trial

ANY = Proposal(TOY.sample(np.random.default_rng(0)))


def done(*scores):
    return Trial(0, ANY, "done", Measurement(), scores)


def told(*trials, **settings):
    reward = Reward(**settings)
    for trial in trials:
        reward.add(trial)
    return reward


def test_range_is_from_the_worst_to_the_best_told():
    reward = told(done(1.0), done(3.0), done(5.0))
    assert [reward.of(done(s)) for s in (0.0, 1.0, 2.0, 5.0, 9.0, math.nan)] == [1.0, 1.0, 0.75, 0.0, 0.0, 0.0]


def test_rank_is_the_share_that_is_worse():
    reward = told(*(done(s) for s in (1.0, 2.0, 3.0, 1000.0)), scale="rank")
    assert [reward.of(done(s)) for s in (0.5, 1.0, 2.0, 1000.0, 2000.0)] == [1.0, 0.875, 0.625, 0.125, 0.0]


def test_several_goals_are_averaged():
    trials = done(0.0, 10.0), done(1.0, 0.0)
    assert told(*trials).of(done(0.0, 5.0)) == 0.75
    assert told(*trials, scale="rank").of(done(-1.0, 5.0)) == 0.75


@pytest.mark.parametrize("scale", ["range", "rank"])
def test_failed_and_infeasible_trials_are_below_all_others(scale):
    reward = told(done(1.0), done(2.0), scale=scale)
    slightly, far = (Trial(0, ANY, "infeasible", violation=v) for v in (0.1, 3.0))
    rewards = [reward.of(t) for t in (Trial(0, ANY, "failed"), far, slightly, done(9.0))]
    assert rewards == sorted(rewards)
    assert rewards[0] == -1
    assert rewards[2] < 0


def test_it_says_when_earlier_rewards_have_changed():
    reward = Reward()
    assert [reward.add(done(s)) for s in (1.0, 3.0, 2.0, 0.0)] == [True, True, False, True]
    ranks = Reward(scale="rank")
    changed = [ranks.add(done(float(s))) for s in range(200)]
    assert all(changed[:10])
    assert sum(changed[100:]) == pytest.approx(math.log(2) / math.log(1.1), abs=1.5)


def test_a_weighted_reward_decides_by_its_bounded_fitness():
    weighted = WeightedReward(Objectives.of([maximize("accuracy")]), {"accuracy": 1.0}, {"accuracy": (0.0, 1.0)})
    assert told(done(-0.1), done(-0.9), weighted=weighted).of(done(-0.5)) == pytest.approx(0.5 / 1.5)


def test_another_scale_is_refused():
    with pytest.raises(ValueError, match="scale must be 'range' or 'rank', got 'log'"):
        Reward(scale="log")
