"""How the options of each decision fared in a run, and which decisions went with better scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from archwright.report.record import RunRecord, value
from archwright.report.wording import setting

__all__ = ["Fared", "Option", "fared"]

MOST_OPTIONS, MOST_FLOATS = 12, 5
"""A numeric decision with more values than this (of real numbers: fewer) is drawn as a scatter and weighed in bins."""


@dataclass(frozen=True)
class Option:
    """One option of a decision over the measured trials: how often it was tried, and its median and best value."""

    label: str
    count: int
    median: float
    best: float


@dataclass(frozen=True)
class Fared:
    """One decision over the measured trials.

    Args:
        name: The decision.
        importance: 0..1: the share of the variance of the score's rank that the options explain, less what chance
            alone would (epsilon squared), times the share of trials in which the decision was live. It is
            association within the trials that a search happened to make, not an effect.
        continuous: Whether it has so many numeric values that it is drawn as a scatter (`options` is then empty).
        logarithmic: Whether its values span so much that they are drawn on a logarithmic axis.
        options: Ordered by value where they are numbers, else best median first.
        points: (value, first goal's value, trial number) of each trial in which it was live.
    """

    name: str
    importance: float
    continuous: bool
    logarithmic: bool
    options: tuple[Option, ...]
    points: tuple[tuple[object, float, int], ...]


def fared(record: RunRecord) -> tuple[Fared, ...]:
    """Every decision that took two values or more among the measured trials, most important first."""
    goal = record.goal
    down = goal.direction == "minimize"
    values = [(t, value(t, goal.metric)) for t in record.done]
    known = [(t, v) for t, v in values if v is not None]
    columns: dict[str, list[tuple[object, float, int]]] = {}
    for trial, found in known:
        for name, chosen in trial.architecture.items():
            columns.setdefault(name, []).append((chosen, found, trial.number))
    made = []
    for name, points in columns.items():
        distinct = {p[0] for p in points}
        if len(distinct) < 2:
            continue
        numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in distinct)
        most = MOST_FLOATS if any(isinstance(v, float) for v in distinct) else MOST_OPTIONS
        continuous = numeric and len(distinct) > most
        scores = np.array([p[1] for p in points])
        groups = _bins([p[0] for p in points]) if continuous else _codes([p[0] for p in points])
        importance = explained(groups, scores) * len(points) / len(known)
        numbers = [float(v) for v in distinct if isinstance(v, (int, float))] if numeric else []
        made.append(
            Fared(
                name=name,
                importance=importance,
                continuous=continuous,
                logarithmic=numeric and min(numbers) > 0 and max(numbers) / min(numbers) > 50,
                options=() if continuous else _options(points, numeric, down),
                points=tuple(points),
            )
        )
    return tuple(sorted(made, key=lambda f: -f.importance))


def explained(groups: np.ndarray, scores: np.ndarray) -> float:
    """Epsilon squared of the scores' ranks by group: 0 where chance explains as much, 1 where the group decides.

    Kelley, *An unbiased correlation ratio measure*, PNAS 1935, on ranks as in the Kruskal-Wallis test.

    >>> explained(np.array([0, 0, 1, 1]), np.array([1.0, 2.0, 8.0, 9.0])).round(2)
    np.float64(0.7)
    """
    n, k = len(scores), len(np.unique(groups))
    if n <= k or k < 2:
        return 0.0
    ranks = _ranks(scores)
    total = ((ranks - ranks.mean()) ** 2).sum()
    if total == 0:
        return 0.0
    counts = np.bincount(groups)
    means = np.bincount(groups, ranks) / np.maximum(counts, 1)
    within = ((ranks - means[groups]) ** 2).sum()
    return max(0.0, 1 - (n - 1) / (n - k) * within / total)


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Ranks with ties shared."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]


def _codes(values: Sequence[object]) -> np.ndarray:
    codes: dict[object, int] = {}
    return np.array([codes.setdefault(v, len(codes)) for v in values])


def _bins(values: Sequence[object]) -> np.ndarray:
    """Five bins of about equally many trials."""
    ranks = _ranks(np.array(values, dtype=float))
    return np.unique(((ranks - 1) * 5 // len(ranks)).astype(int), return_inverse=True)[1]


def _options(points: Sequence[tuple[object, float, int]], numeric: bool, down: bool) -> tuple[Option, ...]:
    by: dict[object, list[float]] = {}
    for chosen, found, _ in points:
        by.setdefault(chosen, []).append(found)
    pick = min if down else max
    made = [(v, Option(setting(v), len(s), float(np.median(s)), pick(s))) for v, s in by.items()]
    if numeric:
        made.sort(key=lambda pair: float(pair[0]))  # type: ignore[arg-type]
    else:
        made.sort(key=lambda pair: pair[1].median if down else -pair[1].median)
    return tuple(option for _, option in made)
