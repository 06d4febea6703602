"""New codes from old: sampling, mutation, crossover, neighbours. All on code arrays, parents before children."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from archwright.errors import SpaceError, did_you_mean
from archwright.space.counting import live
from archwright.space.layout import Decision

__all__ = ["Crossover", "crossover", "is_live", "mutate", "neighbours", "sample", "sample_one"]

Crossover = Literal["one-point", "multi-point", "uniform"]

REAL_STEP = 0.1  # a mutation moves a real by a normal step of this share of its range


def is_live(d: Decision, codes: Sequence[int]) -> bool:
    """Whether a decision is live in one architecture whose earlier decisions are taken."""
    return not d.conditions or any(codes[parent] in allowed for parent, allowed in d.conditions)


def sample(decisions: Sequence[Decision], rng: np.random.Generator, n: int) -> np.ndarray:
    """Draw n architectures, each live decision uniform over its codes. Shape: (n, n_decisions), int32."""
    codes = np.empty((n, len(decisions)), dtype=np.int32, order="F")
    for i, d in enumerate(decisions):
        codes[:, i] = rng.integers(d.size, size=n, dtype=np.int32)
        if d.conditions:
            codes[:, i][~live(d, codes)] = -1
    return codes


def sample_one(decisions: Sequence[Decision], rng: np.random.Generator) -> list[int]:
    """One architecture, drawn as `sample` does, without the price of arrays."""
    drawn = rng.random(len(decisions)).tolist()
    codes: list[int] = []
    for d, u in zip(decisions, drawn, strict=True):
        codes.append(int(u * d.size) if is_live(d, codes) else -1)
    return codes


def mutate(decisions: Sequence[Decision], codes: Sequence[int], rng: np.random.Generator) -> list[int]:
    """Change one live decision, drawn uniformly; what it switches on is drawn anew.

    A real moves by a normal step; anything else takes another value, each equally likely.
    """
    open_places = [i for i, d in enumerate(decisions) if codes[i] >= 0 and d.size > 1]
    if not open_places:
        raise SpaceError("this architecture has no decision to mutate: its space holds it alone")
    i = open_places[rng.integers(len(open_places))]
    d = decisions[i]
    if d.kind == "real":
        step = max(1, round(abs(rng.normal()) * REAL_STEP * d.size)) * (1 if rng.random() < 0.5 else -1)
        new = min(d.size - 1, max(0, codes[i] + step))
        new = new if new != codes[i] else codes[i] - step if 0 <= codes[i] - step < d.size else codes[i] ^ 1
    else:
        new = int(rng.integers(d.size - 1))
        new += new >= codes[i]
    return _changed(decisions, codes, i, new, rng)


def crossover(
    decisions: Sequence[Decision], a: Sequence[int], b: Sequence[int], rng: np.random.Generator, kind: Crossover
) -> list[int]:
    """A child that takes each decision from one of two parents.

    Where the parent chosen does not have a decision, the other's is taken; where neither has, it is drawn.
    """
    n = len(decisions)
    if kind == "uniform":
        from_a = rng.random(n) < 0.5
    elif kind in ("one-point", "multi-point"):
        points = 1 if kind == "one-point" else min(n, 3)
        cuts = rng.integers(0, n + 1, size=points)
        from_a = (np.arange(n)[:, None] >= cuts[None, :]).sum(axis=1) % 2 == rng.integers(2)
    else:
        raise SpaceError(f"no crossover called {kind!r}. {did_you_mean(kind, ['one-point', 'multi-point', 'uniform'])}")
    codes: list[int] = []
    for i, d in enumerate(decisions):
        if not is_live(d, codes):
            codes.append(-1)
            continue
        first, second = (a[i], b[i]) if from_a[i] else (b[i], a[i])
        codes.append(int(first if first >= 0 else second if second >= 0 else rng.integers(d.size)))
    return codes


def neighbours(decisions: Sequence[Decision], codes: Sequence[int], seed: int) -> Iterator[list[int]]:
    """Every architecture that differs in exactly one live decision.

    A real has four: one and ten hundredths of its range up and down. What a change switches on is drawn by a
    generator that depends on `seed` and the change alone, so that the neighbours of an architecture are fixed.
    """
    for i, d in enumerate(decisions):
        if codes[i] < 0:
            continue
        others: list[int] | range = range(d.size)
        if d.kind == "real":
            others = [codes[i] + round(share * d.size) for share in (-0.1, -0.01, 0.01, 0.1)]
        for new in others:
            if new == codes[i] or not 0 <= new < d.size:
                continue
            drawn = np.random.default_rng([seed, i, new])
            yield _changed(decisions, codes, i, new, drawn)


def _changed(
    decisions: Sequence[Decision], codes: Sequence[int], i: int, new: int, rng: np.random.Generator
) -> list[int]:
    """Codes with decision i set anew, what that switches off removed, and what it switches on drawn."""
    changed = list(codes)
    changed[i] = new
    for j in range(i + 1, len(decisions)):
        d = decisions[j]
        if not d.conditions:
            continue
        if not is_live(d, changed):
            changed[j] = -1
        elif changed[j] < 0:
            changed[j] = int(rng.integers(d.size))
    return changed
