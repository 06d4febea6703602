"""What a search gives back: the network, its test figures, every trial, and a folder of files."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright.errors import ExportError
from archwright.objective import Objectives, best, format_cost, latest, ranked
from archwright.run.finish import Chosen
from archwright.space import Architecture, Space
from archwright.trial import Trial

if TYPE_CHECKING:
    from torch import nn

    from archwright.export import Card
    from archwright.report import RunRecord
    from archwright.task import Task

__all__ = ["Best", "Result", "versions"]


@dataclass(frozen=True)
class Best:
    """The best of a search.

    Args:
        trial: The trial that proposed it.
        model: The trained network, plain PyTorch, on the CPU in evaluation mode; None where nothing was trained at the
            end (an interrupted search, or a function of your own as evaluator).
    """

    trial: Trial
    model: nn.Module | None = None

    @property
    def architecture(self) -> Architecture:
        """Its decisions."""
        return self.trial.architecture

    @property
    def metrics(self) -> Mapping[str, float]:
        """What was measured on validation during the search."""
        return self.trial.measurement.metrics if self.trial.measurement else {}

    @property
    def costs(self) -> Mapping[str, float]:
        """Its parameters, MACs and whatever else was measured."""
        return self.trial.measurement.costs if self.trial.measurement else {}


@dataclass(frozen=True)
class Result:
    """What a search gives back.

    Args:
        name: The run's name in its store.
        store: Where the run is stored.
        objectives: What better meant.
        trials: Every trial, in the order told.
        space: What was searched.
        task: The learning problem, or None for a function of your own.
        chosen: The final choice; None where the search ended before it, or had nothing to train.
        why_it_ended: In words.
        interrupted: Whether it was stopped (Ctrl-C) before its budget ended.
        meta: Everything the store keeps of the run.
        survey: The space before the search.
        baseline: Random search beside it, if the budget allowed one; see `archwright.report.RunRecord`.
    """

    name: str
    store: str
    objectives: Objectives
    trials: tuple[Trial, ...]
    space: Space
    task: Task | None = None
    chosen: Chosen | None = None
    why_it_ended: str = ""
    interrupted: bool = False
    meta: Mapping[str, Any] = field(default_factory=dict)
    survey: Mapping[str, Any] = field(default_factory=dict)
    baseline: Mapping[str, Any] | None = None

    @property
    def best(self) -> Best | None:
        """The network chosen at the end, else the best trial so far; None where no trial was measured.

        With several goals the best is the knee of the Pareto front; `archwright.objective.pareto_front` has it whole.
        """
        if self.chosen is not None:
            return Best(self.chosen.trial, self._plain())
        found = best([t for t in self.trials if t.status == "done"])
        return None if found is None else Best(found)

    def _plain(self) -> nn.Module:
        from archwright.export import plain

        assert self.chosen is not None
        assert self.task is not None
        try:
            return plain(self.chosen.module, self.task.input_shape, dtype=self.task.input_dtype)
        except ExportError:  # a module of the user's own that cannot be traced stays as it is
            return self.chosen.module

    @property
    def test(self) -> Mapping[str, Any] | None:
        """For each metric on the test part: ``mean`` and ``deviation`` over seeds, ``per_seed``, and a bootstrap
        interval ``low``..``high``. Measured once, after the choice, on data that the search never saw.
        """
        return None if self.chosen is None else self.chosen.outcome["test"]

    @property
    def by_group(self) -> Mapping[str, Mapping[str, float]] | None:
        """For each group of the test part every metric, the mean over seeds; None where no groups are told apart."""
        groups = None if self.chosen is None else self.chosen.outcome.get("groups")
        return None if groups is None else {row["group"]: row["metrics"] for row in groups["values"]}

    def leaderboard(self, n: int = 10) -> list[Trial]:
        """The n best trials by validation; of a trial and those that go on with it, the last."""
        return ranked(latest(t for t in self.trials if t.status == "done"))[:n]

    def record(self, card: Card | None = None) -> RunRecord:
        """All of it as plain data, for tables, plots and the report; with the files that a `card` lists."""
        from archwright.report import RunRecord

        won = self.best
        final = dict(self.chosen.outcome) if self.chosen is not None else None
        if final is not None and card is not None:
            final |= {"files": card.to_json()["files"], "left_out": dict(card.left_out)}
        return RunRecord(
            name=self.name,
            objectives=self.objectives,
            trials=self.trials,
            meta=self.meta,
            graph=self.space.graph(won.architecture) if won is not None else None,
            final=final,
            baseline=self.baseline,
            survey=self.survey,
            command=str(self.meta.get("command", "")),
            versions=self.meta.get("versions", {}),
        )

    def save(self, folder: str | Path) -> Path:
        """Write all there is into a folder: weights, source, ONNX, ``.pt2``, the card, and the report.

        Where no network was trained, the report alone.

        Raises:
            ExportError: The folder cannot be written.
        """
        from archwright.report import write_page

        folder = Path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ExportError(
                f"cannot write to {folder}: {error.strerror}. Give a folder that can be written"
            ) from error
        card = self.export(folder) if self.chosen is not None else None
        write_page(self.record(card), folder / "report.html")
        return folder

    def export(self, folder: str | Path) -> Card:
        """Write the chosen network alone: see `archwright.export.export`."""
        from archwright.export import Card, export
        from archwright.report.outcome import told

        if self.chosen is None or self.task is None:
            raise ExportError("there is no trained network to export: the search ended before its final choice")
        outcome = self.chosen.outcome
        test = told(self.record())
        aside = outcome["test"].keys() - test.keys()
        validated = Best(self.chosen.trial).metrics
        card = Card(
            name=self.task.name,
            task=self.task.describe(),
            architecture=dict(self.chosen.trial.architecture),
            costs=outcome["costs"],
            metrics={"validation": {n: v for n, v in validated.items() if n not in aside}, "test": test},
            preparation=self.task.preparation.to_json(),
            seed=outcome["seeds"][0],
            command=str(self.meta.get("command", "")) or None,
            notes={name: outcome[name] for name in ("calibration", "groups") if name in outcome},
        )
        return export(
            self.chosen.module,
            folder,
            input_shape=self.task.input_shape,
            card=card,
            dtype=self.task.input_dtype,
            examples=self.task.validation.inputs[:32],
        )

    def __str__(self) -> str:
        won = self.best
        if won is None:
            return f"{self.name}: no trial was measured ({len(self.trials)} trials; {self.why_it_ended})"
        costs = ", ".join(f"{format_cost(k, v)} {k}" for k, v in won.costs.items() if k == "params")
        shown = ", ".join(
            f"{g.metric} {won.metrics.get(g.metric, won.costs.get(g.metric)):.4g}" for g in self.objectives.goals
        )
        return f"{self.name}: trial {won.trial.number} of {len(self.trials)}, validation {shown}" + (
            f" ({costs})" if costs else ""
        )


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for package in ("archwright", "torch", "numpy", "scikit-learn"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
