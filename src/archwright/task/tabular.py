"""Classification and regression on tables."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from archwright.errors import DataError, did_you_mean
from archwright.task.arrays import check_lengths
from archwright.task.augment import TableAugmentation
from archwright.task.baseline import ResidualMLP, fitted
from archwright.task.classification import ClassWeight, Labelled, check_labels
from archwright.task.groups import Groups
from archwright.task.loss import SquaredError
from archwright.task.metrics import regression_metrics
from archwright.task.preparation import Preparation
from archwright.task.problems import Problems
from archwright.task.splits import Split, divide, strata_of
from archwright.task.table import Column, TableInputs, as_frame, kind_of
from archwright.task.targets import Quantities, quantity_array
from archwright.task.task import Augmentation, Part, Parts, Task

__all__ = ["TabularClassification", "TabularRegression"]


@dataclass(frozen=True, eq=False)
class _Table:
    """A table read and checked: features, targets, kinds of columns, the same of official test data, source."""

    features: pd.DataFrame
    targets: Any
    test_features: pd.DataFrame | None
    test_targets: Any
    kinds: dict[str, str]
    missing_values: tuple[str, ...]
    target_names: tuple[str, ...]
    source: str
    group: Any
    group_test: Any
    left_out: tuple[str, ...]

    @classmethod
    def read(
        cls,
        problems: Problems,
        data: Any,
        y: Any,
        target: str | None,
        test: Any,
        categorical: Sequence[str],
        ignore: Sequence[str],
        missing_values: Sequence[str],
        source: str | None,
        group: Any,
        group_test: Any,
        keep_group: bool,
    ) -> _Table:
        column = group if isinstance(group, str) else None
        frame, targets, names = _divided(problems, data, y, target, "the table", column)
        test_frame, test_targets = None, None
        if test is not None:
            data_test, y_test = test if isinstance(test, tuple) else (test, None)
            test_frame, test_targets, _ = _divided(
                problems, data_test, y_test, None if y is not None else names[0], "the test table"
            )
        for what, given in (("categorical", categorical), ("ignore", ignore)):
            for name in [c for c in given if c not in frame.columns]:
                problems.add(f"{what} names {name!r}, which is no column. {did_you_mean(name, frame.columns)}")
        if column is not None:
            group, group_test = _column(frame, column, "the table"), _column(test_frame, column, "the test table")
            ignore = ignore if keep_group else (*ignore, column)
        frame = TableInputs((), tuple(missing_values)).clean(
            frame.drop(columns=[c for c in dict.fromkeys(ignore) if c in frame.columns])
        )
        kinds: dict[str, str] = {}
        left_out = []
        for column in frame.columns:
            wrong = len(problems.found)
            kind = "category" if column in categorical else problems.of(kind_of, column, frame[column], "the table")
            if kind is None and len(problems.found) > wrong:
                continue
            if kind is None:
                left_out.append(column)
                warnings.warn(
                    f"column {column!r} holds another text in every row, so it is left out: nothing can be learnt "
                    f"from it", UserWarning, stacklevel=4,
                )  # fmt: skip
                continue
            kinds[column] = kind
            for where, table in (("the table", frame), ("the test table", test_frame)):
                if table is not None and column not in table.columns:
                    problems.add(
                        f"{where} has no column {column!r}, which this task learnt from. "
                        f"{did_you_mean(column, table.columns)}"
                    )
                elif table is not None and kind == "number":  # a stray text is named wherever it is
                    problems.of(Column(column, "number"), TableInputs((), tuple(missing_values)).clean(table)[column])
        if not kinds and not problems.found:
            raise DataError("the table has no column to learn from besides the target: add features")
        said = str(data) if isinstance(data, (str, Path)) else "table" if y is None else "arrays"
        return cls(
            frame, targets, test_frame, test_targets, kinds, tuple(missing_values), names, source or said,
            group, group_test, tuple(left_out),
        )  # fmt: skip

    def inputs(self, train: np.ndarray) -> TableInputs:
        """Measure the training rows."""
        rows = self.features.iloc[train]
        columns = tuple(Column.of(name, kind, rows[name]) for name, kind in self.kinds.items())
        return TableInputs(columns, self.missing_values)

    def groups(self, split: Split) -> Groups | None:
        """The groups of the samples, where they are told apart."""
        return None if self.group is None else Groups.of(self.group, split, self.group_test)

    def facts(self) -> dict[str, Any]:
        """What `Task.describe` says about the table."""
        missing = self.features[list(self.kinds)].isna().sum()
        return {
            "columns": dict(self.kinds),
            "missing_values": {str(c): int(n) for c, n in missing.items() if n},
            "target": list(self.target_names),
            "source": self.source,
            **({"left_out": list(self.left_out)} if self.left_out else {}),
        }


def _column(frame: pd.DataFrame | None, name: str, where: str) -> pd.Series | None:
    """The column of groups."""
    if frame is not None and name not in frame.columns:
        raise DataError(f"{where} has no column of groups {name!r}. {did_you_mean(name, frame.columns)}")
    return None if frame is None else frame[name]


def _divided(
    problems: Problems, data: Any, y: Any, target: str | None, where: str, group: str | None = None
) -> tuple[pd.DataFrame, Any, tuple[str, ...]]:
    """Features, targets and the targets' names; rows are counted by the caller's data."""
    frame = as_frame(data, where)
    if y is not None:
        if target is not None:
            raise DataError("both y and target are given: give y, or the name of the target column in the table")
        check_lengths(frame, y, where)
        if isinstance(y, pd.DataFrame):
            return frame, y.to_numpy(), tuple(map(str, y.columns))
        named = getattr(y, "name", None)
        return frame, y, (str(named) if named is not None else "y",)
    name = str(target) if target is not None else str([c for c in frame.columns if c != group][-1])
    if name not in frame.columns:
        raise DataError(f"{where} has no target column {name!r}. {did_you_mean(name, frame.columns)}")
    column = frame[name]
    if column.isna().any():
        rows = np.flatnonzero(column.isna().to_numpy())
        problems.add(
            f"target column {name!r} is missing in {len(rows)} of {len(column)} rows, the first is row {rows[0]} (line "
            f"{rows[0] + 2} of a CSV file): remove these rows, for what they should teach is unknown"
        )
    if frame.shape[1] < 2:
        raise DataError(f"{where} has the column {name!r} alone: features are needed beside the target")
    return frame.drop(columns=[name]), column.to_numpy(), (name,)


class _Rows:
    """A DataFrame that is indexed by row numbers, as arrays are."""

    def __init__(self, frame: pd.DataFrame):
        self.frame = frame

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, rows: np.ndarray) -> pd.DataFrame:
        return self.frame.iloc[rows]


class TabularClassification(Task):
    """Which class does this row belong to?

    Columns of numbers are filled in (median) and standardised, and get another column that says "was missing" where
    some were; columns of texts become one-hot, with no place for texts that training never saw.

    Args:
        data: A DataFrame, a CSV file, a list of dicts or an (n, columns) array; with the target in it, or in `y`.
        y: One label a row, if they are not in `data`.
        target: The name of the target column; the last by default.
        test: Official test data: like `data`, or a pair ``(data, y)``; else `test_share` is taken from `data`.
        name: What the task is called.
        categorical: Columns of numbers that name categories.
        ignore: Columns to leave out.
        missing_values: Texts that mean missing, e.g. ``("?",)``; empty cells and NA always do.
        class_weight: ``"auto"``, ``"balanced"``, None or a weight a label; see `archwright.task.loss.class_weights`.
        metric: The main metric; accuracy, or balanced accuracy where classes are weighed.
        augmentation: What to do to training batches; light noise by default.
        group: The column that names the group of each row, which is then no feature; or one value a row. Every metric
            then has a ``gap_`` between groups beside it; see `archwright.task.Groups`.
        group_test: One value for each row of `test`, where `group` is no column.
        keep_group: Whether the column of groups is a feature all the same.
        test_share: Of all rows; 0 for no test part.
        validation_share: Of the rows that are not test.
        split_seed: The same seed gives the same parts.
        source: Where the data came from, for people.

    Raises:
        DataError: anything wrong with the data; the message says where, what was allowed and what to do.
    """

    default_space = "mlp"
    exchangeable = True
    spaces = ("mlp",)

    def __init__(
        self,
        data: Any,
        y: Any = None,
        *,
        target: str | None = None,
        test: Any = None,
        name: str = "table",
        categorical: Sequence[str] = (),
        ignore: Sequence[str] = (),
        missing_values: Sequence[str] = (),
        class_weight: ClassWeight = "auto",
        metric: str | None = None,
        augmentation: Augmentation | None = None,
        group: Any = None,
        group_test: Any = None,
        keep_group: bool = False,
        test_share: float = 0.2,
        validation_share: float = 0.2,
        split_seed: int = 0,
        source: str | None = None,
    ):
        problems = Problems()
        table = _Table.read(
            problems, data, y, target, test, categorical, ignore, missing_values, source, group, group_test, keep_group
        )
        if not problems.found:  # of a target that misses values, labels would only say so again
            check_labels(problems, table.targets, table.test_targets)
        problems.check()
        labelled = Labelled.of(
            table.features, table.targets, table.test_features, table.test_targets,
            seed=split_seed, shares=(test_share, validation_share),
        )  # fmt: skip
        inputs, test_rows = table.inputs(labelled.split.train), table.test_features
        super().__init__(
            name=name,
            parts=labelled.parts(_Rows(table.features), test_rows, lambda rows, where: inputs(rows)),
            preparation=Preparation(inputs, labelled.classes),
            n_outputs=len(labelled.classes.labels),
            augmentation=augmentation or TableAugmentation(noise=0.05),
            facts={**labelled.facts(table.source), **table.facts()},
            groups=table.groups(labelled.split),
            **labelled.learning(class_weight, metric),
        )

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """A residual MLP (`archwright.task.baseline.ResidualMLP`), of width 64 where nothing is said."""
        return _mlp(self, width, max_params)


class TabularRegression(Task):
    """How much is it, for this row? Targets are standardised for training; metrics are in their own units.

    Args:
        data: As for `TabularClassification`.
        y: (n,) or (n, targets) quantities, if they are not in `data`.
        target: The name of the target column; the last by default.
        test: Official test data: like `data`, or a pair ``(data, y)``; else `test_share` is taken from `data`.
        name: What the task is called.
        categorical: Columns of numbers that name categories.
        ignore: Columns to leave out.
        missing_values: Texts that mean missing, e.g. ``("?",)``; empty cells and NA always do.
        metric: The main metric; ``"rmse"`` by default.
        augmentation: What to do to training batches; light noise by default.
        group: The column that names the group of each row, which is then no feature; or one value a row. Every metric
            then has a ``gap_`` between groups beside it; see `archwright.task.Groups`.
        group_test: One value for each row of `test`, where `group` is no column.
        keep_group: Whether the column of groups is a feature all the same.
        test_share: Of all rows; 0 for no test part.
        validation_share: Of the rows that are not test.
        split_seed: The same seed gives the same parts.
        source: Where the data came from, for people.

    Raises:
        DataError: anything wrong with the data; the message says where, what was allowed and what to do.
    """

    default_space = "mlp"
    exchangeable = True
    spaces = ("mlp",)

    def __init__(
        self,
        data: Any,
        y: Any = None,
        *,
        target: str | None = None,
        test: Any = None,
        name: str = "table",
        categorical: Sequence[str] = (),
        ignore: Sequence[str] = (),
        missing_values: Sequence[str] = (),
        metric: str | None = None,
        augmentation: Augmentation | None = None,
        group: Any = None,
        group_test: Any = None,
        keep_group: bool = False,
        test_share: float = 0.2,
        validation_share: float = 0.2,
        split_seed: int = 0,
        source: str | None = None,
    ):
        problems = Problems()
        table = _Table.read(
            problems, data, y, target, test, categorical, ignore, missing_values, source, group, group_test, keep_group
        )
        problems.check()
        values = quantity_array(table.targets, f"target {table.target_names[0]!r}")
        check_lengths(table.features, values, "data")
        names = table.target_names
        if len(names) != values.shape[1]:
            names = tuple(f"{names[0]}{i}" for i in range(values.shape[1]))
        split = divide(
            strata_of(values), seed=split_seed, official_test=test is not None, test_share=test_share,
            validation_share=validation_share,
        )  # fmt: skip
        inputs, quantities = table.inputs(split.train), Quantities.of(values[split.train], names)

        def part(rows: np.ndarray) -> Part:
            return Part(inputs(table.features.iloc[rows]), quantities.encode(values[rows]))

        if split.test is not None:
            held = part(split.test) if len(split.test) else part(split.train[:1])[:0]
        else:
            assert table.test_features is not None
            held = Part(inputs(table.test_features), quantities.encode(table.test_targets, "test targets"))
        super().__init__(
            name=name,
            parts=Parts(part(split.train), part(split.validation), held, untested=test_share == 0.0),
            preparation=Preparation(inputs, quantities),
            loss=SquaredError(),
            metrics=regression_metrics(quantities.mean, quantities.std),
            metric=metric or "rmse",
            n_outputs=values.shape[1],
            augmentation=augmentation or TableAugmentation(noise=0.05),
            facts={
                **table.facts(),
                "target_mean": list(quantities.mean),
                "target_std": list(quantities.std),
                "split_seed": split_seed,
                "official_test": test is not None,
            },
            groups=table.groups(split),
        )

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """A residual MLP (`archwright.task.baseline.ResidualMLP`), of width 64 where nothing is said."""
        return _mlp(self, width, max_params)


def _mlp(task: Task, width: int | None, max_params: int | None) -> nn.Module:
    def make(width: int) -> nn.Module:
        return ResidualMLP(task.n_outputs, width=width)

    return make(width or 64) if max_params is None else fitted(make, task.input_shape, max_params)
