"""Zero-cost proxies against their formulas: small networks by hand, and plain reference implementations."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from archwright.errors import EvaluationError
from archwright.evaluator.zerocost import PROXIES, aggregate, compute
from archwright.evaluator.zerocost.az_nas import rank_among


def seeded(make, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def batch(*shape, classes=3, n=8, seed=0):
    source = torch.Generator().manual_seed(seed)
    return torch.randn(n, *shape, generator=source), torch.randint(0, classes, (n,), generator=source)


def perceptron(*widths, act=nn.ReLU, bias=True):
    def make():
        parts = [part for a, b in pairwise(widths) for part in (nn.Linear(a, b, bias=bias), act())]
        return nn.Sequential(*parts[:-1])

    return seeded(make)


def convolutional(norm=nn.BatchNorm2d):
    def make():
        body = [nn.Conv2d(2, 6, 3, bias=False), norm(6), nn.ReLU(), nn.Conv2d(6, 5, 3, stride=2), norm(5), nn.ReLU()]
        return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))

    return seeded(make)


@pytest.fixture
def images():
    return batch(2, 9, 9)


# Size


def test_params_and_l2_norm_by_hand():
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
        network[2].weight.copy_(torch.tensor([[6.0, 8.0]]))
    x = torch.ones(4, 2)
    assert compute("params", network, x) == 9
    assert compute("macs", network, x) == 6
    assert compute("l2_norm", network, x) == pytest.approx(5 + 10)  # biases do not count


# Saliency


def weight_gradients(network, x, y):
    weights = [p for p in network.parameters() if p.dim() > 1]
    return weights, torch.autograd.grad(F.cross_entropy(network(x), y), weights)


@pytest.mark.parametrize("make", [convolutional, lambda: perceptron(4, 7, 3)], ids=["convolutional", "perceptron"])
def test_gradient_norm_and_snip_are_their_sums(make, images):
    network = make()
    x, y = images if isinstance(network[0], nn.Conv2d) else batch(4)
    weights, gradients = weight_gradients(network, x, y)
    assert compute("grad_norm", network, x, y) == pytest.approx(sum(g.norm().item() for g in gradients), rel=1e-5)
    expected = sum((g * w).abs().sum().item() for g, w in zip(gradients, weights, strict=True))
    assert compute("snip", network, x, y) == pytest.approx(expected, rel=1e-5)


def test_snip_by_hand():
    network = nn.Sequential(nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[2.0, -1.0]]))
    x, y = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[1.0], [0.0]])
    # Outputs 2 and -2; errors 1 and -2; mean squared error's gradient: (1 * 1, -2 * 2) * 2 / 2.
    assert compute("snip", network, x, y) == pytest.approx(abs(1 * 2) + abs(-4 * -1))


def test_grasp_is_the_whole_hessian_times_the_gradient():
    network = perceptron(3, 4, 2, act=nn.Tanh, bias=False)
    x, y = batch(3, classes=2)
    shapes = [p.shape for p in network.parameters()]

    def loss(flat):
        first, second = flat.split([s.numel() for s in shapes])
        return F.cross_entropy(F.linear(torch.tanh(F.linear(x, first.view(shapes[0]))), second.view(shapes[1])), y)

    theta = torch.cat([p.detach().flatten() for p in network.parameters()])
    gradient = torch.func.grad(loss)(theta)
    hessian = torch.func.hessian(loss)(theta)
    expected = -(theta * (hessian @ gradient)).sum().item()
    assert compute("grasp", network, x, y) == pytest.approx(expected, rel=1e-4)


def test_fisher_is_its_formula_with_gradients_by_hand():
    network = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, 1.0], [-1.0, 0.5]]))
        network[2].weight.copy_(torch.tensor([[2.0, 3.0]]))
    x, y = torch.tensor([[1.0, 2.0], [2.0, 1.0]]), torch.zeros(2, 1)
    # Hidden results (3, 0) and (3, -1.5): the second unit is off. Outputs 6 and 6; dL/d(output) = 2 * 6 / 2 = 6 each.
    hidden = 0.5 * ((3 * 6 * 2) ** 2 + (3 * 6 * 2) ** 2) / 2
    output = 0.5 * ((6 * 6) ** 2 + (6 * 6) ** 2) / 2
    assert compute("fisher", network, x, y) == pytest.approx(hidden + output)


def test_fisher_sums_over_positions_before_it_squares_and_survives_work_in_place(images):
    x, y = images
    network = convolutional()
    kept = []

    def answer(values):
        a = network[0](values)
        b = network[3](F.relu(network[1](a)))
        c = network[8](F.adaptive_avg_pool2d(F.relu(network[4](b)), 1).flatten(1))
        kept.extend([a, b, c])
        return c

    gradients = torch.autograd.grad(F.cross_entropy(answer(x), y), kept)
    expected = 0.0
    for a, g in zip(kept, gradients, strict=True):
        product = (a * g).flatten(2).sum(2) if a.dim() == 4 else a * g
        expected += (0.5 * product.square().mean(0)).sum().item()
    assert compute("fisher", network, x, y) == pytest.approx(expected, rel=1e-4)
    for part in network.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = True
    assert compute("fisher", network, x, y) == pytest.approx(expected, rel=1e-4)


# Synaptic flow


def test_synflow_of_a_chain_is_its_product_counted_once_a_layer():
    network = perceptron(5, 7, 4, 3, bias=False)
    product = torch.ones(5, dtype=torch.float64)
    for layer in (network[0], network[2], network[4]):
        product = layer.weight.detach().double().abs() @ product
    assert compute("synflow", network, *batch(5)) == pytest.approx(math.log(3 * product.sum().item()), rel=1e-12)


@pytest.mark.parametrize("act", [nn.ReLU, nn.SiLU, nn.Tanh, nn.Hardswish])
def test_synflow_knows_neither_activations_nor_data(act):
    plain = perceptron(5, 7, 3)
    assert compute("synflow", plain, *batch(5)) == compute("synflow", perceptron(5, 7, 3, act=act), *batch(5, seed=9))


def test_synflow_leaves_norms_out(images):
    bare = convolutional(norm=lambda channels: nn.Identity())
    for norm in (nn.BatchNorm2d, lambda c: nn.GroupNorm(1, c), lambda c: nn.InstanceNorm2d(c, affine=True)):
        assert compute("synflow", convolutional(norm), *images) == pytest.approx(compute("synflow", bare, *images))


def test_synflow_grows_by_the_logarithm_of_a_layers_scale():
    network = perceptron(5, 7, 4, 3, bias=False)
    before = compute("synflow", network, *batch(5))
    with torch.no_grad():
        network[2].weight.mul_(-8)
    assert compute("synflow", network, *batch(5)) == pytest.approx(before + math.log(8), rel=1e-12)


def test_synflow_stands_a_depth_at_which_single_precision_overflows():
    network = perceptron(*[64] * 100)
    with torch.no_grad():
        values = torch.ones(1, 64)
        for layer in network[::2]:
            values = F.linear(values, layer.weight.abs())
        assert not values.isfinite().all()
    assert 80 < compute("synflow", network, *batch(64)) < 400


def test_synflow_without_a_path_says_so():
    network = perceptron(4, 4, 3, bias=False)
    with torch.no_grad():
        network[0].weight.zero_()
    with pytest.raises(EvaluationError, match="synaptic flow is 0"):
        compute("synflow", network, *batch(4))


# Activation patterns and Jacobians


def test_naswot_is_the_log_determinant_of_agreements():
    network = perceptron(6, 30, 20, 3)
    x, y = batch(6)
    hidden = network[0](x)
    codes = torch.cat([hidden > 0, network[2](F.relu(hidden)) > 0], 1).double()
    kernel = codes @ codes.T + (1 - codes) @ (1 - codes).T  # N_A minus the Hamming distance
    assert kernel[0, 0] == 50
    assert compute("naswot", network, x, y) == pytest.approx(np.linalg.slogdet(kernel.detach().numpy())[1], rel=1e-4)


def test_naswot_sees_functions_as_it_sees_modules():
    class Functional(nn.Module):
        def __init__(self, same):
            super().__init__()
            self.same = same

        def forward(self, x):
            return self.same[4](torch.relu(self.same[2](F.relu(self.same[0](x)))))

    network = perceptron(6, 30, 20, 3)
    assert compute("naswot", Functional(network), *batch(6)) == compute("naswot", network, *batch(6))


def test_naswot_does_not_depend_on_the_scale_of_weights_without_biases():
    network = perceptron(6, 30, 20, 3, bias=False)
    before = compute("naswot", network, *batch(6))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)
    assert compute("naswot", network, *batch(6)) == before


def test_naswot_is_higher_where_inputs_differ_than_where_they_are_alike():
    network = perceptron(6, 64, 3)
    x, y = batch(6)
    alike = x[:1] + 0.1 * x
    assert compute("naswot", network, x, y) > compute("naswot", network, alike, y)


def test_naswot_of_fewer_units_than_inputs_is_low_and_finite():
    x, y = batch(6, n=16)
    assert math.isfinite(compute("naswot", perceptron(6, 3, 3), x, y))
    assert compute("naswot", perceptron(6, 3, 3), x, y) < compute("naswot", perceptron(6, 40, 3), x, y)


def test_jacobian_covariance_is_its_formula():
    network = perceptron(12, 9, 3)
    x, y = batch(12)
    leaf = x.clone().requires_grad_(True)
    (jacobian,) = torch.autograd.grad(network(leaf).sum(), leaf)
    values = np.linalg.eigvalsh(np.corrcoef(jacobian.double().numpy())) + 1e-5
    expected = -np.sum(np.log(values) + 1 / values)
    assert compute("jacob_cov", network, x, y) == pytest.approx(expected, rel=1e-3)


def test_jacobian_covariance_is_worst_for_a_linear_network():
    x, y = batch(12)
    linear, bent = perceptron(12, 3), perceptron(12, 40, 3)
    assert compute("jacob_cov", linear, x, y) < -6e5 < compute("jacob_cov", bent, x, y)  # seven eigenvalues are zero


# Zen


def test_zen_of_one_hidden_layer_is_its_formula():
    network = perceptron(50, 200, 3)
    x, y = batch(50, n=64)
    # Weights and inputs are drawn; ||W e|| of N(0, 1) weights with half of the units on is 0.01 sqrt(50 * 200 / 2).
    assert compute("zen", network, x, y) == pytest.approx(math.log(0.01 * math.sqrt(50 * 200 / 2)), abs=0.15)


def test_zen_puts_back_what_norms_divide_by():
    def make(norm):
        body = [nn.Conv2d(2, 16, 3, bias=False), norm(16), nn.Conv2d(16, 16, 3, bias=False), nn.ReLU()]
        return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3))

    x, y = batch(2, 12, 12, n=16)
    bare = compute("zen", make(lambda c: nn.Identity()), x, y)
    assert compute("zen", make(nn.BatchNorm2d), x, y) == pytest.approx(bare, abs=0.15)
    assert compute("zen", make(lambda c: nn.GroupNorm(1, c)), x, y) == pytest.approx(bare, abs=0.15)


def test_zen_does_not_depend_on_the_weights_but_on_width_and_depth():
    x, y = batch(20)
    first, second = (seeded(lambda: nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 3)), s) for s in (1, 2))
    assert compute("zen", first, x, y) == compute("zen", second, x, y)
    wider, deeper = perceptron(20, 120, 3), perceptron(20, 30, 30, 3)
    assert compute("zen", first, x, y) < compute("zen", wider, x, y)
    assert compute("zen", first, x, y) < compute("zen", deeper, x, y)


def test_zen_takes_out_shortcuts():
    from archwright import nn as ours

    def make(wrap):
        body = wrap(nn.Conv2d(4, 4, 3, padding=1, bias=False))
        return nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), body, nn.ReLU(), ours.Classifier(3))

    x, y = batch(2, 8, 8)
    assert compute("zen", make(ours.Residual), x, y) == pytest.approx(compute("zen", make(lambda b: b), x, y))


def test_zen_stands_a_depth_at_which_single_precision_overflows():
    # Each of 58 layers widens a change by sqrt(64 / 2); single precision ends at exp(88).
    expected = math.log(0.01 * math.sqrt(64)) + 58 * math.log(math.sqrt(32))
    assert compute("zen", perceptron(*[64] * 60), *batch(64)) == pytest.approx(expected, abs=5)


# AZ-NAS


def test_expressivity_is_the_entropy_of_the_shares_of_variance():
    # An even direction each: log(n). Two copies of one direction: nothing.
    even = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))
    x = torch.zeros(512, 4)
    found = compute("expressivity", even, x)
    assert 0 < found <= math.log(4) + 1e-6

    class Copies(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1, 1))

        def forward(self, x):
            return x[:, :1].repeat(1, 5) * self.scale

    assert compute("expressivity", nn.Sequential(Copies(), nn.Linear(5, 3)), x) == pytest.approx(0, abs=1e-6)


def test_expressivity_and_progressivity_rise_where_width_does():
    x = torch.zeros(256, 8)
    growing, shrinking = perceptron(8, 8, 32, 3), perceptron(8, 32, 8, 3)
    assert compute("progressivity", growing, x) > 0 > compute("progressivity", shrinking, x)
    assert compute("expressivity", growing, x) > compute("expressivity", perceptron(8, 8, 8, 3), x)


class Times(nn.Module):
    """A block that multiplies by a constant."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor
        self.unused = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return x * self.factor


