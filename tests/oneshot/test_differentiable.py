"""The differentiable methods: what all promise, and what each paper says of its own."""

from dataclasses import replace

import pytest
import torch

from archwright import nn
from archwright.cost import measure
from archwright.errors import DataError, EvaluationError
from archwright.objective import at_most
from archwright.oneshot import (
    RECIPE,
    Eigenvalue,
    Entropy,
    ExpectedCost,
    Perturbation,
    Skips,
    beta_darts,
    bilevel,
    darts,
    drnas,
    gdas,
    pc_darts,
    snas,
)  # fmt: skip
from archwright.oneshot.gates import Softmax
from archwright.oneshot.logits import Logits
from archwright.oneshot.regularise import Moment
from archwright.oneshot.unrolled import unrolled_gradient
from archwright.space import Space, choice
from archwright.supernet import Supernet
from archwright.testing import OneShotContract
from archwright.testing.oneshot import toy_space, toy_task

METHODS = [darts, gdas, snas, pc_darts, drnas, beta_darts]


class TestDarts(OneShotContract):
    def run(self, space, task, **options):
        return darts(space, task, **options)


class TestSecondOrderDarts(OneShotContract):
    def run(self, space, task, **options):
        return darts(space, task, order=2, **options)


class TestGdas(OneShotContract):
    def run(self, space, task, **options):
        return gdas(space, task, **options)


class TestSnas(OneShotContract):
    def run(self, space, task, **options):
        return snas(space, task, **options)


class TestPcDarts(OneShotContract):
    def run(self, space, task, **options):
        return pc_darts(space, task, partial=2, **options)


class TestDrnas(OneShotContract):
    def run(self, space, task, **options):
        return drnas(space, task, **options)


class TestBetaDarts(OneShotContract):
    def run(self, space, task, **options):
        return beta_darts(space, task, **options)


def planted():
    """One operation sees neighbours in time, by which alone the waves are told apart."""
    operation = choice(
        nn.Identity(), nn.Pool("avg", 3, 1, "same"), nn.ConvBlock(kernel=3), nn.ConvBlock(kernel=1), name="operation"
    )
    return Space(nn.Sequential(nn.ConvBlock(8, kernel=1), operation, nn.Classifier(2)))


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.__name__)
def test_each_method_finds_the_operation_that_matters(method):
    partial = {"partial": 2} if method is pc_darts else {}
    result = method(planted(), toy_task(), epochs=30, seed=0, gate_lr=0.05, **partial)
    assert result.space.codes([result.architecture])[0].tolist() == [2]


def test_the_second_order_gradient_is_the_analytic_one_on_a_quadratic():
    # train = (w - a)^2 / 2 * k, held = (w - t)^2 / 2 with w' = w - r k (w - a): d held / da = (w' - t) r k
    w, a = torch.tensor([3.0], requires_grad=True), torch.tensor([1.0], requires_grad=True)
    k, t, rate = 2.0, -1.0, 0.1
    optimizer = torch.optim.SGD([w], lr=rate)
    loss, (gradient,) = unrolled_gradient(
        [w], [a], lambda: (k * (w - a) ** 2 / 2).sum(), lambda: ((w - t) ** 2 / 2).sum(), optimizer
    )
    stepped = 3.0 - rate * k * (3.0 - 1.0)
    assert loss.item() == pytest.approx((stepped - t) ** 2 / 2, rel=1e-5)
    assert gradient.item() == pytest.approx((stepped - t) * rate * k, rel=1e-3)
    assert w.item() == 3.0


def test_the_second_order_gradient_heeds_momentum_and_decay():
    w, a = torch.tensor([3.0], requires_grad=True), torch.tensor([1.0], requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9, weight_decay=0.5)
    optimizer.state[w]["momentum_buffer"] = torch.tensor([2.0])
    loss, _ = unrolled_gradient([w], [a], lambda: ((w - a) ** 2 / 2).sum(), lambda: (w * 1.0).sum(), optimizer)
    assert loss.item() == pytest.approx(3.0 - 0.1 * (2.0 + 0.5 * 3.0 + 0.9 * 2.0), rel=1e-5)


def test_the_second_order_gradient_differs_from_the_first_order_one_in_a_run():
    first, second = (darts(planted(), toy_task(), epochs=2, order=order) for order in (1, 2))
    assert first.logits != second.logits


def test_gates_do_not_learn_while_weights_warm_up():
    result = darts(planted(), toy_task(), epochs=4, warmup=0.5)
    assert "gate_loss" not in result.history[1].losses
    assert "gate_loss" in result.history[2].losses
    assert result.history[1].probabilities != result.history[3].probabilities


def test_beta_decay_keeps_gates_nearer_to_even():
    free = darts(planted(), toy_task(), epochs=15, gate_lr=0.05, gate_decay=0.0)
    damped = beta_darts(planted(), toy_task(), epochs=15, gate_lr=0.05)
    assert damped.history[-1].entropy > free.history[-1].entropy


