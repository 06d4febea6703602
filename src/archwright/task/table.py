"""From tables to standardised tensors: missing numbers filled in, categories as one-hot columns.

pandas is imported where a table is touched: a worker that trains on images should not wait for it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from archwright.errors import DataError, MissingExtraError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Column", "TableInputs", "as_frame", "read_table"]

MOST_LEVELS = 50
"""Categories of a column that get an own place; rarer ones share "other" with those never seen in training."""


def read_table(path: str | Path, *, texts: bool = False) -> pd.DataFrame:
    """A Parquet file, or a CSV file with a header; the separator is the most frequent of , ; and tab in it.

    Args:
        path: Of the file.
        texts: Whether a cell that reads NA, null or None is that word, as in texts, and not missing.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise DataError(f"data file {str(path)!r} does not exist: give the path of a CSV or Parquet file")
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path)
    try:
        with open(path, encoding="utf-8-sig") as file:
            header = file.readline()
        separator = max(",;\t", key=header.count)
        frame = pd.read_csv(
            path,
            sep=separator,
            encoding="utf-8-sig",
            skipinitialspace=True,
            low_memory=False,
            keep_default_na=not texts,
        )
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as CSV in UTF-8 with a header line: {error}") from None
    if len(frame) == 0:
        raise DataError(f"{path} has a header and no rows")
    return frame


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    if importlib.util.find_spec("pyarrow") is None:
        raise MissingExtraError("pyarrow", extra="text", purpose=f"to read {path.name}")
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}") from None
    if len(frame) == 0:
        raise DataError(f"{path} holds no rows")
    return frame


def as_frame(raw: Any, where: str = "table", names: Sequence[str] | None = None) -> pd.DataFrame:
    """A DataFrame, a CSV or Parquet path, a list of dicts, or a (n, columns) array as a DataFrame with string names."""
    import pandas as pd

    if isinstance(raw, (str, Path)):
        frame = read_table(raw)
    elif isinstance(raw, pd.DataFrame):
        frame = raw.reset_index(drop=True)
    elif isinstance(raw, Mapping) or (isinstance(raw, (list, tuple)) and raw and isinstance(raw[0], Mapping)):
        frame = pd.DataFrame(raw)
    else:
        array = raw.detach().cpu().numpy() if isinstance(raw, Tensor) else np.asarray(raw)
        if array.ndim != 2:
            raise DataError(f"{where} has shape {array.shape}: allowed is (n, columns), a DataFrame or a CSV file")
        if names is not None and len(names) != array.shape[1]:
            raise DataError(f"{where} has {array.shape[1]} columns: this task has {len(names)}: {', '.join(names)}")
        frame = pd.DataFrame(array, columns=list(names) if names else [f"x{i}" for i in range(array.shape[1])])
        frame = frame.infer_objects()
    frame.columns = [str(c) for c in frame.columns]
    twice = sorted(set(frame.columns[frame.columns.duplicated()]))
    if twice:
        raise DataError(f"{where} has more than one column called {twice[0]!r}: rename them")
    if len(frame) == 0:
        raise DataError(f"{where} is empty: at least one row is needed")
    return frame


@dataclass(frozen=True)
class Column:
    """How one column becomes numbers.

    Args:
        name: As in the table.
        kind: ``"number"``: fill with the median, standardise. ``"category"``: one place a level, all zero if unknown.
        median: Of the training part, where numbers are missing.
        mean: Of the training part, filled in.
        std: Deviation likewise.
        indicator: Whether another place says that the number was missing.
        levels: The categories with a place; None stands for a missing one.
    """

    name: str
    kind: Literal["number", "category"]
    median: float = 0.0
    mean: float = 0.0
    std: float = 1.0
    indicator: bool = False
    levels: tuple[str | None, ...] = ()

    @property
    def width(self) -> int:
        """How many features it becomes."""
        return len(self.levels) if self.kind == "category" else 1 + self.indicator

    @classmethod
    def of(cls, name: str, kind: str, values: pd.Series) -> Column:
        """Measure the training part."""
        import pandas as pd

        if kind == "category":
            texts = _texts(values)
            counts = pd.Series([t for t in texts if t is not None], dtype=object).value_counts()
            levels: list[str | None] = sorted(counts.index[:MOST_LEVELS])
            return cls(name, "category", levels=(*levels, None) if None in texts else tuple(levels))
        numbers = _numbers(name, values)
        missing = np.isnan(numbers)
        median = float(np.median(numbers[~missing])) if not missing.all() else 0.0
        filled = np.where(missing, median, numbers)
        mean, std = float(filled.mean()), float(filled.std())
        std = std if std > 1e-9 * max(1.0, abs(mean)) else 1.0
        return cls(name, "number", median, mean, std, bool(missing.any()))

    def __call__(self, values: pd.Series) -> np.ndarray:
        """Values to float32 (n, width)."""
        if self.kind == "category":
            place = {level: i for i, level in enumerate(self.levels)}
            out = np.zeros((len(values), len(self.levels)), dtype=np.float32)
            for row, text in enumerate(_texts(values)):
                if text in place:
                    out[row, place[text]] = 1.0
            return out
        numbers = _numbers(self.name, values)
        missing = np.isnan(numbers)
        scaled = (np.where(missing, self.median, numbers) - self.mean) / self.std
        return np.stack([scaled, missing] if self.indicator else [scaled], 1).astype(np.float32)


