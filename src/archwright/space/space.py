"""The space: a value with open choices, and all that can be asked of it."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from archwright.errors import OutOfSpaceError, SpaceError, did_you_mean
from archwright.space import canonical, counting, encoding, text, trace, variation
from archwright.space import graph as graphs
from archwright.space.architecture import Architecture
from archwright.space.build import Visitor, build
from archwright.space.layout import Decision, Layout
from archwright.space.nodes import Call, Real, remember

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["Space"]

Rule = Callable[[Architecture], bool]

MOST_ENUMERATED = 1_000_000
MOST_REJECTED = 10_000


class Space:
    """Everything that may be chosen: any nested Python value in which some places are left open.

    >>> from archwright.space import choice, repeat, searchable
    >>> block = searchable(lambda width, kernel: (width, kernel))
    >>> space = Space({"blocks": repeat(block(choice(16, 32), choice(3, 5)), (1, 2)), "lr": choice(0.1, 0.01)})
    >>> space.size
    40
    >>> a = space.architecture({"blocks/times": 1, "blocks/0/width": 16, "blocks/0/kernel": 5, "lr": 0.1})
    >>> space.build(a)
    {'blocks': [(16, 5)], 'lr': 0.1}

    Args:
        root: The value. Nodes in it (`choice`, `integer`, `real`, `repeat`, `subset`, calls of `searchable`)
            are open; everything else is kept as it is, and copied whenever an architecture is built.
    """

    def __init__(self, root: Any):
        self._set_up(root, ())

    def _set_up(self, root: Any, rules: tuple[Rule, ...]) -> None:
        self.root = root
        self.rules = rules
        self._layout = Layout(root)
        self.decisions: tuple[Decision, ...] = self._layout.decisions
        self._column = {d.name: i for i, d in enumerate(self.decisions)}
        self._code_of: list[dict[Any, int]] = [
            {(isinstance(v, bool), v): code for code, v in enumerate(d.values)} for d in self.decisions
        ]

    def __reduce__(self) -> tuple[Any, ...]:
        # Nodes are told apart by identity, which changes on the way: the other side walks the value anew.
        return _unpickled, (self.root, self.rules, self._layout.templates)

    # Counting

    @cached_property
    def size(self) -> int:
        """How many architectures there are, exactly; architectures of equal function count apart.

        A real counts as its 65,536 levels. With rules, all are gone through.

        Raises:
            SpaceError: With rules and more than a million architectures before them: then `estimate_size`.
        """
        if not self.rules:
            return self._size_before_rules
        if self._size_before_rules > MOST_ENUMERATED:
            raise SpaceError(
                f"{self._size_before_rules:,} architectures are too many to count under rules (at most "
                f"{MOST_ENUMERATED:,}): use space.estimate_size(rng)"
            )
        return len(self.all_codes())

    @cached_property
    def _size_before_rules(self) -> int:
        return counting.count(self.decisions)

    def estimate_size(self, rng: np.random.Generator, n: int = 1000) -> float:
        """About how many architectures the rules leave, from the share of n random ones that they allow.

        Sampling is uniform decision by decision, not over architectures, so this is a rough figure.
        """
        codes = variation.sample(self.decisions, rng, n)
        return self._size_before_rules * float(np.mean([self._allowed(row) for row in codes.tolist()]))

    @property
    def enumerable(self) -> bool:
        """Whether `all_codes` may be asked for."""
        return self._size_before_rules <= MOST_ENUMERATED

    def all_codes(self) -> np.ndarray:
        """Every architecture. Shape: (size, n_decisions). At most a million before rules."""
        if not self.enumerable:
            raise SpaceError(
                f"{self._size_before_rules:,} architectures are too many to list; the limit is {MOST_ENUMERATED:,}"
            )
        codes = counting.all_codes(self.decisions)
        if self.rules:
            codes = codes[[self._allowed(row) for row in codes.tolist()]]
        return codes

    def __iter__(self) -> Iterator[Architecture]:
        return (self.architecture(row) for row in self.all_codes())

    # Rules

    def where(self, rule: Rule) -> Space:
        """The same space without the architectures for which ``rule(architecture)`` is false.

        >>> from archwright.space import choice
        >>> Space({"a": choice(1, 2), "b": choice(1, 2)}).where(lambda x: x["a"] <= x["b"]).size
        3
        """
        narrowed = Space.__new__(Space)
        narrowed._set_up(self.root, (*self.rules, rule))
        return narrowed

    def _allowed(self, codes: Sequence[int]) -> bool:
        return not self.rules or self._keeps_rules(self.architecture(codes))

    def _keeps_rules(self, architecture: Architecture) -> bool:
        for rule in self.rules:
            try:
                if not rule(architecture):
                    return False
            except Exception as error:
                raise SpaceError(
                    f"rule {text.rule_text(rule)} failed on {architecture}: {type(error).__name__}: {error}. Decisions "
                    "that are not live are absent: use architecture.get(name)"
                ) from error
        return True

    # Architectures and codes

    def architecture(self, codes: Sequence[int] | np.ndarray | Mapping[str, Any]) -> Architecture:
        """The architecture of one row of codes, or of values by name (which are checked)."""
        if isinstance(codes, Mapping):
            return self.architecture(self._codes(codes))
        row = codes.tolist() if isinstance(codes, np.ndarray) else codes
        return Architecture({d.name: d.value(c) for d, c in zip(self.decisions, row, strict=True) if c >= 0})

    def codes(self, architectures: Iterable[Architecture]) -> np.ndarray:
        """Many architectures as an array. Shape: (n, n_decisions), int32, -1 where not live.

        Raises:
            OutOfSpaceError: One of them is not of this space.
        """
        rows = [self._codes(a) for a in architectures]
        return np.array(rows, dtype=np.int32).reshape(len(rows), len(self.decisions))

    def _codes(self, values: Mapping[str, Any]) -> list[int]:
        codes: list[int] = []
        used = 0
        for i, d in enumerate(self.decisions):
            if not variation.is_live(d, codes):
                codes.append(-1)
                continue
            if d.name not in values:
                raise OutOfSpaceError(f"decision {d.name!r} is missing: it takes {text.allowed_values(d)}")
            codes.append(self._code(i, d, values[d.name]))
            used += 1
        if used != len(values):
            for name in values:
                if name not in self._column:
                    raise OutOfSpaceError(f"there is no decision {name!r}. {did_you_mean(name, self._column)}")
                i = self._column[name]
                if codes[i] < 0:
                    raise OutOfSpaceError(
                        f"decision {name!r} is given but not live here: {text.when(self.decisions[i], self.decisions)}"
                    )
        return codes

    def _code(self, i: int, d: Decision, value: Any) -> int:
        if isinstance(d.node, Real):
            if isinstance(value, (int, float)) and d.node.lo <= value <= d.node.hi:
                return d.node.code(value)
        else:
            value = tuple(value) if isinstance(value, list) else value
            try:
                code = self._code_of[i].get((isinstance(value, bool), value))
            except TypeError:
                code = None
            if code is not None:
                return code
        raise OutOfSpaceError(f"decision {d.name!r} cannot be {value!r}: it takes {text.allowed_values(d)}")

    def check(self, architecture: Architecture) -> None:
        """Raise `OutOfSpaceError` unless the architecture is of this space and keeps its rules."""
        self._codes(architecture)
        if not self._keeps_rules(architecture):
            raise OutOfSpaceError(f"a rule of the space forbids {architecture}")

    def __contains__(self, architecture: object) -> bool:
        try:
            self.check(architecture)  # type: ignore[arg-type]
        except OutOfSpaceError:
            return False
        return True

    @cached_property
    def default(self) -> Architecture | None:
        """The architecture to begin with: the defaults that the nodes name, and none where no node names one.

        What names none takes its first option, or the middle of its range (as in ConfigSpace). None, too, where a rule
        of the space forbids it.

        >>> from archwright.space import choice, integer
        >>> Space({"width": choice(16, 32, 64, default=32), "depth": integer(1, 5)}).default
        Architecture({'width': 32, 'depth': 3})
        """
        if all(d.node.default is None for d in self.decisions):
            return None
        codes: list[int] = []
        for d in self.decisions:
            begin = (d.size - 1) // 2 if d.ordered else 0
            own = begin if d.node.default is None else d.node.default
            codes.append(own if variation.is_live(d, codes) else -1)
        return self.architecture(codes) if self._allowed(codes) else None

    # Sampling and variation

    @overload
    def sample(self, rng: np.random.Generator) -> Architecture: ...
    @overload
    def sample(self, rng: np.random.Generator, n: int) -> list[Architecture]: ...
    def sample(self, rng: np.random.Generator, n: int | None = None) -> Architecture | list[Architecture]:
        """One random architecture, or a list of n: every live decision uniform over its values."""
        if n is not None:
            return [self.architecture(row) for row in self.sample_codes(rng, n)]
        return self.architecture(self._accepted(lambda: variation.sample_one(self.decisions, rng)))

    def sample_codes(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """Draw n random architectures as an array. Shape: (n, n_decisions), int32."""
        codes = variation.sample(self.decisions, rng, n)
        if self.rules:
            rows = codes.tolist()
            for i, row in enumerate(rows):
                if not self._allowed(row):
                    codes[i] = self._accepted(lambda: variation.sample_one(self.decisions, rng))
        return codes

    def _accepted(self, draw: Callable[[], list[int]]) -> list[int]:
        for _ in range(MOST_REJECTED):
            codes = draw()
            if self._allowed(codes):
                return codes
        raise SpaceError(
            f"the space's {len(self.rules)} rule(s) forbade {MOST_REJECTED:,} architectures in a row: "
            + "; ".join(map(text.rule_text, self.rules))
            + ". Loosen them, or build the space without what they forbid"
        )

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """A valid architecture that differs in one decision (and in what that switches on)."""
        codes = self._codes(architecture)
        return self.architecture(self._accepted(lambda: variation.mutate(self.decisions, codes, rng)))

    def crossover(
        self, a: Architecture, b: Architecture, rng: np.random.Generator, kind: variation.Crossover = "uniform"
    ) -> Architecture:
        """A child of two architectures: ``uniform``, ``one-point`` or ``multi-point`` (three) crossover."""
        first, second = self._codes(a), self._codes(b)
        return self.architecture(self._accepted(lambda: variation.crossover(self.decisions, first, second, rng, kind)))

    def neighbours(self, architecture: Architecture) -> list[Architecture]:
        """Every allowed architecture that differs in exactly one live decision, always the same list.

        A real decision has four neighbours; what a change switches on is drawn from the change itself.
        """
        codes = self._codes(architecture)
        found = variation.neighbours(self.decisions, codes, seed=canonical.key(self.expression, codes))
        return [self.architecture(c) for c in found if self._allowed(c)]

    # Building

    def build(self, architecture: Architecture, visitor: Visitor | None = None) -> Any:
        """The space's value with every decision taken and every waiting call run: a network, often.

        Nothing in it is shared with the space or with another build. A visitor is told which part became what; see
        `archwright.space.build`.
        """
        return build(self.root, self._layout, self._codes(architecture), visitor=visitor)

    @property
    def layout(self) -> Layout:
        """Which node is which decision, for those who walk the value themselves."""
        return self._layout

    # What it computes

    @cached_property
    def expression(self) -> trace.Expression:
        """What the space computes as a function of its decisions; see `archwright.space.trace`."""
        return trace.trace(self.root, self._layout)

    def key(self, architecture: Architecture) -> str:
        """The canonical key: equal for architectures that compute the same function."""
        return f"{canonical.key(self.expression, self._codes(architecture)):016x}"

    def keys(self, codes: np.ndarray) -> np.ndarray:
        """The canonical keys of many architectures. Shapes: (n, n_decisions) to (n,), uint64."""
        return canonical.batch_keys(self.expression, codes)

    def graph(self, architecture: Architecture) -> nx.DiGraph:
        """The computation as a labelled graph: see `archwright.space.graph.graph`."""
        return graphs.graph(self.expression, self._codes(architecture))

    # Features

    def encode(self, architectures: Iterable[Architecture] | np.ndarray) -> np.ndarray:
        """Features for predictors: see `archwright.space.encoding.encode`. Shape: (n, n_features), float32."""
        codes = architectures if isinstance(architectures, np.ndarray) else self.codes(architectures)
        return encoding.encode(self.decisions, codes)

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """What each column of `encode` means."""
        return encoding.feature_names(self.decisions)

    # For people

    def describe(self) -> str:
        """The decisions, a line each: name, values, and when they are live; and the `default`."""
        try:
            size = f"{self.size:,} architectures"
        except SpaceError:
            size = f"{self._size_before_rules:,} architectures before rules"
        width = max((len(d.name) for d in self.decisions), default=0)
        lines = [f"{len(self.decisions)} decisions, {size}"]
        for d in self.decisions:
            live = text.when(d, self.decisions)
            lines.append(f"  {d.name:<{width}}  {text.allowed_values(d)}" + (f"   ({live})" if live else ""))
        lines += [f"  rule: {text.rule_text(rule)}" for rule in self.rules]
        if self.default is not None:
            lines.append(f"  to begin with: {self.default}")
        return "\n".join(lines)

    @cached_property
    def text(self) -> str:
        """All that makes this space what it is, as stable text: decisions, fixed parts and rules."""
        lines = [
            f"decision {d.name}: {text.allowed_values(d)} {text.when(d, self.decisions)}".rstrip()
            for d in self.decisions
        ]
        lines += text.outline(self.root)
        lines += [f"rule {text.rule_text(rule)}" for rule in self.rules]
        return "\n".join(lines)

    @property
    def fingerprint(self) -> str:
        """A short hash of `text`: equal for spaces that are written alike, in any process."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    def difference(self, other: Space | str) -> str:
        """How this space differs from another (or from another's `text`): lines with - (other) and + (this)."""
        before = (other if isinstance(other, str) else other.text).splitlines()
        changes = difflib.unified_diff(before, self.text.splitlines(), lineterm="", n=0)
        return "\n".join(line for line in changes if not line.startswith(("---", "+++", "@@")))

    def __repr__(self) -> str:
        return f"Space({len(self.decisions)} decisions)"


def _unpickled(root: Any, rules: tuple[Rule, ...], templates: list[tuple[Any, Call]]) -> Space:
    for instance, call in templates:
        remember(instance, call)
    space = Space.__new__(Space)
    space._set_up(root, rules)
    return space