def test_an_entropy_term_decides_the_gates():
    free = darts(planted(), toy_task(), epochs=15, gate_lr=0.05)
    pushed = darts(planted(), toy_task(), epochs=15, gate_lr=0.05, regularise=[Entropy(2.0)])
    assert pushed.history[-1].entropy < free.history[-1].entropy


def test_the_entropy_of_gates_falls_and_starts_near_one():
    history = darts(planted(), toy_task(), epochs=15, gate_lr=0.05).history
    assert history[0].entropy > 0.9
    assert history[-1].entropy < history[0].entropy


def test_the_gap_is_what_reading_out_loses():
    result = darts(planted(), toy_task(), epochs=5)
    assert result.gap == pytest.approx(result.soft - result.metrics["accuracy"])


def test_it_ends_early_for_a_sign_of_collapse_and_reads_the_gates_of_before():
    class AtThree:
        def __call__(self, history):
            return 2 if history[-1].epoch == 3 else None

        def __repr__(self):
            return "AtThree()"

    result = darts(planted(), toy_task(), epochs=10, gate_lr=0.05, stop=[AtThree()])
    assert len(result.history) == 3
    assert result.read_from == 2
    assert "AtThree() in epoch 3" in result.stopped
    best = max(range(4), key=lambda code: result.history[1].probabilities["operation"][code])
    assert result.space.codes([result.architecture])[0].tolist() == [best]


def test_eigenvalues_are_computed_where_they_are_watched():
    assert all(p.eigenvalue is None for p in darts(planted(), toy_task(), epochs=2).history)
    watched = darts(planted(), toy_task(), epochs=2, stop=[Eigenvalue()])
    assert all(p.eigenvalue is not None for p in watched.history)


def test_watching_changes_nothing_else():
    one, other = (
        darts(planted(), toy_task(), epochs=3),
        darts(planted(), toy_task(), epochs=3, stop=[Eigenvalue(), Skips(1.0)]),
    )
    assert one.logits == other.logits


def test_skips_are_counted():
    history = darts(planted(), toy_task(), epochs=2).history
    assert {p.skips for p in history} <= {0.0, 1.0}


def test_perturbation_reads_out_the_operation_that_matters():
    result = darts(planted(), toy_task(), epochs=20, read=Perturbation(tune_epochs=0.5))
    assert result.space.codes([result.architecture])[0].tolist() == [2]


def test_a_method_of_ones_own_is_a_call():
    result = bilevel("mine", toy_space(), toy_task(), gates=Softmax(), regularise=[Entropy()], epochs=1)
    assert result.algorithm == "mine"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"order": 3}, "order"),
        ({"share": 1.0}, "share"),
        ({"warmup": 1.0}, "warmup"),
        ({"epochs": 0}, "epochs"),
        ({"save_every": 0}, "save_every"),
        ({"top": 0}, "top"),
    ],
)
def test_settings_that_make_no_sense_are_errors(settings, told):
    with pytest.raises(ValueError, match=told):
        darts(toy_space(), toy_task(), **settings)


def test_second_order_needs_samples_held_out():
    with pytest.raises(ValueError, match="joint"):
        snas(toy_space(), toy_task(), order=2)


def test_batches_of_one_example_are_an_error():
    with pytest.raises(DataError, match="batches would be of 1 example"):
        darts(planted(), toy_task(), recipe=replace(RECIPE, batch_size=1))


def test_a_loss_that_is_not_finite_ends_it_with_what_to_do():
    with pytest.raises(EvaluationError, match="smaller lr"):
        gdas(planted(), toy_task(), epochs=10, recipe=replace(RECIPE, lr=1e30, clip_norm=0.0))


def test_gates_are_pulled_under_a_ceiling_while_they_learn():
    limit = 100  # less than the convolution that matters has
    free = darts(planted(), toy_task(), epochs=20, gate_lr=0.05, objectives=at_most(params=limit), cost_weight=0.0)
    held = darts(planted(), toy_task(), epochs=20, gate_lr=0.05, objectives=at_most(params=limit), cost_weight=10.0)
    expected = [r.history[-1].losses["expected_params"] for r in (free, held)]
    assert expected[0] > 1.5 * limit
    assert expected[1] < 1.2 * limit
    assert all(r.costs["params"] <= limit for r in (free, held))


def test_the_expected_cost_of_a_decided_gate_is_the_cost():
    supernet = Supernet(planted(), toy_task().input_shape)
    logits = Logits(supernet, 0, 16)
    for code, architecture in enumerate(planted()):
        with torch.no_grad():
            logits.values[0].copy_(torch.where(torch.arange(4) == code, 100.0, 0.0))
        term = ExpectedCost(supernet, supernet.table("params"), limit=50, weight=2.0)
        now = Moment(logits, Softmax(), 0.0, [0])
        params = measure(planted().build(architecture), toy_task().input_shape, ["params"])["params"]
        assert term.expected(now).item() == pytest.approx(params)
        assert term(now).item() == pytest.approx(2 * max(0, params / 50 - 1), rel=1e-5)
