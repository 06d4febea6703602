"""From a nested value to a flat list of potential decisions, each with the conditions under which it is live."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from archwright.errors import SpaceError
from archwright.space.nodes import Call, Choice, Decided, Integer, Node, Real, Repeat, Subset, is_open, made_by

__all__ = ["Decision", "Layout", "Scope", "inner_scope", "label", "labels", "plain", "stable_text"]

Scope = tuple[tuple[int, int], ...]
"""Which copies of which untied repeats we are inside of: (id of the repeat, copy number), outermost first."""


@dataclass(frozen=True)
class Decision:
    """One potential decision of a space: a column of its code arrays.

    Args:
        name: Readable and unique, e.g. ``"2/kernel"``.
        kind: ``choice``, ``integer``, ``real`` or ``subset``.
        size: How many codes there are, 0 to size - 1.
        ordered: Whether distance between codes means something.
        conditions: It is live while any holds: decision i (an earlier one) has one of these codes.
            Empty: always live.
        node: The node of the space that it decides.
        values: For each code, the JSON value that stands for it in an `Architecture`; empty for a `real`.
    """

    name: str
    kind: str
    size: int
    ordered: bool
    conditions: tuple[tuple[int, frozenset[int]], ...]
    node: Decided = field(compare=False, repr=False)
    values: tuple[Any, ...] = field(repr=False)

    def value(self, code: int) -> Any:
        """The JSON value that stands for `code` in an architecture."""
        return self.values[code] if self.values else self.node.value(code)


def plain(value: Any) -> bool:
    """Whether a value is its own JSON form."""
    return value is None or isinstance(value, (bool, int, float, str))


def label(option: Any) -> Any:
    """A short JSON value that stands for an option: itself where it is plain, else the name of what it is."""
    if plain(option):
        return option
    call = option if isinstance(option, Call) else made_by(option)
    if call is not None:
        return call.function.__name__
    if isinstance(option, Node):
        return repr(option)
    return getattr(option, "__name__", None) or type(option).__name__


def labels(options: tuple[Any, ...]) -> tuple[Any, ...]:
    """Labels of all options of one choice, lengthened where two would be alike."""
    short = [label(o) for o in options]
    seen: dict[Any, int] = {}
    found = []
    for option, name in zip(options, short, strict=True):
        if not plain(option) and sum(1 for other in short if other == name) > 1:
            call = option if isinstance(option, Call) else made_by(option)
            longer = repr(call) if call is not None and not is_open([call.args, call.kwargs]) else name
            name = longer if len(longer) <= 60 else name
        mark = (type(name), name)
        seen[mark] = seen.get(mark, 0) + 1
        found.append(name if seen[mark] == 1 else f"{name}#{seen[mark]}")
    return tuple(found)


def stable_text(value: Any) -> str:
    """A text of a closed value that is the same in every process: no addresses, no hashing order."""
    if plain(value):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(stable_text, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{stable_text(k)}: {stable_text(v)}" for k, v in value.items()) + "}"
    call = value if isinstance(value, Call) else made_by(value)
    if call is not None:
        inside = [*map(stable_text, call.args), *(f"{k}={stable_text(v)}" for k, v in call.kwargs.items())]
        return f"{stable_text(call.function.function)}({', '.join(inside)})"
    if hasattr(value, "__qualname__"):
        name = f"{value.__module__}.{value.__qualname__}"
        code = getattr(value, "__code__", None)
        if code is None or "<lambda>" not in name:
            return name
        # Lambdas share a name; their bytecode and constants tell them apart (constants with an address cannot).
        constants = "" if " at 0x" in repr(code.co_consts) else repr(code.co_consts)
        return f"{name}#{hashlib.blake2b(code.co_code + constants.encode(), digest_size=4).hexdigest()}"
    text = repr(value)
    return f"{type(value).__module__}.{type(value).__qualname__}" + ("" if " at 0x" in text else f":{text}")


def _common(path: str, other: str) -> str:
    """Where two paths still agree, then the last part of the first.

    >>> _common("op/conv/kernel", "op/pool/kernel")
    'op/kernel'
    """
    ways, others = path.split("/"), other.split("/")
    same = 0
    while same < min(len(ways), len(others)) - 1 and ways[same] == others[same]:
        same += 1
    return "/".join([*ways[:same], ways[-1]])


def inner_scope(scope: Scope, repeat: Repeat, copy: int) -> Scope:
    """The scope inside one copy of a repeat."""
    return scope if repeat.tied else (*scope, (id(repeat), copy))


@dataclass
class _Found:
    node: Decided
    path: str
    conditions: dict[int, set[int]] | None  # None: always live


class Layout:
    """All potential decisions of a value, parents before children, and which node in which scope is which."""

    def __init__(self, root: Any):
        self._found: list[_Found] = []
        self._index: dict[tuple[Scope, int], int] = {}
        self.templates: list[tuple[Any, Call]] = []
        self._walk(root, "", None, ())
        order = self._parents_first()
        place = {old: new for new, old in enumerate(order)}
        self._index = {key: place[old] for key, old in self._index.items()}
        self.decisions: tuple[Decision, ...] = tuple(self._decision(self._found[old], place) for old in order)
        self._unique_names()

    def index(self, node: Decided, scope: Scope) -> int:
        """Which decision a node is, inside these copies of repeats."""
        return self._index[() if node.tied else scope, id(node)]

    def _walk(self, x: Any, path: str, condition: tuple[int, set[int]] | None, scope: Scope) -> None:
        if isinstance(x, Decided):
            self._decide(x, path, condition, scope)
        elif isinstance(x, Repeat):
            self._repeat(x, path, condition, scope)
        elif isinstance(x, Call):
            self._parts(x.arguments(), path, condition, scope)
        elif isinstance(x, Mapping):
            for name, value in x.items():
                self._walk(value, self._path(path, value, str(name)), condition, scope)
        elif isinstance(x, (list, tuple)):
            self._parts(((str(i), v) for i, v in enumerate(x)), path, condition, scope)
        elif (call := made_by(x)) is not None:
            self.templates.append((x, call))

    def _parts(
        self, parts: Iterator[tuple[str, Any]], path: str, condition: tuple[int, set[int]] | None, scope: Scope
    ) -> None:
        """Arguments or elements: one that alone is open, and no decision itself, adds nothing to the path."""
        listed = list(parts)
        lone = sum(is_open(v) for _, v in listed) == 1
        for name, value in listed:
            silent = lone and not isinstance(value, Decided) and getattr(value, "name", None) is None
            self._walk(value, path if silent else self._path(path, value, name), condition, scope)

    def _path(self, path: str, value: Any, name: str) -> str:
        """Where a part stands: its node's own name comes before the name of its place."""
        own = value.name if isinstance(value, Node) else None
        return path if own and path.rsplit("/", 1)[-1] == own else self._join(path, own or name)

    @staticmethod
    def _join(path: str, part: str) -> str:
        return f"{path}/{part}" if path else part

    def _decide(self, x: Decided, path: str, condition: tuple[int, set[int]] | None, scope: Scope) -> None:
        key = ((), id(x)) if x.tied else (scope, id(x))
        i = self._index.get(key)
        if i is None:
            i = self._index[key] = len(self._found)
            self._found.append(_Found(x, path or x.name or "choice", None if condition is None else {}))
        found = self._found[i]
        if path and path != found.path:  # shared: named after what its places have in common
            found.path = _common(found.path, path)
        if condition is None:
            found.conditions = None
        elif found.conditions is not None:
            found.conditions.setdefault(condition[0], set()).update(condition[1])
        if isinstance(x, Choice):
            names = labels(x.options)
            for code, option in enumerate(x.options):
                self._walk(option, self._join(found.path, str(names[code])), (i, {code}), scope)
        elif isinstance(x, Subset):
            names = labels(x.options)
            for member, option in enumerate(x.options):
                codes = {c for c, members in enumerate(x.members) if member in members}
                if codes:
                    self._walk(option, self._join(found.path, str(names[member])), (i, codes), scope)

    def _repeat(self, x: Repeat, path: str, condition: tuple[int, set[int]] | None, scope: Scope) -> None:
        counts: list[int] = []
        if not isinstance(x.times, int):
            times = x.times
            self._decide(times, self._join(path, times.name or "times"), condition, scope)
            counts = [times.value(c) for c in range(times.size)]
        for copy in range(x.most):
            inside = condition
            if not isinstance(x.times, int):
                i = self.index(x.times, scope)
                inside = (i, {code for code, count in enumerate(counts) if count > copy})
            part = path if x.tied else self._join(path, str(copy))
            self._walk(x.body, part, inside, inner_scope(scope, x, copy))

    def _parents_first(self) -> list[int]:
        """The order met, changed only where a shared decision was met before one that switches it."""
        order: list[int] = []
        state: dict[int, int] = {}

        def visit(i: int) -> None:
            if state.get(i) == 2:
                return
            if state.get(i) == 1:
                raise SpaceError(f"decision {self._found[i].path!r} switches itself on: a node holds itself")
            state[i] = 1
            for parent in sorted(self._found[i].conditions or ()):
                visit(parent)
            state[i] = 2
            order.append(i)

        for i in range(len(self._found)):
            visit(i)
        return order

    def _decision(self, found: _Found, place: dict[int, int]) -> Decision:
        node = found.node
        conditions = tuple(sorted((place[p], frozenset(c)) for p, c in (found.conditions or {}).items()))
        # Live under every code of a parent that is always live: no condition at all.
        if any(
            len(codes) == self._found[p].node.size and self._found[p].conditions is None
            for p, codes in (found.conditions or {}).items()
        ):
            conditions = ()
        values: tuple[Any, ...] = ()
        if isinstance(node, Choice):
            values = labels(node.options)
        elif isinstance(node, Subset):
            names = labels(node.options)
            values = tuple(tuple(names[m] for m in members) for members in node.members)
        elif isinstance(node, Integer):
            values = tuple(node.value(c) for c in range(node.size))
        kind = {Choice: "choice", Integer: "integer", Real: "real", Subset: "subset"}[type(node)]
        return Decision(found.path, kind, node.size, node.ordered, conditions, node, values)

    def _unique_names(self) -> None:
        seen: dict[str, int] = {}
        renamed = []
        for d in self.decisions:
            seen[d.name] = seen.get(d.name, 0) + 1
            name = d.name if seen[d.name] == 1 else f"{d.name}#{seen[d.name]}"
            renamed.append(Decision(name, d.kind, d.size, d.ordered, d.conditions, d.node, d.values))
        self.decisions = tuple(renamed)