def _texts(values: pd.Series) -> list[str | None]:
    """Categories as texts; 3 and 3.0 are the same one, since a missing value turns integers to floats."""
    gone = values.isna().to_numpy()
    return [
        None if gone[i] else str(int(v)) if isinstance(v, float) and v.is_integer() else str(v).strip()
        for i, v in enumerate(values.tolist())
    ]


def _numbers(name: str, values: pd.Series) -> np.ndarray:
    """A column as float64 with NaN where missing. Text or infinite values raise `DataError`."""
    import pandas as pd

    numbers = pd.to_numeric(values, errors="coerce")
    odd = np.flatnonzero((numbers.isna() & ~values.isna()).to_numpy())
    if len(odd):
        row = int(odd[0])
        text = values.iloc[row]
        raise DataError(
            f"column {name!r} holds numbers, but {text!r} in row {row} (line {row + 2} of a CSV file), which is not "
            f"one ({len(odd)} of {len(values)} rows). Correct it, or give missing_values=({text!r},) if it means "
            f"missing, or categorical=({name!r},) if the column names categories"
        )
    out = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = np.flatnonzero(np.isinf(out))
    if len(infinite):
        raise DataError(
            f"column {name!r} holds {len(infinite)} infinite values, the first in row {infinite[0]}. Allowed are "
            f"finite numbers and missing values"
        )
    return out


def kind_of(name: str, values: pd.Series, where: str) -> str | None:
    """``"number"``, ``"category"``, or None for a column that cannot teach (every text another)."""
    import pandas as pd

    present = values.dropna()
    if len(present) == 0:
        raise DataError(
            f"column {name!r} of {where} is missing in all {len(values)} rows: remove it (ignore=({name!r},))"
        )
    if pd.api.types.is_bool_dtype(values) or pd.api.types.is_numeric_dtype(values):
        return "number"
    if pd.api.types.is_datetime64_any_dtype(values):
        raise DataError(
            f"column {name!r} of {where} holds dates: turn them into numbers that mean something (age in days, month), "
            f"or leave the column out (ignore=({name!r},))"
        )
    numeric = pd.to_numeric(present, errors="coerce").notna().mean()
    if numeric > 0.5:  # mostly numbers: a stray text is a mistake, and _numbers says where
        return "number"
    return None if len(present) > MOST_LEVELS and present.nunique() == len(present) else "category"


@dataclass(frozen=True)
class TableInputs:
    """Tables to float32 (n, features): the columns side by side, each as `Column` says."""

    columns: tuple[Column, ...]
    missing_values: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int]:
        """Of one sample."""
        return (sum(c.width for c in self.columns),)

    def clean(self, frame: pd.DataFrame) -> pd.DataFrame:
        """With the texts that mean missing made so."""
        return frame.replace(list(self.missing_values), np.nan) if self.missing_values else frame

    def __call__(self, raw: Any) -> Tensor:
        """A DataFrame, CSV path, list of dicts or array to a tensor. Other columns than the task's are ignored."""
        names = [c.name for c in self.columns]
        frame = self.clean(as_frame(raw, names=names))
        for name in names:
            if name not in frame.columns:
                raise DataError(
                    f"the table has no column {name!r}, which this task learnt from. "
                    f"{did_you_mean(name, frame.columns)}"
                )
        return torch.from_numpy(np.concatenate([column(frame[column.name]) for column in self.columns], 1))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        columns = [{**asdict(c), "levels": list(c.levels)} for c in self.columns]
        return {"kind": "table", "columns": columns, "missing_values": list(self.missing_values)}

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> TableInputs:
        """Read what `to_json` wrote."""
        columns = tuple(Column(**{**c, "levels": tuple(c["levels"])}) for c in d["columns"])
        return cls(columns, tuple(d["missing_values"]))
