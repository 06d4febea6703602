"""Networks for pixels: sizes that come back, skips, equal networks, and what they cost."""

import itertools

import numpy as np
import pytest
import torch

from archwright import nn
from archwright.cost import measure
from archwright.errors import EvaluationError, SpaceError
from archwright.export.flat import flatten
from archwright.nn import materialize
from archwright.nn.dense import SKIPS, UPS
from archwright.space import Space, choice


@pytest.mark.parametrize(("skip", "up"), [*itertools.product(SKIPS, UPS)])
@pytest.mark.parametrize("size", [(8, 12), (9, 7)])
def test_a_level_comes_back_to_its_input_size_whatever_that_is(skip, up, size):
    level = nn.Level(nn.ConvBlock(6, 3, stride=2), skip, up)
    made = materialize(level, (4, *size)).eval()
    x = torch.randn(2, 4, *size)
    assert made(x).shape == (2, 8 if skip == "concat" else 4, *size)
    assert flatten(made, (4, *size)).graph is not None
    if skip == "concat":
        assert torch.equal(made(x)[:, :4], x)


def test_a_level_without_skip_forgets_what_its_body_does():
    level = materialize(nn.Level(nn.Sequential(nn.MaxPool(2), nn.Zero()), "none", "nearest"), (3, 8, 8))
    assert level(torch.randn(1, 3, 8, 8)).abs().max() == 0
    kept = materialize(nn.Level(nn.Sequential(nn.MaxPool(2), nn.Zero()), "sum", "nearest"), (3, 8, 8))
    x = torch.randn(1, 3, 8, 8)
    assert torch.equal(kept(x), x)


def test_equal_networks_are_one_and_different_skips_are_not():
    def body(name):
        return nn.Sequential(nn.ConvBlock(4, 3, 2), choice(nn.Identity(), nn.Sequential(nn.Identity()), name=name))

    space = Space(nn.Level(body("same"), choice(*SKIPS, name="skip"), choice(*UPS, name="up")))
    keys = {space.key(a) for a in space}
    assert len(list(space)) == 18
    assert len(keys) == 9


def test_what_cannot_come_back_is_an_error():
    with pytest.raises(EvaluationError, match="make no side longer"):
        materialize(nn.Level(nn.Upsample(scale_factor=2)), (3, 8, 8))
    with pytest.raises(SpaceError, match="Did you mean 'concat'"):
        nn.Level(nn.Identity(), skip="conca")


def test_costs_of_a_way_down_and_up_are_those_of_its_convolutions():
    h, w = 8, 12
    body = nn.Conv2d(4, 6, 3, stride=2, padding=1)
    for up, back in (("transposed", 6 * 4 * 4 * h * w // 4), ("bilinear", 6 * 4 * h * w // 4)):
        found = measure(nn.Sequential(nn.Level(body, "concat", up)), (4, h, w), ("params", "macs"))
        assert found["macs"] == 4 * 6 * 9 * h * w // 4 + back, "a transposed kernel of 4 meets every pixel below once"
    head = measure(nn.PixelClassifier(5, size=(h, w)), (4, h // 2, w // 2), ("macs",))
    assert head["macs"] == 4 * 5 * h * w // 4, "resizing multiplies no matrices"


def test_every_architecture_of_the_space_gives_scores_of_every_pixel():
    for shape in ((3, 40, 33), (1, 40, 49)):
        space = nn.spaces.unet(shape, 5)
        levels = set()
        for seed in range(12):
            architecture = space.sample(np.random.default_rng(seed))
            network = materialize(space.build(architecture), shape)
            assert network(torch.randn(2, *shape)).shape == (2, 5, *shape[1:])
            levels.add(sum(isinstance(m, type(nn.Level(nn.Identity()))) for m in network.modules()))
        assert len(levels) >= 2
