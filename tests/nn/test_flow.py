"""Equal keys mean the same function, and the same function mostly has equal keys."""

import numpy as np
import pytest
import torch

from archwright import nn
from archwright.nn import materialize
from archwright.space import Space, choice, repeat, subset


def key(network):
    """The key of a network without open choices, seen as an option among others."""
    space = Space(nn.Sequential(choice(network, nn.Linear(1, 1), name="it")))
    return space.key(space.architecture([0] * len(space.decisions)))


def conv(width=8):
    return nn.ConvBlock(width, kernel=3)


SAME = {
    "identities vanish": (lambda: nn.Sequential(nn.Identity(), conv(), nn.Identity()), conv),
    "sequences flatten": (
        lambda: nn.Sequential(nn.Sequential(conv(), conv(4)), conv()),
        lambda: nn.Sequential(conv(), nn.Sequential(conv(4), conv())),
    ),
    "sums commute": (lambda: nn.Parallel(conv(), nn.Norm()), lambda: nn.Parallel(nn.Norm(), conv())),
    "a dead branch is not there": (lambda: nn.Parallel(conv(), nn.Zero()), conv),
    "a shortcut is a branch": (
        lambda: nn.Residual(conv(), project=False),
        lambda: nn.Parallel(conv(), nn.Identity()),
    ),
    "a loop of one is its body": (lambda: nn.Loop(conv(), 1), conv),
    "a cell of one path is that path": (
        lambda: nn.Cell(conv(), nn.Zero(), conv()),
        lambda: nn.Sequential(conv(), conv()),
    ),
    "an operation that reads nothing is not there": (
        lambda: nn.StateCell([[0]], [[conv(), nn.Norm()]]),
        lambda: nn.StateCell([[0]], [[conv(), nn.Identity()]]),
    ),
}
DIFFERENT = {
    "order in a sequence": (lambda: nn.Sequential(conv(), nn.Norm()), lambda: nn.Sequential(nn.Norm(), conv())),
    "order of a concatenation": (
        lambda: nn.Parallel(conv(), nn.Norm(), merge="concat"),
        lambda: nn.Parallel(nn.Norm(), conv(), merge="concat"),
    ),
    "sum and concatenation": (
        lambda: nn.Parallel(conv(), nn.Norm()),
        lambda: nn.Parallel(conv(), nn.Norm(), merge="concat"),
    ),
    "a shortcut that may be projected": (lambda: nn.Residual(conv()), lambda: nn.Residual(conv(), project=False)),
    "dead bodies of different shape": (
        lambda: nn.Residual(nn.Sequential(conv(), nn.Zero())),
        lambda: nn.Residual(nn.Sequential(conv(4), nn.Zero())),
    ),
    "zeros in a concatenation": (
        lambda: nn.Parallel(conv(), nn.Zero(), merge="concat"),
        lambda: nn.Parallel(conv(), merge="concat"),
    ),
    "shared and own weights": (lambda: nn.Loop(conv(), 2), lambda: nn.Sequential(conv(), conv())),
    "how often a loop turns": (lambda: nn.Loop(conv(), 2), lambda: nn.Loop(conv(), 3)),
    "one and two of the same": (lambda: nn.Parallel(conv()), lambda: nn.Parallel(conv(), conv())),
    "arguments": (lambda: conv(8), lambda: conv(6)),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_function_has_one_key(name):
    a, b = SAME[name]
    assert key(a()) == key(b())


@pytest.mark.parametrize("name", DIFFERENT)
def test_different_functions_have_different_keys(name):
    a, b = DIFFERENT[name]
    assert key(a()) != key(b())


def outputs(module, x):
    """What a network without parameters makes of `x`."""
    with torch.no_grad():
        return materialize(module, tuple(x.shape[1:])).eval()(x)


def assert_equal_keys_mean_equal_outputs(space, n, least_merged):
    """Operations without parameters let outputs be compared; so many keys must be shared, or nothing was tested."""
    x = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0))
    found = {}
    merged = 0
    for architecture in set(space.sample(np.random.default_rng(0), n)):
        y = outputs(space.build(architecture), x)
        if (k := space.key(architecture)) in found:
            merged += 1
            torch.testing.assert_close(y, found[k])
        found[k] = y
    assert merged >= least_merged


OPERATIONS = (nn.Zero(), nn.Identity(), nn.AvgPool(3, 1, "same"), nn.MaxPool(3, 1, "same"), nn.Tanh())


def test_cells_of_equal_keys_compute_the_same():
    assert_equal_keys_mean_equal_outputs(Space(nn.Cell(*nn.edges(OPERATIONS, nodes=4))), 250, least_merged=20)


def test_nested_branches_of_equal_keys_compute_the_same():
    op = choice(*OPERATIONS)
    inner = nn.Parallel(repeat(op, (1, 2)), merge="sum")
    space = Space(
        nn.Sequential(
            repeat(choice(nn.Residual(repeat_one(op), project=False), inner, nn.Residual(op)), (1, 3)), nn.Tanh()
        )
    )
    assert_equal_keys_mean_equal_outputs(space, 300, least_merged=20)


def repeat_one(op):
    return nn.Sequential(repeat(op, (0, 2)))


def test_state_cells_build_and_merge_by_what_they_read():
    ops = (nn.Zero(), nn.Identity(), nn.AvgPool(3, 1, "same"), nn.Tanh())
    space = Space(
        nn.StateCell(
            inputs=[[0], subset([0, 1], (1, 2)), subset([0, 1, 2], 2)],
            operations=[[choice(*ops)], [choice(*ops), choice(*ops)], [choice(*ops), choice(*ops)]],
        )
    )
    assert_equal_keys_mean_equal_outputs(space, 300, least_merged=5)


def test_edges_are_named_by_the_nodes_that_they_join():
    space = Space(nn.Cell(*nn.edges((nn.Zero(), nn.Identity()), nodes=3)))
    assert [d.name for d in space.decisions] == ["0->1", "0->2", "1->2"]


def test_the_graph_of_a_cell_shows_its_live_operations_alone():
    space = Space(nn.Cell(*nn.edges((nn.Zero(), nn.Identity(), conv()), nodes=3)))
    a = space.architecture({"0->1": "ConvBlock", "0->2": "Zero", "1->2": "Identity"})
    labels = [label for _, label in space.graph(a).nodes(data="label")]
    assert labels[0] == "input"
    assert labels[-1] == "output"
    assert len(labels) == 3
