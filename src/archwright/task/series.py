"""Tables of time series: columns found, rows in the order of time, groups apart, gaps known for what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archwright.errors import DataError, did_you_mean
from archwright.task.table import as_frame

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Columns", "Series", "read_series", "series_frame", "usual_season"]


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are what.

    Args:
        targets: What is forecast.
        covariates: What else is known of the past.
        known: What is known of the future too: the calendar, prices that were set.
        time: When; None where rows are in their order.
        group: Which series a row belongs to; None for one series.
    """

    targets: tuple[str, ...]
    covariates: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    time: str | None = None
    group: str | None = None

    @property
    def numbers(self) -> tuple[str, ...]:
        """The columns that become channels, in their order."""
        return (*self.targets, *self.covariates, *self.known)

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        target: str | Sequence[str] | None,
        covariates: Sequence[str],
        known: Sequence[str],
        time: str | None,
        group: str | None,
    ) -> Columns:
        """The columns named, and found where they are not: one of dates, and the last of numbers as the target."""
        named = (target,) if isinstance(target, str) else tuple(target or ())
        for what, given in (("target", named), ("covariates", covariates), ("known", known)):
            for name in given:
                if name not in frame.columns:
                    raise DataError(f"{what}: the table has no column {name!r}. {did_you_mean(name, frame.columns)}")
        for what, one in (("time", time), ("group", group)):
            if one is not None and one not in frame.columns:
                raise DataError(f"{what}: the table has no column {one!r}. {did_you_mean(one, frame.columns)}")
        if time is None:
            taken = {*named, *covariates, *known, group}
            dates = [c for c in frame.columns if c not in taken and _holds_dates(frame[c])]
            time = dates[0] if dates else None
        if not named:
            taken = {*covariates, *known, time, group}
            left = [c for c in frame.columns if c not in taken]
            if not left:
                raise DataError("the table has no column to forecast: name it with target=")
            named = (left[-1],)
        every = [*named, *covariates, *known, *(c for c in (time, group) if c is not None)]
        twice = sorted({c for c in every if every.count(c) > 1})
        if twice:
            raise DataError(
                f"column {twice[0]!r} is named for two things: a column is a target, a covariate, known, the time or "
                f"the group"
            )
        return cls(named, tuple(covariates), tuple(known), time, group)


@dataclass(frozen=True, eq=False)
class Series:
    """One series.

    Args:
        label: Of its group, or "".
        when: (rows,) the times as int64, the same scale in all series; row numbers where there is no time.
        values: (rows, numbers) float64; gaps hold the last value before them.
        there: (rows, targets): whether the value of a target was measured, and not carried on.
    """

    label: str
    when: np.ndarray
    values: np.ndarray
    there: np.ndarray

    def __len__(self) -> int:
        return len(self.when)


def series_frame(data: Any) -> pd.DataFrame:
    """A table of anything: what `as_frame` takes, a Series, or one array (rows,); an index of dates is a column."""
    import pandas as pd

    if isinstance(data, pd.Series):
        data = data.to_frame(name=data.name if data.name is not None else "value")
    if isinstance(data, pd.DataFrame) and isinstance(data.index, (pd.DatetimeIndex, pd.PeriodIndex)):
        index = data.index.to_timestamp() if isinstance(data.index, pd.PeriodIndex) else data.index
        name = "time" if index.name is None or index.name in data.columns else str(index.name)
        data = data.set_axis(index.rename(name), axis=0).reset_index()
    if not isinstance(data, (str, pd.DataFrame)) and getattr(data, "ndim", 0) == 1:
        data = pd.DataFrame({"value": np.asarray(data)})
    elif isinstance(data, (list, tuple)) and data and all(isinstance(v, (int, float)) for v in data):
        data = pd.DataFrame({"value": data})
    return as_frame(data)


def read_series(frame: pd.DataFrame, columns: Columns) -> list[Series]:
    """The series of a table, in the order of their labels.

    Raises:
        DataError: a column that is not there or holds what is no number; a time twice in one series.
    """
    for name in (*columns.numbers, *(c for c in (columns.time, columns.group) if c is not None)):
        if name not in frame.columns:
            raise DataError(f"the table has no column {name!r}. {did_you_mean(name, frame.columns)}")
    numbers = np.stack([_numbers(frame[name], name) for name in columns.numbers], 1)
    when = np.arange(len(frame)) if columns.time is None else _times(frame[columns.time], columns.time)
    if columns.group is None:
        parts: list[tuple[str, np.ndarray]] = [("", np.arange(len(frame)))]
    else:
        if frame[columns.group].isna().any():
            row = int(np.flatnonzero(frame[columns.group].isna().to_numpy())[0])
            raise DataError(f"group column {columns.group!r} is missing in row {row}: say which series it belongs to")
        labels = frame[columns.group].map(str).to_numpy()
        parts = [(str(label), np.flatnonzero(labels == label)) for label in sorted(set(labels))]
    return [_series(label, rows, when, numbers, columns) for label, rows in parts]


