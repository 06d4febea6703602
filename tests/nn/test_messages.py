"""Layers of messages and networks for whole graphs: other libraries' numbers, and what must not matter."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archwright import nn
from archwright.errors import EvaluationError, SpaceError
from archwright.nn import materialize, spaces
from archwright.nn.messages import GRAPH_JOINS, GRAPH_NORMS, MESSAGES, READOUTS, GraphNetwork, MessageBlock

N, F = 7, 3


def graph(seed=0, n=N, share=0.4, filled=N):
    """A random graph as one input, filled up to so many rows; and its parts."""
    rng = np.random.default_rng(seed)
    joined = np.triu(rng.random((n, n)) < share, 1)
    joined = joined + joined.T
    x = torch.zeros(1, filled, 1 + F + filled)
    x[0, :n, 0] = 1
    x[0, :n, 1 : 1 + F] = torch.from_numpy(rng.normal(size=(n, F)))
    x[0, :n, 1 + F : 1 + F + n] = torch.from_numpy(joined.astype(np.float32))
    return x


def parts(x):
    return x[:, :, 1 : 1 + F], x[:, :, 1 + F :], x[:, :, 0]


def layer(kind, **settings):
    torch.manual_seed(0)
    block = MessageBlock(8, kind, activation="none", **settings).eval()
    block(*parts(graph()))
    return block


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_layer_gives_the_numbers_of_torch_geometric(kind):
    geometric = pytest.importorskip("torch_geometric.nn")
    block = layer(kind)
    body = block.body
    with torch.no_grad():
        if kind == "gcn":
            other = geometric.GCNConv(F, 8)
            other.lin.weight.copy_(body.own.weight), other.bias.copy_(body.own.bias)
        elif kind in ("sage", "sum"):
            other = geometric.SAGEConv(F, 8) if kind == "sage" else geometric.GraphConv(F, 8)
            inner, outer = (other.lin_r, other.lin_l) if kind == "sage" else (other.lin_root, other.lin_rel)
            inner.weight.copy_(body.own.weight), outer.weight.copy_(body.other.weight)
            outer.bias.copy_(body.own.bias)
        elif kind == "gin":
            perceptron = torch.nn.Sequential(body.own, torch.nn.ReLU(), body.second)
            other = geometric.GINConv(perceptron)
        else:
            other = geometric.GATConv(F, 2, heads=4)
            other.lin.weight.copy_(body.value.weight), other.bias.copy_(body.bias)
            other.att_dst.copy_(body.ends[0][None]), other.att_src.copy_(body.ends[1][None])
    x = graph(3)
    nodes, joined, there = parts(x)
    with torch.no_grad():
        wanted = other(nodes[0], joined[0].nonzero().T)
        torch.testing.assert_close(block(nodes, joined, there)[0], wanted, rtol=1e-4, atol=1e-5)


def test_graph_norm_is_over_the_nodes_that_are_there():
    block = layer("sum", norm="graph")
    x = graph(1, filled=N + 4)
    plain = block.body(*parts(x))[0, :N]
    wanted = (plain - plain.mean(0)) / (plain.var(0, unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(block(*parts(x))[0, :N], wanted, rtol=1e-4, atol=1e-4)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(MESSAGES), st.sampled_from(GRAPH_NORMS), st.sampled_from(GRAPH_JOINS), st.sampled_from(READOUTS),
    st.integers(1, N), st.integers(0, 5), st.integers(0, 1000),
)  # fmt: skip
def test_neither_the_order_of_nodes_nor_rows_that_are_filled_up_matter(kind, norm, join, readout, n, more, seed):
    torch.manual_seed(seed)
    network = GraphNetwork(
        MessageBlock(8, kind, norm=norm), MessageBlock(8, "gin", residual=True), nn.Classifier(2), join=join,
        readout=readout,
    ).eval()  # fmt: skip
    materialize(network, (n, 1 + F + n))
    x = graph(seed, n, filled=n)
    said = network(x)
    assert said.shape == (1, 2)
    assert said.isfinite().all()
    order = torch.randperm(n)
    mixed = torch.cat([x[:, order, : 1 + F], x[:, order, 1 + F :][:, :, order]], 2)
    torch.testing.assert_close(network(mixed), said, rtol=1e-4, atol=1e-4)
    network.nodes = n + more  # the same weights for larger inputs
    torch.testing.assert_close(network(graph(seed, n, filled=n + more)), said, rtol=1e-4, atol=1e-4)


def test_a_graph_without_any_node_gives_numbers_too():
    for readout in READOUTS:
        network = materialize(GraphNetwork(MessageBlock(4, "gat"), nn.Classifier(2), readout=readout), (N, 1 + F + N))
        assert network.eval()(torch.zeros(2, N, 1 + F + N)).isfinite().all()


def test_what_cannot_be_is_said():
    with pytest.raises(EvaluationError, match="join='max' needs layers of one width"):
        materialize(GraphNetwork(MessageBlock(4), MessageBlock(8), nn.Classifier(2), join="max"), (N, 1 + F + N))
    with pytest.raises(EvaluationError, match="1 parts"):
        GraphNetwork(nn.Classifier(2))
    with pytest.raises(EvaluationError, match="a feature at least"):
        materialize(GraphNetwork(MessageBlock(4), nn.Classifier(2)), (N, 1 + N))
    with pytest.raises(SpaceError, match="unknown kind 'gcm'"):
        MessageBlock(4, "gcm")
    with pytest.raises(SpaceError, match=r"got \(7, 8\)"):
        spaces.graphs((7, 8), 2)


@pytest.mark.parametrize("seed", range(6))
def test_samples_of_the_space_train_trace_and_export(seed):
    space = spaces.graphs((N, 1 + F + N), 3, widths=(8, 12))
    torch.manual_seed(seed)
    network = materialize(space.build(space.sample(np.random.default_rng(seed))), (N, 1 + F + N))
    x = torch.cat([graph(i) for i in range(4)])
    torch.nn.functional.cross_entropy(network(x), torch.tensor([0, 1, 2, 0])).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    network.eval()
    torch.testing.assert_close(torch.fx.symbolic_trace(network)(x), network(x))
    exported = torch.export.export(network, (x,)).module()
    torch.testing.assert_close(exported(x), network(x))
