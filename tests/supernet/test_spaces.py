"""Every space that networks are searched in by name: a path through its supernet is the network alone."""

import numpy as np
import pytest
import torch

from archwright import oneshot
from archwright.cli.names import SPACES
from archwright.errors import EvaluationError, SpaceError
from archwright.nn import spaces
from archwright.supernet import Supernet
from archwright.task import ImageGeneration

TOLERANCE = 1e-5

SMALL = {
    "convnet": ((1, 8, 8), {}),
    "mobile": ((3, 16, 16), {}),
    "sequence": ((1, 16), {}),
    "audio": ((1, 2000), {}),
    "speech": ((1, 4000), {}),
    "text": ((9,), {"vocabulary": 20}),
    "forecast": ((1, 24), {}),
    "language": ((9,), {}),
    "translation": ((12,), {}),
    "recommender": ((4,), {"users": 9, "items": 9, "user_features": 1}),
    "shared": ((1, 12, 12), {}),
    "detector": ((3, 32, 32), {}),
    "towers": ((16,), {}),
    "unet": ((3, 16, 16), {}),
    "graph": ((17, 32), {}),
    "graphs": ((25, 30), {}),
    "mlp": ((6,), {}),
}
"""Inputs as small as they may be, and what else a space is told."""

SLOW = {"audio", "detector", "forecast", "graphs", "sequence", "shared", "translation", "unet"}
"""Many decisions, each value of which a supernet looks at when it is made."""

REFUSED = {"gan"}
"""Two networks that play against each other: one-shot algorithms refuse the task."""


def inputs(supernet, shape):
    """Three inputs; tokens end in padding, at the end of a source too."""
    if supernet.input_dtype == torch.float32:
        return torch.rand(3, *shape)
    x = torch.randint(1, 9, (3, *shape))
    x[1, shape[0] // 3 : shape[0] // 2] = 0
    x[1:, -2:] = 0
    if shape[0] % 2:  # one text alone
        x[1, shape[0] // 3 :] = 0
    return x


def test_all_of_them_are_looked_at():
    assert {*SMALL, *REFUSED} == set(SPACES)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in SMALL])
def test_a_path_is_the_network_alone(name):
    shape, told = SMALL[name]
    space = getattr(spaces, name)(shape, SPACES[name].example_outputs, **told)
    torch.manual_seed(0)
    supernet = Supernet(space, shape).eval()
    x = inputs(supernet, shape)
    for seed in range(8):
        architecture = space.sample(np.random.default_rng(seed))
        with torch.no_grad():
            alone, path = supernet.subnet(architecture).eval()(x), supernet(x, architecture)
        torch.testing.assert_close(path, alone, atol=TOLERANCE, rtol=0, msg=lambda m, a=architecture: f"{a}: {m}")


def test_two_networks_that_play_against_each_other_are_refused():
    images = np.random.default_rng(0).integers(0, 255, (60, 8, 8)).astype(np.uint8)
    with pytest.raises(EvaluationError, match="several that play against each other: search its networks one by one"):
        oneshot.spos(None, ImageGeneration(images))


@pytest.mark.slow
def test_soft_gates_of_an_encoder_decoder_are_refused():
    space = spaces.translation(SMALL["translation"][0], 10, depth=1)
    supernet = Supernet(space, SMALL["translation"][0])
    gates = [torch.full((d.size,), 1 / d.size) for d in space.decisions]
    with pytest.raises(SpaceError, match="would run it more than 64 times"):
        supernet(torch.ones(2, 12, dtype=torch.int64), gates)


@pytest.mark.parametrize("name", ["text", "language"])
def test_padding_changes_nothing_of_what_a_path_says(name):
    shape, told = SMALL[name]
    space = getattr(spaces, name)(shape, 3, **{"vocabulary": 20, **told})
    supernet = Supernet(space, shape).eval()
    short = torch.randint(1, 9, (2, 5))
    padded = torch.cat([short, torch.zeros(2, 4, dtype=torch.int64)], 1)
    for seed in range(12):
        architecture = space.sample(np.random.default_rng(seed))
        if "learned" in architecture.values():  # positions: as many as the supernet was made for
            continue
        with torch.no_grad():
            one, other = supernet(short, architecture), supernet(padded, architecture)
        torch.testing.assert_close(other[..., :5] if name == "language" else other, one, atol=TOLERANCE, rtol=0)


def test_soft_gates_see_padding_too():
    shape, told = SMALL["text"]
    space = spaces.text(shape, 3, **told)
    supernet = Supernet(space, shape).eval()
    x = inputs(supernet, shape)
    codes = [d.size - 1 for d in space.decisions]
    kind = next(i for i, d in enumerate(space.decisions) if d.name == "kind")
    shares = torch.tensor([0.4, 0.3, 0.2, 0.1])
    with torch.no_grad():
        mixed = supernet(x, [shares if i == kind else code for i, code in enumerate(codes)])
        alone = [supernet(x, [k if i == kind else code for i, code in enumerate(codes)]) for k in range(4)]
        each = [supernet.subnet(_with(space, codes, kind, k)).eval()(x) for k in range(4)]
    torch.testing.assert_close(torch.stack(alone), torch.stack(each), atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(mixed, sum(s * y for s, y in zip(shares, alone, strict=True)), atol=TOLERANCE, rtol=0)


def _with(space, codes, i, code):
    from archwright.space.variation import is_live

    found = []
    for j, (d, c) in enumerate(zip(space.decisions, codes, strict=True)):
        found.append((code if j == i else c) if is_live(d, found) else -1)
    return space.architecture(found)
