"""The evaluator of every table: what was measured long ago, looked up, with the time that it would take simulated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from archwright.errors import EvaluationError
from archwright.evaluator import Context, StopTrial
from archwright.objective import Objectives
from archwright.objective.pareto import non_dominated_sort
from archwright.space import Architecture
from archwright.trial import Measurement, Proposal

__all__ = ["Lookup", "Rows", "exact_front"]


class Rows:
    """Which row of a table an architecture has: by the values of its decisions.

    Args:
        names: Decisions, in the order of each entry of `values`; one that is not live counts as None.
        values: The values of these decisions, row by row; or the row of each, where several share one.

    >>> Rows(("depth", "width"), [(1, 16), (2, 16)])[Architecture({"depth": 2, "width": 16})]
    1
    """

    def __init__(self, names: Sequence[str], values: Iterable[tuple[Any, ...]] | Mapping[tuple[Any, ...], int]):
        self.names = tuple(names)
        self._row = dict(values) if isinstance(values, Mapping) else {v: row for row, v in enumerate(values)}

    def __getitem__(self, architecture: Architecture) -> int:
        return self._row[self._values(architecture)]

    def __contains__(self, architecture: object) -> bool:
        return isinstance(architecture, Architecture) and self._values(architecture) in self._row

    def __len__(self) -> int:
        return len(self._row)

    def _values(self, architecture: Architecture) -> tuple[Any, ...]:
        return tuple([architecture.get(name) for name in self.names])


class Placed(Protocol):
    """Whatever knows the row of an architecture, as `Rows` does; KeyError where there is none."""

    def __getitem__(self, architecture: Architecture) -> int: ...


class Lookup:
    """Answers proposals from arrays. A pure function of (proposal, seed).

    Where there are learning curves, a proposal of fewer epochs gets their value at that epoch, and nothing of what was
    measured at the end alone (a test metric). A proposal that continues an earlier trial gets the same numbers as one
    that does not, with seconds and epochs counted from the first epoch on: what was paid before is known to the loop.

    Args:
        name: Of the benchmark, for messages.
        rows: The row of each architecture, all arrays' first axis.
        metrics: Each of shape (n,), or (n, seeds): then the proposal and the seed draw one. NaN: that training failed.
        costs: What is known without training, each of shape (n,).
        seconds: The time of a full training, shape (n,).
        epochs: Of a full training.
        curves: Metrics after each epoch, shapes (n, epochs) or (n, seeds, epochs); without any there is but one
            fidelity. NaN: a training of so many epochs failed.
    """

    def __init__(
        self,
        name: str,
        rows: Placed,
        metrics: Mapping[str, np.ndarray],
        *,
        costs: Mapping[str, np.ndarray] | None = None,
        seconds: np.ndarray,
        epochs: int,
        curves: Mapping[str, np.ndarray] | None = None,
    ):
        self.name, self.rows, self.epochs = name, rows, epochs
        self.metrics = {m: np.asarray(v, dtype=float) for m, v in metrics.items()}
        self.known_costs = {c: np.asarray(v, dtype=float) for c, v in (costs or {}).items()}
        self.seconds = np.asarray(seconds, dtype=float)
        self.curves = {m: np.asarray(v, dtype=float) for m, v in (curves or {}).items()}

    def __call__(self, proposal: Proposal, seed: int, context: Context | None = None) -> Measurement:
        row = self.row(proposal.architecture)
        epochs = self._epochs(proposal)
        metrics = {m: self._drawn(v, row, seed, 1) for m, v in self.metrics.items()}
        curve: list[Mapping[str, float]] = []
        if self.curves:
            curve = self._curve(row, seed, epochs, context)
            if len(curve) < self.epochs:  # asked for less, or told to stop
                epochs, metrics = len(curve), {m: v for m, v in curve[-1].items() if m in self.metrics}
        for metric, value in metrics.items():
            if not np.isfinite(value):
                raise EvaluationError(
                    f"{self.name}: the training of {proposal.architecture} failed ({metric} is {value}, epoch {epochs})"
                )
        return Measurement(
            metrics=metrics,
            costs={c: float(v[row]) for c, v in self.known_costs.items()},
            curve=tuple(curve),
            seconds=float(self.seconds[row]) * (epochs / self.epochs),
            epochs=epochs,
        )

    def costs(self, architecture: Architecture, names: Sequence[str]) -> dict[str, float]:
        """Those of the costs called `names` that the table has."""
        row = self.row(architecture)
        return {name: float(self.known_costs[name][row]) for name in names if name in self.known_costs}

    def row(self, architecture: Architecture) -> int:
        """The row of an architecture.

        Raises:
            EvaluationError: The table has none.
        """
        try:
            return self.rows[architecture]
        except KeyError:
            raise EvaluationError(f"{self.name} has no row for {architecture}") from None

    def _epochs(self, proposal: Proposal) -> int:
        epochs = self.epochs if proposal.epochs is None else proposal.epochs
        if not self.curves and epochs != self.epochs:
            raise EvaluationError(
                f"{self.name} knows trainings of {self.epochs} epochs alone, got {epochs}: use a strategy of one "
                "fidelity"
            )
        if not 1 <= epochs <= self.epochs:
            raise EvaluationError(f"{self.name} knows 1 to {self.epochs} epochs, got {epochs}")
        return epochs

    def _curve(self, row: int, seed: int, epochs: int, context: Context | None) -> list[Mapping[str, float]]:
        values = {m: self._drawn(v, row, seed, 2) for m, v in self.curves.items()}
        points: list[Mapping[str, float]] = []
        for i in range(epochs):
            points.append({"epoch": i + 1, **{m: float(v[i]) for m, v in values.items()}})
            if context is not None:
                try:
                    context.report(points[-1])
                except StopTrial:
                    break
        return points

    def _drawn(self, values: np.ndarray, row: int, seed: int, single: int) -> Any:
        """The numbers of a row: those of one training, where there are several."""
        if values.ndim == single:
            return float(values[row]) if single == 1 else values[row]
        drawn = int(np.random.SeedSequence([seed, row]).generate_state(1)[0]) % values.shape[1]
        return float(values[row, drawn]) if single == 1 else values[row, drawn]


def exact_front(objectives: Objectives, lookup: Lookup) -> dict[str, Any]:
    """The exact front of several goals over a whole table, for `Benchmark.front`; empty where there is one goal.

    The reference point is the worst value of each goal in the table. Where there are several seeds, their mean counts.
    """
    if len(objectives.goals) < 2:
        return {}
    columns = []
    for goal in objectives.goals:
        values = lookup.metrics[goal.metric] if goal.metric in lookup.metrics else lookup.known_costs[goal.metric]
        values = values if values.ndim == 1 else values.mean(axis=1)
        columns.append(-values if goal.direction == "maximize" else values)
    scores = np.stack(columns, axis=1)
    scores = scores[np.isfinite(scores).all(axis=1)]
    front = np.unique(scores[non_dominated_sort(scores) == 0], axis=0)
    return {"scores": front.tolist(), "reference": scores.max(axis=0).tolist()}
