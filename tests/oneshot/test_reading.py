"""Reading out: by removal, where probabilities mislead; and what nothing was learnt of."""

import pytest
import torch

from archwright import nn
from archwright.oneshot import Argmax, Perturbation, darts
from archwright.oneshot.logits import Logits
from archwright.oneshot.options import Options
from archwright.oneshot.session import Session
from archwright.space import Space, choice, integer, real
from archwright.testing.oneshot import toy_task


def space(*more):
    operation = choice(
        nn.Identity(), nn.Pool("avg", 3, 1, "same"), nn.ConvBlock(kernel=3), nn.ConvBlock(kernel=1), name="operation"
    )
    return Space(nn.Sequential(nn.ConvBlock(8, kernel=1), operation, *more, nn.Classifier(2)))


@pytest.fixture(scope="module")
def trained():
    """A supernet whose weights learnt under even gates, so that its gates know nothing yet."""
    session = Session("test", space(), toy_task(), Options(epochs=20), {}, share=0.5)
    logits = Logits(session.supernet, 0, 16)
    for step in session.steps():
        loss = session.loss([torch.full((4,), 0.25)], *session.batches.at(step))
        session.optimizer.zero_grad()
        loss.backward()
        session.descend()
    return session, logits


def test_perturbation_picks_the_operation_that_matters_where_the_gates_prefer_another(trained):
    session, logits = trained
    misled = [torch.tensor([0.4, 0.2, 0.2, 0.2])]
    assert torch.tensor(Argmax()(session, logits, misled)[0]).argmax() == 0
    assert torch.tensor(Perturbation(tune_epochs=0)(session, logits, misled)[0]).argmax() == 2


def test_perturbation_tunes_weights_between_decisions(trained):
    session, logits = trained
    even = [torch.full((4,), 0.25)]
    before = [p.detach().clone() for p in session.supernet.parameters()]
    Perturbation(tune_epochs=0)(session, logits, even)
    assert all(torch.equal(a, b) for a, b in zip(before, session.supernet.parameters(), strict=True))
    Perturbation(tune_epochs=1)(session, logits, even)
    assert not all(torch.equal(a, b) for a, b in zip(before, session.supernet.parameters(), strict=True))


def test_perturbation_skips_what_lies_beneath_options_not_chosen():
    inner = nn.ConvBlock(kernel=choice(1, 3, name="kernel"))
    nested = Space(
        nn.Sequential(nn.ConvBlock(4, kernel=1), choice(nn.Identity(), inner, name="operation"), nn.Classifier(2))
    )
    result = darts(nested, toy_task(), epochs=2, read=Perturbation(tune_epochs=0))
    assert result.architecture in nested


def test_of_decisions_that_cannot_be_relaxed_measurement_decides():
    result = darts(space(nn.Dropout(real(0.0, 0.9, name="p"))), toy_task(), epochs=4, top=3)
    scores = [r.metrics["accuracy"] for r in result.top]
    assert scores == sorted(scores, reverse=True)
    assert "2/p" not in result.probabilities


def test_depth_kernel_and_width_are_learnt_too():
    from archwright.space import repeat

    block = nn.ConvBlock(choice(4, 6, name="width"), kernel=choice(1, 3, name="kernel"))
    result = darts(
        Space(nn.Sequential(repeat(block, integer(1, 2, name="depth")), nn.Classifier(2))), toy_task(), epochs=2
    )
    assert {name.rsplit("/", 1)[-1] for name in result.logits} == {"depth", "width", "kernel"}
