"""Forecasting: how do these series go on?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from archwright.errors import DataError
from archwright.task.augment import NoAugmentation
from archwright.task.baseline import fitted
from archwright.task.forecasts import TRUTH, Forecasts, ScaledError, forecast_metrics, packed
from archwright.task.groups import MOST, Groups, compared
from archwright.task.nbeats import NBeats
from archwright.task.preparation import Preparation
from archwright.task.series import Columns, Series, read_series, series_frame, usual_season
from archwright.task.task import Augmentation, Part, Parts, Task
from archwright.task.windows import Origins, WindowInputs

__all__ = ["Forecasting"]

MOST_NUMBERS = 2**26
"""Numbers in the training windows, above which not every row is the origin of one: 256 MB."""


class Forecasting(Task):
    """How do these series go on?

    Origins roll: from every row the next `horizon` rows are forecast from the `context` rows before. What is forecast
    in training comes before what is forecast in validation, and that before the test, in all series at the same times;
    a forecast across a border belongs to no part. Statistics come from the training period alone.

    Args:
        data: A DataFrame, a CSV or Parquet file, a list of dicts, a Series, or an array (rows,) or (rows, columns). A
            row is a step: rows may be missing for good (weekends), and an empty cell is carried on from the one before
            in what is read, but never counted as something to forecast.
        target: The column to forecast, or several; the last by default.
        time: The column of dates or numbers that orders the rows; by default the first that holds dates (ISO 8601),
            else the rows are in their order.
        group: The column that tells several series apart. Where two or more have forecasts enough to be compared, every
            metric has a ``gap_`` between series beside it; see `archwright.task.Groups`.
        covariates: Columns that are known up to the origin, and read beside the targets.
        known: Columns that are known beforehand, such as the calendar: they are read up to the end of the horizon.
        horizon: How many rows to forecast; by default a season, or 12 rows where there is none.
        context: How many rows are read; by default thrice the horizon, and at least a season.
        season: How many rows a season has; by default what is usual for the distance of dates (24 for hours, 7 for
            days, 5 for days without weekends, 52 for weeks, 12 for months), else 1.
        stride: How many rows from one origin to the next; by default 1, more where windows would fill the memory.
        name: What the task is called.
        metric: The main metric; ``"mase"`` by default.
        augmentation: What to do to training batches; nothing by default.
        test_share: Of the rows, the last ones.
        validation_share: Of the rows before, the last ones.
        source: Where the data came from, for people.

    Shapes: inputs (n, columns, context); outputs (n, targets * horizon); targets (n, 3, targets * horizon), see
    `archwright.task.forecasts.packed`.

    Raises:
        DataError: anything wrong with the data; the message says where, what was allowed and what to do.
    """

    default_space = "forecast"
    spaces = ("forecast",)
    # Windows overlap, so that an epoch teaches much, and series are noisy, so that long trainings learn them by heart.
    recipe: Mapping[str, Any] = {"epochs": 20, "weight_decay": 0.05, "clip_norm": 1.0, "stretch": 1.0}

    def __init__(
        self,
        data: Any,
        *,
        target: str | Sequence[str] | None = None,
        time: str | None = None,
        group: str | None = None,
        covariates: Sequence[str] = (),
        known: Sequence[str] = (),
        horizon: int | None = None,
        context: int | None = None,
        season: int | None = None,
        stride: int | None = None,
        name: str = "series",
        metric: str | None = None,
        augmentation: Augmentation | None = None,
        test_share: float = 0.2,
        validation_share: float = 0.2,
        source: str | None = None,
    ):
        frame = series_frame(data)
        columns = Columns.of(frame, target, covariates, known, time, group)
        series = read_series(frame, columns)
        dated = columns.time is not None and not _is_number(frame[columns.time])
        for what, given in (("horizon", horizon), ("context", context), ("season", season), ("stride", stride)):
            if given is not None and (not isinstance(given, int) or given < 1):
                raise DataError(f"{what} is {given!r}: allowed are whole numbers of 1 or more")
        self.season = season or usual_season(series, dated)
        self.horizon = horizon or (self.season if self.season > 1 else 12)
        self.context = context or max(3 * self.horizon, self.season)
        if self.context < self.season:
            raise DataError(
                f"context={self.context} is shorter than a season of {self.season} rows, which the naive forecast "
                f"repeats: give at least as many, or season="
            )
        first, second = _borders(series, test_share, validation_share)
        inputs = WindowInputs(columns, *_statistics(series, first, columns), self.context, self.horizon)
        made, of_series = self._parts(series, inputs, first, second, stride)
        k = len(columns.targets)
        forecasts = Forecasts(inputs.mean[:k], inputs.std[:k], columns.targets, self.horizon)
        super().__init__(
            name=name,
            parts=made,
            preparation=Preparation(inputs, forecasts),
            loss=ScaledError(),
            metrics=forecast_metrics(forecasts.mean, forecasts.std),
            metric=metric or "mase",
            n_outputs=k * self.horizon,
            augmentation=augmentation or NoAugmentation(),
            groups=_groups(columns.group, [s.label for s in series], of_series),
            facts={
                "source": source or (str(data) if isinstance(data, (str, Path)) else "table"),
                "target": list(columns.targets),
                "covariates": list(columns.covariates),
                "known": list(columns.known),
                "series": len(series),
                "rows": sum(map(len, series)),
                "gaps": int(sum((~s.there).sum() for s in series)),
                "horizon": self.horizon,
                "context": self.context,
                "season": self.season,
                "official_test": False,
            },
        )
        self.space_options = {"targets": k}

    def _parts(
        self, series: Sequence[Series], inputs: WindowInputs, first: float, second: float, stride: int | None
    ) -> tuple[Parts, list[Tensor]]:
        steps = _usual_steps(series, inputs, first, self.season)
        rows = sum(max(0, int((s.when < first).sum()) - self.context) for s in series)
        stride = stride or math.ceil(max(1, rows * math.prod(inputs.shape)) / MOST_NUMBERS)
        limits = ((-math.inf, first), (first, second), (second, math.inf))
        made, of_series = [], []
        for name, (begin, end) in zip(("training", "validation", "test"), limits, strict=True):
            origins = [_origins(s, begin, end, inputs, stride) for s in series]
            if sum(len(o.rows) for o in origins) < 2:
                longest = max(map(len, series), default=0)
                raise DataError(
                    f"the {name} part holds {sum(len(o.rows) for o in origins)} forecasts, at least two are needed: "
                    f"the longest series has {longest} rows, of which {self.context} are read and {self.horizon} "
                    f"forecast at once. Give more rows, or smaller context= and horizon="
                )
            windows, truth = inputs.windows(origins), inputs.futures(origins)
            scale = torch.cat([step.expand(len(o.rows), -1) for step, o in zip(steps, origins, strict=True)])
            scale = scale.repeat_interleave(self.horizon, 1)
            made.append(Part(windows, packed(truth, self._naive(windows, inputs, self.season), scale)))
            counts = torch.tensor([len(o.rows) for o in origins])
            of_series.append(torch.arange(len(series)).repeat_interleave(counts))
        train, validation, test = made
        return Parts(train, validation, test), of_series

    def _naive(self, windows: Tensor, inputs: WindowInputs, season: int) -> Tensor:
        """The value of a season ago, as often as the horizon needs it; with a season of 1 the last value."""
        past = windows[:, : len(inputs.columns.targets)]
        back = torch.arange(self.horizon) % season
        return past[:, :, self.context - season + back].flatten(1)

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """N-BEATS with three blocks (`archwright.task.nbeats.NBeats`), of width 128 where nothing is said."""

        def make(width: int) -> nn.Module:
            return NBeats(self.input_shape, self.n_outputs, targets=len(self._inputs.columns.targets), width=width)

        return make(width or 128) if max_params is None else fitted(make, self.input_shape, max_params)

    def references(self, train: Part, test: Part) -> dict[str, dict[str, float]]:
        """The last value, that of a season ago, and a linear map of each window's change (ridge regression)."""
        from sklearn.linear_model import RidgeCV

        found = {"naive": self.score(self._naive(test.inputs, self._inputs, 1), test.targets)}
        if self.season > 1:
            found["seasonal naive"] = self.score(self._naive(test.inputs, self._inputs, self.season), test.targets)
        model = RidgeCV(alphas=np.logspace(-3, 4, 8))
        base = self._naive(train.inputs, self._inputs, 1)
        model.fit(self._changes(train.inputs), (train.targets[:, TRUTH] - base).numpy())
        made = torch.from_numpy(model.predict(self._changes(test.inputs)).reshape(len(test), -1))
        found["linear regression"] = self.score(made + self._naive(test.inputs, self._inputs, 1), test.targets)
        return found

    @property
    def answer(self) -> str:
        """How many rows to say."""
        return f"the next {self.horizon} row{'s' * (self.horizon > 1)} of {' and '.join(self._inputs.columns.targets)}"

    @property
    def _inputs(self) -> WindowInputs:
        found = self.preparation.features
        assert isinstance(found, WindowInputs)
        return found

    def _changes(self, windows: Tensor) -> np.ndarray:
        """Windows (n, columns * context), their targets less the last value."""
        k = len(self._inputs.columns.targets)
        return torch.cat([windows[:, :k] - windows[:, :k, -1:], windows[:, k:]], 1).flatten(1).numpy()


