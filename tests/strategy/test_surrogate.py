"""What the Gaussian-process strategy is made of: posterior, acquisition, candidates, costs."""

import numpy as np
from scipy.integrate import quad
from scipy.optimize import check_grad
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import DotProduct, Matern, WhiteKernel

from archwright.objective import Objectives, at_most, hypervolume, minimize
from archwright.space import Space, choice, real
from archwright.space.narrowing import fitting, narrowed
from archwright.strategy.surrogate.acquisition import expected_hypervolume_improvement, expected_improvement
from archwright.strategy.surrogate.costs import KnownCosts
from archwright.strategy.surrogate.linear import LinearBelief
from archwright.strategy.surrogate.model import History, begins, fits
from archwright.strategy.surrogate.pool import edited
from archwright.strategy.surrogate.process import JITTER, Belief, Hyperparameters, fit, gaussianised
from archwright.testing.strategy import CAPPED, TOY

H = Hyperparameters(np.array([0.5, 0.5, 2.0]), 0.3, 0.1)


def data(n=25, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    return x, np.sin(x[:, 0]) + x[:, 1] ** 2 + 0.1 * rng.normal(size=n), rng.normal(size=(40, 3))


def test_the_posterior_is_that_of_sklearn():
    x, y, at = data()
    belief = Belief(at, H)
    belief.observe(x)
    scaled = np.sqrt(H.weights)
    linear = np.sqrt(H.linear / H.weights.sum())
    both = Matern(1.0, nu=2.5) + DotProduct(sigma_0=1e-9) * linear**2 + WhiteKernel(H.noise + JITTER)
    reference = GaussianProcessRegressor(both, optimizer=None, alpha=0).fit(x * scaled, y)
    mean, deviation = reference.predict(at * scaled, return_std=True)
    np.testing.assert_allclose(belief.mean(y), mean, atol=1e-8)
    ours = belief.deviation(y) ** 2 / belief.amplitude(y) + H.noise + JITTER
    np.testing.assert_allclose(ours, deviation**2, atol=1e-8)
    np.testing.assert_allclose(belief.smoothed(y), belief.elsewhere(x, y), atol=1e-8)


def test_one_observation_at_a_time_is_as_good_as_all_at_once():
    x, y, at = data(60)
    whole, grown = Belief(at, H), Belief(at[:1], H)
    whole.observe(x)
    for part in np.split(x, [1, 2, 5, 40]):
        grown.observe(part)
    moved = grown.moved(at)
    np.testing.assert_allclose(moved.mean(y), whole.mean(y), atol=1e-8)
    np.testing.assert_allclose(moved.deviation(y), whole.deviation(y), atol=1e-8)


def test_a_copy_learns_without_its_original():
    x, y, at = data(12)
    belief = Belief(at, H)
    belief.observe(x[:10])
    before = belief.mean(y[:10]), belief.deviation(y[:10])
    other = belief.copy()
    other.observe(x[10:])
    np.testing.assert_array_equal(before, (belief.mean(y[:10]), belief.deviation(y[:10])))
    assert (other.deviation(y) / np.sqrt(other.amplitude(y)) < before[1] / np.sqrt(belief.amplitude(y[:10]))).all()


def test_believing_what_is_expected_changes_no_expectation_and_lessens_doubt():
    x, y, at = data(12)
    belief = Belief(at, H)
    belief.observe(x)
    believer = belief.copy()
    believer.observe(at[:2])
    believed = np.concatenate([y, belief.elsewhere(at[:2], y)])
    np.testing.assert_allclose(believer.mean(believed), belief.mean(y), atol=1e-8)
    assert (believer.deviation(believed)[:2] < 0.6 * belief.deviation(y)[:2]).all()


def test_the_gradient_of_the_marginal_likelihood_is_right(monkeypatch):
    x, y, _ = data()
    seen = []
    monkeypatch.setattr("scipy.optimize.minimize", lambda loss, start, **more: seen.append(loss) or Point(start))
    fit(x, y, [slice(0, 2), slice(2, 3)])
    (loss,) = seen
    for seed in range(3):
        at = np.random.default_rng(seed).normal(-1, 1, size=4)
        assert check_grad(lambda p: loss(p)[0], lambda p: loss(p)[1], at) < 1e-4


class Point:
    def __init__(self, x):
        self.x = x


def test_the_fit_finds_which_features_matter():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 4)) / np.sqrt(2)
    h = fit(x, gaussianised(np.sin(3 * x[:, 0])), [slice(0, 2), slice(2, 4)])
    assert h.weights[0] > 5 * h.weights[2]
    assert h.weights[0] == h.weights[1]


