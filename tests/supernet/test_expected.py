"""The expected cost of gates."""

import numpy as np
import pytest
import torch

from archwright import Space, choice, cost, nn, repeat, subset
from archwright.supernet import Supernet

SHAPE = (4, 6, 6)


def ops():
    return choice(
        nn.Identity(), nn.Zero(), nn.ConvBlock(kernel=choice(1, 3)), nn.SeparableBlock(), nn.MaxPool(3, 1, "same")
    )


@pytest.fixture(scope="module")
def cells():
    states = nn.StateCell(inputs=[[0], subset([0, 1], (1, 2))], operations=[[ops()], [ops(), ops()]])
    space = Space(
        nn.Sequential(
            nn.Cell(*nn.edges([nn.Identity(), nn.ConvBlock(), nn.SeparableBlock()], nodes=3)),
            states,
            nn.Loop(nn.ConvBlock(), choice(1, 2, 3, name="turns")),
            nn.Residual(nn.ConvBlock(12)),
            repeat(nn.ConvBlock(), (0, 2), name="deep"),
            nn.Classifier(3),
        )
    )
    return space, Supernet(space, SHAPE)


@pytest.mark.parametrize("name", ["params", "macs"])
def test_it_is_exact_for_one_architecture_of_cells(cells, name):
    space, supernet = cells
    table = supernet.table(name)
    for architecture in space.sample(np.random.default_rng(0), 10):
        measured = cost.measure(supernet.subnet(architecture), SHAPE, [name])[name]
        assert supernet.expected(architecture, table).item() == measured


def test_it_is_the_mean_over_architectures_drawn_by_the_gates():
    space = Space(
        nn.Sequential(
            choice(nn.ConvBlock(), nn.SeparableBlock(), nn.Identity()),
            repeat(nn.ConvBlock(kernel=choice(1, 3)), (0, 2)),
        )
    )
    supernet = Supernet(space, SHAPE)
    table = supernet.table("macs")
    gates = [
        torch.softmax(torch.randn(d.size, generator=torch.Generator().manual_seed(i)), 0)
        for i, d in enumerate(space.decisions)
    ]
    mean = 0.0
    for architecture in space:
        codes = space.codes([architecture])[0].tolist()
        chance = np.prod([g[c].item() for g, c in zip(gates, codes) if c >= 0])
        mean += chance * cost.measure(supernet.subnet(architecture), SHAPE, ["macs"])["macs"]
    assert supernet.expected(gates, table).item() == pytest.approx(mean, rel=1e-5)


def test_its_gradient_says_which_option_costs_more(cells):
    space, supernet = cells
    gates = [torch.full((d.size,), 1 / d.size, requires_grad=True) for d in space.decisions]
    supernet.expected(gates, supernet.table("params")).backward()
    edge = gates[0].grad
    assert edge[1] > edge[2] > edge[0] == 0
    turns = next(i for i, d in enumerate(space.decisions) if d.name.endswith("turns"))
    assert gates[turns].grad is None or gates[turns].grad.std() < 1e-3  # turns are free of parameters


def test_turns_cost_macs_each(cells):
    space, supernet = cells
    table = supernet.table("macs")
    base = space.sample(np.random.default_rng(0))
    name = next(d.name for d in space.decisions if d.name.endswith("turns"))
    costs = [supernet.expected(space.architecture({**base, name: n}), table).item() for n in (1, 2, 3)]
    assert costs[2] - costs[1] == costs[1] - costs[0] > 0


def test_latency_is_measured_once_a_place_and_value(cells):
    space, supernet = cells
    table = supernet.table("latency_ms")
    architecture = space.sample(np.random.default_rng(0))
    first = supernet.expected(architecture, table).item()
    assert first > 0
    assert supernet.expected(architecture, table).item() == first
