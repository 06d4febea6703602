"""Windows of series: what a network reads at a forecast's origin, and what it should have said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archwright.errors import DataError
from archwright.task.series import Columns, Series, read_series, series_frame

__all__ = ["Origins", "WindowInputs"]


@dataclass(frozen=True, eq=False)
class Origins:
    """Forecasts of one series that a part holds.

    Args:
        series: Which.
        rows: (n,) the first row of each horizon.
    """

    series: Series
    rows: np.ndarray


@dataclass(frozen=True)
class WindowInputs:
    """The past of series to float32 (n, columns, context), standardised by column.

    A window ends before its origin. Columns that are known beforehand are read `horizon` rows later than the others, so
    that their last ones are those of the forecast's own times.

    Args:
        columns: Which columns of a table are what.
        mean: Of each column of numbers, over the training period of all series.
        std: Deviation likewise.
        context: How many rows a window has.
        horizon: How many rows are forecast.
    """

    columns: Columns
    mean: tuple[float, ...]
    std: tuple[float, ...]
    context: int
    horizon: int

    @property
    def shape(self) -> tuple[int, int]:
        """Of one window."""
        return len(self.columns.numbers), self.context

    def __call__(self, raw: Any) -> Tensor:
        """The last window of each series of a table: what goes on after the last row that has its targets."""
        return self.windows([self._end(s) for s in self._read(raw)])

    def labels(self, raw: Any) -> list[str]:
        """The series that `__call__` makes windows of: their groups, or row numbers where there is but one."""
        return [s.label or str(i) for i, s in enumerate(self._read(raw))]

    def _read(self, raw: Any) -> list[Series]:
        frame = series_frame(raw)
        for name in self.columns.targets:  # the rows of the future need no column of targets of their own
            if name not in frame.columns and len(self.columns.numbers) == len(frame.columns) == 1:
                frame = frame.set_axis([name], axis=1)
        return read_series(frame, self.columns)

    def _end(self, series: Series) -> Origins:
        measured = np.flatnonzero(series.there.any(1))
        last = int(measured[-1]) + 1 if len(measured) else 0
        of = f" of group {series.label!r}" if series.label else ""
        if last < self.context:
            raise DataError(
                f"the series{of} has {last} rows with targets: a forecast is made from the last {self.context}; give "
                f"more of its past"
            )
        if self.columns.known and len(series) < last + self.horizon:
            raise DataError(
                f"the series{of} ends {len(series) - last} rows after its last target: {self.horizon} are needed, with "
                f"{', '.join(map(repr, self.columns.known))} filled in and the target empty"
            )
        return Origins(series, np.array([last]))

    def windows(self, origins: Sequence[Origins]) -> Tensor:
        """What is read at each origin."""
        known = len(self.columns.known)
        made = []
        for o in origins:
            values = torch.from_numpy(self._scaled(o.series.values))
            past = values[:, : values.shape[1] - known].unfold(0, self.context, 1)
            at = torch.from_numpy(o.rows - self.context)
            window = past[at]
            if known:
                later = values[:, values.shape[1] - known :].unfold(0, self.context, 1)
                window = torch.cat([window, later[at + self.horizon]], 1)
            made.append(window)
        return torch.cat(made) if made else torch.empty(0, *self.shape)

    def futures(self, origins: Sequence[Origins]) -> Tensor:
        """What follows: (n, targets * horizon), the horizon of the first target first."""
        made = []
        for o in origins:
            values = torch.from_numpy(self._scaled(o.series.values)[:, : len(self.columns.targets)])
            made.append(values.unfold(0, self.horizon, 1)[torch.from_numpy(o.rows)].flatten(1))
        return torch.cat(made) if made else torch.empty(0, self.horizon * len(self.columns.targets))

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        return ((values - np.array(self.mean)) / np.array(self.std)).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        c = self.columns
        return {
            "kind": "windows", "targets": list(c.targets), "covariates": list(c.covariates), "known": list(c.known),
            "time": c.time, "group": c.group, "mean": list(self.mean), "std": list(self.std), "context": self.context,
            "horizon": self.horizon,
        }  # fmt: skip

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> WindowInputs:
        """Read what `to_json` wrote."""
        columns = Columns(tuple(d["targets"]), tuple(d["covariates"]), tuple(d["known"]), d["time"], d["group"])
        return cls(columns, tuple(d["mean"]), tuple(d["std"]), d["context"], d["horizon"])
