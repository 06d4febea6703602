"""Signs of collapse."""

import pytest
import torch

from archwright import nn
from archwright.oneshot import Eigenvalue, Point, Skips
from archwright.oneshot.collapse import largest_eigenvalue, skip_codes, skip_share
from archwright.space import Space, choice


def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("eigenvalues", [(5.0, 2.0, 1.0), (-7.0, 2.0, 1.0), (-7.0, -2.0, -1.0), (3.0, -2.9, 0.0)])
def test_the_largest_eigenvalue_is_found_whatever_the_signs(eigenvalues):
    basis, _ = torch.linalg.qr(torch.randn(3, 3, generator=generator(), dtype=torch.float64))
    matrix = basis @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ basis.T
    values = [
        torch.zeros(2, dtype=torch.float64, requires_grad=True),
        torch.zeros(1, dtype=torch.float64, requires_grad=True),
    ]

    def loss():
        x = torch.cat(values)
        return x @ matrix @ x / 2

    found = largest_eigenvalue(loss, values, draws=generator(), steps=400)
    assert found == pytest.approx(max(eigenvalues), abs=1e-3)


def test_values_that_the_loss_does_not_use_are_left_out():
    used, unused = (torch.ones(2, requires_grad=True) for _ in range(2))
    assert largest_eigenvalue(lambda: 2 * used.square().sum(), [used, unused], draws=generator()) == pytest.approx(4)
    assert largest_eigenvalue(lambda: used.sum(), [used], draws=generator()) == 0


def points(**columns):
    length = len(next(iter(columns.values())))
    return [Point(i + 1, {}, **{k: v[i] for k, v in columns.items()}) for i in range(length)]


def test_an_eigenvalue_that_grows_fast_ends_it_and_leads_back_by_the_window():
    stop = Eigenvalue(ratio=0.75, window=2)
    assert stop(points(eigenvalue=[1.0, 1.0, 1.1])) is None
    assert stop(points(eigenvalue=[1.0, 1.0, 1.2, 1.3])) is None
    assert stop(points(eigenvalue=[1.0, 1.0, 1.5, 1.6])) == 2
    assert stop(points(eigenvalue=[3.0, 3.0, 1.5, 1.6])) is None


def test_too_many_skips_end_it_and_lead_back_to_the_epoch_before():
    stop = Skips(0.25)
    assert stop(points(skips=[0.0, 0.25])) is None
    assert stop(points(skips=[0.0, 0.25, 0.5])) == 2
    assert stop(points(skips=[1.0])) == 1
    assert stop(points(skips=[None])) is None


def test_identities_are_recognised_among_options():
    space = Space(
        nn.Sequential(
            choice(nn.ConvBlock(kernel=3), nn.Identity(), name="a"),
            choice(nn.ConvBlock(kernel=3), nn.ConvBlock(kernel=1), name="b"),
            choice(torch.nn.Identity(), nn.ConvBlock(kernel=1), name="c"),
            nn.Classifier(choice(2, 3, name="n")),
        )
    )
    names = [d.name for d in space.decisions]
    assert {names[i].rsplit("/", 1)[-1]: codes for i, codes in skip_codes(space).items()} == {"a": {1}, "c": {0}}


def test_the_share_of_skips_is_over_decisions_that_have_one():
    probabilities = [torch.tensor([0.4, 0.6]), torch.tensor([0.9, 0.1]), torch.tensor([0.9, 0.1])]
    assert skip_share({0: {1}, 2: {1}}, probabilities) == 0.5
    assert skip_share({}, probabilities) is None
