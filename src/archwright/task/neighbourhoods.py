"""Graphs: read, checked, and for each node the averages of its neighbourhoods, hop by hop."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from archwright.errors import DataError, did_you_mean
from archwright.task.arrays import check_finite, number_array
from archwright.task.problems import Problems

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AVERAGES", "Graph", "GraphInputs", "holds_graph", "part_names", "read_graph"]

AVERAGES = ("symmetric", "mean")
"""Of the neighbours and the node itself: weighed as Kipf & Welling do, or all alike."""

WORDS = 0.5
"""Features of which so many are 0, and none below, count something: rows are brought to a sum of 1."""


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes with features, and edges between them, which go both ways.

    Args:
        x: (n, features) float32.
        edges: (2, m) int64, each edge once or twice.
    """

    x: np.ndarray
    edges: np.ndarray

    @classmethod
    def of(cls, x: Any, edges: Any) -> Graph:
        """From arrays, tensors or lists; a sparse matrix of features does too; edges as (2, m) or (m, 2).

        Raises:
            DataError: all that is wrong, in one list.
        """
        problems = Problems()
        features = problems.of(_features, x)
        ends = problems.of(_edges, edges)
        if features is not None and ends is not None and ends.size:
            problems.of(_check_ends, ends, len(features))
        problems.check()
        assert features is not None
        assert ends is not None
        return cls(features, ends)

    def __len__(self) -> int:
        return len(self.x)

    @functools.cached_property
    def joined(self) -> Any:
        """The (n, n) sparse matrix of which nodes are joined; each is joined to itself."""
        import scipy.sparse as sparse

        n = len(self)
        a, b = self.edges
        ones = sparse.coo_matrix((np.ones(len(a), np.float32), (a, b)), shape=(n, n))
        return ((ones + ones.T + sparse.eye(n)) > 0).astype(np.float32).tocsr()

    def averages(self, kind: str) -> Any:
        """The (n, n) sparse matrix that averages over each node and its neighbours."""
        import scipy.sparse as sparse

        joined = self.joined
        degree = np.asarray(joined.sum(1)).ravel()
        if kind == "mean":
            return (sparse.diags(1 / degree) @ joined).tocsr().astype(np.float32)
        root = sparse.diags(degree**-0.5)
        return (root @ joined @ root).tocsr().astype(np.float32)


