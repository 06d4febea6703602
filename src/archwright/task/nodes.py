"""Classification of the nodes of a graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from archwright.errors import DataError
from archwright.nn.hops import Hops
from archwright.task.augment import NoAugmentation
from archwright.task.baseline import fitted
from archwright.task.classification import ClassWeight, Labelled
from archwright.task.groups import Groups
from archwright.task.neighbourhoods import AVERAGES, Graph, GraphInputs, numbers_of, read_graph
from archwright.task.preparation import Preparation
from archwright.task.splits import Split, divide
from archwright.task.targets import Classes, label_array
from archwright.task.task import Part, Task

__all__ = ["NodeClassification"]

UNKNOWN = -1
"""A label that integers have where there is none."""


class NodeClassification(Task):
    """Which class is this node of a graph of?

    All nodes and edges are seen, the labels of the training part alone (the transductive setting of Yang et al.,
    *Revisiting Semi-Supervised Learning with Graph Embeddings*, ICML 2016). What a node is told of its neighbourhood is
    averaged beforehand (`archwright.task.GraphInputs`), so that nodes are samples like any others: batches, exports and
    costs are what they are elsewhere. Networks with layers between the averages, such as GAT, are not in the space.

    Args:
        x: Features of all nodes, (n, features).
        edges: (2, m) or (m, 2) numbers of nodes; they go both ways.
        y: A label a node: integers, booleans or texts; -1, None or NaN where it is unknown.
        train: Which nodes train: their numbers, or a boolean for each. Give all three parts, or none of them.
        validation: Which choose.
        test: Which are kept for the end.
        hops: How wide the widest neighbourhood is that networks may read.
        name: What the task is called.
        class_weight: ``"auto"``, ``"balanced"``, None or a weight a label; see `archwright.task.loss.class_weights`.
        metric: The main metric; accuracy, or balanced accuracy where classes are weighed.
        group: The group of each node; see `archwright.task.Groups`.
        test_share: Of the nodes with a label, where no parts are given.
        validation_share: Of those that are not test.
        split_seed: The same seed gives the same parts.
        source: Where the data came from, for people.

    Shapes: inputs (n, 1 + averages * hops, features), targets (n,), outputs (n, classes).

    Raises:
        DataError: anything wrong with the data; the message says where, what was allowed and what to do.
    """

    default_space = "graph"
    spaces = ("graph",)
    # A few hundred labels: the vectors of words are wide, and steps are cheap.
    recipe: Mapping[str, Any] = {"epochs": 100, "lr": 1e-2, "weight_decay": 0.5, "stretch": 2.0}

    def __init__(
        self,
        x: Any,
        edges: Any,
        y: Any,
        *,
        train: Any = None,
        validation: Any = None,
        test: Any = None,
        hops: int = 8,
        name: str = "nodes",
        class_weight: ClassWeight = "auto",
        metric: str | None = None,
        group: Any = None,
        test_share: float = 0.2,
        validation_share: float = 0.2,
        split_seed: int = 0,
        source: str = "arrays",
    ):
        if isinstance(hops, bool) or not isinstance(hops, int) or hops < 1:
            raise DataError(f"hops is {hops!r}: allowed are whole numbers of 1 or more")
        graph = Graph.of(x, edges)
        labels = np.asarray(y.detach().cpu() if hasattr(y, "detach") else y)
        if labels.shape != (len(graph),):
            raise DataError(f"y has shape {labels.shape}: allowed is ({len(graph)},), a label or -1 for each node")
        known = np.flatnonzero(_known(labels))
        texts = label_array(labels[known], "y")
        classes = Classes.of(texts, "y")
        targets = classes.encode(texts, "y")
        parts = _given({"train": train, "validation": validation, "test": test}, len(graph), known)
        if parts is None:
            split = divide(
                targets.numpy(), seed=split_seed, names=classes.labels, test_share=test_share,
                validation_share=validation_share,
            )  # fmt: skip
        else:
            split = Split(parts["train"], parts["validation"], parts["test"])
            _check_classes(classes, targets.numpy()[split.train])
        labelled = Labelled(classes, targets, None, split, split_seed)
        inputs = GraphInputs.of(graph, known[split.train], hops)
        read = inputs.prepare(graph, known)
        facts = labelled.facts(source)
        degrees = np.bincount(graph.edges.ravel(), minlength=len(graph))
        super().__init__(
            name=name,
            parts=labelled.parts(read, None, lambda rows, where: rows),
            preparation=Preparation(inputs, classes),
            n_outputs=len(classes.labels),
            augmentation=NoAugmentation(),
            groups=None if group is None else _groups(group, known, split, len(graph)),
            facts={
                **facts,
                "nodes": len(graph),
                "edges": graph.edges.shape[1],
                "labelled": len(known),
                "alone": int((degrees == 0).sum()),
                "hops": hops,
                "official_test": parts is not None,
            },
            **labelled.learning(class_weight, metric),
        )

    @classmethod
    def of(cls, data: Any, **options: Any) -> NodeClassification:
        """A folder with ``nodes.csv`` and ``edges.csv``, an ``.npz`` file, a dict, or a `torch_geometric.data.Data`.

        Args:
            data: See `archwright.task.neighbourhoods.read_graph`. Parts that it names stay as they are.
            options: As for the class.
        """
        read = read_graph(data)
        if read.y is None:
            raise DataError("the graph has no labels: give y, or a column 'label' in nodes.csv")
        if isinstance(data, (str, Path)):
            options = {"name": Path(data).stem, "source": str(data), **options}
        return cls(read.graph.x, read.graph.edges, read.y, **{**read.parts, **options})

    @classmethod
    def from_folder(cls, path: str | Path, **options: Any) -> NodeClassification:
        """The same, of a folder or file."""
        return cls.of(path, **options)

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """Two hops weighed as Kipf & Welling do, and a perceptron of 64 numbers where nothing is said."""
        most = (self.input_shape[0] - 1) // len(AVERAGES)

        def make(width: int) -> nn.Module:
            return nn.Sequential(
                Hops(min(2, most), join="last", most=most), nn.Dropout(0.5), nn.Linear(self.input_shape[1], width),
                nn.ReLU(), nn.Dropout(0.5), nn.Linear(width, self.n_outputs),
            )  # fmt: skip

        return make(width or 64) if max_params is None else fitted(make, self.input_shape, max_params)

    def references(self, train: Part, test: Part) -> dict[str, dict[str, float]]:
        """Logistic regression of the node alone, and of its second hop (SGC)."""
        from sklearn.linear_model import LogisticRegressionCV

        found = {}
        second = min(2, (self.input_shape[0] - 1) // len(AVERAGES))
        folds = int(torch.bincount(train.targets).min().clamp(2, 5))
        for name, hop in (("logistic regression of the node alone", 0), (f"the same {second} hops around", second)):
            model = LogisticRegressionCV(
                Cs=[1.0, 10.0, 100.0, 1000.0],
                cv=folds,
                max_iter=500,
                scoring="accuracy",
                use_legacy_attributes=False,
                l1_ratios=(0.0,),
            )
            model.fit(train.inputs[:, hop].numpy(), train.targets.numpy())
            output = torch.full((len(test), self.n_outputs), -30.0)
            output[:, model.classes_] = torch.from_numpy(
                np.log(np.maximum(model.predict_proba(test.inputs[:, hop].numpy()), 1e-12))
            ).float()
            found[name] = self.score(output, test.targets)
        return found


def _known(labels: np.ndarray) -> np.ndarray:
    if labels.dtype.kind in "iu":
        return np.asarray(labels != UNKNOWN)
    if labels.dtype.kind == "f":
        return np.asarray(~np.isnan(labels) & (labels != UNKNOWN))
    return np.array([v is not None and v == v and str(v) != "" for v in labels.tolist()], dtype=bool)


def _given(parts: Mapping[str, Any], n: int, known: np.ndarray) -> dict[str, np.ndarray] | None:
    """The places among the nodes with a label of the parts that were given; None where none was."""
    absent = [name for name, part in parts.items() if part is None]
    if len(absent) == len(parts):
        return None
    if absent:
        raise DataError(f"{' and '.join(absent)} missing: give the nodes of all three parts, or of none")
    nodes = {name: numbers_of(part, n, name) for name, part in parts.items()}
    place = np.full(n, -1)
    place[known] = np.arange(len(known))
    taken: dict[int, str] = {}
    for name, numbers in nodes.items():
        if not len(numbers):
            raise DataError(f"the {name} part has no node: give some, or leave out all three parts")
        if (place[numbers] < 0).any():
            node = int(numbers[np.flatnonzero(place[numbers] < 0)[0]])
            raise DataError(f"the {name} part holds the node {node}, which has no label")
        for node in numbers.tolist():
            if node in taken:
                raise DataError(f"the node {node} is in the {taken[node]} part and in the {name} part")
            taken[node] = name
    return {name: place[numbers] for name, numbers in nodes.items()}


def _check_classes(classes: Classes, train: np.ndarray) -> None:
    absent = [str(label) for i, label in enumerate(classes.labels) if not (train == i).any()]
    if absent:
        raise DataError(
            f"class {', '.join(map(repr, absent))} has no node in the training part: give one, or leave it out"
        )


def _groups(group: Any, known: np.ndarray, split: Split, n: int) -> Groups:
    values = np.asarray(group)
    if values.shape != (n,):
        raise DataError(f"the groups have shape {values.shape}: allowed is ({n},), one a node")
    assert split.test is not None
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    used = np.sort(np.concatenate([*parts.values()]))  # given parts may leave nodes with a label out
    rows = {part: np.searchsorted(used, at) for part, at in parts.items()}
    return Groups.of_parts(values[known][used], rows, {}, getattr(group, "name", None))
