"""The evaluator `ZeroCost`, and what trainings say of proxies."""

import math
import pickle

import numpy as np
import pytest

import archwright as aw
from archwright import task
from archwright.errors import ArchwrightError, EvaluationError
from archwright.evaluator import Context, Recipe, Training, ZeroCost
from archwright.evaluator.zerocost import judge, rank_correlation, results_of
from archwright.space import Architecture
from archwright.trial import Proposal, Trial


@pytest.fixture(scope="module")
def digits():
    return task.load("digits")


@pytest.fixture(scope="module")
def convnet(digits):
    return digits.space()


def test_a_search_maximises_a_proxy_alone(convnet, digits):
    evaluate = ZeroCost(convnet, digits, ["naswot"])
    result = aw.search(
        space=convnet,
        evaluate=evaluate,
        objectives=[aw.maximize("naswot"), aw.at_most(params="5k")],
        trials=8,
        progress=False,
    )
    done = [t for t in result.trials if t.status == "done"]
    assert {t.status for t in result.trials} <= {"done", "infeasible"}
    assert result.best.metrics["naswot"] == max(t.measurement.metrics["naswot"] for t in done)
    assert all(t.measurement.costs["params"] <= 5000 for t in done)


def test_an_evaluation_is_a_function_of_architecture_and_seed(convnet, digits):
    evaluate = ZeroCost(convnet, digits, ["snip", "params", "zen", "az_nas"], reference=4)
    architecture = convnet.sample(np.random.default_rng(1))
    first = evaluate(Proposal(architecture), 7, Context())
    again = pickle.loads(pickle.dumps(evaluate))(Proposal(architecture), 7)
    assert first == again
    assert list(first.metrics) == ["snip", "params", "zen", "az_nas"]
    assert first.costs["params"] == first.metrics["params"]
    assert evaluate(Proposal(architecture), 8).metrics["snip"] != first.metrics["snip"]
    assert evaluate.score(architecture) == evaluate.score(architecture)
    assert list(evaluate.look(architecture).ms) == list(first.metrics)


def test_the_network_is_the_one_that_training_begins_with(convnet, digits):
    architecture = convnet.sample(np.random.default_rng(1))
    recipe = Recipe(epochs=1, lr=1e-12, weight_decay=0.0, precision="float32", layout="contiguous")
    trained, _ = Training(convnet, digits, recipe).fit(architecture, seed=5)
    norm = sum(p.norm().item() for p in trained.parameters() if p.dim() > 1)
    found = ZeroCost(convnet, digits, "l2_norm")(Proposal(architecture), 5).metrics["l2_norm"]
    assert found == pytest.approx(norm, rel=1e-5)


def test_what_is_missing_is_told_and_a_missing_value_in_a_score():
    data = task.load("breast_cancer")
    space = data.space("mlp")
    evaluate = ZeroCost(space, data, ["naswot", "params"])
    sampled = space.sample(np.random.default_rng(0), 200)
    regression = next(a for a in sampled if a["hidden/times"] == a["residual/times"] == 0)
    measured = evaluate(Proposal(regression), 0)
    assert list(measured.metrics) == ["params"]
    assert "no activation" in measured.extra["not_computed"]["naswot"]
    assert math.isnan(evaluate.score(regression)["naswot"])
    with pytest.raises(EvaluationError, match="no activation"):
        ZeroCost(space, data, ["naswot"])(Proposal(regression), 0)
    with pytest.raises(EvaluationError, match="no activation"):
        evaluate.value(regression)
    assert ZeroCost(space, data, ["params"]).value(regression) == measured.metrics["params"]
    rank = ZeroCost(space, data, ["az_nas"], reference=3)
    assert math.isnan(rank.score(regression)["az_nas"])


def test_a_network_that_cannot_be_built_scores_nothing(digits):
    space = aw.Space(aw.nn.Sequential(aw.nn.MaxPool(aw.choice(2, 64, name="window")), aw.nn.Classifier(10)))
    wrong = space.architecture({"window": 64})
    assert all(math.isnan(v) for v in ZeroCost(space, digits, ["snip", "az_nas"], reference=2).score(wrong).values())
    with pytest.raises(ArchwrightError):
        ZeroCost(space, digits)(Proposal(wrong), 0)


def test_the_rank_is_high_for_the_better_of_the_reference(convnet, digits):
    ranks = ZeroCost(convnet, digits, ["expressivity", "az_nas"], reference=8)
    found = [ranks.score(a) for a in convnet.sample(np.random.default_rng(3), 8)]
    assert all(-4 * math.log(9) - 1e-9 <= one["az_nas"] <= 0 for one in found)
    assert len({one["az_nas"] for one in found}) > 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"proxies": ["nasswot"]}, "Did you mean 'naswot'"),
        ({"proxies": []}, "name at least one"),
        ({"batch_size": 1}, "2 or more"),
        ({"reference": 0}, "1 or more"),
    ],
)
def test_bad_arguments_are_refused(convnet, digits, arguments, said):
    with pytest.raises(EvaluationError, match=said):
        ZeroCost(convnet, digits, **arguments)


