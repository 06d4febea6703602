"""Zero-cost proxies on networks of every kind, which they leave exactly as they were."""

import copy
import math
import random
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

import archwright as aw
from archwright.errors import EvaluationError
from archwright.evaluator.zerocost import PROXIES, compute
from archwright.evaluator.zerocost.proxies import look
from archwright.nn import is_materialized, materialize, spaces

NAMES = list(PROXIES)
NEED_TWO_BLOCKS = ("progressivity", "trainability")
N = 3


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.body = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.body(self.embed(x)).mean(1))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.layer(self.first(x.transpose(1, 2))).mean(1))


class Reader(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.layer = kind(4, 6, 2, batch_first=True, dropout=0.3, bidirectional=True)
        self.head = nn.Linear(12, 3)

    def forward(self, x):
        return self.head(self.layer(x.transpose(1, 2))[0][:, -1])


def linear(*widths):
    return [nn.Linear(a, b) for a, b in pairwise(widths)]


def image_network(norm):
    return nn.Sequential(
        *(nn.Conv2d(2, 8, 3), norm(8), nn.GELU(), nn.Dropout(0.5)),
        *(nn.Conv2d(8, 8, 3, groups=4), norm(8), nn.ReLU(inplace=True)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)),
    )


NETWORKS = {
    "batch norm": (lambda: image_network(nn.BatchNorm2d), (2, 8, 8)),
    "group norm": (lambda: image_network(lambda c: nn.GroupNorm(2, c)), (2, 8, 8)),
    "instance norm": (lambda: image_network(lambda c: nn.InstanceNorm2d(c, track_running_stats=True)), (2, 8, 8)),
    "layer norm": (lambda: nn.Sequential(*linear(5, 9), nn.LayerNorm(9), nn.Tanh(), *linear(9, 6, 3)), (5,)),
    "attention": (Attention, (4, 7)),
    "lstm": (lambda: Reader(nn.LSTM), (4, 7)),
    "gru": (lambda: Reader(nn.GRU), (4, 7)),
    "rnn": (lambda: Reader(nn.RNN), (4, 7)),
}  # fmt: skip


def make(name):
    build, shape = NETWORKS[name]
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = build()
    source = torch.Generator().manual_seed(0)
    return network, torch.randn(8, *shape, generator=source), torch.randint(0, 3, (8,), generator=source)


def snapshot(network):
    """Everything about a network that a proxy might leave changed."""
    return (
        {name: tensor.clone() for name, tensor in network.state_dict().items()},
        {name: None if p.grad is None else p.grad.clone() for name, p in network.named_parameters()},
        {name: (id(p), p.requires_grad, p.dtype, p._version) for name, p in network.named_parameters()},
        [
            (name, part.training, sorted(vars(part)), [len(v) for k, v in vars(part).items() if k.endswith("_hooks")])
            for name, part in network.named_modules()
        ],
    )


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize("proxy", NAMES)
@pytest.mark.parametrize("name", ["batch norm", "attention", "lstm"])
def test_a_network_is_never_changed(name, proxy):
    network, x, y = make(name)
    network.train()
    nn.functional.cross_entropy(network(x), y).backward()  # it has gradients of its own
    next(network.parameters()).requires_grad_(False)
    before, inputs = snapshot(network), x.clone()
    mha = torch.backends.mha.get_fastpath_enabled()
    found = look([proxy], network, x, y)
    assert (proxy in found.missing) == (name == "lstm" and proxy in NEED_TWO_BLOCKS)
    assert same(before, snapshot(network))
    assert torch.equal(x, inputs)
    assert not x.requires_grad
    assert torch.is_grad_enabled()
    assert torch.backends.mha.get_fastpath_enabled() == mha


@pytest.mark.parametrize("proxy", NAMES)
def test_nobodys_random_numbers_are_drawn_and_results_are_a_function_of_the_seed(proxy):
    network, x, y = make("batch norm")
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    first = compute(proxy, network, x, y, seed=3)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()
    assert random.getstate() == states[2]
    torch.rand(3)
    assert compute(proxy, network, x, y, seed=3) == first
    drawn = proxy in ("zen", "expressivity", "progressivity", "trainability")
    assert (compute(proxy, network, x, y, seed=4) != first) == drawn


@pytest.mark.parametrize("proxy", NAMES)
def test_gradients_switched_off_and_training_mode_change_nothing(proxy):
    network, x, y = make("batch norm")
    first = compute(proxy, network.train(), x, y)
    assert compute(proxy, network.eval(), x, y) == first
    with torch.no_grad():
        assert compute(proxy, network, x, y) == first
    with torch.inference_mode():
        assert compute(proxy, network, x, y) == first


