"""Canonical keys: a 64-bit hash of the function that an architecture computes, for whole batches at once.

A signal's hash is additive: that of a sum is the sum (modulo 2^64) of its terms' hashes, so terms commute,
nested sums flatten, no signal is 0 and a lone term is itself. An operation mixes its label's hash with its
input's. Identities leave no trace, since their rules return their input; what nothing reads is never
reached. Two architectures share a key exactly when these rules make them equal, but for a chance of about
n^2 / 2^65 that any two of n architectures collide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from archwright.space.trace import Concat, Expression, Input, Leaf, Op, Record, Select, Sum, Value, digest

__all__ = ["batch_keys", "key"]

MASK = 2**64 - 1
INPUT = digest("input")
CHUNK = 16_384  # rows hashed at once: arrays that stay in the processor's cache

# Multipliers of splitmix64 (Steele, Lea & Flood, Fast splittable pseudorandom number generators, 2014).
M1, M2, GOLDEN = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0x9E3779B97F4A7C15


def _mix(h: int) -> int:
    h = ((h ^ (h >> 30)) * M1) & MASK
    h = ((h ^ (h >> 27)) * M2) & MASK
    return h ^ (h >> 31)


def _combine(a: int, b: int) -> int:
    return _mix((a * GOLDEN + b) & MASK)


def key(expression: Expression, codes: Sequence[int]) -> int:
    """The key of one architecture: as `batch_keys`, but only what its decisions lead to is looked at."""
    known: dict[int, int] = {}

    def evaluate(e: Any) -> int:
        kind = type(e)
        if kind is Leaf:
            return e.hash
        found = known.get(id(e))
        if found is not None:
            return found
        if kind is Select:
            h = evaluate(e.options[e.table[codes[e.decision]]])
        elif kind is Record:
            h = e.head.hash
            for part in e.parts:
                h = _combine(h, evaluate(part))
        elif kind is Op:
            x = evaluate(e.x)
            h = 0 if e.zero and x == 0 else _combine(evaluate(e.label), x)
        elif kind is Sum:
            h = 0
            for x in e.xs:
                h = (h + evaluate(x)) & MASK
        elif kind is Concat:
            h = 0
            for x in e.xs:
                term = evaluate(x)
                h = term if h == 0 else h if term == 0 else _combine(h, term)
        elif kind is Value:
            h = digest(repr(float(e.node.value(codes[e.decision]))))
        else:
            h = INPUT
        known[id(e)] = h
        return h

    return evaluate(expression)


def batch_keys(expression: Expression, codes: np.ndarray) -> np.ndarray:
    """The keys of many architectures.

    Shapes: `codes` is (n, n_decisions), -1 where not live; the result is (n,), uint64.
    """
    keys = np.empty(len(codes), dtype=np.uint64)
    tables: dict[int, np.ndarray] = {}
    for start in range(0, len(codes), CHUNK):
        rows = codes[start : start + CHUNK]
        keys[start : start + CHUNK] = _Batch(rows, tables).evaluate(expression)
    return keys


class _Batch:
    """Evaluates an expression on every row at once. A result is an array, or a number where all rows agree."""

    def __init__(self, codes: np.ndarray, tables: dict[int, np.ndarray]):
        self.codes = codes
        self.tables = tables  # id of an expression -> its look-up table, kept between chunks
        self.known: dict[int, Any] = {}

    def evaluate(self, e: Any) -> Any:
        if type(e) is Leaf:
            return np.uint64(e.hash)
        found = self.known.get(id(e))
        if found is None:
            with np.errstate(over="ignore"):
                found = self.known[id(e)] = getattr(self, f"_{type(e).__name__.lower()}")(e)
        return found

    def _input(self, e: Input) -> Any:
        return np.uint64(INPUT)

    def _value(self, e: Value) -> Any:
        if e.node.size > len(self.codes):  # fewer rows than values: a table of all would cost more than it saves
            codes, which = np.unique(self.codes[:, e.decision], return_inverse=True)
            return np.array([digest(repr(float(e.node.value(c)))) if c >= 0 else 0 for c in codes.tolist()], np.uint64)[
                which
            ]
        if id(e) not in self.tables:
            hashes = [digest(repr(float(e.node.value(c)))) for c in range(e.node.size)]
            self.tables[id(e)] = np.array([*hashes, 0], dtype=np.uint64)  # the last serves code -1
        return self.tables[id(e)][self.codes[:, e.decision]]

    def _select(self, e: Select) -> Any:
        options = [self.evaluate(o) for o in e.options]
        code = self.codes[:, e.decision]
        if all(np.ndim(o) == 0 for o in options):
            return np.array([*(options[i] for i in e.table), 0], dtype=np.uint64)[code]
        index = np.array([*e.table, 0])[code]
        if len(options) == 2:
            return np.where(index == 1, options[1], options[0])
        return np.choose(index, options) if len(options) <= 32 else self._choose_many(index, options)

    def _choose_many(self, index: np.ndarray, options: list[Any]) -> np.ndarray:
        chosen = np.zeros(len(index), dtype=np.uint64)
        for i, option in enumerate(options):
            chosen = np.where(index == i, option, chosen)
        return chosen

    def _record(self, e: Record) -> Any:
        h: Any = np.uint64(e.head.hash)
        for part in e.parts:
            h = _combine_arrays(h, self.evaluate(part))
        return h

    def _op(self, e: Op) -> Any:
        x = self.evaluate(e.x)
        h = _combine_arrays(self.evaluate(e.label), x)
        return np.where(x == 0, np.uint64(0), h) if e.zero else h

    def _sum(self, e: Sum) -> Any:
        h: Any = np.uint64(0)
        for x in e.xs:
            h = h + self.evaluate(x)
        return h

    def _concat(self, e: Concat) -> Any:
        h: Any = np.uint64(0)
        for x in e.xs:
            term = self.evaluate(x)
            h = np.where(h == 0, term, np.where(term == 0, h, _combine_arrays(h, term)))
        return h


def _combine_arrays(a: Any, b: Any) -> Any:
    h = a * np.uint64(GOLDEN) + b
    if np.ndim(h) == 0:
        return np.uint64(_mix(int(h)))
    h ^= h >> np.uint64(30)
    h *= np.uint64(M1)
    h ^= h >> np.uint64(27)
    h *= np.uint64(M2)
    h ^= h >> np.uint64(31)
    return h
