"""Reading tables of measurements from files, with errors that name file, row and column."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from archwright.errors import DataError, MissingExtraError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Table", "find_file", "folders"]


def folders(tables: str | os.PathLike[str] | None = None) -> list[Path]:
    """Where tables are looked for: `tables`, then what the environment's ARCHWRIGHT_DATA names, then ``./data``.

    In each, a folder ``tables`` is looked through first.
    """
    given = [tables, os.environ.get("ARCHWRIGHT_DATA"), "data"] if tables is None else [tables]
    return [folder for g in given if g for folder in (Path(g) / "tables", Path(g))]


def find_file(names: Sequence[str], tables: str | os.PathLike[str] | None, *, purpose: str, origin: str) -> Path:
    """The first of the files called `names` in `folders`.

    Args:
        names: File names, the best first.
        tables: The folder to look in.
        purpose: What it is for: ``"nasbench201-cifar10"``.
        origin: Where a user gets it, as a sentence.

    Raises:
        DataError: There is none.
    """
    looked = folders(tables)
    for folder in looked:
        for name in names:
            if (folder / name).is_file():
                return folder / name
    raise DataError(
        f"{purpose} needs {' or '.join(names)}, which is in none of {', '.join(map(str, looked))}: give its folder "
        f"(--tables DIR, or the environment's ARCHWRIGHT_DATA). {origin}"
    )


class Table:
    """A file of columns, read whole.

    Args:
        path: A CSV or a Parquet file.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.frame = _read(self.path)
        if not len(self.frame):
            raise DataError(f"table {str(self.path)!r} has no rows")

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [str(c) for c in self.frame.columns]

    def require(self, names: Iterable[str]) -> None:
        """Raise `DataError` unless all these columns are there."""
        for name in names:
            if name not in self.frame.columns:
                raise DataError(f"table {str(self.path)!r} has no column {name!r}. {did_you_mean(name, self.names)}")

    def numbers(self, name: str, *, missing: bool = False) -> np.ndarray:
        """A column of finite numbers, float64.

        Args:
            name: The column.
            missing: Whether an empty cell is allowed; it becomes NaN.
        """
        import pandas as pd

        self.require([name])
        column = self.frame[name]
        read = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        empty = column.isna().to_numpy()
        bad = ~np.isfinite(read) & ~(empty if missing else False)
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            what = "is empty" if empty[row] else f"is {column.iloc[row]!r}, not a finite number"
            raise self.fault(row, name, what)
        return read

    def texts(self, name: str) -> list[str]:
        """A column of texts."""
        self.require([name])
        column = self.frame[name]
        for row in np.flatnonzero(~column.map(lambda v: isinstance(v, str)).to_numpy()):
            raise self.fault(int(row), name, f"is {column.iloc[int(row)]!r}, not a text")
        return column.tolist()

    def fault(self, row: int, column: str, what: str) -> DataError:
        """An error about one cell. Rows are counted from 0, the heading of a CSV not included."""
        return DataError(f"table {str(self.path)!r}, row {row}, column {column!r}: {what}")


def _read(path: Path) -> pd.DataFrame:
    import pandas as pd

    if not path.is_file():
        raise DataError(f"there is no table {str(path)!r}")
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise DataError(f"table {str(path)!r} is a {suffix or 'file without an ending'}: allowed are .csv and .parquet")
    if suffix == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise MissingExtraError("pyarrow", extra="bench", purpose=f"to read {path.name}") from None
    try:
        return pd.read_csv(path, float_precision="round_trip") if suffix == ".csv" else pd.read_parquet(path)
    except Exception as error:  # each reader has errors of its own
        raise DataError(f"table {str(path)!r} cannot be read: {type(error).__name__}: {error}") from error
