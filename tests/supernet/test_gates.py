"""Gates weigh what candidates make, and leave nothing behind."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from archwright import Space, choice, nn, repeat, searchable, subset
from archwright.errors import EvaluationError, OutOfSpaceError, SpaceError
from archwright.supernet import Supernet


class Counted(torch.nn.Module):
    """Counts its forwards, of all copies together."""

    seen: ClassVar[list] = []

    def __init__(self, name, channels=4):
        super().__init__()
        self.name = name
        self.layer = torch.nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        Counted.seen.append(self.name)
        return self.layer(x)


@pytest.fixture(autouse=True)
def count():
    Counted.seen = []


def counted(*names):
    return [searchable(Counted)(n) for n in names]


def space_of(*parts):
    return Space(nn.Sequential(*parts))


X = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(0))


def one_hot(space, architecture):
    codes = space.codes([architecture])[0].tolist()
    return [
        torch.nn.functional.one_hot(torch.tensor(c), d.size).float().requires_grad_() if c >= 0 else -1
        for c, d in zip(codes, space.decisions, strict=True)
    ]


def test_soft_gates_sum_what_the_candidates_make():
    space = space_of(choice(nn.ConvBlock(), nn.SeparableBlock(), nn.Identity(), name="op"))
    supernet = Supernet(space, (4, 5, 5)).eval()
    gates = torch.tensor([0.2, 0.5, 0.3])
    expected = sum(g * supernet(X, [i]) for i, g in enumerate(gates))
    torch.testing.assert_close(supernet(X, [gates]), expected)


def test_what_has_no_gate_is_not_computed():
    space = space_of(choice(*counted("a", "b", "c"), name="op"))
    supernet = Supernet(space, (4, 5, 5))
    for gates, names in (([1], "b"), ([torch.tensor([0.5, 0, 0.5])], "ac"), ([torch.tensor([0, 0, 1.0])], "c")):
        Counted.seen = []
        supernet(X, gates)
        assert "".join(Counted.seen) == names


def test_copies_beyond_the_depth_are_not_computed():
    space = space_of(repeat(searchable(Counted)("x"), (1, 4), name="deep"))
    supernet = Supernet(space, (4, 5, 5)).eval()
    for gates, times in (([0], 1), ([2], 3), ([torch.tensor([0.5, 0, 0.5, 0])], 3), ([torch.full((4,), 0.25)], 4)):
        Counted.seen = []
        supernet(X, gates)
        assert len(Counted.seen) == times, "each copy once, whatever the number of depths"


def test_soft_depth_is_the_sum_over_early_exits():
    space = space_of(repeat(nn.ConvBlock(), (0, 2), name="deep"))
    supernet = Supernet(space, (4, 5, 5)).eval()
    gates = torch.tensor([0.1, 0.3, 0.6])
    expected = sum(g * supernet(X, [i]) for i, g in enumerate(gates))
    torch.testing.assert_close(supernet(X, [gates]), expected)


def test_soft_widths_and_kernels_are_padded_sums():
    space = space_of(nn.ConvBlock(choice(4, 6, name="width"), choice(1, 3, name="kernel")))
    supernet = Supernet(space, (4, 5, 5)).eval()
    width, kernel = torch.tensor([0.25, 0.75]), torch.tensor([0.5, 0.5])
    expected = torch.zeros(3, 6, 5, 5)
    for i, w in enumerate((4, 6)):
        for k in range(2):
            expected[:, :w] += width[i] * kernel[k] * supernet(X, [i, k])
    torch.testing.assert_close(supernet(X, [width, kernel]), expected)


def cell_space():
    def ops():
        return choice(nn.Identity(), nn.Zero(), nn.ConvBlock(), nn.MaxPool(3, 1, "same"))

    states = nn.StateCell(
        inputs=[[0], subset([0, 1], 2), subset([0, 1, 2], (1, 2))],
        operations=[[ops()], [ops(), ops()], [ops(), ops()]],
    )
    return space_of(
        nn.Cell(*nn.edges([nn.Identity(), nn.Zero(), nn.ConvBlock(kernel=choice(1, 3))], nodes=3)),
        states,
        nn.Loop(nn.ConvBlock(), choice(1, 2, name="turns")),
        nn.Parallel(nn.ConvBlock(), nn.Identity(), merge=choice("sum", "concat")),
        choice(nn.Identity(), nn.Sequential(nn.ConvBlock(), repeat(nn.ConvBlock(kernel=choice(1, 3)), (0, 2)))),
    )


def test_a_one_hot_tensor_is_the_path_and_gradients_reach_it():
    space = cell_space()
    supernet = Supernet(space, (4, 5, 5)).eval()
    for architecture in space.sample(np.random.default_rng(0), 10):
        gates = one_hot(space, architecture)
        y = supernet(X, gates)
        torch.testing.assert_close(y, supernet(X, architecture), atol=1e-6, rtol=1e-6)
        y.square().sum().backward()
        if y.any():  # not where an edge of zeros cuts all off
            assert any(g.grad is not None and g.grad.abs().sum() > 0 for g in gates if torch.is_tensor(g))


def test_all_gates_learn_in_a_soft_forward():
    space = cell_space()
    supernet = Supernet(space, (4, 5, 5))
    gates = [torch.softmax(torch.zeros(d.size), 0).requires_grad_() for d in space.decisions]
    supernet(X, gates).square().sum().backward()
    assert all(g.grad is not None and torch.isfinite(g.grad).all() for g in gates)
    assert all(p.grad is not None for p in supernet.parameters())


def test_soft_inputs_of_a_cell_are_the_sum_over_their_combinations():
    operations = [[nn.ConvBlock()], [nn.ConvBlock(), nn.ConvBlock(kernel=1)]]
    space = space_of(nn.StateCell(inputs=[[0], subset([0, 1], (1, 2))], operations=operations))
    supernet = Supernet(space, (4, 5, 5)).eval()
    gates = torch.tensor([0.2, 0.3, 0.5])
    expected = sum(g * supernet(X, [i]) for i, g in enumerate(gates))
    torch.testing.assert_close(supernet(X, [gates]), expected)


def test_a_choice_used_twice_is_gated_alike_at_both_places():
    kernel = choice(1, 3, name="kernel")
    space = space_of(nn.ConvBlock(kernel=kernel), nn.ConvBlock(kernel=kernel))
    supernet = Supernet(space, (4, 5, 5))
    parts = supernet.subnet(space.architecture([0])).modules()
    assert [m.kernel_size for m in parts if isinstance(m, torch.nn.Conv2d)] == [(1, 1)] * 2
    assert supernet(X, [torch.tensor([0.5, 0.5])]).shape == X.shape


def test_channels_that_pass_by_are_kept_and_shuffled():
    space = space_of(choice(nn.Identity(), nn.Zero(), name="op"))
    supernet = Supernet(space, (4, 5, 5), partial=2)
    y = supernet(X, [torch.tensor([0.5, 0.5])])
    expected = torch.stack([0.5 * X[:, 0], X[:, 2], 0.5 * X[:, 1], X[:, 3]], 1)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(supernet(X, [0]), X)


def test_channels_that_pass_by_are_pooled_where_candidates_stride():
    space = space_of(choice(nn.ConvBlock(stride=2), nn.SeparableBlock(stride=2), name="op"))
    supernet = Supernet(space, (4, 6, 6), partial=4)
    assert supernet(torch.randn(2, 4, 6, 6), [torch.tensor([0.5, 0.5])]).shape == (2, 4, 3, 3)


def test_checkpointing_changes_neither_gradients_nor_statistics():
    results = []
    space = space_of(choice(nn.ConvBlock(), nn.SeparableBlock(kernel=choice(3, 5)), name="op"))
    for checkpoint in (False, True):
        supernet = Supernet(space, (4, 5, 5), checkpoint=checkpoint)
        gates = [torch.tensor([0.4, 0.6], requires_grad=True), torch.tensor([0.5, 0.5], requires_grad=True)]
        supernet(X, gates).square().sum().backward()
        results.append([*(g.grad for g in gates), *(p.grad for p in supernet.parameters()), *supernet.buffers()])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b)


def test_no_gates_are_left_set_even_after_an_error():
    space = space_of(choice(nn.ConvBlock(), nn.Identity(), name="op"))
    supernet = Supernet(space, (4, 5, 5))
    before = {k: v.clone() for k, v in supernet.state_dict().items()}
    with pytest.raises(EvaluationError):
        supernet(torch.randn(2, 40, 5, 5), [0])
    with pytest.raises(EvaluationError, match="called by itself"):
        supernet.root(X)
    assert all(torch.equal(v, before[k]) for k, v in supernet.state_dict().items())
    skeletons = [s.module for place in supernet._places.values() for s in place._skeletons.values()]
    assert not [p for skeleton in skeletons for p in (*skeleton.parameters(), *skeleton.buffers())]


@pytest.mark.parametrize(
    ("gates", "error", "says"),
    [
        ([0], SpaceError, "got 1, but the space has 2"),
        ([0, torch.tensor([0.5, 0.5, 0.0])], SpaceError, "'deep/times' takes a tensor of 2"),
        ([torch.tensor([0.5, 0.6]), 0], SpaceError, "'op' sums to 1.1"),
        ([torch.tensor([1.5, -0.5]), 0], SpaceError, "'op' has a negative"),
        ([torch.tensor([float("nan"), 0.5]), 0], SpaceError, "'op' takes finite"),
        ([torch.tensor([1, 0]), 0], SpaceError, "'op' takes finite floating"),
        ([2, 0], OutOfSpaceError, "'op' has no code 2; allowed is 0..1"),
        ([-1, 0], SpaceError, "'op' is live here"),
        ([0.5, 0], SpaceError, "'op' takes a code"),
        (["conv", 0], SpaceError, "'op' takes a code"),
    ],
)
def test_gates_that_make_no_sense_are_told_by_name(gates, error, says):
    space = space_of(choice(nn.ConvBlock(), nn.Identity(), name="op"), repeat(nn.ConvBlock(), (1, 2), name="deep"))
    with pytest.raises(error, match=says):
        Supernet(space, (4, 5, 5))(X, gates)


def test_an_architecture_of_another_space_is_told_by_name():
    space = space_of(choice(nn.ConvBlock(), nn.Identity(), name="op"))
    other = space_of(choice(nn.ConvBlock(), nn.Identity(), name="another"))
    with pytest.raises(OutOfSpaceError, match="op"):
        Supernet(space, (4, 5, 5))(X, other.architecture([0]))


def test_decisions_that_can_be_soft_are_known():
    from archwright import integer, real

    space = space_of(nn.ConvBlock(integer(1, 100)), choice(nn.Identity(), nn.ConvBlock()), nn.Dropout(real(0.1, 0.5)))
    supernet = Supernet(space, (4, 5, 5))
    assert supernet.relaxable == (False, True, False)
    with pytest.raises(SpaceError, match="too many for soft gates"):
        supernet(X, [torch.full((100,), 0.01), 0, 0])


def test_too_many_soft_combinations_at_one_layer_are_refused_by_name():
    space = space_of(nn.ConvBlock(choice(*range(4, 14), name="width"), choice(1, 3, 5, 7, 9, 11, 13, name="kernel")))
    supernet = Supernet(space, (4, 14, 14))
    gates = [torch.full((d.size,), 1 / d.size) for d in space.decisions]
    with pytest.raises(SpaceError, match=r"more than 64 times.*'width', 'kernel'"):
        supernet(torch.randn(2, 4, 14, 14), gates)


def kept_bytes(**settings):
    """Bytes that a soft forward keeps for its backward, weights apart."""
    space = space_of(choice(*(nn.ConvBlock(kernel=k) for k in (1, 3, 5)), nn.SeparableBlock(), name="op"))
    supernet = Supernet(space, (8, 16, 16), **settings)
    shared = {p.untyped_storage().data_ptr() for p in supernet.parameters()}
    kept = {}

    def keep(tensor):
        if tensor.untyped_storage().data_ptr() not in shared:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        y = supernet(torch.randn(4, 8, 16, 16, requires_grad=True), [torch.full((4,), 0.25, requires_grad=True)])
    assert y.requires_grad
    return sum(t.untyped_storage().nbytes() for t in kept.values())


def test_checkpoints_and_partial_channels_keep_less_for_backward():
    all_kept = kept_bytes()
    assert kept_bytes(checkpoint=True) < all_kept / 4
    assert kept_bytes(partial=4) < all_kept / 2