def _series(label: str, rows: np.ndarray, when: np.ndarray, numbers: np.ndarray, columns: Columns) -> Series:
    # Without a time, a series' rows are its steps; with one, steps of all series are on one scale.
    own = np.arange(len(rows)) if columns.time is None else when[rows]
    order = np.argsort(own, kind="stable")
    own, values = own[order], numbers[rows][order]
    again = np.flatnonzero(np.diff(own) == 0)
    if len(again):
        of = f" of group {label!r}" if label else ""
        raise DataError(
            f"column {columns.time!r} holds the same time twice{of}, in row {int(rows[order][again[0] + 1])} of the "
            f"table: a series has one row a time. "
            + ("Remove the repetition" if columns.group else "Name the column that tells series apart with group=")
        )
    there = np.isfinite(values[:, : len(columns.targets)])
    last = np.where(np.isfinite(values), np.arange(len(values))[:, None], -1)
    last = np.maximum.accumulate(last, 0)
    carried = np.take_along_axis(values, last.clip(0), 0)
    whole = (last >= 0).all(1)  # what is before the first value of a column has nothing to be filled with
    begin = int(np.argmax(whole)) if whole.any() else len(values)
    return Series(label, own[begin:], carried[begin:], there[begin:])


def _numbers(values: pd.Series, name: str) -> np.ndarray:
    """Float64, NaN where missing; anything else raises `DataError`."""
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce")
    odd = np.flatnonzero((numbers.isna() & ~values.isna()).to_numpy())
    if len(odd):
        raise DataError(
            f"column {name!r} holds {values.iloc[int(odd[0])]!r} in row {int(odd[0])}, which is no number: a "
            f"forecast is made of numbers. Turn it into one, or leave the column out"
        )
    found = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(found).any():
        raise DataError(f"column {name!r} holds infinite values: repair them, or leave them empty")
    return found


def _times(values: pd.Series, name: str) -> np.ndarray:
    """Dates as nanoseconds, whole and other numbers as they are; int64 or float64."""
    import pandas as pd

    if values.isna().any():
        raise DataError(f"time column {name!r} is missing in row {int(np.flatnonzero(values.isna().to_numpy())[0])}")
    if pd.api.types.is_numeric_dtype(values):
        return values.to_numpy()
    dates = _dates(values)
    if dates.isna().any():
        row = int(np.flatnonzero(dates.isna().to_numpy())[0])
        raise DataError(f"time column {name!r} holds {values.iloc[row]!r} in row {row}, which is no date and no number")
    return dates.to_numpy().astype("datetime64[ns]").astype(np.int64)


def _dates(values: pd.Series) -> pd.Series:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values):
        return values.dt.tz_convert(None) if values.dt.tz is not None else values
    return pd.to_datetime(values, errors="coerce", format="ISO8601", utc=True).dt.tz_convert(None)


def _holds_dates(values: pd.Series) -> bool:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(values):
        return True
    if pd.api.types.is_numeric_dtype(values) or len(values) == 0:
        return False
    return bool(_dates(values.head(100)).notna().all())


DAY = 86_400 * 10**9
_STEPS = ((1 / 48, 48), (1 / 24, 24), (1, 7), (7, 52), (30.4, 12), (91.3, 4))
"""Days between rows, and how many rows make a season: half-hours and hours a day, days a week, the others a year."""


def usual_season(series: Sequence[Series], dated: bool) -> int:
    """How many rows a season has, as is usual for dates so far apart; 1 where nothing is usual.

    Days without weekends are weeks of 5.
    """
    gaps = np.concatenate([np.diff(s.when) for s in series]) if dated else np.empty(0)
    if not len(gaps):
        return 1
    days = float(np.median(gaps)) / DAY
    found = next((season for step, season in _STEPS if 0.9 * step <= days <= 1.1 * step), 1)
    weekends = float((gaps == 3 * DAY).mean())
    return 5 if found == 7 and weekends > 0.1 else found