@pytest.mark.parametrize("factor", [0.25, 0.5, 2.0, 4.0])
def test_trainability_is_zero_for_gradients_that_keep_their_size_and_falls_on_both_sides(factor):
    # g_in = f g_out, so the matrix is f times that of the signs, which tends to the identity.
    network = nn.Sequential(nn.Linear(3, 3), Times(factor), nn.Linear(3, 2))
    found = compute("trainability", network, torch.zeros(20_000, 3))
    assert found == pytest.approx(-factor - 1 / factor + 2, abs=0.1)


def test_trainability_follows_strides_that_do_not_divide_the_positions():
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(150, 3)
    )
    assert math.isfinite(compute("trainability", network, *batch(2, 9, 9)))


def test_folding_lays_each_window_into_the_channels():
    from archwright.evaluator.zerocost.az_nas import _folded

    gradient = torch.randn(2, 3, 4, 6)
    rows = _folded(gradient, torch.Size((2, 5, 2, 3)))
    expected = F.pixel_unshuffle(gradient, 2).movedim(1, -1).reshape(12, 12)
    assert torch.equal(rows.sort(1).values, expected.sort(1).values)


def test_the_rank_is_the_sum_of_logarithms_of_ranks():
    found = aggregate({"a": [1, 2, 3, 4], "b": [4.0, 3.0, math.nan, 1.0]})
    expected = [math.log(1 / 4) + math.log(4 / 4), math.log(2 / 4) + math.log(3 / 4)]
    assert found[:2] == pytest.approx(expected)
    assert found[2] == pytest.approx(math.log(3 / 4) + math.log(1 / 4))
    with pytest.raises(EvaluationError):
        aggregate({})


def test_the_rank_of_a_newcomer_is_that_among_all_ties_included():
    rng = np.random.default_rng(0)
    table = {name: rng.integers(0, 6, 20).astype(float) for name in "abc"}
    table["a"][::4] = math.nan
    others = {name: column[:-1] for name, column in table.items()}
    assert rank_among(others, {n: c[-1] for n, c in table.items()}) == pytest.approx(aggregate(table)[-1])


def test_one_low_rank_weighs_more_than_with_plain_ranks():
    # Sums of ranks are equal; the non-linear rank prefers the balanced one.
    columns = {"a": [1, 3, 2, 4, 5], "b": [5, 3, 1, 2, 4]}
    unbalanced, balanced = aggregate(columns)[:2]
    assert balanced > unbalanced


def test_every_proxy_names_its_paper():
    for proxy in PROXIES.values():
        module = __import__(proxy.__module__, fromlist=["x"])
        assert "arxiv.org" in (proxy.__doc__ or "") + (module.__doc__ or "")