# Rank correlation


def tau_b(x, y):
    """Kendall's tau-b, pair by pair."""
    signs = [(np.sign(x[i] - x[j]), np.sign(y[i] - y[j])) for i in range(len(x)) for j in range(i)]
    together = sum(a * b for a, b in signs)
    return together / math.sqrt(sum(a != 0 for a, _ in signs) * sum(b != 0 for _, b in signs))


def test_tau_is_that_of_pairs_with_ties():
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = rng.integers(0, 6, 15), rng.integers(0, 6, 15)
        assert rank_correlation(x, y, resamples=10).tau == pytest.approx(tau_b(x, y))


def test_tau_knows_order_alone_and_leaves_out_what_is_missing():
    x, y = np.random.default_rng(1).normal(size=(2, 30))
    found = rank_correlation(x, y)
    assert rank_correlation(np.exp(x), y**3) == found
    assert rank_correlation(-x, y).tau == -found.tau
    assert rank_correlation([*x, math.nan], [*y, 5.0]) == found
    assert rank_correlation(x, x).tau == pytest.approx(1)
    assert found.n == 30
    assert found.low < found.tau < found.high


def test_a_constant_and_too_few_have_no_tau():
    assert math.isnan(rank_correlation([1, 1, 1], [1, 2, 3]).tau)
    assert math.isnan(rank_correlation([1], [1]).tau)
    assert rank_correlation([], []).n == 0
    with pytest.raises(EvaluationError, match="2 values and 1 results"):
        rank_correlation([1, 2], [1])


def test_the_interval_covers_the_true_tau():
    # For normal variables of correlation r, tau is 2/pi asin(r). Of 100 intervals at 95%, fewer than 85 cover with odds
    # below 1 in 10,000; the bootstrap of 40 pairs may lose a few per cent more.
    r, hits = 0.5, 0
    truth = 2 / math.pi * math.asin(r)
    for seed in range(100):
        x, noise = np.random.default_rng(seed).normal(size=(2, 40))
        found = rank_correlation(x, r * x + math.sqrt(1 - r * r) * noise, resamples=300)
        hits += found.low <= truth <= found.high
    assert hits >= 82


def test_a_proxy_is_dropped_when_it_is_not_positive_after_ten_trainings():
    results = list(np.random.default_rng(0).normal(size=10))
    scores = [{"good": r, "bad": -r, "constant": 1.0, "absent": math.nan} for r in results]
    assert {j.proxy: j.verdict for j in judge(scores, results)} == {
        "good": "kept",
        "bad": "dropped",
        "constant": "dropped",
        "absent": "dropped",
    }
    early = judge(scores[:9], results[:9])
    assert {j.verdict for j in early} == {"undecided"}
    assert all(j.in_use for j in early)
    assert [j.in_use for j in judge(scores, results)] == [True, False, False, False]
    assert [j.verdict for j in judge(scores[:9], results[:9], least=5)][:2] == ["kept", "dropped"]


def trial(number, x, score, *, epochs=None, status="done", key=""):
    proposal = Proposal(Architecture({"x": x}), epochs=epochs)
    return Trial(number, proposal, status, scores=None if score is None else (score,), key=key)


def test_results_are_those_of_the_longest_trainings_of_each_function():
    trials = [
        trial(0, 1, -0.5, epochs=3),
        trial(1, 2, -0.9, key="same"),
        trial(2, 3, -0.7, key="same"),
        trial(3, 4, None, status="failed"),
        trial(4, 1, -0.8, epochs=9),
        trial(5, 5, None, status="infeasible"),
    ]
    found = results_of(trials)
    assert [a["x"] for a in found] == [1, 2]
    assert list(found.values()) == pytest.approx([0.8, 0.8])


def test_judging_a_search_is_two_lines(convnet, digits):
    result = aw.search(
        space=convnet, evaluate=ZeroCost(convnet, digits, ["params"]), objectives=aw.minimize("params"), trials=12,
        progress=False,
    )  # fmt: skip
    results = results_of(result.trials)
    looker = ZeroCost(convnet, digits, ["params", "l2_norm"])
    params, norm = judge([looker.score(a) for a in results], list(results.values()))
    assert params.correlation.tau == pytest.approx(-1)  # the goal was to make it small
    assert params.verdict == norm.verdict == "dropped"