def test_the_linear_model_is_near_the_exact_one():
    x, y, at = data(80)
    exact, linear = Belief(at, H), LinearBelief(at, H, waves=4096)
    exact.observe(x)
    for part in np.split(x, [60, 61]):
        linear.observe(part)
    assert np.corrcoef(exact.mean(y), linear.mean(y))[0, 1] > 0.99
    assert abs(np.log(exact.deviation(y) / linear.deviation(y))).mean() < 0.15
    np.testing.assert_allclose(linear.elsewhere(x, y), linear.smoothed(y), atol=1e-6)
    np.testing.assert_allclose(linear.moved(at[:7]).deviation(y), linear.deviation(y)[:7], rtol=1e-5)


def test_the_linear_model_takes_many_at_once_as_one_by_one():
    x, y, at = data(120)
    whole, grown = LinearBelief(at, H, waves=64), LinearBelief(at, H, waves=64)
    whole.observe(x)
    for row in x:
        grown.observe(row[None, :])
    np.testing.assert_allclose(whole.mean(y), grown.mean(y), atol=1e-6)
    np.testing.assert_allclose(whole.deviation(y), grown.deviation(y), rtol=1e-4)


def test_expected_improvement_is_its_integral():
    for mean, deviation, best in ((0.0, 1.0, 0.5), (2.0, 0.3, 1.0), (-1.0, 2.0, -1.5)):
        exact = quad(lambda f: max(best - f, 0) * norm.pdf(f, mean, deviation), -20, best)[0]
        ours = expected_improvement(np.array([mean]), np.array([deviation]), best)
        np.testing.assert_allclose(ours, exact, rtol=1e-6)
    assert expected_improvement(np.array([1.0, 3.0]), np.zeros(2), 2.0).tolist() == [1.0, 0.0]


def test_expected_hypervolume_improvement_is_its_mean():
    front = np.array([[0.0, 3.0], [1.0, 1.0], [3.0, 0.0]])
    reference = np.array([4.0, 4.0])
    mean, deviation = np.array([[0.5, 0.5], [2.0, 3.0], [0.2, 2.0]]), np.array([[0.5, 0.4], [1.0, 1.0], [0.7, 0.0]])
    ours = expected_hypervolume_improvement(mean, deviation, front, reference)
    rng = np.random.default_rng(0)
    before = hypervolume(front, reference)
    for m, s, found in zip(mean, deviation, ours, strict=True):
        gains = [hypervolume(np.vstack([front, m + s * z]), reference) - before for z in rng.normal(size=(3000, 2))]
        # The mean is more than 5 standard errors off in 6 of 10 million runs.
        assert abs(np.mean(gains) - found) < 5 * np.std(gains) / np.sqrt(3000)


def test_normal_scores_depend_on_ranks_alone():
    y = np.array([3.0, 1.0, 2.0, 2.0])
    np.testing.assert_array_equal(gaussianised(y), gaussianised(np.exp(9 * y)))
    assert gaussianised(y)[2] == gaussianised(y)[3]
    assert abs(gaussianised(y).mean()) < 1e-12


