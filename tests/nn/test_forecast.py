"""Layers of forecasts: levels taken away and given back, and mixing along both axes."""

import numpy as np
import pytest
import torch

from archwright import nn
from archwright.errors import EvaluationError, SpaceError
from archwright.export.flat import flatten
from archwright.nn import materialize
from archwright.space import Space, choice


def network(level, shortcut=False, channels=3):
    torch.manual_seed(0)
    body = nn.Sequential(nn.Flatten(), nn.LazyLinear(10))
    return materialize(nn.Forecaster(body, targets=2, level=level, shortcut=shortcut), (channels, 12)).eval()


@pytest.mark.parametrize("shortcut", [False, True])
@pytest.mark.parametrize("level", ["last", "mean"])
def test_a_forecast_moves_with_its_window(level, shortcut):
    x = torch.randn(4, 3, 12)
    made = network(level, shortcut)
    assert made(x).shape == (4, 10)
    lifted = x.clone()
    lifted[:, 0] += 5
    lifted[:, 1] -= 2
    expected = made(x) + torch.tensor([5.0] * 5 + [-2.0] * 5)
    assert torch.allclose(made(lifted), expected, atol=1e-4)
    other = x.clone()
    other[:, 2] += 5
    assert not torch.allclose(made(other), made(x), atol=1e-2), "what is no target keeps its level"


def test_a_forecast_of_a_window_twice_as_wide_is_twice_as_wide_where_the_mean_and_the_deviation_are_taken_away():
    x = torch.randn(4, 2, 12)
    made = network("mean", True, channels=2)
    assert torch.allclose(made(2 * x), 2 * made(x), atol=1e-3)
    assert not torch.allclose(network("last", True, channels=2)(2 * x), 2 * made(x), atol=1e-1)


def test_levels_are_no_part_of_what_tells_networks_apart_where_there_are_none():
    body = nn.Sequential(nn.Flatten(), nn.LazyLinear(10))
    level, linear = choice("none", "last", "mean", name="level"), choice(False, True, name="linear")
    space = Space(choice(nn.Forecaster(body, 1, level, linear), body, name="whole"))
    keys = {a.canonical if hasattr(a, "canonical") else space.key(a) for a in space}
    assert len(keys) == 6, "three levels, with a linear map and without; the body alone is one of them"


def test_a_mixer_lets_every_position_and_every_channel_reach_every_other():
    torch.manual_seed(0)
    block = materialize(nn.MixerBlock(expansion=2, activation="gelu"), (4, 6)).eval()
    x = torch.randn(2, 4, 6, requires_grad=True)
    assert block(x).shape == x.shape
    block(x)[:, 1, 2].sum().backward()
    assert (x.grad.abs() > 0).all()


@pytest.mark.parametrize("level", ["none", "last", "mean"])
def test_forecasters_are_written_as_plain_networks(level):
    body = nn.Sequential(nn.ConvBlock(4, 2, stride=2), nn.MixerBlock(), nn.Regressor(6, pool="flatten"))
    made = materialize(nn.Forecaster(body, 2, level, True), (3, 8)).eval()
    assert flatten(made, (3, 8)).graph is not None


def test_a_body_that_gives_no_whole_horizons_is_an_error():
    with pytest.raises(EvaluationError, match="a forecast of 2 targets"):
        materialize(nn.Forecaster(nn.Sequential(nn.Flatten(), nn.LazyLinear(7)), targets=2), (3, 12))
    with pytest.raises(SpaceError, match="unknown level 'first'"):
        nn.Forecaster(nn.Identity(), level="first")


def test_every_kind_of_the_space_makes_forecasts_of_its_own():
    space = nn.spaces.forecast((2, 24), 6, targets=2)
    kinds = set()
    for seed in range(60):
        architecture = space.sample(np.random.default_rng(seed))
        if architecture["kind"] in kinds:
            continue
        kinds.add(architecture["kind"])
        assert materialize(space.build(architecture), (2, 24))(torch.randn(3, 2, 24)).shape == (3, 6)
    assert kinds == {"linear", "convolution", "causal", "recurrent", "attention", "mixer"}
