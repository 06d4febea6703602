"""Many graphs: read from folders, lists and other libraries' objects, and each as one matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archwright.errors import DataError, did_you_mean
from archwright.task.neighbourhoods import Graph, part_names
from archwright.task.problems import Problems
from archwright.task.targets import label_array

__all__ = ["GraphSet", "GraphSetInputs", "holds_graphs", "read_graphs"]

MOST_NODES = 400
"""Of the largest graph: each is a matrix of so many rows and more than so many columns."""

MOST_GIB = 4
MOST_BYTES = MOST_GIB * 2**30
"""Of all graphs together, as matrices."""

TU = "_graph_indicator.txt"
"""How the file of the TU collection ends that says of which graph each node is."""


@dataclass(frozen=True, eq=False)
class GraphSet:
    """What was read.

    Args:
        graphs: Each with its nodes' features and its edges.
        y: A label a graph; None where nobody gave labels.
        ids: What the graphs are called.
        parts: ``train``, ``validation`` or ``test`` for each, where that is said.
    """

    graphs: Sequence[Graph]
    y: np.ndarray | None = None
    ids: tuple[str, ...] = ()
    parts: np.ndarray | None = None


@dataclass(frozen=True)
class GraphSetInputs:
    """Graphs to float32 (n, nodes, 1 + features + nodes): is there such a node, its features, whom it is joined to.

    Features that are not only 0 and 1 are standardised by the nodes of the training graphs.

    Args:
        nodes: Of the largest graph.
        features: Of a node.
        mean: Of each feature over the training nodes; 0 for one that stays as it is.
        std: Deviation likewise; 1.
    """

    nodes: int
    features: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, graphs: Sequence[Graph], train: np.ndarray) -> GraphSetInputs:
        """Measure statistics on the graphs of the training part."""
        problems = Problems()
        features = graphs[0].x.shape[1]
        for i, graph in enumerate(graphs):
            if graph.x.shape[1] != features:
                problems.add(f"graph {i} has {graph.x.shape[1]} features a node, graph 0 {features}: give all the same")
        nodes = max(map(len, graphs))
        size = 4 * len(graphs) * nodes * (1 + features + nodes)
        if nodes > MOST_NODES or size > MOST_BYTES:
            problems.add(
                f"the largest of {len(graphs):,} graphs has {nodes:,} nodes: allowed are {MOST_NODES}, and {MOST_GIB} "
                f"GiB in all, for each becomes a matrix of as many rows; these take {size / 2**30:.1f} GiB. Leave "
                f"large ones out, or classify nodes of one graph instead"
            )
        problems.check()
        x = np.concatenate([graphs[i].x for i in train])
        plain = ((x == 0) | (x == 1)).all(0)
        std = np.where(plain, 1.0, x.std(0, dtype=np.float64))
        mean = np.where(plain, 0.0, x.mean(0, dtype=np.float64))
        return cls(nodes, features, tuple(mean.tolist()), tuple(np.where(std > 1e-8, std, 1.0).tolist()))

    @property
    def shape(self) -> tuple[int, int]:
        """Of one graph."""
        return self.nodes, 1 + self.features + self.nodes

    def __call__(self, raw: Any) -> Tensor:
        """Graphs, as the task was given them, or a file or folder of them."""
        return self.prepare(read_graphs(raw).graphs)

    def prepare(self, graphs: Sequence[Graph]) -> Tensor:
        """Graphs to one tensor."""
        made = torch.zeros(len(graphs), *self.shape)
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        for i, graph in enumerate(graphs):
            n = len(graph)
            if graph.x.shape[1] != self.features or n > self.nodes:
                raise DataError(
                    f"graph {i} has {n} nodes of {graph.x.shape[1]} features: this network reads up to {self.nodes} "
                    f"nodes of {self.features}"
                )
            made[i, :n, 0] = 1
            made[i, :n, 1 : 1 + self.features] = torch.from_numpy((graph.x - mean) / std)
            a, b = graph.edges[:, graph.edges[0] != graph.edges[1]]
            made[i, a, 1 + self.features + b] = 1
            made[i, b, 1 + self.features + a] = 1
        return made

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "kind": "graphs", "nodes": self.nodes, "features": self.features, "mean": list(self.mean),
            "std": list(self.std),
        }  # fmt: skip

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> GraphSetInputs:
        """Read what `to_json` wrote."""
        return cls(d["nodes"], d["features"], tuple(d["mean"]), tuple(d["std"]))


def holds_graphs(path: Path) -> bool:
    """Whether a folder holds many graphs."""
    return path.is_dir() and ((path / "graphs.csv").is_file() or any(path.glob(f"*{TU}")))


def read_graphs(given: Any) -> GraphSet:
    """A folder, or a list of graphs.

    A folder holds ``graphs.csv`` (``id``, ``label``, and ``split`` where the parts are said), ``nodes.csv`` (``graph``,
    ``id``, features) and ``edges.csv`` (``graph``, and the nodes at both ends); or the files of the TU collection
    (Morris et al., 2020). A graph of a list is a dict with ``edges``, and ``x`` and ``y`` as far as they are there, a
    `torch_geometric.data.Data`, or a `networkx.Graph` whose nodes may have ``x``, and which may have ``graph["y"]``.
    Nodes without features have their number of neighbours for one.

    Raises:
        DataError: it is none of these, or what is wrong in it.
    """
    if isinstance(given, GraphSet):
        return given
    if isinstance(given, (str, Path)):
        path = Path(given)
        if (path / "graphs.csv").is_file():
            return _from_tables(path)
        if path.is_dir() and (found := sorted(path.glob(f"*{TU}"))):
            return _from_tu(path, found[0].name.removesuffix(TU))
        raise DataError(
            f"{str(path)!r} holds no graphs: give a folder with graphs.csv, nodes.csv and edges.csv, or with "
            f"NAME_A.txt, NAME{TU} and NAME_graph_labels.txt"
        )
    if isinstance(given, (Graph, Mapping)) or not hasattr(given, "__iter__"):
        raise DataError(
            f"graphs cannot be read from a {type(given).__name__}: give a list of graphs, or a folder of them"
        )
    problems = Problems()
    read = [problems.of(_one, item, f"graph {i}") for i, item in enumerate(given)]
    problems.check()
    pairs = [pair for pair in read if pair is not None]
    labels = [label for _, label in pairs]
    told = None if not pairs or any(label is None for label in labels) else label_array(labels, "y")
    return GraphSet([graph for graph, _ in pairs], told)


def _one(item: Any, where: str) -> tuple[Graph, Any]:
    if isinstance(item, Graph):
        return item, None
    if isinstance(item, Mapping):
        edges, x, y = item.get("edges", item.get("edge_index")), item.get("x"), item.get("y")
        if edges is None:
            raise DataError(f"{where} is a dict of {', '.join(map(str, item)) or 'nothing'}: edges are missing")
        nodes = None if item.get("nodes") is None else int(item["nodes"])
    elif hasattr(item, "edge_index"):
        edges, x, y, nodes = item.edge_index, item.x, item.y, item.num_nodes
    elif hasattr(item, "adj"):
        place = {node: i for i, node in enumerate(item)}
        edges = [(place[a], place[b]) for a, b in item.edges]
        has = [attributes.get("x") for _, attributes in item.nodes(data=True)]
        x = None if not has or any(value is None for value in has) else [np.atleast_1d(value) for value in has]
        y, nodes = item.graph.get("y"), len(place)
    else:
        raise DataError(
            f"{where} is a {type(item).__name__}: allowed are a dict with edges, a torch_geometric Data, and a "
            f"networkx Graph"
        )
    try:
        return _graph(x, edges, nodes), _plain(y)
    except DataError as error:
        raise DataError(f"{where}: {error}") from None


def _graph(x: Any, edges: Any, nodes: int | None) -> Graph:
    ends = np.asarray(edges.detach().cpu() if isinstance(edges, Tensor) else edges)
    ends = np.zeros((2, 0), np.int64) if ends.size == 0 else ends
    if x is not None:
        return Graph.of(x, ends)
    n = nodes or (int(ends.max()) + 1 if ends.size else 0)
    graph = Graph.of(np.ones((max(n, 1), 1)), ends)
    return Graph(_degrees(graph), graph.edges)


def _degrees(graph: Graph) -> np.ndarray:
    """How many others each node is joined to, (n, 1)."""
    return (np.asarray(graph.joined.sum(1)).reshape(-1, 1) - 1).astype(np.float32)


def _plain(y: Any) -> Any:
    if y is None:
        return None
    array = np.asarray(y.detach().cpu() if isinstance(y, Tensor) else y)
    if array.size != 1:
        raise DataError(f"y has shape {array.shape}: allowed is one label a graph")
    return array.reshape(-1).tolist()[0]


def _from_tables(path: Path) -> GraphSet:
    import pandas as pd

    from archwright.task.table import read_table

    frames: dict[str, pd.DataFrame] = {}
    problems = Problems()
    for name, needed in (("graphs", ["id"]), ("nodes", ["graph", "id"]), ("edges", ["graph"])):
        if not (path / f"{name}.csv").is_file():
            problems.add(f"{path} holds no {name}.csv: graphs.csv, nodes.csv and edges.csv are needed")
            continue
        frames[name] = read_table(path / f"{name}.csv")
        for column in needed:
            if column not in frames[name].columns:
                known = list(map(str, frames[name].columns))
                problems.add(f"{name}.csv has no column {column!r}. {did_you_mean(column, known)}")
    problems.check()
    ids = frames["graphs"]["id"].map(str)
    if ids.duplicated().any():
        raise DataError(f"graphs.csv names the graph {ids[ids.duplicated()].iloc[0]!r} more than once")
    nodes, edges = frames["nodes"], frames["edges"]
    ends = [column for column in edges.columns if column != "graph"][:2]
    if len(ends) < 2:
        raise DataError("edges.csv has one column beside 'graph': two are needed, the nodes at both ends")
    of = {name: frames[name]["graph"].map(str) for name in ("nodes", "edges")}
    for name, column in of.items():
        unknown = ~column.isin(ids)
        if unknown.any():
            row = int(np.flatnonzero(unknown.to_numpy())[0])
            problems.add(f"{name}.csv, row {row} (counted from 0): graphs.csv has no graph {column.iloc[row]!r}")
    problems.check()
    columns = [c for c in nodes.columns if c not in ("graph", "id")]
    inside, around = nodes.groupby(of["nodes"]).indices, edges.groupby(of["edges"]).indices
    graphs = []
    for name in ids:
        rows = inside.get(name)
        if rows is None:
            problems.add(f"graph {name!r} has no node in nodes.csv")
            continue
        place = {node: i for i, node in enumerate(nodes["id"].iloc[rows].map(str))}
        own = edges.iloc[around[name]] if name in around else edges.iloc[:0]
        pairs = [own[column].map(str).map(place) for column in ends]
        lost = pairs[0].isna() | pairs[1].isna()
        if lost.any() or len(place) < len(rows):
            stray = f"edges.csv, row {own.index[lost][0]}, names a node that it has not" if lost.any() else ""
            problems.add(f"graph {name!r}: {stray or 'nodes.csv names a node twice'}")
            continue
        x = nodes[columns].iloc[rows].to_numpy() if columns else None
        made = problems.of(_graph, x, np.stack([p.to_numpy(np.int64) for p in pairs]), len(rows))
        if made is not None:
            graphs.append(made)
    problems.check()
    table = frames["graphs"]
    said = part_names(table["split"]) if "split" in table.columns else None
    labels = table["label"].to_numpy() if "label" in table.columns else None
    return GraphSet(graphs, labels, tuple(ids), said)


def _from_tu(path: Path, name: str) -> GraphSet:
    """Files of one line a node or an edge, numbers from 1: https://chrsmrrs.github.io/datasets/docs/format."""

    def numbers(ending: str, needed: bool) -> np.ndarray | None:
        file = path / f"{name}_{ending}.txt"
        if not file.is_file():
            if needed:
                raise DataError(f"{path} holds no {file.name}: it belongs to {name}{TU}")
            return None
        try:
            return np.loadtxt(file, delimiter=",", ndmin=2)
        except ValueError as error:
            raise DataError(f"{file} cannot be read: {error}. Allowed are numbers with commas between them") from None

    indicator = numbers("graph_indicator", True)
    ends = numbers("A", True)
    labels, kinds, more = (
        numbers("graph_labels", False),
        numbers("node_labels", False),
        numbers("node_attributes", False),
    )
    assert indicator is not None
    assert ends is not None
    of = indicator[:, 0].astype(np.int64) - 1
    if not len(of) or of.min() < 0:
        raise DataError(f"{name}{TU} must hold the number of a graph a line, from 1 on")
    pairs = ends.astype(np.int64).T - 1
    if pairs.shape[0] != 2 or (pairs.size and (pairs.min() < 0 or pairs.max() >= len(of))):
        raise DataError(f"{name}_A.txt must hold two numbers of nodes a line, from 1 to {len(of)}")
    parts = []
    for given in (kinds, more):
        if given is not None and len(given) != len(of):
            raise DataError(f"{name}: {len(given)} lines of labels or attributes for {len(of)} nodes")
    if kinds is not None:
        parts += [(kinds[:, [i]] == np.unique(kinds[:, i])).astype(np.float32) for i in range(kinds.shape[1])]
    if more is not None:
        parts.append(more)
    x = np.concatenate(parts, 1) if parts else None
    n = int(of.max()) + 1
    if labels is not None and len(labels) != n:
        raise DataError(f"{name}_graph_labels.txt has {len(labels)} lines for {n} graphs")
    missing = np.setdiff1d(np.arange(n), of)
    if len(missing):
        raise DataError(f"{name}{TU}: graph {missing[0] + 1} has no node")
    across = of[pairs[0]] != of[pairs[1]]
    if across.any():
        raise DataError(f"{name}_A.txt joins nodes of two graphs, one of them graph {of[pairs[0]][across].min() + 1}")
    # Nodes and edges by their graphs, found once for all of them: files of thousands of graphs are usual.
    nodes, edges = _by_graph(of, n), _by_graph(of[pairs[0]], n)
    place = np.zeros(len(of), np.int64)
    for rows in nodes:
        place[rows] = np.arange(len(rows))
    graphs = [
        _graph(None if x is None else x[rows], place[pairs[:, own]], len(rows))
        for rows, own in zip(nodes, edges, strict=True)
    ]
    told = None if labels is None else labels[:, 0].astype(np.int64)
    return GraphSet(graphs, told, tuple(str(i + 1) for i in range(n)))


def _by_graph(of: np.ndarray, n: int) -> list[np.ndarray]:
    """The rows that are of each of `n` graphs, in their order."""
    return np.split(np.argsort(of, kind="stable"), np.cumsum(np.bincount(of, minlength=n))[:-1])
