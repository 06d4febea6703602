"""Networks of users and items: what is unknown, features, and every sample of the space."""

import numpy as np
import pytest
import torch

from archwright.cost import measure
from archwright.errors import EvaluationError, SpaceError
from archwright.evaluator import Recipe
from archwright.evaluator.optimizer import make_optimizer
from archwright.nn import LinearBlock, Regressor, materialize, spaces
from archwright.nn.recommend import MEETINGS, Recommender, Table

USERS, ITEMS = 20, 30


def pairs(n=6, features=0, seed=0):
    draws = torch.Generator().manual_seed(seed)
    numbers = [torch.randint(1, count, (n, 1), generator=draws).float() for count in (USERS, ITEMS)]
    return torch.cat([*numbers, torch.randn(n, features, generator=draws)], 1)


def test_factors_are_the_scalar_product_and_the_biases():
    network = materialize(Recommender(torch.nn.Identity(), USERS, ITEMS, width=4), (2,))
    torch.nn.init.constant_(network.level, 0.5)
    x = pairs()
    users, items = network.users.table.weight, network.items.table.weight
    for (user, item), said in zip(x.long().tolist(), network(x).flatten().tolist(), strict=True):
        u, i = users[user], items[item]
        assert said == pytest.approx((0.5 + u[:4] @ i[:4] + u[4] + i[4]).item(), rel=1e-4)


@pytest.mark.parametrize("meeting", MEETINGS)
def test_what_is_unknown_counts_as_nothing_and_learns_nothing(meeting):
    body = torch.nn.Sequential(LinearBlock(8), Regressor(1))
    network = materialize(Recommender(body, USERS, ITEMS, width=4, meeting=meeting), (2,))
    unknown = torch.tensor([[0.0, 3.0], [-5.0, 3.0], [USERS + 7.0, 3.0]])
    said = network(unknown)
    assert (said == said[0]).all(), "below and beyond the table is unknown too"
    network(torch.cat([unknown, torch.tensor([[2.0, 0.0]])])).sum().backward()
    assert network.users.table.weight.grad[0].abs().sum() == 0
    assert network.items.table.weight.grad[0].abs().sum() == 0


def test_tables_have_a_weight_decay_of_their_own():
    body = torch.nn.Sequential(LinearBlock(8), Regressor(1))
    network = materialize(Recommender(body, USERS, ITEMS, width=4, meeting="all", decay=0.7), (2,))
    groups = make_optimizer(network, Recipe(weight_decay=0.02)).param_groups
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert len(decays) == len(list(network.parameters()))
    for module in network.modules():
        for p in module.parameters(recurse=False):
            expected = 0.0 if p.ndim < 2 else 0.7 if isinstance(module, Table) else 0.02
            assert decays[id(p)] == expected


@pytest.mark.parametrize("features", [(0, 0), (3, 2)])
def test_every_sample_of_the_space_builds_trains_and_traces(features):
    of_user, of_item = features
    shape = (2 + of_user + of_item,)
    space = spaces.recommender(shape, users=USERS, items=ITEMS, user_features=of_user)
    rng, seen = np.random.default_rng(0), set()
    for _ in range(30):
        architecture = space.sample(rng)
        network = materialize(space.build(architecture), shape)
        x = pairs(features=of_user + of_item)
        output = network(x)
        assert output.shape == (6, 1)
        output.square().mean().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
        network.eval()
        torch.testing.assert_close(torch.fx.symbolic_trace(network)(x), network(x))
        inside = next(m for m in network.modules() if isinstance(m, Recommender))
        seen |= {inside.meeting, inside.shortcut, inside.biases}
        if of_user:
            other = x.clone()
            other[:, -1] += 1.0
            assert not torch.equal(network(other), network(x)), "features are read"
    assert seen == {*MEETINGS, True, False}


def test_costs_are_counted():
    space = spaces.recommender((4,), users=USERS, items=ITEMS, user_features=1)
    architecture = next(a for a in map(space.sample, map(np.random.default_rng, range(50))) if a["kind"] == "layers")
    network = materialize(space.build(architecture), (4,)).eval()
    costs = measure(network, (4,))
    assert costs["params"] == sum(p.numel() for p in network.parameters())
    assert costs["macs"] > 0
    assert costs["peak_bytes"] > 0
    assert measure(network, (4,), ["latency_ms"])["latency_ms"] > 0


def test_what_does_not_fit_is_said():
    with pytest.raises(SpaceError, match="one number; got inputs"):
        spaces.recommender((3,), users=USERS, items=ITEMS, user_features=2)
    with pytest.raises(EvaluationError, match="must end in"):
        materialize(Recommender(LinearBlock(3), USERS, ITEMS, meeting="concat"), (2,))
    with pytest.raises(EvaluationError, match="2 features of the user"):
        materialize(Recommender(LinearBlock(1), USERS, ITEMS, user_features=2), (3,))
    with pytest.raises(SpaceError, match="Did you mean 'concat'"):
        Recommender(LinearBlock(1), USERS, ITEMS, meeting="concatenate")
