"""Tables of ratings and clicks: which column is what, rows in order, what is known of users and items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from archwright.errors import DataError, did_you_mean
from archwright.task.problems import Problems
from archwright.task.table import as_frame
from archwright.task.targets import quantity_array

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Columns", "Interactions", "features_of"]

USUAL = {
    "user": ("user", "userid", "uid", "customer", "customerid", "visitor", "visitorid", "member", "memberid",
             "reviewer", "reviewerid", "account", "accountid"),
    "item": ("item", "itemid", "iid", "movie", "movieid", "product", "productid", "article", "articleid", "book",
             "bookid", "isbn", "asin", "song", "songid", "track", "trackid", "artist", "artistid"),
    "target": ("rating", "ratings", "stars", "score", "overall", "bookrating"),
    "time": ("timestamp", "time", "date", "datetime", "ts", "unixtime", "unixreviewtime"),
}  # fmt: skip
"""How columns are usually called, in small letters and without signs between words."""


def _plain(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())


@dataclass(frozen=True)
class Columns:
    """Which columns hold users, items, ratings and times; None where there are none."""

    user: str
    item: str
    target: str | None
    time: str | None

    @classmethod
    def of(cls, frame: pd.DataFrame, **said: str | None) -> Columns:
        """Those that are said, and of the others those with a usual name."""
        names = [str(c) for c in frame.columns]
        found: dict[str, str | None] = {}
        problems = Problems()
        for what, usual in USUAL.items():
            given = said.get(what)
            if given is not None and given not in names:
                problems.add(f"the table has no column {given!r} ({what}=). {did_you_mean(given, names)}")
            there = [n for word in usual for n in names if _plain(n) == word and n not in said.values()]
            found[what] = given or next(iter(there), None)
            if found[what] is None and what in ("user", "item"):
                problems.add(
                    f"the table has the columns {', '.join(map(repr, names))}, and none that is usually of {what}s, "
                    f"such as {what}, {what}_id: say which it is, with {what}="
                )
        problems.check()
        user, item = found["user"], found["item"]
        assert user is not None
        assert item is not None
        used = [name for name in found.values() if name is not None]
        if len(set(used)) < len(used):
            raise DataError(f"user, item, target and time are {', '.join(map(repr, used))}: each is another column")
        return cls(user, item, found["target"], found["time"])


def _ids_of(values: pd.Series, where: str) -> np.ndarray:
    """Ids: whole numbers as int64, all else as texts (objects). Missing ones raise `DataError`."""
    import pandas as pd

    gone = np.flatnonzero(values.isna().to_numpy())
    if len(gone):
        raise DataError(
            f"column {values.name!r} of {where} is missing in {len(gone)} of {len(values)} rows, the first is row "
            f"{gone[0]}: remove these rows"
        )
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        numbers = values.to_numpy(dtype=np.float64)
        if np.isfinite(numbers).all() and (numbers == np.round(numbers)).all():
            return values.to_numpy().astype(np.int64)
    return np.array([str(v).strip() for v in values.tolist()], dtype=object)


def _times_of(values: pd.Series) -> np.ndarray:
    """Times as float64, in whatever unit: only their order matters. What is none raises `DataError`."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(values):
        times = values.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        dates = pd.to_datetime(values, errors="coerce", format="ISO8601", utc=True)
        times = np.where(dates.isna(), np.nan, dates.astype("int64").to_numpy().astype(np.float64))
    odd = np.flatnonzero(~np.isfinite(times))
    if len(odd):
        raise DataError(
            f"column {values.name!r} holds {values.iloc[odd[0]]!r} in row {odd[0]}, which is no time ({len(odd)} of "
            f"{len(values)} rows): allowed are numbers and dates as 2024-05-31 12:00"
        )
    return times