def _is_number(values: Any) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_numeric_dtype(values))


def _groups(name: str | None, labels: Sequence[str], of_series: Sequence[Tensor]) -> Groups | None:
    """The series as groups, unless they are too many or too short to be compared."""
    if name is None or len(labels) > MOST:
        return None
    train, validation, test = of_series
    if any(len(compared(part)) < 2 for part in (validation, test)):
        return None
    order = np.argsort(labels)
    place = torch.from_numpy(np.argsort(order))
    return Groups(name, tuple(labels[i] for i in order), place[train], place[validation], place[test])


def _borders(series: Sequence[Series], test_share: float, validation_share: float) -> tuple[float, float]:
    """The times at which validation and test begin; the same in all series."""
    for what, share in (("validation_share", validation_share), ("test_share", test_share)):
        if not 0.0 < share < 1.0:
            raise DataError(f"{what} is {share}: a share lies between 0 and 1, e.g. 0.2")
    times = np.unique(np.concatenate([s.when for s in series])) if series else np.empty(0)
    if len(times) < 6:
        raise DataError(
            f"the series have {len(times)} rows in all with a value: at least six are needed to learn, to choose "
            f"and to test; give more of the past"
        )
    end = round(len(times) * (1 - test_share))
    middle = round(end * (1 - validation_share))
    return times[min(middle, len(times) - 1)], times[min(end, len(times) - 1)]