def test_models_begin_less_and_less_often():
    assert [fits(n) for n in (1, 7, 20, 21, 22, 23, 24)] == [1, 7, 20, 20, 22, 22, 24]
    assert len({fits(n) for n in range(2001)}) < 80
    history = History()
    for i in range(400):
        history.add(np.zeros(2), (-float(i == 333),), {}, excused=True)
    starts = {begins(history, n, whole=False) for n in range(1, 335)} | {begins(history, 399, whole=False)}
    assert 334 in starts
    assert len([s for s in starts if s > 200]) < 70


def test_edits_change_one_live_decision_and_what_it_switches_on():
    rng = np.random.default_rng(0)
    codes = TOY.sample_codes(rng, 500)
    after = edited(TOY.decisions, codes, rng)
    for before, now in zip(codes, after, strict=True):
        TOY.check(TOY.architecture(now))
        changed = [TOY.decisions[i].name for i in np.flatnonzero(before != now)]
        assert len(changed) == 1 or "layers/times" in changed


def test_costs_are_those_of_the_architecture_and_not_of_another_that_computes_the_same():
    # What the zero receives is never seen, so the layer before it leaves no trace in the function, but has parameters.
    from archwright import nn

    space = Space(nn.Cell(*nn.edges([nn.Zero(), nn.Identity(), nn.ConvBlock(kernel=3)], nodes=3)))
    bare = space.codes([space.architecture({"0->1": "Zero", "0->2": "Identity", "1->2": "Zero"})])[0]
    full = space.codes([space.architecture({"0->1": "ConvBlock", "0->2": "Identity", "1->2": "Zero"})])[0]
    assert space.keys(np.array([bare, full]))[0] == space.keys(np.array([bare, full]))[1]
    known = KnownCosts(space, lambda a: {"params": float(sum(v == "ConvBlock" for v in a.values()))}, CAPPED)
    assert [known.of(codes)["params"] for codes in (bare, full, bare)] == [0, 1, 0]


WIDTHS = Space(
    {
        "width": choice(64, 4, 16, 8, 32, name="width"),  # in any order
        "kernel": choice(1, 3, 5),
        "letter": choice(*"abcdef"),
        "share": real(0.0, 1.0),
    }
)


def test_narrowing_lowers_widths_alone():
    decisions = WIDTHS.decisions
    names = [d.name for d in decisions]
    codes = WIDTHS.sample_codes(np.random.default_rng(0), 400)
    lower = narrowed(decisions, codes, np.random.default_rng(1).integers(5, size=len(codes)))
    at = names.index("width")
    before, after = (np.array([decisions[at].values[c] for c in rows[:, at]]) for rows in (codes, lower))
    assert (after <= before).all()
    assert set(after[before == 64]) == {4, 8, 16, 32, 64}
    others = [i for i in range(len(names)) if i != at]
    assert (lower[:, others] == codes[:, others]).all()


def wide(architecture):
    return {"params": float(architecture["width"] * architecture["kernel"])}


def test_what_is_above_a_ceiling_becomes_as_wide_as_fits():
    known = KnownCosts(WIDTHS, wide, Objectives.of([minimize("loss"), at_most(params=50)]))
    for codes in WIDTHS.sample_codes(np.random.default_rng(0), 60):
        found = fitting(WIDTHS.decisions, codes, known.fits)
        before, after = WIDTHS.architecture(codes), WIDTHS.architecture(found)
        assert after["kernel"] == before["kernel"]
        assert after["width"] == max(
            w for w in (4, 8, 16, 32, 64) if w <= before["width"] and w * after["kernel"] <= 50
        )
    assert fitting(WIDTHS.decisions, codes, lambda c: False) is None


def test_costs_that_are_counted_are_features():
    known = KnownCosts(WIDTHS, wide, Objectives.of([minimize("loss"), at_most(params=50)]))
    codes = known.fitted(WIDTHS.sample_codes(np.random.default_rng(3), 300))
    assert (known.together(codes)["params"] <= 50).all()
    (column,) = known.features(codes).T
    assert abs(column.mean()) < 0.3
    assert 0.5 < column.std() < 2
    assert (np.argsort(column, kind="stable") == np.argsort(known.together(codes)["params"], kind="stable")).all()
