"""One point of a space: a small immutable answer to its open questions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["Architecture"]


class Architecture(Mapping[str, Any]):
    """The values of every *live* decision of a space, by readable name. Immutable and hashable.

    Values are JSON values: numbers, strings, booleans, None, or a tuple of strings for a `subset`.
    Decisions that are switched off by another (the width of a block that is not there) do not appear.

    >>> a = Architecture({"depth": 2, "0/kernel": 5})
    >>> a["0/kernel"], a.get("1/kernel"), len(a)
    (5, None, 2)
    >>> Architecture.from_json(a.to_json()) == a
    True
    """

    __slots__ = ("_hash", "_values")
    _values: dict[str, Any]
    _hash: int | None

    def __init__(self, values: Mapping[str, Any]):
        object.__setattr__(self, "_values", {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
        object.__setattr__(self, "_hash", None)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"an Architecture is immutable: cannot set {name!r}; make a new one")

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        known = self._hash
        if known is None:
            known = hash(frozenset(self._values.items()))
            object.__setattr__(self, "_hash", known)
        return known

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Architecture) and self._values == other._values

    def __repr__(self) -> str:
        return f"Architecture({self._values!r})"

    def __str__(self) -> str:
        return ", ".join(f"{k}={'+'.join(map(str, v)) if isinstance(v, tuple) else v}" for k, v in self._values.items())

    def __reduce__(self) -> tuple[Any, ...]:
        return Architecture, (self._values,)

    def to_json(self) -> str:
        """The values as a JSON object, in the order of the space's decisions."""
        return json.dumps(self._values)

    @classmethod
    def from_json(cls, text: str) -> Architecture:
        """Read what `to_json` wrote. `Space.check` tells whether it belongs to a space."""
        return cls(json.loads(text))

    def differs(self, other: Architecture) -> tuple[str, ...]:
        """Names of the decisions in which two architectures differ, this one's order first.

        >>> Architecture({"a": 1, "b": 2}).differs(Architecture({"a": 1, "c": 3}))
        ('b', 'c')
        """
        mine = [k for k, v in self._values.items() if k not in other or other[k] != v]
        return (*mine, *(k for k in other if k not in self._values))