def _statistics(
    series: Sequence[Series], first: float, columns: Columns
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of every column over the training period of all series."""
    seen = np.concatenate([s.values[s.when < first] for s in series])
    if len(seen) < 2:
        raise DataError(f"the training period holds {len(seen)} rows: give more of the past, or a smaller test_share")
    mean, std = seen.mean(0), seen.std(0)
    for i, name in enumerate(columns.targets):
        if std[i] <= 1e-12 * max(1.0, abs(mean[i])):
            raise DataError(f"target {name!r} is {mean[i]:g} in the whole training period: there is nothing to learn")
    return tuple(mean.tolist()), tuple(np.where(std > 1e-12 * np.maximum(1.0, np.abs(mean)), std, 1.0).tolist())


def _usual_steps(series: Sequence[Series], inputs: WindowInputs, first: float, season: int) -> list[Tensor]:
    """(1, targets) for each series: the mean absolute error of the seasonal naive forecast one season on, in training.

    A series without two seasons of training, or constant there, has the median of the others.
    """
    k = len(inputs.columns.targets)
    found = np.full((len(series), k), np.nan)
    for i, s in enumerate(series):
        values, there = s.values[s.when < first, :k], s.there[s.when < first]
        for j in range(k):
            both = there[season:, j] & there[:-season, j]
            if both.any():
                found[i, j] = np.abs(values[season:, j] - values[:-season, j])[both].mean() / inputs.std[j]
    found[~(found > 1e-9)] = np.nan
    for j, name in enumerate(inputs.columns.targets):
        usual = found[~np.isnan(found[:, j]), j]
        if not len(usual):
            raise DataError(
                f"target {name!r}: no series changes within its training period from one season of {season} rows to "
                f"the next, so that errors have no scale; give more of the past, or season=1"
            )
        found[np.isnan(found[:, j]), j] = np.median(usual)
    return [torch.tensor(row[None], dtype=torch.float32) for row in found]


def _origins(series: Series, begin: float, end: float, inputs: WindowInputs, stride: int) -> Origins:
    """The rows from which the whole horizon lies within a period, and was measured."""
    rows = np.arange(inputs.context, len(series) - inputs.horizon + 1)
    if not len(rows):
        return Origins(series, rows)
    inside = (series.when[rows] >= begin) & (series.when[rows + inputs.horizon - 1] < end)
    gaps = np.concatenate([[0], np.cumsum(~series.there.all(1))])
    measured = gaps[rows + inputs.horizon] == gaps[rows]
    return Origins(series, rows[inside & measured][::stride])
