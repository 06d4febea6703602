"""NAS-Bench-NLP: recurrent cells trained on WikiText-2, with their learning curves.

Klyuchnikov et al., *NAS-Bench-NLP: Neural Architecture Search Benchmark for Natural Language Processing*, IEEE Access
2022 (https://arxiv.org/abs/2006.07116).
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from archwright.benchmark.lookup import Lookup, Rows
from archwright.benchmark.problem import Benchmark
from archwright.benchmark.reading import Table, find_file
from archwright.errors import DataError
from archwright.objective import Objectives, minimize
from archwright.space import Flow, Space, choice, searchable

__all__ = ["Cells", "nasbenchnlp"]

FILES = ("nasbench_nlp_wikitext2.parquet", "nasbench_nlp_wikitext2.csv")
ORIGIN = (
    "Its columns: recepie_id, recepie, num_params, val_curve, test_loss, wall, n_epochs; a row a training of the "
    "official logs."
)
SOURCE = "Klyuchnikov et al., NAS-Bench-NLP, IEEE Access 2022, https://arxiv.org/abs/2006.07116"

Recipe = dict[str, dict[str, Any]]
ORDERED = ("blend",)
"""Operations whose inputs play different parts: ``blend(gate, a, b)``."""


class Vertex:
    """An operation's label: people read the operation, the canonical key tells nodes apart.

    Without it a node that two read would be equal to two nodes of weights of their own.
    """

    def __init__(self, operation: str, number: int):
        self.__name__ = operation
        self.number = number

    def __repr__(self) -> str:
        return f"{self.__name__}@{self.number}"


class Cells:
    """Recipes by the names of their cells: what the space's only choice is among.

    Args:
        recipes: JSON texts.
    """

    def __init__(self, recipes: Mapping[str, str]):
        self.recipes = dict(recipes)

    def __call__(self, cell: str) -> Recipe:
        return json.loads(self.recipes[cell])

    def flow(self, flow: Flow, x: Any, cell: Any) -> Any:
        """What a cell computes: from the input and the former states to the new ones."""
        return flow.select(cell, lambda name: _computed(flow, x, self(name)))

    def __repr__(self) -> str:
        return f"Cells({len(self.recipes)})"


def _computed(flow: Flow, x: Any, recipe: Recipe) -> Any:
    numbers = {node: i for i, node in enumerate(recipe)}

    @functools.cache
    def signal(node: str) -> Any:
        if node not in recipe:  # the input "x" or a former state "h_prev_0"
            return flow.op(node, x)
        operation, inputs = recipe[node]["op"], [signal(i) for i in recipe[node]["input"]]
        read = flow.concat(inputs) if operation in ORDERED else flow.sum(inputs)
        return flow.op(Vertex(operation, numbers[node]), read)

    return flow.concat([signal(node) for node in recipe if node.startswith("h_new_")])


def nasbenchnlp(tables: str | os.PathLike[str] | None = None) -> Benchmark:
    """The cells of a table with real learning curves: a problem of several fidelities, the validation loss searched.

    The space is one choice among the cells, each known by its graph: a strategy that reads `Space.graph` sees how they
    are alike, any other sees names. After e epochs a training has the least loss up to then. A cell that was trained
    more than once has the mean of its trainings that did not fail.
    """
    table = Table(find_file(FILES, tables, purpose="nasbenchnlp", origin=ORIGIN))
    names = [str(int(number)) for number in table.numbers("recepie_id")]
    lengths = table.numbers("n_epochs")
    losses = _losses(table, int(lengths.max()))
    epochs = losses.shape[1]
    params, test_loss = table.numbers("num_params"), table.numbers("test_loss", missing=True)
    # A training that broke off is charged by the epoch as others are.
    seconds = table.numbers("wall") * epochs / lengths
    rows: dict[str, list[int]] = {}  # by the recipe
    for row, text in enumerate(table.texts("recepie")):
        try:
            _check(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise table.fault(row, "recepie", f"is no recipe: {error}") from None
        rows.setdefault(text, []).append(row)
    recipes = {names[group[0]]: text for text, group in rows.items()}
    if len(recipes) < len(rows):
        raise DataError(f"table {str(table.path)!r}: different recipes share a recepie_id")
    groups = [[i for i in group if np.isfinite(losses[i, -1])] or group for group in rows.values()]
    loss = np.array([losses[group].mean(axis=0) for group in groups])
    lookup = Lookup(
        "nasbenchnlp",
        Rows(("cell",), [(name,) for name in recipes]),
        {"loss": loss[:, -1], "test_loss": np.array([test_loss[group].mean() for group in groups])},
        costs={"params": np.array([params[group[0]] for group in groups])},
        seconds=np.array([seconds[group].mean() for group in groups]),
        epochs=epochs,
        curves={"loss": loss},
    )
    cells = Cells(recipes)
    return Benchmark(
        "nasbenchnlp",
        Space(searchable(cells, flow=cells.flow, name="cell")(choice(*recipes, name="cell"))),
        lookup,
        Objectives.of(minimize("loss")),
        best=float(np.nanmin(loss[:, -1])),
        reported="test_loss",
        max_epochs=epochs,
        title=f"{len(rows)} recurrent cells on WikiText-2, cross-entropy in nats",
        source=SOURCE,
    )


def _losses(table: Table, epochs: int) -> np.ndarray:
    """The least validation loss up to each epoch, NaN after a training broke off. Shape: (rows, epochs)."""
    losses = np.full((len(table), epochs), np.nan)
    for row, text in enumerate(table.texts("val_curve")):
        try:
            values = np.array([np.nan if v is None else float(v) for v in json.loads(text)])
        except (ValueError, TypeError):
            raise table.fault(row, "val_curve", f"is no list of numbers: {text[:40]!r}") from None
        if len(values) > epochs:
            raise table.fault(row, "val_curve", f"has {len(values)} epochs, more than any n_epochs ({epochs})")
        losses[row, : len(values)] = np.minimum.accumulate(values)
    return losses


def _check(recipe: Recipe) -> None:
    known = {"x"}
    for node, made in recipe.items():
        for source in made["input"]:
            if source not in known and source not in recipe and not source.startswith("h_prev_"):
                raise ValueError(f"node {node!r} reads {source!r}, which is not there")
        made["op"]
    if not any(node.startswith("h_new_") for node in recipe):
        raise ValueError("it makes no new state (h_new_0)")
