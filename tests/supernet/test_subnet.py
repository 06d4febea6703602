"""A network taken out of a supernet is the network that its gates make, and a plain one."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archwright import Space, choice, integer, nn, repeat, subset
from archwright.errors import DataError, EvaluationError
from archwright.nn import materialize, spaces
from archwright.supernet import Supernet

TOLERANCE = 1e-5


def outputs(supernet, network, architecture, x, training):
    supernet.train(training)
    network.train(training)
    torch.manual_seed(0)  # for dropout
    ours = supernet(x, architecture)
    torch.manual_seed(0)
    return ours, network(x)


def assert_equal(supernet, architecture, x):
    network = supernet.subnet(architecture)
    for training in (True, False):
        ours, its = outputs(supernet, network, architecture, x, training)
        torch.testing.assert_close(ours, its, atol=TOLERANCE, rtol=0)


# Random spaces of modules that keep or change the channels of images.

ACTIVATIONS = st.sampled_from(["relu", "silu", "tanh"])


@st.composite
def open_numbers(draw, values):
    chosen = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True))
    return chosen[0] if len(chosen) == 1 else choice(*chosen)


@st.composite
def keeping(draw, depth=2):
    """A module that keeps the shape of images."""
    kinds = ["conv", "separable", "inverted", "identity", "zero", "pool", "norm", "squeeze"]
    kinds += ["choice", "residual", "sequence", "repeat", "cell", "states", "loop", "parallel"] * (depth > 0)
    kind = draw(st.sampled_from(kinds))
    inner = keeping(depth - 1)
    match kind:
        case "conv":
            return nn.ConvBlock(
                kernel=draw(open_numbers([1, 3, 5])),
                norm=draw(open_numbers(["batch", "none", "group"])),
                activation=choice("relu", draw(ACTIVATIONS)),
                dropout=draw(open_numbers([0.0, 0.3])),
            )
        case "separable":
            return nn.SeparableBlock(kernel=draw(open_numbers([3, 5])), middle=choice(True, False))
        case "inverted":
            return nn.InvertedResidual(
                expansion=draw(open_numbers([1, 2, 3])),
                kernel=draw(open_numbers([3, 5])),
                squeeze=draw(open_numbers([0, 0.25])),
            )
        case "identity":
            return nn.Identity()
        case "zero":
            return nn.Zero()
        case "pool":
            return nn.Pool(draw(open_numbers(["max", "avg"])), 3, 1, "same")
        case "norm":
            return nn.Norm(draw(open_numbers(["batch", "layer", "group", "none"])))
        case "squeeze":
            return nn.SqueezeExcite(draw(open_numbers([0.25, 0.5])))
        case "choice":
            return choice(*draw(st.lists(inner, min_size=2, max_size=3)))
        case "residual":
            return nn.Residual(draw(inner), project=draw(open_numbers([True, False])))
        case "sequence":
            return nn.Sequential(*draw(st.lists(inner, min_size=1, max_size=2)))
        case "repeat":
            return nn.Sequential(repeat(draw(inner), (0, 2), tied=draw(st.booleans())))
        case "cell":
            return nn.Cell(*nn.edges(draw(st.lists(inner, min_size=2, max_size=2)), nodes=3))
        case "states":
            operation = draw(st.lists(inner, min_size=2, max_size=2))
            return nn.Sequential(
                nn.StateCell(
                    inputs=[[0], subset([0, 1], (1, 2))],
                    operations=[[choice(*operation)], [choice(*operation), choice(*operation)]],
                ),
                nn.ConvBlock(6, 1),
            )
        case "loop":
            return nn.Loop(draw(inner), draw(open_numbers([1, 2])))
        case "parallel":
            return nn.Parallel(repeat(draw(inner), (1, 2)))


@st.composite
def networks(draw):
    first = nn.ConvBlock(draw(st.sampled_from([choice(4, 6, 8), integer(3, 7, step=2)])), stride=choice(1, 2))
    between = draw(st.lists(keeping(), min_size=1, max_size=3))
    wider = nn.Residual(nn.ConvBlock(choice(4, 10), draw(open_numbers([1, 3]))))
    head = nn.Classifier(3, pool=choice("avg", "flatten"), hidden=[repeat(choice(4, 8), (0, 2))])
    return Space(nn.Sequential(first, *between, wider, head))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.integers(0, 1000))
def test_a_subnet_of_any_space_equals_the_gated_forward(space, seed):
    supernet = Supernet(space, (2, 8, 8), seed=seed)
    rng = np.random.default_rng(seed)
    x = torch.randn(3, 2, 8, 8, generator=torch.Generator().manual_seed(seed))
    for architecture in space.sample(rng, 8):
        try:
            materialize(space.build(architecture), (2, 8, 8))
        except EvaluationError:  # StateCell leaves other channels than project=False allows
            continue
        assert_equal(supernet, architecture, x)


DEFAULTS = {
    "convnet": (2, 8, 8),
    "mobile": (2, 8, 8),
    "sequence": (2, 16),
    "mlp": (7,),
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_subnet_of_a_default_space_equals_the_gated_forward(name):
    shape = DEFAULTS[name]
    widths = (4, 6, 16) if name == "mlp" else (4, 7, 16)
    space = getattr(spaces, name)(shape, 3, widths=widths)
    supernet = Supernet(space, shape)
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(0))
    for architecture in space.sample(np.random.default_rng(0), 20):
        assert_equal(supernet, architecture, x)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "shape"), [("convnet", (1, 28, 28)), ("convnet", (1, 64)), *DEFAULTS.items()])
def test_a_subnet_of_a_default_space_at_its_own_widths_equals_the_gated_forward(name, shape):
    space = getattr(spaces, name)(shape, 3)
    supernet = Supernet(space, shape)
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(0))
    for architecture in space.sample(np.random.default_rng(1), 20):
        assert_equal(supernet, architecture, x)


@pytest.fixture(scope="module")
def small():
    space = Space(
        nn.Sequential(
            nn.ConvBlock(choice(4, 8, name="width")),
            choice(nn.ConvBlock(), nn.SeparableBlock(), name="op"),
            nn.Residual(nn.ConvBlock(choice(8, 12, name="next"))),
            nn.Classifier(3),
        )
    )
    return space, Supernet(space, (1, 6, 6))


def test_a_subnet_has_the_names_and_shapes_of_the_built_network(small):
    space, supernet = small
    for architecture in space:
        built = materialize(space.build(architecture), (1, 6, 6)).state_dict()
        taken = supernet.subnet(architecture).state_dict()
        assert [(k, v.shape) for k, v in built.items()] == [(k, v.shape) for k, v in taken.items()]


def test_changing_a_subnet_changes_no_supernet_and_the_other_way_round(small):
    space, supernet = small
    architecture = next(iter(space))
    before = copy.deepcopy(supernet.state_dict())
    network = supernet.subnet(architecture).train()
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            tensor.add_(1)
    network(torch.randn(4, 1, 6, 6))
    assert all(torch.equal(a, b) for a, b in zip(before.values(), supernet.state_dict().values(), strict=True))
    kept = copy.deepcopy(network.state_dict())
    changed = copy.deepcopy(supernet)
    network = changed.subnet(architecture)
    kept = copy.deepcopy(network.state_dict())
    with torch.no_grad():
        for tensor in changed.parameters():
            tensor.add_(1)
    assert all(torch.equal(a, b) for a, b in zip(kept.values(), network.state_dict().values(), strict=True))


def test_a_subnet_is_in_the_mode_of_the_supernet(small):
    space, supernet = small
    architecture = next(iter(space))
    assert all(m.training for m in supernet.train().subnet(architecture).modules())
    assert not any(m.training for m in supernet.eval().subnet(architecture).modules())


def test_training_a_path_trains_the_statistics_that_its_subnet_has(small):
    space, supernet = small
    supernet = copy.deepcopy(supernet).train()
    architecture = next(iter(space))
    before = supernet.subnet(architecture).state_dict()["0.body.1.running_mean"]
    supernet(torch.randn(8, 1, 6, 6), architecture)
    after = supernet.subnet(architecture).state_dict()
    assert not torch.equal(before, after["0.body.1.running_mean"])
    assert after["0.body.1.num_batches_tracked"] == 1


def test_recalibrated_statistics_are_the_average_over_the_batches(small):
    space, supernet = small
    supernet = copy.deepcopy(supernet).train()
    architecture = next(iter(space))
    batches = [torch.randn(16, 1, 6, 6) for _ in range(5)]
    network = supernet.subnet(architecture, batches=batches)
    conv = network[0].body[0]
    means = torch.stack([conv(b).mean((0, 2, 3)) for b in batches]).mean(0)
    torch.testing.assert_close(network[0].body[1].running_mean, means)
    assert network[0].body[1].momentum == 0.1
    assert network.training
    copied = supernet.subnet(architecture).state_dict()
    assert not torch.equal(copied["0.body.1.running_mean"], network.state_dict()["0.body.1.running_mean"])


def test_recalibration_on_nothing_is_an_error(small):
    space, supernet = small
    with pytest.raises(DataError, match="no batches"):
        supernet.subnet(next(iter(space)), batches=[])
