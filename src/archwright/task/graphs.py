"""Classification of whole graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from archwright.errors import DataError
from archwright.nn.heads import Classifier
from archwright.nn.messages import GraphNetwork, MessageBlock
from archwright.task.augment import NoAugmentation
from archwright.task.baseline import fitted
from archwright.task.classification import ClassWeight, Labelled, check_test_pair
from archwright.task.graphsets import GraphSetInputs, read_graphs
from archwright.task.groups import Groups
from archwright.task.neighbourhoods import Graph
from archwright.task.preparation import Preparation
from archwright.task.splits import Split, divide
from archwright.task.targets import Classes, label_array
from archwright.task.task import Part, Task

__all__ = ["GraphClassification"]

DEGREES = 8
"""Of a histogram of how many neighbours nodes have: the last holds all that have more."""


class GraphClassification(Task):
    """Which class is this graph of?

    Every graph becomes a matrix (`archwright.task.graphsets.GraphSetInputs`), so that graphs are samples like any
    others: batches, exports and costs are what they are elsewhere. It is meant for graphs of up to some hundred nodes.

    Args:
        x: Graphs: dicts with ``edges`` and perhaps ``x``, `torch_geometric.data.Data`, `networkx.Graph`; or a folder.
            See `archwright.task.graphsets.read_graphs`. Edges go both ways.
        y: A label a graph; by default those that the graphs bring.
        x_test: Official test graphs, likewise.
        y_test: Their labels.
        parts: ``train``, ``validation`` or ``test`` for each graph, where the parts are fixed; validation may be left
            out, and is then taken from training.
        name: What the task is called.
        class_weight: ``"auto"``, ``"balanced"``, None or a weight a label; see `archwright.task.loss.class_weights`.
        metric: The main metric; accuracy, or balanced accuracy where classes are weighed.
        group: The group of each graph; see `archwright.task.Groups`.
        group_test: The groups of official test graphs.
        test_share: Of the graphs, where there is no official test.
        validation_share: Of those that are not test.
        split_seed: The same seed gives the same parts.
        source: Where the data came from, for people.

    Shapes: inputs (n, nodes, 1 + features + nodes), targets (n,), outputs (n, classes).

    Raises:
        DataError: anything wrong with the data; the message says where, what was allowed and what to do.
    """

    default_space = "graphs"
    spaces = ("graphs",)
    exchangeable = True
    recipe: Mapping[str, Any] = {"lr": 3e-3, "stretch": 2.0}

    def __init__(
        self,
        x: Any,
        y: Any = None,
        *,
        x_test: Any = None,
        y_test: Any = None,
        parts: Any = None,
        name: str = "graphs",
        class_weight: ClassWeight = "auto",
        metric: str | None = None,
        group: Any = None,
        group_test: Any = None,
        test_share: float = 0.2,
        validation_share: float = 0.2,
        split_seed: int = 0,
        source: str = "arrays",
    ):
        read = read_graphs(x)
        parts = read.parts if parts is None else np.asarray(parts)
        held = None if x_test is None else read_graphs(x_test)
        y, y_test = (_labels(given, of, which) for given, of, which in ((y, read, "y"), (y_test, held, "y_test")))
        check_test_pair(x_test, y_test)
        graphs, test = _listed(read.graphs), None if held is None else _listed(held.graphs)
        shares = (test_share, validation_share)
        if parts is None:
            labelled = Labelled.of(graphs, y, test, y_test, seed=split_seed, shares=shares)
        elif test is not None:
            raise DataError("parts and x_test are given: one of them says which graphs are the test")
        else:
            labelled = _parted(y, parts, len(graphs), split_seed, validation_share)
            self.exchangeable = "validation" not in parts
        inputs = GraphSetInputs.of([*graphs, *(() if test is None else test)], labelled.split.train)
        classes = labelled.classes
        super().__init__(
            name=name,
            parts=labelled.parts(graphs, test, lambda some, where: inputs.prepare(some)),
            preparation=Preparation(inputs, classes),
            n_outputs=len(classes.labels),
            augmentation=NoAugmentation(),
            groups=None if group is None else Groups.of(group, labelled.split, group_test),
            facts={
                **labelled.facts(source),
                "graphs": len(graphs) + (0 if test is None else len(test)),
                "nodes": inputs.nodes,
                "features": inputs.features,
                "without_edges": sum(not g.edges.size for g in graphs),
                "official_test": test is not None or parts is not None,
            },
            **labelled.learning(class_weight, metric),
        )

    @classmethod
    def from_folder(cls, path: str | Path, **options: Any) -> GraphClassification:
        """A folder with ``graphs.csv``, ``nodes.csv`` and ``edges.csv``, or with the files of the TU collection."""
        return cls(path, **{"name": Path(path).name, "source": str(path), **options})

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """GIN of three layers whose results are joined (Xu et al. 2019), of width 32 where nothing is said."""

        def make(width: int) -> nn.Module:
            layers = [MessageBlock(width, "gin", norm="layer") for _ in range(3)]
            head = Classifier(self.n_outputs, hidden=(width,), dropout=0.1)
            return GraphNetwork(*layers, head, join="concat", readout="sum")

        return make(width or 32) if max_params is None else fitted(make, self.input_shape, max_params)

    def references(self, train: Part, test: Part) -> dict[str, dict[str, float]]:
        """A random forest on what needs no network: sizes, how many neighbours nodes have, the mean of features."""
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(200, min_samples_leaf=2, random_state=0)
        model.fit(self._counted(train), train.targets.numpy())
        output = torch.full((len(test), self.n_outputs), -30.0)
        shares = np.log(np.maximum(model.predict_proba(self._counted(test)), 1e-12))
        output[:, model.classes_] = torch.from_numpy(shares).float()
        return {"random forest of degrees and features": self.score(output, test.targets)}

    def _counted(self, part: Part) -> np.ndarray:
        there, joined = part.inputs[:, :, 0], part.inputs[:, :, -self.input_shape[0] :]
        nodes = there.sum(1, keepdim=True)
        degrees = joined.sum(2).long().clamp_max(DEGREES)
        counts = torch.stack([((degrees == d) * there).sum(1) for d in range(DEGREES + 1)], 1)
        features = part.inputs[:, :, 1 : -self.input_shape[0]].sum(1) / nodes
        return torch.cat([nodes, joined.sum((1, 2))[:, None], counts, counts / nodes, features], 1).numpy()


def _labels(given: Any, read: Any, where: str) -> Any:
    if given is not None or read is None:
        return given
    if read.y is None:
        raise DataError(
            f"the graphs have no labels: give {where}, a y in each graph, or a column 'label' in graphs.csv"
        )
    return read.y


def _listed(graphs: Sequence[Graph]) -> np.ndarray:
    """An array of objects, which sample numbers can pick from."""
    array = np.empty(len(graphs), dtype=object)
    for i, graph in enumerate(graphs):
        array[i] = graph
    return array


def _parted(y: Any, parts: np.ndarray, n: int, seed: int, share: float) -> Labelled:
    """Labels divided as `parts` says."""
    allowed = ("train", "validation", "test")
    odd = sorted(set(map(str, parts.tolist())) - set(allowed))
    if parts.shape != (n,) or odd:
        raise DataError(f"parts are {', '.join(map(repr, odd)) or parts.shape}: allowed is one of {allowed} a graph")
    for needed in ("train", "test"):
        if needed not in parts:
            raise DataError(f"no graph is of the {needed} part: name some, or leave the parts out")
    labels = label_array(y, "y")
    classes = Classes.of(labels, "y")
    targets = classes.encode(labels, "y")
    rows = {part: np.flatnonzero(parts == part) for part in allowed}
    if not len(rows["validation"]):
        own = divide(
            targets.numpy()[rows["train"]], seed=seed, names=classes.labels, official_test=True,
            validation_share=share,
        )  # fmt: skip
        rows = {"train": rows["train"][own.train], "validation": rows["train"][own.validation], "test": rows["test"]}
    return Labelled(classes, targets, None, Split(rows["train"], rows["validation"], rows["test"]), seed)
