"""Users and items as a network reads them: ids as numbers, and what is known of either."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from archwright.errors import DataError, did_you_mean
from archwright.task.problems import Problems
from archwright.task.table import Column, as_frame, kind_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Known", "PairInputs"]

Id = int | str

MOST = 2**24
"""Users or items: numbers of more are no whole float32 any more."""


@dataclass(frozen=True)
class Known:
    """All users, or all items: those of training have a number, from 1 on; others may still have features.

    Args:
        ids: Those of training first.
        trained: How many those are.
        columns: How features become numbers.
        rows: Features of each id, in their order.
    """

    ids: tuple[Id, ...]
    trained: int
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[float, ...], ...] = ()

    @classmethod
    def of(cls, ids: np.ndarray, frame: pd.DataFrame | None, names: Sequence[str], where: str) -> Known:
        """The ids of training, and features of any: `frame` holds them, indexed by id; measured on those of training.

        Raises:
            DataError: a column that cannot be read, or more ids than there are numbers.
        """
        trained: list[Id] = np.unique(ids).tolist()
        if len(trained) >= MOST:
            raise DataError(f"there are {len(trained):,} {where}: at most {MOST - 1:,} are allowed")
        if frame is None or not len(names):
            return cls(tuple(trained), len(trained))
        inside = set(trained)
        everyone = [*trained, *(i for i in frame.index.tolist() if i not in inside)]
        of_training = frame.reindex(trained)
        problems, columns = Problems(), []
        for name in names:
            kind = problems.of(kind_of, name, of_training[name], where)
            column = problems.of(Column.of, name, kind, of_training[name]) if kind else None
            if column is not None:
                columns.append(column)
        problems.check()
        if not columns:
            return cls(tuple(trained), len(trained))
        values = frame.reindex(everyone)
        made = np.concatenate([column(values[column.name]) for column in columns], 1)
        return cls(tuple(everyone), len(trained), tuple(columns), tuple(map(tuple, made.tolist())))

    @property
    def width(self) -> int:
        """How many features there are."""
        return sum(c.width for c in self.columns)

    @functools.cached_property
    def features(self) -> np.ndarray:
        """(1 + ids, features) float32; row 0 is of an id that is nowhere, all zero: of each feature the usual."""
        rows = np.array(self.rows, dtype=np.float32).reshape(len(self.ids), self.width)
        return np.concatenate([np.zeros((1, self.width), np.float32), rows])

    def places(self, values: pd.Series) -> np.ndarray:
        """The row of each id in `features`, from 1 on; 0 where it is nowhere."""
        import pandas as pd

        if len(self.ids) and isinstance(self.ids[0], int):
            wanted = pd.to_numeric(values, errors="coerce").astype(np.float64)
            return pd.Index(np.array(self.ids, dtype=np.float64)).get_indexer(wanted) + 1
        texts = [str(int(v)) if isinstance(v, float) and v.is_integer() else str(v).strip() for v in values.tolist()]
        return pd.Index(list(self.ids)).get_indexer(texts) + 1

    def __call__(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Numbers (n,), 0 for what training has not seen, and features (n, features), both float32."""
        places = self.places(values)
        features = self.features[places] if self.width else np.zeros((len(places), 0), np.float32)
        return np.where(places <= self.trained, places, 0).astype(np.float32), features

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        columns = [{**asdict(c), "levels": list(c.levels)} for c in self.columns]
        return {
            "ids": list(self.ids), "trained": self.trained, "columns": columns, "rows": [list(r) for r in self.rows]
        }  # fmt: skip

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> Known:
        """Read what `to_json` wrote."""
        columns = tuple(Column(**{**c, "levels": tuple(c["levels"])}) for c in d["columns"])
        return cls(tuple(d["ids"]), d["trained"], columns, tuple(map(tuple, d["rows"])))


@dataclass(frozen=True)
class PairInputs:
    """Rows of a user and an item to float32 (n, 2 + features): both numbers, features of the user, of the item."""

    user: str
    item: str
    users: Known
    items: Known

    @property
    def shape(self) -> tuple[int]:
        """Of one input."""
        return (2 + self.users.width + self.items.width,)

    def frame(self, raw: Any) -> pd.DataFrame:
        """A table with both columns; any others are ignored."""
        frame = as_frame(raw, names=[self.user, self.item])
        for name in (self.user, self.item):
            if name not in frame.columns:
                raise DataError(
                    f"the table has no column {name!r}, which is needed. {did_you_mean(name, frame.columns)}"
                )
        return frame

    def __call__(self, raw: Any) -> Tensor:
        """A DataFrame, CSV path, list of dicts or (n, 2) array to a tensor."""
        frame = self.frame(raw)
        (user, of_user), (item, of_item) = self.users(frame[self.user]), self.items(frame[self.item])
        return torch.from_numpy(np.concatenate([user[:, None], item[:, None], of_user, of_item], 1))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "kind": "pairs", "user": self.user, "item": self.item, "users": self.users.to_json(),
            "items": self.items.to_json(),
        }  # fmt: skip

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> PairInputs:
        """Read what `to_json` wrote."""
        return cls(d["user"], d["item"], Known.from_json(d["users"]), Known.from_json(d["items"]))
