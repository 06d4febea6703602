"""Detectors: a head of centres that begins with few of them, and a space of networks for boxes."""

import numpy as np
import pytest
import torch

from archwright import nn
from archwright.errors import SpaceError
from archwright.nn import materialize, spaces
from archwright.nn.conv import ConvBlock
from archwright.nn.dense import Level


@pytest.mark.parametrize("width", [0, 8])
def test_a_head_gives_scores_that_begin_at_a_tenth_and_four_numbers(width):
    torch.manual_seed(0)
    head = materialize(nn.CentreHead(3, width), (6, 5, 7)).eval()
    output = head(0.1 * torch.randn(2, 6, 5, 7))
    assert output.shape == (2, 7, 5, 7)
    assert output[:, :3].sigmoid().mean().item() == pytest.approx(0.1, abs=0.05)
    assert sum(isinstance(m, ConvBlock) for m in head.modules()) == (2 if width else 0)


def test_a_head_says_what_is_wrong():
    with pytest.raises(SpaceError, match="n_classes must be a whole number"):
        nn.CentreHead(0)
    with pytest.raises(SpaceError, match="unknown activation"):
        nn.CentreHead(2, activation="rellu")


@pytest.mark.parametrize("shape", [(3, 32, 40), (1, 96, 128)])
def test_every_sample_builds_trains_and_traces_on_a_grid_of_4_or_8_pixels(shape):
    space = spaces.detector(shape, 2, widths=(4, 6))
    rng, steps, levels = np.random.default_rng(0), set(), set()
    for _ in range(12):
        network = materialize(space.build(space.sample(rng)), shape)
        x = torch.randn(2, *shape)
        output = network(x)
        assert output.shape[1] == 6
        steps.add((shape[1] // output.shape[2], shape[2] // output.shape[3]))
        levels.add(sum(isinstance(m, Level) for m in network.modules()))
        output.square().mean().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
        network.eval()
        torch.testing.assert_close(torch.fx.symbolic_trace(network)(x), network(x))
    assert steps == ({(4, 4)} if shape[1] < 96 else {(4, 4), (8, 8)})
    assert len(levels) > 1, "with a way down from the top, and without"