@pytest.mark.parametrize("proxy", NAMES)
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_every_kind_have_a_finite_value_or_a_reason(name, proxy):
    network, x, y = make(name)
    found = look([proxy], network, x, y)
    if name in ("lstm", "gru", "rnn") and proxy in NEED_TWO_BLOCKS:
        assert found.missing[proxy].startswith(f"{proxy} cannot be computed on this network: the network has one block")
    else:
        assert math.isfinite(found.values[proxy])


def test_tokens_have_those_proxies_that_need_no_neighbouring_inputs():
    with torch.random.fork_rng():
        network = Tokens()
    x, y = torch.randint(0, 11, (8, 5)), torch.randint(0, 3, (8,))
    for proxy in ("params", "macs", "l2_norm", "grad_norm", "snip", "grasp", "fisher", "naswot"):
        assert math.isfinite(compute(proxy, network, x, y))
    for proxy in ("synflow", "jacob_cov", "zen", "expressivity", "progressivity", "trainability"):
        with pytest.raises(EvaluationError, match=r"inputs are torch\.int64"):
            compute(proxy, network, x, y)


@pytest.mark.parametrize("proxy", NAMES)
def test_a_lazy_network_stays_lazy_and_draws_its_weights_from_the_seed(proxy):
    network = aw.nn.Sequential(aw.nn.ConvBlock(6), nn.LazyConv2d(5, 3), nn.ReLU(), aw.nn.Classifier(3))
    _, x, y = make("batch norm")
    assert compute(proxy, network, x, y, seed=1) == compute(proxy, network, x, y, seed=1)
    assert not is_materialized(network)


@pytest.mark.parametrize(
    ("network", "inputs", "said"),
    [
        (nn.Sequential(nn.Flatten()), torch.ones(4, 3), "no trainable weights"),
        (nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)), torch.ones(4, 5), "cannot run on one input of shape"),
        (nn.LSTM(3, 3), torch.ones(4, 3, 3), "returns a tuple"),
        (nn.Linear(3, 3), torch.full((4, 3), math.nan), "comes out as nan"),
    ],
)
def test_what_cannot_be_computed_says_why(network, inputs, said):
    with pytest.raises(EvaluationError, match=said):
        compute("snip", network, inputs, torch.zeros(4, dtype=torch.long))


def test_targets_names_and_batches_are_checked():
    network, x, y = make("layer norm")
    with pytest.raises(EvaluationError, match="Did you mean 'synflow'"):
        compute("synflo", network, x, y)
    with pytest.raises(EvaluationError, match=r"snip cannot be computed .* needs targets"):
        compute("snip", network, x)
    with pytest.raises(EvaluationError, match="2 inputs or more, got 1"):
        compute("snip", network, x[:1], y[:1])
    with pytest.raises(EvaluationError, match="8 inputs and 3 targets"):
        compute("snip", network, x, y[:3])
    assert compute("naswot", network, x) == compute("naswot", network, x, y)


def test_a_regression_and_a_loss_of_ones_own():
    network, x, _ = make("layer norm")
    quantities = torch.zeros(8, 3)
    own = compute("snip", network, x, quantities, loss=lambda output, target: ((output - target) ** 2).mean())
    assert compute("snip", network, x, quantities) == pytest.approx(own)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("convnet", (1, 28, 28)),
        ("convnet", (3, 8, 8)),
        ("convnet", (1, 40)),
        ("mobile", (1, 16, 16)),
        ("mobile", (2, 64)),
        ("sequence", (1, 40)),
        ("mlp", (16,)),
    ],
)
def test_random_networks_of_the_default_spaces(kind, shape):
    source = torch.Generator().manual_seed(0)
    x, y = torch.randn(8, *shape, generator=source), torch.randint(0, 5, (8,), generator=source)
    space = getattr(spaces, kind)(shape, 5)
    found = dict.fromkeys(NAMES, 0)
    for architecture in space.sample(np.random.default_rng(0), N):
        with torch.random.fork_rng():
            network = materialize(space.build(architecture), shape)
        weights = copy.deepcopy(network.state_dict())
        for name, value in look(NAMES, network, x, y).values.items():
            found[name] += math.isfinite(value)
        assert same(weights, network.state_dict())
    # The space of perceptrons goes down to logistic regression, of which some proxies cannot be computed.
    fewer = NAMES[NAMES.index("naswot") :] if kind == "mlp" else []
    assert {name: count for name, count in found.items() if count < N and name not in fewer} == {}
    assert all(found.values())