@dataclass(frozen=True)
class GraphInputs:
    """A graph to float32 (n, 1 + averages * hops, features): each node, then each average's hops 1, 2, ...

    What a node is told of its neighbourhood is found once, and not in each step, as in SGC and SIGN (see
    `archwright.nn.Hops`): a node is then a sample like any other.

    Args:
        features: How many a node has.
        hops: How wide the widest neighbourhood is.
        rows: Whether the features of each node are brought to a sum of 1, and else standardised.
        mean: Of each feature over the training nodes; empty with `rows`.
        std: Deviation likewise.
    """

    features: int
    hops: int
    rows: bool
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    @classmethod
    def of(cls, graph: Graph, train: np.ndarray, hops: int) -> GraphInputs:
        """Measure statistics on the training nodes."""
        x = graph.x[train]
        if not x.size or ((x >= 0).all() and (x == 0).mean() >= WORDS):
            return cls(graph.x.shape[1], hops, True)
        std = x.std(0, dtype=np.float64)
        return cls(
            graph.x.shape[1],
            hops,
            False,
            tuple(x.mean(0, dtype=np.float64).tolist()),
            tuple(np.where(std > 1e-8, std, 1.0).tolist()),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Of one node."""
        return 1 + len(AVERAGES) * self.hops, self.features

    def __call__(self, raw: Any) -> Tensor:
        """A graph, as the task was given one, or a file or folder of it, to all of its nodes."""
        return self.prepare(raw if isinstance(raw, Graph) else read_graph(raw).graph)

    def prepare(self, graph: Graph, nodes: np.ndarray | None = None) -> Tensor:
        """Some nodes of a graph, all by default."""
        if graph.x.shape[1] != self.features:
            raise DataError(f"nodes have {graph.x.shape[1]} features: this task has {self.features}")
        nodes = np.arange(len(graph)) if nodes is None else nodes
        if self.rows:
            x = graph.x / np.maximum(graph.x.sum(1, keepdims=True), 1e-9)
        else:
            x = (graph.x - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        found = [x[nodes]]
        for kind in AVERAGES:
            averages, around = graph.averages(kind), x
            for _ in range(self.hops):
                around = averages @ around
                found.append(around[nodes])
        return torch.from_numpy(np.stack(found, 1).astype(np.float32))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "kind": "graph", "features": self.features, "hops": self.hops, "rows": self.rows,
            "mean": list(self.mean), "std": list(self.std),
        }  # fmt: skip

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> GraphInputs:
        """Read what `to_json` wrote."""
        return cls(d["features"], d["hops"], d["rows"], tuple(d["mean"]), tuple(d["std"]))


@dataclass(frozen=True, eq=False)
class Read:
    """What a file, a folder or an object told of a graph.

    Args:
        graph: It.
        y: A label a node, None or NaN where it has none; None where nobody gave labels.
        parts: Which nodes are ``train``, ``validation`` and ``test``, where that is said.
        ids: What the nodes are called.
    """

    graph: Graph
    y: np.ndarray | None
    parts: Mapping[str, np.ndarray]
    ids: tuple[str, ...] = ()


def read_graph(given: Any) -> Read:
    """A folder with ``nodes.csv`` and ``edges.csv``, an ``.npz`` file, or a `torch_geometric.data.Data`.

    ``nodes.csv`` has the columns ``id``, ``label`` (empty where unknown), features, and ``split`` where the parts are
    said; ``edges.csv`` names two nodes a row. An ``.npz`` file holds ``x``, ``edges``, and ``y``, ``train``,
    ``validation``, ``test`` (numbers of nodes, or a boolean for each) as far as they are there.

    Raises:
        DataError: it is none of these, or something is wrong in it.
    """
    if isinstance(given, (str, Path)):
        path = Path(given)
        if not path.exists():
            raise DataError(
                f"{str(path)!r} does not exist: give a folder with nodes.csv and edges.csv, or an .npz file"
            )
        return _from_folder(path) if path.is_dir() else _from_npz(path)
    if isinstance(given, Mapping):
        return _from_names(given, "the graph")
    if hasattr(given, "edge_index"):
        named = {"x": given.x, "edges": given.edge_index, "y": given.y}
        masks = {"train": "train_mask", "validation": "val_mask", "test": "test_mask"}
        named |= {part: getattr(given, name) for part, name in masks.items() if getattr(given, name, None) is not None}
        return _from_names({k: v for k, v in named.items() if v is not None}, "the graph")
    raise DataError(
        f"a graph cannot be read from a {type(given).__name__}: give a folder, an .npz file, a dict with x and edges, "
        f"or a torch_geometric Data"
    )


def holds_graph(path: Path) -> bool:
    """Whether a folder, or an ``.npz`` file, is a graph; one that cannot be read is none."""
    if path.is_dir():
        return (path / "nodes.csv").is_file()
    try:
        with np.load(path, allow_pickle=False) as file:
            return bool({"edges", "edge_index"} & set(file))
    except Exception:  # whoever reads it next says what is wrong
        return False


def numbers_of(given: Any, n: int, where: str) -> np.ndarray:
    """Numbers of nodes, given as such or as a boolean for each, in increasing order."""
    array = np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given)
    if array.dtype == bool:
        if array.shape != (n,):
            raise DataError(f"{where} is a mask of shape {array.shape}: allowed is ({n},), a boolean for each node")
        return np.flatnonzero(array)
    if array.ndim != 1 or (array.size and (array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= n)):
        raise DataError(f"{where} must hold numbers of nodes, 0 to {n - 1}, or a boolean for each node")
    return np.unique(array.astype(np.int64))


def _from_names(named: Mapping[str, Any], where: str) -> Read:
    edges = "edges" if "edges" in named else "edge_index"
    absent = [name for name in ("x", edges) if name not in named]
    if absent:
        raise DataError(f"{where} holds {', '.join(named) or 'nothing'}: {' and '.join(absent)} missing")
    graph = Graph.of(named["x"], named[edges])
    y = named.get("y")
    y = None if y is None else np.asarray(y.detach().cpu() if isinstance(y, Tensor) else y)
    parts = {p: numbers_of(named[p], len(graph), p) for p in ("train", "validation", "test") if p in named}
    return Read(graph, y, parts)


def _from_npz(path: Path) -> Read:
    try:
        with np.load(path, allow_pickle=False) as file:
            named = dict(file)
    except Exception as error:  # zipfile, zlib and numpy each raise their own for a broken file
        raise DataError(f"{path} cannot be read as .npz: {error}") from None
    return _from_names(named, str(path))


def part_names(column: pd.Series) -> np.ndarray:
    """A column that says which part each row is of: ``train``, ``validation``, ``test``, and what it says else."""
    return column.map(str).str.lower().replace({"val": "validation", "training": "train"}).to_numpy()


def _from_folder(path: Path) -> Read:
    import pandas as pd

    from archwright.task.table import read_table

    for name in ("nodes.csv", "edges.csv"):
        if not (path / name).is_file():
            raise DataError(f"{path} holds no {name}: a graph is a folder with nodes.csv and edges.csv")
    nodes, edges = read_table(path / "nodes.csv"), read_table(path / "edges.csv")
    if "id" not in nodes.columns:
        raise DataError(f"nodes.csv has no column 'id'. {did_you_mean('id', map(str, nodes.columns))}")
    ids = nodes["id"].map(str)
    if ids.duplicated().any():
        raise DataError(f"nodes.csv names the node {ids[ids.duplicated()].iloc[0]!r} more than once")
    place = pd.Series(np.arange(len(ids)), index=ids)
    if edges.shape[1] < 2:
        raise DataError(f"edges.csv has {edges.shape[1]} columns: two are needed, the nodes at both ends")
    ends = []
    for column in edges.columns[:2]:
        named = edges[column].map(str)
        unknown = ~named.isin(place.index)
        if unknown.any():
            row = int(np.flatnonzero(unknown.to_numpy())[0])
            raise DataError(f"edges.csv, row {row} (counted from 0): nodes.csv has no node {named.iloc[row]!r}")
        ends.append(place[named].to_numpy())
    parts = {}
    if "split" in nodes.columns:
        said = part_names(nodes["split"])
        parts = {p: np.flatnonzero(said == p) for p in ("train", "validation", "test") if (said == p).any()}
    labels = nodes["label"].to_numpy() if "label" in nodes.columns else None
    x = nodes.drop(columns=[c for c in ("id", "label", "split") if c in nodes.columns])
    graph = Graph.of(x.to_numpy() if x.shape[1] else np.ones((len(ids), 1)), np.stack(ends))
    return Read(graph, labels, parts, tuple(ids))


def _features(x: Any) -> np.ndarray:
    if hasattr(x, "toarray"):
        x = x.toarray()
    array = number_array(x, "x")
    check_finite(array, "x")
    if array.ndim != 2 or not array.size:
        raise DataError(f"x has shape {array.shape}: allowed is (nodes, features)")
    return array.astype(np.float32)


def _edges(edges: Any) -> np.ndarray:
    array = number_array(edges, "edges")
    if array.ndim == 2 and array.shape[0] != 2 and array.shape[1] == 2:
        array = array.T
    if array.ndim != 2 or array.shape[0] != 2 or (array != np.round(array)).any():
        raise DataError(f"edges have shape {array.shape}: allowed is (2, m) or (m, 2), the numbers of two nodes each")
    return np.ascontiguousarray(array.astype(np.int64))


def _check_ends(edges: np.ndarray, n: int) -> None:
    wrong = np.flatnonzero(((edges < 0) | (edges >= n)).any(0))
    if len(wrong):
        a, b = edges[:, wrong[0]].tolist()
        raise DataError(
            f"edges: {len(wrong)} name nodes that are not there, the first is number {wrong[0]}, from {a} to {b}: "
            f"there are {n} nodes, 0 to {n - 1}"
        )
