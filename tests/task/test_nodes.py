"""Nodes of graphs: what is averaged, what may be seen, what is read, and a search from a folder to answers."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from archwright.errors import DataError
from archwright.export import export, predict
from archwright.export.card import Card
from archwright.nn import spaces
from archwright.nn.hops import Hops
from archwright.task import NodeClassification, Preparation, load
from archwright.task.neighbourhoods import Graph, GraphInputs, read_graph
from archwright.testing import TaskContract


def circles(n=90, seed=0, out=0.05):
    """Three communities: features say little of a node, those of its neighbours together much."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    same = y[:, None] == y[None]
    linked = np.triu(rng.random((n, n)) < np.where(same, 0.25, out), 1)
    x = rng.normal(size=(n, 6)) + 0.7 * np.eye(6)[y]
    return x, np.stack(np.nonzero(linked)), y


class TestNodeClassification(TaskContract):
    def make(self):
        return NodeClassification(*circles(), hops=2)

    def make_of(self, n):
        x, edges, y = circles(max(n, 1))
        return NodeClassification(x[:n], edges[:, (edges < n).all(0)], y[:n], hops=2)


def test_averages_are_those_of_graph_convolution():
    x, edges, _ = circles(20)
    graph = Graph.of(x, edges)
    joined = np.eye(20)
    for a, b in edges.T:
        joined[a, b] = joined[b, a] = 1
    degree = joined.sum(1)
    symmetric = joined / np.sqrt(degree[:, None] * degree[None])
    mean = joined / degree[:, None]
    read = GraphInputs(6, 2, False, (0.0,) * 6, (1.0,) * 6).prepare(graph).numpy()
    wanted = [x, symmetric @ x, symmetric @ symmetric @ x, mean @ x, mean @ mean @ x]
    np.testing.assert_allclose(read, np.stack(wanted, 1), rtol=1e-4, atol=1e-5)


def test_the_symmetric_average_is_that_of_torch_geometric():
    geometric = pytest.importorskip("torch_geometric.nn")
    x, edges, _ = circles(20)
    layer = geometric.SGConv(6, 6, K=2, bias=False)
    with torch.no_grad():
        layer.lin.weight.copy_(torch.eye(6))
    both = torch.from_numpy(np.concatenate([edges, edges[::-1]], 1).copy())
    wanted = layer(torch.from_numpy(x).float(), both)
    read = GraphInputs(6, 2, False, (0.0,) * 6, (1.0,) * 6).prepare(Graph.of(x, edges))[:, 2]
    torch.testing.assert_close(read, wanted.detach(), rtol=1e-4, atol=1e-5)


def test_edges_may_be_said_twice_or_in_either_direction():
    x, edges, _ = circles(20)
    inputs = GraphInputs(6, 1, False, (0.0,) * 6, (1.0,) * 6)
    once = inputs.prepare(Graph.of(x, edges))
    torch.testing.assert_close(inputs.prepare(Graph.of(x, np.concatenate([edges, edges[::-1]], 1).T)), once)


def test_counts_of_words_are_shares_and_other_features_are_standardised_by_training_nodes():
    x, edges, y = circles()
    words = (np.random.default_rng(0).random((90, 40)) < 0.1).astype(float)
    task = NodeClassification(words, edges, y)
    sums = task.train.inputs[:, 0].sum(1)
    assert ((sums - 1).abs() < 1e-5).logical_or(sums == 0).all()
    task = NodeClassification(x, edges, y)
    assert task.train.inputs[:, 0].mean(0).abs().max() < 1e-5
    assert task.validation.inputs[:, 0].mean(0).abs().max() > 1e-3


@pytest.mark.parametrize("join", ["last", "mean", "weighted", "concat"])
def test_hops_join_what_they_say(join):
    x = torch.randn(5, 1 + 2 * 4, 3)
    made = Hops(2, average=1, join=join, most=4)(x)
    seen = torch.stack([x[:, 0], x[:, 5], x[:, 6]], 1)
    wanted = {"last": x[:, 6], "mean": seen.mean(1), "weighted": seen.mean(1), "concat": seen.flatten(1)}[join]
    torch.testing.assert_close(made, wanted)
    none = Hops(0, average=1, join=join, most=4)(x)
    torch.testing.assert_close(none, x[:, 0])


def test_every_sample_of_the_space_is_a_network():
    space = spaces.graph((1 + 2 * 3, 6), 3)
    for architecture in space.sample(np.random.default_rng(0), 30):
        assert space.build(architecture)(torch.randn(4, 7, 6)).shape == (4, 3)


def test_official_parts_are_kept_and_unknown_labels_left_out():
    x, edges, y = circles()
    some = np.where(np.arange(90) >= 60, -1, y)
    mask = np.zeros(90, bool)
    mask[:30] = True
    task = NodeClassification(x, edges, some, train=mask, validation=np.arange(30, 40), test=np.arange(40, 60))
    assert task.sizes == {"train": 30, "validation": 10, "test": 20}
    assert task.train.targets.tolist() == y[:30].tolist()
    assert task.describe()["labelled"] == 60
    texts = np.where(some < 0, None, np.array(["a", "b", "c"])[some])
    assert NodeClassification(x, edges, texts).describe()["classes"] == ["a", "b", "c"]


