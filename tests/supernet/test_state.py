"""A supernet depends on its space, shape and seed, and on nothing that was run before."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch

from archwright import Space, choice, nn, repeat
from archwright.supernet import Supernet


@pytest.fixture(scope="module")
def space():
    return Space(
        nn.Sequential(
            nn.ConvBlock(choice(4, 8), choice(3, 5), init=choice("default", "kaiming")),
            repeat(nn.Residual(nn.ConvBlock(kernel=choice(1, 3), dropout=0.2)), (0, 2), name="deep"),
            nn.Cell(*nn.edges([nn.Identity(), nn.ConvBlock(), nn.SeparableBlock()], nodes=3)),
            nn.Classifier(3),
        )
    )


SHAPE = (2, 6, 6)
X = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(0))


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return list(a) == list(b) and all(torch.equal(a[k], b[k]) for k in a)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(space):
    torch.manual_seed(1)
    first = Supernet(space, SHAPE, seed=3)
    torch.manual_seed(2)
    assert same(first, Supernet(space, SHAPE, seed=3))
    assert not same(first, Supernet(space, SHAPE, seed=4))


def test_torchs_generator_is_left_alone(space):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    supernet = Supernet(space, SHAPE).eval()
    for architecture in space.sample(np.random.default_rng(0), 5):
        supernet(X, architecture)
        supernet.subnet(architecture, batches=[X])
    supernet.sharing()
    supernet.expected([torch.full((d.size,), 1 / d.size) for d in space.decisions], supernet.table("macs"))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_initial_scale_is_that_of_the_layers_own_initialiser(space):
    weight = Supernet(Space(nn.Linear(64, choice(32, 256, name="n"))), (64,)).subnet
    narrow = weight(Space(nn.Linear(64, choice(32, 256, name="n"))).architecture([0])).weight
    assert narrow.std().item() == pytest.approx(torch.nn.Linear(64, 32).weight.std().item(), rel=0.1)


def test_what_was_run_before_changes_no_result(space):
    architectures = space.sample(np.random.default_rng(0), 12)
    first, second = Supernet(space, SHAPE), Supernet(space, SHAPE)
    first.eval(), second.eval()
    for architecture in reversed(architectures):
        second(X, architecture)
    for architecture in architectures:
        assert torch.equal(first(X, architecture), second(X, architecture))
        first.train(), second.train()
        torch.manual_seed(0)
        a = first(X, architecture)
        torch.manual_seed(0)
        assert torch.equal(a, second(X, architecture))
        first.eval(), second.eval()
    assert same(first, second)


def test_a_state_dict_goes_round(space):
    first, second = Supernet(space, SHAPE, seed=0), Supernet(space, SHAPE, seed=1)
    for architecture in space.sample(np.random.default_rng(0), 5):
        first(X, architecture)
        second(X, architecture)
    second.load_state_dict(first.state_dict())
    assert same(first, second)
    architecture = next(iter(space))
    assert torch.equal(first.eval()(X, architecture), second.eval()(X, architecture))


def through_pickle(supernet):
    return pickle.loads(pickle.dumps(supernet))


def through_torch(supernet):
    file = io.BytesIO()
    torch.save(supernet, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("way", [through_pickle, through_torch, copy.deepcopy])
def test_a_supernet_survives_the_way(space, way):
    supernet = Supernet(space, SHAPE)
    for architecture in space.sample(np.random.default_rng(0), 3):
        supernet(X, architecture).sum().backward()
    supernet.eval()
    other = way(supernet)
    assert same(supernet, other)
    assert not other.root.training
    for architecture in other.space.sample(np.random.default_rng(1), 5):
        assert torch.equal(supernet(X, architecture), other(X, architecture))
        torch.testing.assert_close(other.subnet(architecture)(X), other(X, architecture))
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    assert not same(supernet, other)


def test_all_parameters_are_there_from_the_start_and_an_optimizer_moves_only_the_path(space):
    supernet = Supernet(space, SHAPE)
    names = list(supernet.state_dict())
    optimizer = torch.optim.SGD(supernet.parameters(), 0.1)
    before = {n: p.detach().clone() for n, p in supernet.named_parameters()}
    architecture = space.architecture({d.name: d.value(0) for d in space.decisions if not d.conditions})
    supernet(X, architecture).square().sum().backward()
    optimizer.step()
    moved = {n for n, p in supernet.named_parameters() if not torch.equal(p, before[n])}
    assert moved
    assert list(supernet.state_dict()) == names
    # Width 4 of 8: the other channels' filters stay.
    first = next(n for n in before if n.endswith("0_weight"))
    change = (dict(supernet.named_parameters())[first] - before[first]).abs().flatten(1).sum(1)
    assert (change[:4] > 0).all()
    assert (change[4:] == 0).all()


def test_double_precision_works(space):
    supernet = Supernet(space, SHAPE).double().eval()
    for architecture in space.sample(np.random.default_rng(0), 3):
        network = supernet.subnet(architecture)
        torch.testing.assert_close(supernet(X.double(), architecture), network(X.double()))
