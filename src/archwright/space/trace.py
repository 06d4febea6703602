"""A space traced once into an expression: what it computes, as a function of its decisions.

Flow rules run here, once a space, with every open choice kept open as a `Select`. The evaluators in
`canonical` (hashes, whole batches at once) and `graph` (one architecture, for people) then walk the
expression and know nothing of nodes, scopes or rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archwright.errors import SpaceError
from archwright.space.flow import Flow
from archwright.space.layout import Layout, Scope, inner_scope, label, plain, stable_text
from archwright.space.nodes import Call, Choice, Decided, Integer, Real, Repeat, Subset, made_by

__all__ = ["Concat", "Expression", "Input", "Leaf", "Op", "Record", "Select", "Sum", "Value", "trace"]

MOST_SELECTED = 1024


@dataclass(frozen=True, eq=False)
class Expression:
    """Compared by identity: one object is one signal or one label, however often it is used."""


@dataclass(frozen=True, eq=False)
class Input(Expression):
    """The signal that enters the network."""


@dataclass(frozen=True, eq=False)
class Leaf(Expression):
    """A closed value in a label. `text` is for people; `hash` tells it apart."""

    text: str
    hash: int


@dataclass(frozen=True, eq=False)
class Value(Expression):
    """The value of an integer or real decision in a label."""

    decision: int
    node: Integer | Real


@dataclass(frozen=True, eq=False)
class Record(Expression):
    """A label with parts: a call with its arguments, a list. `names` belong to the parts."""

    head: Leaf
    names: tuple[str, ...]
    parts: tuple[Expression, ...]


@dataclass(frozen=True, eq=False)
class Select(Expression):
    """``options[table[code]]`` of one decision; table has an entry a code."""

    decision: int
    table: tuple[int, ...]
    options: tuple[Expression, ...]


@dataclass(frozen=True, eq=False)
class Op(Expression):
    """One operation on a signal."""

    label: Expression
    x: Expression
    zero: bool


@dataclass(frozen=True, eq=False)
class Sum(Expression):
    """The sum of signals; the empty sum is no signal."""

    xs: tuple[Expression, ...]


@dataclass(frozen=True, eq=False)
class Concat(Expression):
    """The concatenation of signals."""

    xs: tuple[Expression, ...]


def digest(text: str) -> int:
    """A 64-bit hash of a text that is the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def leaf(value: Any) -> Leaf:
    """A closed value as a label. Integers and reals hash as `Value` does, so 3 is 3 wherever it comes from."""
    text = stable_text(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        text = repr(float(value))
    return Leaf(str(label(value)), digest(text))


def trace(root: Any, layout: Layout) -> Expression:
    """The expression of a whole space: of the function it computes, or of a structure of values."""
    return _Trace(layout, ()).root(root)


class _Trace(Flow):
    """Runs flow rules inside one scope."""

    def __init__(self, layout: Layout, scope: Scope):
        self.layout, self.scope = layout, scope

    def inside(self, scope: Scope) -> _Trace:
        return self if scope == self.scope else _Trace(self.layout, scope)

    # Structures: what a value is, for labels.

    def root(self, x: Any) -> Expression:
        call = x if isinstance(x, Call) else made_by(x)
        if call is not None and call.function.flow is not None:
            return self.apply(call, Input())
        if isinstance(x, Choice):
            return self._selected(x, self.root)
        if isinstance(x, Mapping):
            return Record(Leaf("", digest("mapping")), tuple(map(str, x)), tuple(self.root(v) for v in x.values()))
        if isinstance(x, (list, tuple)) and not any(isinstance(v, Repeat) for v in x):
            return Record(Leaf("", digest("list")), ("",) * len(x), tuple(self.root(v) for v in x))
        return self.structure(x)

    def structure(self, x: Any) -> Expression:
        if plain(x):
            return leaf(x)
        if isinstance(x, (Integer, Real)):
            return Value(self.layout.index(x, self.scope), x)
        if isinstance(x, (Choice, Subset)):
            return self._selected(x, self.structure)
        if isinstance(x, Repeat):
            return self._record(Leaf("", digest("repeat")), [("", x)])
        if isinstance(x, Call):
            head = Leaf(x.function.__name__, digest(stable_text(x.function.function)))
            return self._record(head, x.arguments())
        if isinstance(x, Mapping):
            return self._record(Leaf("", digest("mapping")), [(str(k), v) for k, v in x.items()])
        if isinstance(x, (list, tuple)):
            return self._record(Leaf("", digest("list")), [("", v) for v in x])
        call = made_by(x)
        return self.structure(call) if call is not None else leaf(x)

    def _record(self, head: Leaf, items: Iterable[tuple[str, Any]]) -> Record:
        """Repeats are spliced; a copy that is not there is an empty leaf."""
        names: list[str] = []
        parts: list[Expression] = []
        absent = Leaf("", 0)
        for name, item in items:
            for presence, part, scope in self._copies(item):
                made = self.inside(scope).structure(part)
                names.append(name)
                parts.append(made if presence is None else Select(*presence, (absent, made)))
        return Record(head, tuple(names), tuple(parts))

    def _copies(self, item: Any) -> Iterator[tuple[tuple[int, tuple[int, ...]] | None, Any, Scope]]:
        """Each copy of a repeat with its scope and, where depth is open, (decision, 1 for codes that have it)."""
        if not isinstance(item, Repeat):
            yield None, item, self.scope
            return
        for copy in range(item.most):
            presence = None
            if not isinstance(item.times, int):
                times = item.times
                table = tuple(int(times.value(c) > copy) for c in range(times.size))
                presence = None if all(table) else (self.layout.index(times, self.scope), table)
            yield presence, item.body, inner_scope(self.scope, item, copy)

    def _selected(self, x: Decided, function: Callable[[Any], Expression]) -> Expression:
        if x.size > MOST_SELECTED:
            raise SpaceError(f"{x!r} has {x.size:,} values: a flow rule can tell at most {MOST_SELECTED:,} apart")
        options = tuple(function(x.value(code)) for code in range(x.size))
        return Select(self.layout.index(x, self.scope), tuple(range(x.size)), options)

    # Signals: what a network computes.

    def op(self, label: Any, x: Any, *, zero: bool = False) -> Expression:
        return Op(self.structure(label), x, zero)

    def apply(self, module: Any, x: Any) -> Expression:
        if isinstance(module, Choice):
            return self._selected(module, lambda option: self.apply(option, x))
        if isinstance(module, Repeat):
            return self.chain([module], x)
        call = module if isinstance(module, Call) else made_by(module)
        if call is not None and call.function.flow is not None:
            return call.function.flow(self, x, *call.args, **call.kwargs)
        return Op(self.structure(module), x, zero=False)

    def each(self, modules: Iterable[Any], x: Any) -> list[Expression]:
        results = []
        for module in modules:
            for presence, body, scope in self._copies(module):
                made = self.inside(scope).apply(body, x)
                results.append(made if presence is None else Select(*presence, (Sum(()), made)))
        return results

    def chain(self, modules: Iterable[Any], x: Any) -> Expression:
        for module in modules:
            for presence, body, scope in self._copies(module):
                made = self.inside(scope).apply(body, x)
                x = made if presence is None else Select(*presence, (x, made))
        return x

    def sum(self, xs: Iterable[Any]) -> Expression:
        return Sum(tuple(xs))

    def concat(self, xs: Iterable[Any]) -> Expression:
        return Concat(tuple(xs))

    def zero(self) -> Expression:
        return Sum(())

    def select(self, value: Any, function: Callable[[Any], Any]) -> Any:
        if isinstance(value, Decided):
            # A choice may lead to a choice: decide until nothing is open.
            return self._selected(value, lambda option: self.select(option, function))
        return function(value)