def test_a_part_of_the_nodes_can_be_compared_by_group():
    x, edges, y = circles(240)
    parts = {"train": np.arange(80), "validation": np.arange(80, 140), "test": np.arange(150, 240)}
    task = NodeClassification(x, edges, y, **parts, group=np.arange(240) // 3 % 2)
    assert task.validation.groups.tolist() == (np.arange(80, 140) // 3 % 2).tolist()
    assert task.open_test().groups.tolist() == (np.arange(150, 240) // 3 % 2).tolist()


BAD = {
    "an edge to nowhere": (lambda x, e, y: (x, np.array([[0, 1], [1, 200]]), y), {}, "1 name nodes that are not there"),
    "edges of three": (lambda x, e, y: (x, np.zeros((3, 5)), y), {}, r"edges have shape \(3, 5\)"),
    "too few labels": (lambda x, e, y: (x, e, y[:5]), {}, r"y has shape \(5,\)"),
    "features that are not finite": (lambda x, e, y: (np.where(x > 1, np.nan, x), e, y), {}, "x"),
    "one part alone": (lambda x, e, y: (x, e, y), {"train": [1, 2]}, "validation and test missing"),
    "a node twice": (
        lambda x, e, y: (x, e, y), {"train": [0, 1, 2], "validation": [2], "test": [4]}, "node 2 is in the train part",
    ),
    "a class that is not taught": (
        lambda x, e, y: (x, e, y), {"train": [0, 1], "validation": [2], "test": [5]}, "class '2' has no node",
    ),
    "no hop": (lambda x, e, y: (x, e, y), {"hops": 0}, "hops is 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_graphs_that_cannot_be_learnt_from_are_said_with_what_to_do(case):
    change, options, said = BAD[case]
    with pytest.raises(DataError, match=said):
        NodeClassification(*change(*circles()), **options)


def write(folder, x, edges, y, split=True):
    folder.mkdir()
    frame = pd.DataFrame(x, columns=[f"f{i}" for i in range(x.shape[1])])
    frame.insert(0, "id", [f"n{i}" for i in range(len(x))])
    frame["label"] = np.array(["red", "green", "blue"])[y]
    if split:
        frame["split"] = np.array(["train", "val", "test"])[np.arange(len(x)) // (len(x) // 3)]
    frame.to_csv(folder / "nodes.csv", index=False)
    pd.DataFrame({"a": [f"n{i}" for i in edges[0]], "b": [f"n{i}" for i in edges[1]]}).to_csv(
        folder / "edges.csv", index=False
    )


def test_a_folder_an_npz_file_and_torch_geometric_hold_the_same(tmp_path):
    x, edges, y = circles()
    x = x.astype(np.float32)
    write(tmp_path / "web", x, edges, y)
    folder = load(tmp_path / "web")
    assert folder.sizes == {"train": 30, "validation": 30, "test": 30}
    parts = {"train": np.arange(30), "validation": np.arange(30, 60), "test": np.arange(60, 90)}
    np.savez(tmp_path / "web.npz", x=x, edges=edges, y=y, **parts)
    file = load(tmp_path / "web.npz")
    torch.testing.assert_close(file.train.inputs, folder.train.inputs, rtol=1e-3, atol=1e-4)
    data = pytest.importorskip("torch_geometric.data")
    masks = {f"{p}_mask": torch.isin(torch.arange(90), torch.from_numpy(n)) for p, n in
             {"train": parts["train"], "val": parts["validation"], "test": parts["test"]}.items()}  # fmt: skip
    made = data.Data(torch.from_numpy(x), torch.from_numpy(edges), y=torch.from_numpy(y), **masks)
    torch.testing.assert_close(NodeClassification.of(made).train.inputs, file.train.inputs)


def test_what_is_wrong_in_a_folder_is_said(tmp_path):
    x, edges, y = circles(30)
    write(tmp_path / "web", x, edges, y)
    (tmp_path / "web" / "edges.csv").write_text("a,b\nn0,n1\nn0,n99\n")
    with pytest.raises(DataError, match=r"edges.csv, row 1 .*no node 'n99'"):
        load(tmp_path / "web", kind="nodes")
    (tmp_path / "web" / "edges.csv").unlink()
    with pytest.raises(DataError, match=r"holds no edges.csv"):
        load(tmp_path / "web")
    with pytest.raises(DataError, match="cannot be read from a list"):
        read_graph([1, 2])


def test_a_network_written_down_answers_for_the_nodes_of_a_folder(tmp_path):
    x, edges, y = circles()
    write(tmp_path / "web", x, edges, y)
    task = load(tmp_path / "web", hops=2)
    network = task.baseline(8)
    network(task.train.inputs)
    network.eval()
    card = Card(name="web", preparation=task.preparation.to_json())
    export(network, tmp_path / "out", input_shape=task.input_shape, forms=["source", "onnx", "pt2"], card=card)
    told = json.loads((tmp_path / "out" / "card.json").read_text())
    again = Preparation.from_json(told["preparation"])
    torch.testing.assert_close(again.inputs(tmp_path / "web"), task.preparation.inputs(tmp_path / "web"))
    for form in ("source", "onnx", "pt2"):
        answers = predict(tmp_path / "out", tmp_path / "web", form=form)
        assert [a.sample for a in answers][:3] == ["n0", "n1", "n2"]
        assert {a.label for a in answers} <= {"red", "green", "blue"}
        assert len(answers) == 90


def test_neighbours_are_worth_more_than_the_node_alone():
    x, edges, y = circles(300, out=0.01)
    task = NodeClassification(x, edges, y, hops=2)
    told = task.references(task.train, task.validation)
    alone, around = (figures["accuracy"] for figures in told.values())
    assert around > alone + 0.1
