"""Every sample of every default space is a network that trains."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import fx

from archwright import nn
from archwright.errors import SpaceError
from archwright.nn import is_materialized, materialize, spaces

SPACES = {
    "convnet 1x8x8": (spaces.convnet, (1, 8, 8)),
    "convnet 1x28x28": (spaces.convnet, (1, 28, 28)),
    "convnet 3x32x32": (spaces.convnet, (3, 32, 32)),
    "convnet 1x40": (spaces.convnet, (1, 40)),
    "convnet 2x96": (spaces.convnet, (2, 96)),
    "convnet 1x4x3": (spaces.convnet, (1, 4, 3)),
    "mobile 1x8x8": (spaces.mobile, (1, 8, 8)),
    "mobile 1x40": (spaces.mobile, (1, 40)),
    "sequence 1x40": (spaces.sequence, (1, 40)),
    "sequence 3x7": (spaces.sequence, (3, 7)),
    "audio 1x4000": (spaces.audio, (1, 4000)),
    "audio 1x900": (spaces.audio, (1, 900)),
    "mlp 30": (spaces.mlp, (30,)),
    "mlp 1x8x8": (spaces.mlp, (1, 8, 8)),
}
CLASSES = 5


def parameters(space, architecture, shape):
    return sum(p.numel() for p in materialize(space.build(architecture), shape).parameters())


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_a_sample_builds_trains_traces_and_pickles(name, seed):
    make, shape = SPACES[name]
    space = make(shape, CLASSES, widths=(4, 6, 8))
    architecture = space.sample(np.random.default_rng(seed))
    space.check(architecture)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = materialize(space.build(architecture), shape)
        assert is_materialized(network)
        x, y = torch.randn(4, *shape), torch.arange(4) % CLASSES

        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
        output = network(x)
        assert output.shape == (4, CLASSES)
        torch.nn.functional.cross_entropy(output, y).backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
        optimizer.step()

        network.eval()
        expected = network(x)
        assert expected.isfinite().all()
        torch.testing.assert_close(fx.symbolic_trace(network)(x), expected)
        assert torch.equal(pickle.loads(pickle.dumps(network))(x), expected)


@pytest.mark.parametrize("name", SPACES)
def test_a_space_begins_with_a_network_of_middling_size(name):
    make, shape = SPACES[name]
    space = make(shape, CLASSES)
    sizes = [parameters(space, a, shape) for a in space.sample(np.random.default_rng(0), 40)]
    assert space.default in space
    assert min(sizes) < parameters(space, space.default, shape) < max(sizes)


@pytest.mark.parametrize("name", SPACES)
def test_a_space_pickles_and_is_the_same_when_made_again(name):
    make, shape = SPACES[name]
    space = make(shape, CLASSES)
    assert make(shape, CLASSES).fingerprint == space.fingerprint
    again = pickle.loads(pickle.dumps(space))
    architecture = space.sample(np.random.default_rng(0))
    assert again.key(architecture) == space.key(architecture)


@pytest.mark.parametrize(
    ("name", "ceilings"),
    [
        ("convnet 1x40", (2_000, 5_000, 12_000, 100_000)),
        ("sequence 1x40", (2_000, 5_000, 12_000, 100_000)),
        ("convnet 1x8x8", (3_000, 8_000, 20_000, 100_000)),
        ("audio 1x4000", (3_000, 8_000, 20_000, 100_000)),
        ("mobile 1x8x8", (3_000, 8_000, 20_000, 100_000)),
    ],
)
def test_a_reasonable_share_of_samples_fits_under_each_ceiling(name, ceilings):
    make, shape = SPACES[name]
    space = make(shape, 10)
    counts = np.array([parameters(space, a, shape) for a in space.sample(np.random.default_rng(0), 60)])
    for ceiling in ceilings:
        assert (counts <= ceiling).mean() >= 0.05
    assert (counts > ceilings[0]).any()


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize(("size", "padding"), [(28, "same"), (32, "valid")])
def test_lenet_5_is_a_point_of_convnet(size, padding, activation):
    space = spaces.convnet((1, size, size), 10)
    lenet = space.architecture(
        {
            "family": "classic",
            "family/classic/conv1/width": 6,
            "family/classic/conv1/kernel": 5,
            "family/classic/activation": activation,
            "family/classic/norm": "none",
            "family/classic/conv1/padding": padding,
            "family/classic/pool1/kind": "avg",
            "family/classic/conv2/width": 16,
            "family/classic/conv2/kernel": 5,
            "family/classic/conv2/padding": "valid",
            "family/classic/pool2/kind": "avg",
            "family/classic/head/hidden/times": 2,
            "family/classic/head/hidden/0": 120,
            "family/classic/head/hidden/1": 84,
        }
    )
    space.check(lenet)
    network = materialize(space.build(lenet), (1, size, size))
    act = "Tanh()" if activation == "tanh" else "ReLU()"
    pad = ", padding=(2, 2)" if padding == "same" else ""
    leaves = [repr(part) for part in network.modules() if not list(part.children())]
    assert leaves == [
        f"Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1){pad})",
        act,
        "AvgPool2d(kernel_size=2, stride=2, padding=0)",
        "Conv2d(6, 16, kernel_size=(5, 5), stride=(1, 1))",
        act,
        "AvgPool2d(kernel_size=2, stride=2, padding=0)",
        "Flatten(start_dim=1, end_dim=-1)",
        "Linear(in_features=400, out_features=120, bias=True)",
        act,
        "Linear(in_features=120, out_features=84, bias=True)",
        act,
        "Linear(in_features=84, out_features=10, bias=True)",
    ]
    assert sum(p.numel() for p in network.parameters()) == 61_706  # LeNet-5 with dense C3 connections


def test_linear_regression_is_a_point_of_mlp():
    space = spaces.mlp((7,), 1, head=nn.Regressor)
    line = space.architecture({"hidden/times": 0, "residual/times": 0})
    network = materialize(space.build(line), (7,))
    assert [repr(m) for m in network.modules() if not list(m.children())] == [
        "Linear(in_features=7, out_features=1, bias=True)"
    ]


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (spaces.convnet, (7,)),
        (spaces.mobile, (7,)),
        (spaces.sequence, (1, 8, 8)),
        (spaces.audio, (8,)),
        (spaces.mlp, (1, 2, 3, 4)),
    ],
)
def test_a_space_says_which_inputs_it_takes(make, shape):
    with pytest.raises(SpaceError, match=f"{make.__name__} takes inputs of shape"):
        make(shape, 3)


def test_decisions_are_named_by_the_parts_that_they_belong_to():
    names = {d.name for d in spaces.convnet((1, 40), 10).decisions}
    assert {"width", "first/kernel", "stage1/enter", "stage2/blocks/times", "stage3", "head/pool"} <= names
    assert not any("#" in name for name in names)
