"""What an architecture computes, as numbers for a predictor, for whole batches at once.

A third evaluator of the traced expression, beside `canonical` (hashes) and `graph` (one drawing). Each signal is
given a few arrays with a column an architecture, and what an operation, a sum or a choice does to them is one line
each below: so nothing is built, and thousands of architectures take milliseconds.

The features follow the canonical form: identities, dead branches and the order of terms leave no trace in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from archwright.space.canonical import _Batch
from archwright.space.counting import count
from archwright.space.encoding import encode
from archwright.space.kinds import calls_in, children_first, number_in, open_parts, parts_of, symbols
from archwright.space.layout import Decision
from archwright.space.nodes import Subset
from archwright.space.paths import Rows, Signal, added, limited, sets_of
from archwright.space.space import Space
from archwright.space.trace import Concat, Expression, Input, Leaf, Op, Record, Select, Sum, Value

__all__ = ["Features"]

MOST_APART = 12  # up to so many decisions without a network are weighed one by one
MATTERS = {"operations": 0.2, "edges": 0.2, "paths": 1.6}
"""How much a group of a network's features says before any trial, beside its decisions: paths more than how many
operations and edges there are, says the likelihood of many trainings of every table looked at."""
CHUNK = 4096  # rows at once: arrays that stay in the processor's cache


class Features:
    """Numbers that say what the architectures of a space compute, in groups that a predictor may weigh apart.

    - ``decisions``: `Space.encode`, of the decisions that have an effect.
    - ``operations``: how many operations of each kind there are.
    - ``arguments``: the sums of their numeric arguments.
    - ``edges``: how many results of one kind of operation are read by another kind, by the output, or are the input:
      with them the degrees of input and output.
    - ``paths``: for sets of kinds of operations, how many paths from input to output keep to the set, the least and the
      most operations on one, and the same of the set's operations on any path; and how many paths there are of each
      length.

    The last three are the features of Kadlecová et al., *Surprisingly Strong Performance Prediction with Neural Graph
    Features*, ICML 2024 (https://arxiv.org/abs/2404.16551), and numbers of paths. Compared with one column for every
    order of operations on a path (White et al., *BANANAS*, AAAI 2021, https://arxiv.org/abs/1910.11858), sets of kinds
    need no list of all paths, and predict better from few trainings. Where a space is a structure of values and no
    network, the calls in it count as operations, in one group with their arguments, and the last two are absent.

    Columns are standardised, and divided by the square root of how many their group has, so that two random
    architectures lie at a mean squared distance of 2 in a group, times what the group matters beforehand (`MATTERS`);
    columns that never vary are left out.

    Args:
        space: Where the architectures come from.
    """

    def __init__(self, space: Space):
        self.space = space
        self._order = children_first(space.expression)
        self._open = open_parts(self._order)
        self._ops = [e for e in self._order if isinstance(e, Op)]
        self._calls = calls_in(space.expression)
        labels = [e.label for e in self._ops] + list(self._calls)
        self.symbols, self._symbol_of = symbols(labels)
        self._rows = Rows(len(self.symbols), sets_of(len(self.symbols)))
        self._tables: dict[int, np.ndarray] = {}  # of hashes and of numbers, by value: made once
        self._numbers: dict[int, np.ndarray] = {}
        self._fit()

    def _fit(self) -> None:
        reference = self._reference()
        parts, self.groups, at = [], {}, 0
        self._kept: dict[str, np.ndarray] = {}
        for name, raw in self.raw(reference).items():
            spread = raw.std(axis=0)
            kept = np.flatnonzero(spread > 1e-9)
            if not len(kept):
                continue
            self._kept[name] = kept
            self.groups[name] = slice(at, at + len(kept))
            at += len(kept)
            weight = MATTERS.get(name, 1.0) if self._ops else 1.0
            parts.append((raw[:, kept].mean(axis=0), spread[kept] * np.sqrt(len(kept) / weight)))
        self._apart: list[slice] = []
        decisions = self.space.decisions
        if not self._ops and "decisions" in self.groups and len(decisions) <= MOST_APART:
            first = self.groups["decisions"].start
            owners = np.repeat(np.arange(len(decisions)), column_widths(decisions))[self._kept["decisions"]]
            columns = [np.flatnonzero(owners == owner) + first for owner in np.unique(owners)]
            self._apart = [slice(int(c[0]), int(c[-1]) + 1) for c in columns]
        self.size = at
        self._centre = np.concatenate([c for c, _ in parts] or [np.zeros(0)])
        self._scale = np.concatenate([s for _, s in parts] or [np.zeros(0)])

    @property
    def weighed(self) -> list[slice]:
        """Columns that share a weight: groups; where no network tells what is alike, single decisions too."""
        if not self._apart:
            return list(self.groups.values())
        return [*self._apart, *(columns for name, columns in self.groups.items() if name != "decisions")]

    def _reference(self) -> np.ndarray:
        if count(self.space.decisions) <= 2000:
            return self.space.all_codes()
        return self.space.sample_codes(np.random.default_rng(0), 1000)

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """The features of many architectures. Shapes: (n, n_decisions) to (n, size), float32."""
        out = np.empty((len(codes), self.size), dtype=np.float32)
        for start in range(0, len(codes), CHUNK):
            rows = slice(start, start + CHUNK)
            raw = self.raw(codes[rows])
            for name, columns in self.groups.items():
                out[rows, columns] = raw[name][:, self._kept[name]]
        out -= self._centre.astype(np.float32)
        out /= self._scale.astype(np.float32)
        return out

    def raw(self, codes: np.ndarray) -> dict[str, np.ndarray]:
        """The groups as they are, before anything is scaled or left out. Shapes: (n, columns of the group)."""
        return _Walk(self, codes).groups()


class _Walk:
    """The features of one batch of architectures."""

    def __init__(self, features: Features, codes: np.ndarray):
        self.of = features
        self.codes = codes
        self.n = len(codes)
        self.hashes = _Batch(codes, features._tables)
        self.known: dict[int, Signal] = {}
        self.reached = self._reach()

    def groups(self) -> dict[str, np.ndarray]:
        f, n = self.of, self.n
        made = {"decisions": self._decisions()}
        weights = self._weights()
        operations = self._operations(weights)
        if not f._ops:
            return made | {"operations": operations}
        made["operations"], made["arguments"] = np.split(operations, [len(f.symbols)], axis=1)
        output = self.signal(f.space.expression)
        made["edges"] = self._edges(weights, output)
        made["paths"] = np.broadcast_to(f._rows.features(output), (f._rows.features(output).shape[0], n)).T
        return made

    # Which parts of the expression an architecture has.

    def _reach(self) -> dict[int, np.ndarray]:
        reached = {id(self.of.space.expression): np.ones(self.n, dtype=bool)}

        def reach(e: Expression, where: np.ndarray) -> None:
            if id(e) in self.of._open:
                before = reached.get(id(e))
                reached[id(e)] = where if before is None else before | where

        for e in reversed(self.of._order):
            here = reached.get(id(e))
            if here is None:
                continue
            if isinstance(e, Select):
                index = self._index(e)
                for i, option in enumerate(e.options):
                    reach(option, here & (index == i))
            elif isinstance(e, Op):
                here = reached[id(e)] = here & (self.hashes.evaluate(e) != 0)
                reach(e.label, here)
                reach(e.x, here)
            else:
                for part in parts_of(e):
                    reach(part, here)
        return reached

    def _index(self, e: Select) -> np.ndarray:
        return np.array([*e.table, -1])[self.codes[:, e.decision]]

    def _weights(self) -> np.ndarray:
        """1 where an operation is there, once for operations that compute the same. Shape: (n_ops, n)."""
        ops = self.of._ops
        if not ops:
            return np.zeros((0, self.n))
        nowhere = np.zeros(self.n, dtype=bool)
        there = np.stack([self.reached.get(id(e), nowhere) for e in ops])
        hashes = np.where(there, np.stack([np.broadcast_to(self.hashes.evaluate(e), self.n) for e in ops]), 0)
        order = np.argsort(hashes, axis=0, kind="stable")
        ranked = np.take_along_axis(hashes, order, axis=0)
        first = ranked != 0
        first[1:] &= ranked[1:] != ranked[:-1]
        weights = np.empty(there.shape)
        np.put_along_axis(weights, order, first, axis=0)
        return weights

    # The groups.

    def _decisions(self) -> np.ndarray:
        used = np.zeros((len(self.of.space.decisions), self.n), dtype=bool)
        for e in self.of._order:
            if isinstance(e, (Select, Value)) and id(e) in self.reached:
                used[e.decision] |= self.reached[id(e)]
        return _encode_used(self.of.space.decisions, self.codes, used.T)

    def _operations(self, weights: np.ndarray) -> np.ndarray:
        f = self.of
        columns: dict[str, Any] = dict.fromkeys(f.symbols, 0)
        calls = [self.reached.get(id(e), False) for e in f._calls]
        for label, weight in chain(
            zip((e.label for e in f._ops), weights, strict=True), zip(f._calls, calls, strict=True)
        ):
            for symbol, where in self._symbol(label):
                columns[f.symbols[symbol]] += weight * where
            for name, value in self._numbers(label, ""):
                columns[name] = columns.get(name, 0) + weight * value
        return np.stack([np.broadcast_to(c, self.n) for c in columns.values()] or [np.zeros(self.n)], axis=1)

    def _numbers(self, label: Any, name: str) -> Iterator[tuple[str, Any]]:
        """The numeric arguments in a label: what they are called, and their values."""
        if isinstance(label, Value):
            table = self.of._numbers.get(id(label))
            if table is None:
                table = np.array([*(_scaled(label.node.value(c)) for c in range(label.node.size)), 0.0])
                self.of._numbers[id(label)] = table
            yield name, table[self.codes[:, label.decision]]
        elif isinstance(label, Leaf):
            number = number_in(label.text)
            if number is not None and name:
                yield name, _scaled(number)
        elif isinstance(label, Select):
            index = self._index(label)
            for i, option in enumerate(label.options):
                for inner, value in self._numbers(option, name):
                    yield inner, np.where(index == i, value, 0.0)
        elif isinstance(label, Record):
            for part_name, part in zip(label.names, label.parts, strict=True):
                yield from self._numbers(part, f"{name}/{label.head.text}.{part_name}")

    def _symbol(self, label: Any) -> list[tuple[int, Any]]:
        """Which symbols a label may be, and where it is which."""
        possible = self.of._symbol_of[id(label)]
        if len(possible) == 1:
            return [(possible[0][1], True)]
        hashes = self.hashes.evaluate(label)
        found: dict[int, Any] = {}
        for value, symbol in possible:
            found[symbol] = found.get(symbol, False) | (hashes == np.uint64(value))
        return list(found.items())

    def _edges(self, weights: np.ndarray, output: Signal) -> np.ndarray:
        rows = len(self.of.symbols) + 1
        edges = np.zeros((rows, rows, self.n))  # [reader, read], the output being the last reader
        for e, weight in zip(self.of._ops, weights, strict=True):
            terms = self.signal(e.x).sums[self.of._rows.terms] * weight
            for symbol, where in self._symbol(e.label):
                edges[symbol] += terms * where
        edges[-1] += output.sums[self.of._rows.terms]
        return edges.reshape(rows * rows, self.n).T

    # The algebra: what becomes of signals.

    def signal(self, e: Any) -> Signal:
        found = self.known.get(id(e))
        if found is None:
            found = self.known[id(e)] = self._signal(e)
        return found

    def _signal(self, e: Any) -> Signal:
        rows = self.of._rows
        if isinstance(e, Input):
            return rows.input()
        if isinstance(e, Op):
            x = self.signal(e.x)
            return added(
                [
                    limited(where & x.alive if e.zero else where, rows.applied(symbol, x))
                    for symbol, where in self._symbol(e.label)
                ],
                rows,
            )
        if isinstance(e, Select):
            index = self._index(e)
            return added([limited(index == i, self.signal(o)) for i, o in enumerate(e.options) if i in e.table], rows)
        if isinstance(e, (Sum, Concat)) or (isinstance(e, Record) and not e.head.text):
            return added([self.signal(x) for x in parts_of(e)], rows)
        return rows.nothing()


def _scaled(value: float) -> float:
    """Numbers on a scale where doubling a large one is a step, as widths and depths are chosen."""
    return float(np.sign(value) * np.log1p(abs(value)))


def column_widths(decisions: Sequence[Decision]) -> list[int]:
    """How many columns `encode` has for each decision."""
    return [
        (1 if d.ordered else len(d.node.options) if isinstance(d.node, Subset) else d.size) + bool(d.conditions)
        for d in decisions
    ]


def _encode_used(decisions: Sequence[Decision], codes: np.ndarray, used: np.ndarray) -> np.ndarray:
    """`encode`, with a decision that has no effect shown as neither value."""
    columns = encode(decisions, codes)
    widths = column_widths(decisions)
    neutral = np.repeat([0.5 if d.ordered else 0.0 for d in decisions], widths).astype(np.float32)
    return np.where(np.repeat(used, widths, axis=1), columns, neutral) if len(decisions) else columns
