"""Baselines fit their task, scale to a ceiling, and learn."""

import pytest
import torch
from torch import nn

from archwright import task
from archwright.errors import DataError
from archwright.task.baseline import ResidualConv, ResidualMLP, fitted, parameters


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda w: ResidualConv(10, width=w), (1, 8, 8)),
        (lambda w: ResidualConv(5, width=w, strides=(2, 2, 2, 2)), (3, 40, 64)),
        (lambda w: ResidualConv(10, dimensions=1, width=w, kernel=5), (2, 40)),
        (lambda w: ResidualMLP(3, width=w), (30,)),
    ],
)
def test_the_fitted_width_is_the_largest_below_the_ceiling(make, shape):
    net = fitted(make, shape, 5_000)
    net(torch.zeros(2, *shape))
    count = sum(p.numel() for p in net.parameters())
    width = net.stem.out_features if isinstance(net, ResidualMLP) else net.stem[0].out_channels
    assert count == parameters(lambda: make(width), shape) <= 5_000 < parameters(lambda: make(width + 1), shape)


def test_a_ceiling_that_nothing_keeps_to_is_refused():
    with pytest.raises(DataError, match=r"even the narrowest has"):
        task.load("digits").baseline(max_params=5)


@pytest.mark.parametrize("name", ["digits", "breast_cancer"])
def test_it_learns_in_a_few_epochs(name):
    problem = task.load(name)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = problem.baseline(width=16)
        net(problem.train.inputs[:2])
        optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
        generator = torch.Generator().manual_seed(0)
        for _ in range(6):
            for rows in torch.randperm(len(problem.train), generator=generator).split(64):
                loss = problem.loss(
                    net(problem.augment(problem.train.inputs[rows], generator)), problem.train.targets[rows]
                )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    net.eval()
    score = problem.score(net(problem.validation.inputs), problem.validation.targets)
    assert score["accuracy"] > 0.85


def test_baselines_can_be_traced():
    for name in ("digits", "breast_cancer"):
        problem = task.load(name)
        net = problem.baseline().eval()
        net(problem.train.inputs[:2])
        traced = torch.fx.symbolic_trace(net)
        assert torch.equal(traced(problem.train.inputs[:4]), net(problem.train.inputs[:4]))


@pytest.mark.parametrize("cell", [nn.RNN, nn.GRU, nn.LSTM])
def test_recurrent_networks_are_counted_without_their_steps(cell):
    class Reader(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.layer = cell(3, width, 2, batch_first=True, bidirectional=True)
            self.head = nn.LazyLinear(4)

        def forward(self, x):
            return self.head(self.layer(x)[0])

    net = fitted(Reader, (200_000, 3), 5_000)  # step by step, as torch alone counts, this takes hours
    net(torch.zeros(2, 5, 3))
    count = sum(p.numel() for p in net.parameters())
    width = net.layer.hidden_size
    assert count == parameters(lambda: Reader(width), (7, 3)) <= 5_000 < parameters(lambda: Reader(width + 1), (7, 3))
