"""What gates are, as the papers say it."""

import pytest
import torch

from archwright.oneshot import Anchor, Concrete, Dirichlet, Gumbel, Softmax
from archwright.oneshot.logits import Logits
from archwright.oneshot.regularise import Moment, entropy
from archwright.space import Space, choice, real, searchable
from archwright.supernet import Supernet

LOGITS = torch.tensor([1.0, 0.0, -1.0])
MAKERS = [Softmax(), Gumbel(), Concrete(), Dirichlet()]


def draws(maker, n, progress=0.5, logits=LOGITS):
    generator = torch.Generator().manual_seed(0)
    return torch.stack([maker(logits, progress, generator) for _ in range(n)])


@pytest.mark.parametrize("maker", MAKERS, ids=lambda m: type(m).__name__)
def test_gates_are_shares(maker):
    for progress in (0.0, 0.5, 1.0):
        found = draws(maker, 50, progress)
        assert (found >= 0).all()
        torch.testing.assert_close(found.sum(1), torch.ones(50))
        torch.testing.assert_close(maker.probabilities(LOGITS).sum(), torch.tensor(1.0))


@pytest.mark.parametrize("maker", MAKERS, ids=lambda m: type(m).__name__)
def test_gradients_reach_every_logit(maker):
    logits = LOGITS.clone().requires_grad_(True)
    gates = maker(logits, 0.5, torch.Generator().manual_seed(1))
    (gates * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert (logits.grad != 0).all()


@pytest.mark.parametrize("maker", MAKERS, ids=lambda m: type(m).__name__)
def test_a_generator_in_the_same_state_makes_the_same_gates(maker):
    assert torch.equal(draws(maker, 5), draws(maker, 5))


def test_gumbel_gates_are_one_hot_exactly():
    found = draws(Gumbel(), 100)
    assert (found == 0).sum() == 200
    torch.testing.assert_close(found.max(1).values, torch.ones(100))


def test_gumbel_draws_have_the_probabilities_of_the_softmax():
    n = 4000
    share = (draws(Gumbel(), n) > 0.5).float().mean(0)
    expected = LOGITS.softmax(0)
    # Five deviations of a binomial: chance fails it once in 1.7 million times, a value.
    assert ((share - expected).abs() < 5 * (expected * (1 - expected) / n).sqrt()).all()


def test_the_temperature_of_gumbel_gates_changes_gradients_not_draws():
    hot, cold = draws(Gumbel(10, 10), 50), draws(Gumbel(0.1, 0.1), 50)
    assert torch.equal(hot > 0.5, cold > 0.5)


def test_concrete_gates_become_one_hot_as_the_temperature_falls():
    tops = [draws(Concrete(t, t), 300).max(1).values.mean() for t in (5.0, 1.0, 0.1, 0.01)]
    assert tops == sorted(tops)
    assert tops[-1] > 0.99
    assert tops[0] < 0.6


def test_concrete_gates_anneal_from_start_to_end():
    hard = draws(Concrete(1.0, 0.01), 100, progress=1.0)
    assert hard.max(1).values.mean() > 0.98
    torch.testing.assert_close(draws(Concrete(1.0, 0.01), 20, progress=0.0), draws(Concrete(1.0, 1.0), 20))


def test_dirichlet_gates_have_the_mean_of_their_concentrations():
    n = 4000
    found = draws(Dirichlet(), n)
    concentrations = torch.nn.functional.elu(LOGITS) + 1
    mean = concentrations / concentrations.sum()
    deviation = (mean * (1 - mean) / (concentrations.sum() + 1) / n).sqrt()
    assert ((found.mean(0) - mean).abs() < 5 * deviation + 1e-3).all()


def test_the_gradient_of_dirichlet_gates_is_that_of_their_mean():
    # d E[g] / d logits by draws against the derivative of the mean: pathwise gradients are unbiased.
    logits = LOGITS.clone().requires_grad_(True)
    generator = torch.Generator().manual_seed(0)
    total = torch.stack([Dirichlet()(logits, 0.0, generator)[0] for _ in range(4000)]).mean()
    (drawn,) = torch.autograd.grad(total, logits)
    (exact,) = torch.autograd.grad(Dirichlet().probabilities(logits)[0], logits)
    torch.testing.assert_close(drawn, exact, atol=0.02, rtol=0)


def test_temperatures_must_be_above_zero():
    for maker in (Gumbel, Concrete):
        with pytest.raises(ValueError, match="above 0"):
            maker(1.0, 0.0)


def test_entropy_is_one_where_nothing_is_decided_and_zero_where_all_is():
    assert entropy([torch.full((5,), 0.2), torch.full((2,), 0.5)]).item() == pytest.approx(1)
    assert entropy([torch.tensor([0.0, 1.0])]).item() == pytest.approx(0, abs=1e-6)
    assert entropy([]).item() == 0


@pytest.fixture
def supernet():
    from archwright import nn

    block = searchable(nn.Sequential)
    wide = nn.ConvBlock(
        choice(*range(4, 10), name="width"),
        kernel=choice(1, 3, 5, name="kernel"),
        activation=choice("relu", "silu", "tanh"),
    )
    return Supernet(Space(block(wide, nn.Dropout(real(0.0, 0.5, name="p")), nn.Classifier(2))), (1, 8))


def test_decisions_that_cannot_be_soft_are_drawn(supernet):
    logits = Logits(supernet, seed=0, combinations=16)
    names = [d.name for d in supernet.space.decisions]
    assert {names[i].rsplit("/", 1)[-1] for i in logits.single} == {"width", "kernel", "activation"}
    assert [names[i].rsplit("/", 1)[-1] for i in logits.hard] == ["p"]
    gates = logits.gates(Softmax(), 0.0, torch.Generator().manual_seed(0))
    for i in logits.single:
        assert int((gates[i] != 0).sum()) == 1
    assert isinstance(gates[logits.hard[0]], int)
    loss = supernet(torch.randn(4, 1, 8), gates).square().sum()
    loss.backward()
    assert all(v.grad is not None and (v.grad != 0).all() for v in logits.values)


def test_decisions_of_few_combinations_are_soft(supernet):
    logits = Logits(supernet, seed=0, combinations=64)
    assert logits.single == frozenset()


def test_an_anchor_is_for_dirichlet_gates(supernet):
    logits = Logits(supernet, seed=0, combinations=16)
    assert Anchor(1.0)(Moment(logits, Dirichlet(), 0.0, [])).item() == pytest.approx(0, abs=1e-3)
    with pytest.raises(ValueError, match="Dirichlet"):
        Anchor()(Moment(logits, Softmax(), 0.0, []))


def test_decisions_whose_values_make_what_cannot_be_added_are_drawn():
    from archwright import nn

    parts = (
        nn.ConvBlock(4, kernel=choice(1, 3, name="kernel")),
        choice(nn.Identity(), nn.MaxPool(2), name="halve"),
        choice(nn.Identity(), nn.ConvBlock(kernel=3), name="operation"),
        nn.Classifier(2),
    )
    logits = Logits(Supernet(Space(nn.Sequential(*parts)), (1, 8)), seed=0, combinations=16)
    names = [d.name.rsplit("/", 1)[-1] for d in logits.space.decisions]
    assert {names[i] for i in logits.single} == {"halve"}
    assert {names[i] for i in logits.learnt} == {"kernel", "halve", "operation"}
