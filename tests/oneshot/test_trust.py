"""How far shared weights can be trusted, measured."""

import pytest

from archwright.errors import EvaluationError
from archwright.evaluator import Recipe
from archwright.evaluator.zerocost.correlation import RankCorrelation
from archwright.oneshot import spos, trust
from archwright.oneshot.trust import _warnings
from archwright.testing.oneshot import toy_space, toy_task

RECIPE = Recipe(epochs=3, precision="float32", layout="contiguous")


@pytest.fixture(scope="module")
def trained():
    return spos(toy_space(), toy_task(), epochs=12, candidates=6)


def test_it_compares_a_sample_trained_alone_with_shared_weights(trained):
    found = trust(trained, n=8, recipe=RECIPE)
    assert len(found.sample) == 8
    assert len({trained.space.key(c.architecture) for c in found.sample}) == 8
    assert -1 <= found.correlation.low <= found.correlation.tau <= found.correlation.high <= 1
    assert found.correlation.n == 8
    assert found.top.tau != found.top.tau  # two architectures have no order to speak of
    assert "Kendall's tau" in str(found)
    assert found.metric == "accuracy"


def test_shared_weights_that_learnt_rank_better_than_chance(trained):
    # The convolution over time separates the classes, the others do not: both ways of measuring must see that.
    architectures = [a for a in toy_space() if a["operation"] != "Pool" and a["3/dropout"] == 0 and a["0/width"] == 8]
    found = trust(
        trained, architectures=architectures, recipe=Recipe(epochs=10, precision="float32", layout="contiguous")
    )
    assert found.correlation.tau > 0.3


def test_the_same_seed_is_the_same_sample_and_the_same_answer(trained):
    one, other = (trust(trained, n=4, recipe=RECIPE, seed=1) for _ in range(2))
    assert (one.sample, one.correlation) == (other.sample, other.correlation)
    assert trust(trained, n=4, recipe=RECIPE, seed=2).sample != one.sample


def correlation(tau, low=None):
    return RankCorrelation(tau, tau - 0.1 if low is None else low, tau + 0.1, 20)


def test_it_warns_where_the_parameter_count_ranks_as_well():
    assert _warnings(correlation(0.7), correlation(0.4), []) == ()
    assert "no better than their parameter count" in _warnings(correlation(0.4), correlation(0.5), [])[0]
    assert "do not choose by them" in _warnings(correlation(-0.1), correlation(-0.5), [])[0]
    assert "do not choose by them" in _warnings(correlation(float("nan")), correlation(0.1), [])[0]
    assert "includes 0" in _warnings(correlation(0.4, low=-0.1), correlation(0.1), [])[0]
    assert "2 architectures could not be measured" in _warnings(correlation(0.7), correlation(0.4), ["a", "b"])[0]


def test_too_few_are_an_error(trained):
    with pytest.raises(EvaluationError, match="3 are needed"):
        trust(trained, n=2, recipe=RECIPE)
    with pytest.raises(EvaluationError, match="3 are needed"):
        trust(trained, n=5, recipe=RECIPE, deadline_s=0.0)
