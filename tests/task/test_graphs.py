"""Whole graphs: what is read and from where, what it becomes, what is wrong with it, and a search to answers."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch

import archwright as aw
from archwright.errors import DataError
from archwright.evaluator import Recipe, Training
from archwright.export import predict
from archwright.task import GraphClassification, load
from archwright.task.graphsets import GraphSetInputs, read_graphs
from archwright.testing import TaskContract


def shapes(n=60, seed=0):
    """Rings and stars of five to eight nodes, with a number a node."""
    rng = np.random.default_rng(seed)
    graphs, y = [], []
    for i in range(n):
        size = int(rng.integers(5, 9))
        made = nx.cycle_graph(size) if i % 2 else nx.star_graph(size - 1)
        graphs.append({"x": rng.normal(size=(size, 2)), "edges": np.array(made.edges).T})
        y.append("ring" if i % 2 else "star")
    return graphs, y


class TestGraphClassification(TaskContract):
    steps = 400

    def make(self):
        return GraphClassification(*shapes())

    def make_of(self, n):
        graphs, y = shapes(max(n, 1))
        return GraphClassification(graphs[:n], y[:n])


def test_a_graph_becomes_nodes_features_and_neighbours():
    first = {"x": [[1.0, 5.0], [0.0, 7.0], [1.0, 9.0]], "edges": [[0, 1, 1], [1, 0, 2]]}
    read = read_graphs([first, {"x": [[0, 1]], "edges": []}])
    inputs = GraphSetInputs.of(read.graphs, np.array([0]))
    assert inputs.shape == (3, 6)
    made = inputs.prepare(read.graphs).numpy()
    root = np.sqrt(8 / 3)
    rows = [[1, 1, -2 / root, 0, 1, 0], [1, 0, 0, 1, 0, 1], [1, 1, 2 / root, 0, 1, 0]]
    np.testing.assert_allclose(made[0], rows, rtol=1e-5)
    np.testing.assert_allclose(made[1], [[1, 0, -6 / root, 0, 0, 0], [0] * 6, [0] * 6], rtol=1e-5)
    assert GraphSetInputs.from_json(inputs.to_json()) == inputs


def test_the_same_graph_reads_alike_from_every_form():
    geometric = pytest.importorskip("torch_geometric.data")
    x, edges = np.eye(4, 2), [[0, 1, 2], [1, 2, 3]]
    made = nx.Graph(zip(*edges, strict=True), y=1)
    for node, row in enumerate(x):
        made.nodes[node]["x"] = row
    both = [a + b for a, b in zip(edges, edges[::-1], strict=True)]
    data = geometric.Data(x=torch.from_numpy(x), edge_index=torch.tensor(both), y=torch.tensor([1]))
    read = read_graphs([{"x": x, "edges": edges, "y": 1}, made, data])
    assert read.y.tolist() == [1, 1, 1]
    inputs = GraphSetInputs.of(read.graphs, np.array([0]))
    first, *others = inputs.prepare(read.graphs)
    assert all(torch.equal(first, other) for other in others)


def test_nodes_without_features_have_their_number_of_neighbours():
    (star,) = read_graphs([nx.star_graph(3)]).graphs
    assert star.x.tolist() == [[3], [1], [1], [1]]
    (lonely,) = read_graphs([{"edges": [[0], [1]], "nodes": 3}]).graphs
    assert lonely.x.tolist() == [[1], [1], [0]]


@pytest.fixture
def folder(tmp_path):
    graphs, y = shapes()
    tables = {"graphs": [], "nodes": [], "edges": []}
    for i, (graph, label) in enumerate(zip(graphs, y, strict=True)):
        part = ("train", "val", "test")[0 if i < 36 else 1 if i < 48 else 2]
        tables["graphs"].append({"id": f"g{i}", "label": label, "split": part})
        tables["nodes"] += [{"graph": f"g{i}", "id": n, "a": a, "b": b} for n, (a, b) in enumerate(graph["x"])]
        tables["edges"] += [{"graph": f"g{i}", "from": a, "to": b} for a, b in graph["edges"].T]
    for name, rows in tables.items():
        pd.DataFrame(rows).to_csv(tmp_path / f"{name}.csv", index=False)
    return tmp_path


def test_a_folder_of_tables_keeps_its_parts(folder):
    task = load(folder)
    assert isinstance(task, GraphClassification)
    assert task.sizes == {"train": 36, "validation": 12, "test": 12}
    assert task.folds == 1
    graphs, y = shapes()
    inputs = task.preparation.features.prepare(read_graphs(graphs).graphs)
    torch.testing.assert_close(inputs[:36], task.train.inputs)
    assert task.preparation.labels(task.open_test().targets) == y[48:]


def test_what_is_wrong_in_tables_is_said(folder):
    edges = pd.read_csv(folder / "edges.csv")
    edges.loc[3, "to"] = 77
    edges.loc[900 % len(edges), "graph"] = "g999"
    edges.to_csv(folder / "edges.csv", index=False)
    with pytest.raises(DataError, match=r"edges\.csv, row \d+ \(counted from 0\): graphs\.csv has no graph 'g999'"):
        load(folder)
    edges[edges["graph"] != "g999"].to_csv(folder / "edges.csv", index=False)
    with pytest.raises(DataError, match=r"graph 'g0': edges\.csv, row 3, names a node that it has not"):
        load(folder)
    pd.read_csv(folder / "nodes.csv").drop(columns="graph").to_csv(folder / "nodes.csv", index=False)
    with pytest.raises(DataError, match=r"nodes\.csv has no column 'graph'"):
        load(folder)


def test_files_of_the_tu_collection(tmp_path):
    graphs, y = shapes(30)
    of, edges, first = [], [], 0
    for i, graph in enumerate(graphs):
        of += [i + 1] * len(graph["x"])
        both = np.concatenate([graph["edges"], graph["edges"][::-1]], 1).T + first + 1
        edges += [f"{a}, {b}" for a, b in both]
        first += len(graph["x"])
    (tmp_path / "toys_graph_indicator.txt").write_text("\n".join(map(str, of)))
    (tmp_path / "toys_A.txt").write_text("\n".join(edges))
    (tmp_path / "toys_graph_labels.txt").write_text("\n".join("1" if label == "ring" else "-1" for label in y))
    (tmp_path / "toys_node_labels.txt").write_text("\n".join(str(n % 3) for n in range(len(of))))
    task = load(tmp_path)
    assert task.describe()["classes"] == [-1, 1]
    assert task.input_shape == (8, 1 + 3 + 8)
    read = read_graphs(tmp_path)
    assert [len(g) for g in read.graphs] == [len(g["x"]) for g in graphs]
    joined = [sorted(map(tuple, g.joined.toarray().nonzero())) for g in read.graphs[:3]]
    assert joined == [sorted(map(tuple, read_graphs([g]).graphs[0].joined.toarray().nonzero())) for g in graphs[:3]]
    (tmp_path / "toys_A.txt").write_text(f"1, {len(of)}")
    with pytest.raises(DataError, match=r"toys_A\.txt joins nodes of two graphs, one of them graph 1$"):
        load(tmp_path)
    (tmp_path / "toys_A.txt").write_text("1, 9999")
    with pytest.raises(DataError, match=r"toys_A\.txt must hold two numbers"):
        load(tmp_path)
    (tmp_path / "toys_graph_indicator.txt").write_text("0\n1")
    with pytest.raises(DataError, match=r"toys_graph_indicator\.txt must hold the number of a graph"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda g: g[3].update(x=np.zeros((9, 1))), "graph 3 has 1 features"),
        (lambda g: g[4].update(edges=[[0], [99]]), "graph 4: edges"),
        (lambda g: g[5].pop("edges"), "graph 5 is a dict of x: edges are missing"),
        (lambda g: g.__setitem__(6, 7), "graph 6 is a int: allowed are"),
        (lambda g: g.__setitem__(2, {"x": np.zeros((500, 2)), "edges": [[0], [1]]}), "500 nodes: allowed are 400"),
    ],
)
def test_graphs_that_cannot_be_are_said(change, said):
    graphs, y = shapes()
    change(graphs)
    with pytest.raises(DataError, match=said):
        GraphClassification(graphs, y)


def test_more_graphs_than_memory_is_for_are_refused():
    wide = read_graphs([{"x": np.zeros((390, 400)), "edges": [[0], [1]]}]).graphs * 4000
    with pytest.raises(DataError, match=r"4,000 graphs has 390 nodes: .* 4 GiB in all, .* these take 4\.6 GiB"):
        GraphSetInputs.of(wide, np.array([0]))


def test_labels_and_parts_that_cannot_be_are_said(tmp_path):
    graphs, y = shapes()
    with pytest.raises(DataError, match="no labels"):
        GraphClassification(graphs)
    with pytest.raises(DataError, match="'rest'"):
        GraphClassification(graphs, y, parts=["train"] * 40 + ["rest"] * 20)
    with pytest.raises(DataError, match="no graph is of the test part"):
        GraphClassification(graphs, y, parts=["train"] * 60)
    with pytest.raises(DataError, match="holds no graphs"):
        GraphClassification(tmp_path)
    with pytest.raises(DataError, match="reads up to 8 nodes of 2"):
        GraphClassification(graphs, y).preparation.inputs([{"x": np.zeros((9, 2)), "edges": [[0], [1]]}])


def test_rings_are_told_apart_by_messages_and_not_by_degrees():
    task = load("rings")
    forest = task.references(task.train, task.validation)["random forest of degrees and features"]
    assert forest["accuracy"] < 0.65
    space = task.space()
    recipe = Recipe.suiting(task, epochs=40, precision="float32", layout="contiguous")
    _, measured = Training(space, task, recipe, device="cpu").fit(space.default, 0)
    assert measured.metrics["accuracy"] > 0.9


def test_a_search_ends_in_answers_of_every_form(folder, tmp_path):
    task = load(folder)
    recipe = Recipe.suiting(task, epochs=2, precision="float32", layout="contiguous")
    out = aw.search(task, trials=2, recipe=recipe, progress=False).save(tmp_path / "out")
    told = {form: predict(out, folder, form=form) for form in ("source", "pt2", "onnx")}
    assert [a.sample for a in told["source"]] == [f"g{i}" for i in range(60)]
    labels = {form: tuple(answer.label for answer in answers) for form, answers in told.items()}
    assert len(set(labels.values())) == 1
    assert predict(out, shapes(3)[0])[1].label in ("ring", "star")
