"""What single blocks compute: causality, attention, cells, initialisations, norms."""

import math

import pytest
import torch

from archwright import nn
from archwright.nn import initialize, materialize
from archwright.nn.norms import NORMS


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("norm", ["none", "batch"])
@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (2, 1), (2, 8), (3, 4)])
def test_a_causal_block_never_sees_the_future_and_sees_all_its_taps(norm, kernel, dilation):
    block = materialize(nn.CausalBlock(5, kernel, dilation, norm=norm), (3, 30)).eval()
    x = torch.randn(2, 3, 30, requires_grad=True)
    t = 20
    block(x)[:, :, t].sum().backward()
    reached = x.grad.abs().sum((0, 1)) > 0
    expected = {t - dilation * k for k in range(kernel)}
    assert {i for i in range(30) if reached[i]} == expected


def test_a_stack_of_causal_blocks_is_causal():
    stack = materialize(nn.Sequential(*(nn.CausalBlock(4, dilation=2**i) for i in range(4))), (1, 40)).eval()
    x = torch.randn(1, 1, 40)
    changed = x.clone()
    changed[:, :, 25:] += 1
    with torch.no_grad():
        before, after = stack(x), stack(changed)
    assert torch.equal(before[:, :, :25], after[:, :, :25])
    assert not torch.equal(before[:, :, 25:], after[:, :, 25:])


def test_attention_does_not_know_positions_and_an_encoding_tells_it():
    order = torch.randperm(12)
    x = torch.randn(2, 8, 12)
    plain = materialize(nn.TransformerBlock(2), (8, 12)).eval()
    torch.testing.assert_close(plain(x[:, :, order]), plain(x)[:, :, order], atol=1e-5, rtol=1e-4)
    told = materialize(nn.Sequential(nn.PositionalEncoding("sine"), nn.TransformerBlock(2)), (8, 12)).eval()
    assert not torch.allclose(told(x[:, :, order]), told(x)[:, :, order], atol=1e-3)


def test_self_attention_equals_torchs_own():
    ours = materialize(nn.SelfAttention(2), (8, 12)).eval()
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True).eval()
    attend = ours.body.body
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = attend.project.weight.data, attend.project.bias.data
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = attend.out.weight.data, attend.out.bias.data
    x = torch.randn(3, 8, 12)
    y = x.transpose(1, 2)
    torch.testing.assert_close(ours(x), theirs(y, y, y)[0].transpose(1, 2))


def test_the_last_state_of_each_direction_has_read_the_whole_sequence():
    block = materialize(nn.Recurrent(5, bidirectional=True, last=True), (2, 9)).eval()
    x = torch.randn(1, 2, 9)
    _, h = block.body.layer(x.transpose(1, 2))
    torch.testing.assert_close(block(x), torch.cat([h[0], h[1]], 1))


def test_a_complete_cell_sums_over_all_its_paths():
    twice = nn.Parallel(nn.Identity(), nn.Identity())
    cell = materialize(nn.Cell(twice, nn.Identity(), nn.Identity()), (2, 5))  # 0->1, 0->2, 1->2
    x = torch.randn(1, 2, 5)
    torch.testing.assert_close(cell(x), 3 * x)


def test_a_state_cell_reads_the_states_that_it_is_told_to():
    twice = nn.Parallel(nn.Identity(), nn.Identity())
    cell = nn.StateCell([[0], [0, 1]], [[twice], [nn.Identity(), nn.Identity()]])
    x = torch.randn(1, 2, 5)
    torch.testing.assert_close(cell(x), torch.cat([2 * x, 3 * x], 1))


def test_a_loop_uses_the_same_weights_again():
    once, thrice = nn.Loop(nn.ConvBlock(), 1), nn.Loop(nn.ConvBlock(), 3)
    count = [sum(p.numel() for p in materialize(m, (4, 9)).parameters()) for m in (once, thrice)]
    assert count[0] == count[1]


@pytest.mark.parametrize("shape", [(4, 9), (4, 8, 8), (4, 7, 5), (4, 41)])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_residual_finds_a_shortcut_of_the_bodys_shape(shape, stride):
    x = torch.randn(2, *shape)
    body = materialize(nn.ConvBlock(6, stride=stride), shape)
    residual = materialize(nn.Residual(nn.ConvBlock(6, stride=stride)), shape)
    assert residual(x).shape == body(x).shape


def test_a_residual_that_keeps_its_shape_adds_the_input_itself():
    residual = materialize(nn.Residual(nn.Zero()), (3, 9))
    x = torch.randn(2, 3, 9)
    assert torch.equal(residual(x), x)


FAN_IN, FAN_OUT = 64, 96
EXPECTED = {
    "normal": 0.05,
    "xavier": math.sqrt(2 / (FAN_IN + FAN_OUT)),
    "kaiming": math.sqrt(2 / FAN_IN),
    "orthogonal": math.sqrt(1 / FAN_OUT),
    "default": math.sqrt(1 / (3 * FAN_IN)),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_an_initialisation_draws_with_its_deviation(name):
    block = materialize(nn.LinearBlock(FAN_OUT, init=name), (FAN_IN,))
    weight = block.body[0].weight
    # 6,144 draws: the sample deviation lies within 5 % with all but vanishing probability.
    assert weight.std().item() == pytest.approx(EXPECTED[name], rel=0.05)
    assert abs(weight.mean().item()) < 0.01
    if name != "default":
        assert block.body[0].bias.abs().max() == 0


def test_an_orthogonal_initialisation_is_orthogonal():
    weight = initialize(torch.nn.Linear(16, 8), "orthogonal").weight
    torch.testing.assert_close(weight @ weight.T, torch.eye(8), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", [n for n in NORMS if n != "none"])
@pytest.mark.parametrize("shape", [(6, 9), (6, 5, 5)])
def test_a_norm_normalises_over_its_axes(name, shape):
    norm = materialize(nn.Norm(name), shape).train()
    x = torch.randn(8, *shape) * 3 + 2
    y = norm(x).detach()
    if name == "batch":
        groups = y.transpose(0, 1).flatten(1)
    elif name == "layer":
        groups = y.flatten(1)
    elif name == "group":
        groups = y.reshape(8, 3, -1).flatten(0, 1)
    else:
        groups = y.flatten(2).flatten(0, 1)
    torch.testing.assert_close(groups.mean(1), torch.zeros(len(groups)), atol=1e-4, rtol=0)
    torch.testing.assert_close(groups.var(1, unbiased=False), torch.ones(len(groups)), atol=1e-2, rtol=0)


def test_dropout_drops_whole_channels():
    block = materialize(nn.ConvBlock(16, activation="none", dropout=0.5), (1, 9)).train()
    dead = (block(torch.randn(8, 1, 9)) == 0).float().mean(2)
    assert set(dead.unique().tolist()) == {0.0, 1.0}