def _table_of(
    frame: pd.DataFrame, column: str, table: Any, where: str, beside: Sequence[str]
) -> tuple[pd.DataFrame | None, list[str]]:
    """What is known of users, or of items, indexed by id, and the columns that are features.

    Args:
        frame: The interactions.
        column: Of the ids, in the interactions and in `table`.
        table: A table with a row an id; None for none.
        where: What `table` is called.
        beside: Columns of the interactions that are the same in all rows of an id.
    """
    import pandas as pd

    found = []
    if beside:
        own = frame[[*beside]].copy()
        own.index = pd.Index(_ids_of(frame[column], "the table"))
        found.append(own[~own.index.duplicated(keep="last")])
    if table is not None:
        given = as_frame(table, where)
        if column not in given.columns:
            raise DataError(f"{where} has no column {column!r}. {did_you_mean(column, given.columns)}")
        ids = _ids_of(given[column], where)
        twice = pd.Index(ids).duplicated()
        if twice.any():
            raise DataError(f"{where} has more than one row of {ids[twice].tolist()[0]!r}: one row each is needed")
        other = given.drop(columns=[column])
        other.index = pd.Index(ids)
        found.append(other)
    if not found:
        return None, []
    both = pd.concat(found, axis=1) if len(found) > 1 else found[0]
    both = both.loc[:, ~both.columns.duplicated(keep="last")]
    return both, list(both.columns)


class Interactions:
    """Interactions as arrays, in the order of their times; of a repeated pair the last row alone."""

    def __init__(
        self,
        frame: pd.DataFrame,
        users: np.ndarray,
        items: np.ndarray,
        ratings: np.ndarray | None,
        times: np.ndarray | None,
        repeated: int,
    ):
        self.frame, self.users, self.items = frame, users, items
        self.ratings, self.times, self.repeated = ratings, times, repeated

    def __len__(self) -> int:
        return len(self.users)

    @classmethod
    def read(cls, frame: pd.DataFrame, columns: Columns, clicks: bool) -> Interactions:
        """Check a table; all that is wrong with it is one `DataError`."""
        problems = Problems()
        users = problems.of(_ids_of, frame[columns.user], "the table")
        items = problems.of(_ids_of, frame[columns.item], "the table")
        times = problems.of(_times_of, frame[columns.time]) if columns.time is not None else None
        ratings = None
        if not clicks and columns.target is not None:
            ratings = problems.of(quantity_array, frame[columns.target], f"target {columns.target!r}")
        problems.check()
        assert users is not None
        assert items is not None
        order = np.arange(len(frame)) if times is None else np.argsort(times, kind="stable")
        repeated = frame.iloc[order].duplicated([columns.user, columns.item], keep="last").to_numpy()
        order = order[~repeated]
        return cls(
            frame.iloc[order].reset_index(drop=True),
            users[order],
            items[order],
            None if ratings is None else ratings[order],
            None if times is None else times[order],
            int(repeated.sum()),
        )

    def last_ones(self) -> dict[str, np.ndarray]:
        """Of each user with three clicks or more the last is test, and the one before validation."""
        import pandas as pd

        groups = pd.Series(self.users).groupby(self.users, sort=False)
        place, count = groups.cumcount(ascending=False).to_numpy(), groups.transform("size").to_numpy()
        rest = np.where(count >= 3, place, 2)
        at = {"train": rest >= 2, "validation": rest == 1, "test": rest == 0}
        held = int(at["test"].sum())
        if held < 2:
            raise DataError(
                f"of {len(np.unique(self.users))} users {held} have three clicks of different items: at least two such "
                f"users are needed, for the last click of each is test and the one before validation"
            )
        return {part: np.flatnonzero(mask) for part, mask in at.items()}


def features_of(
    frame: pd.DataFrame, columns: Columns, wanted: Sequence[str] | None, users: Any, items: Any
) -> dict[str, tuple[pd.DataFrame | None, list[str]]]:
    """What is known of users and of items."""
    problems = Problems()
    beside: dict[str, list[str]] = {"users": [], "items": []}
    used = {c for c in vars(columns).values() if c is not None}
    for name in [c for c in frame.columns if c not in used] if wanted is None else wanted:
        if name not in frame.columns or name in used:
            problems.add(f"features names {name!r}: allowed are the columns beside users, items, ratings and times")
            continue
        for of, column in (("users", columns.user), ("items", columns.item)):
            # One row each says nothing of whether it belongs to them.
            if frame[column].duplicated().any() and (frame.groupby(column)[name].nunique(dropna=False) <= 1).all():
                beside[of].append(name)
                break
        else:
            if wanted is not None:
                problems.add(f"feature {name!r} differs between rows of one user, and of one item: leave it out")
    found = {
        of: problems.of(_table_of, frame, column, table, f"the table of {of}", beside[of])
        for of, column, table in (("users", columns.user, users), ("items", columns.item, items))
    }
    problems.check()
    return {of: made for of, made in found.items() if made is not None}
