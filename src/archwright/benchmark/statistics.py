"""The statistics of comparisons: intervals by bootstrap, ranks, and the tests of Demšar's paper.

Demšar, *Statistical Comparisons of Classifiers over Multiple Data Sets*, JMLR 7, 2006
(https://www.jmlr.org/papers/v7/demsar06a.html). Everywhere smaller losses are better.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Friedman",
    "Paired",
    "bootstrap",
    "cliques",
    "critical_difference",
    "friedman",
    "holm",
    "paired",
    "quantile",
    "ranks",
]

Floats = NDArray[np.float64]


def bootstrap(
    values: ArrayLike,
    statistic: Callable[..., Any] = np.mean,
    *,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[Floats, Floats, Floats]:
    """A statistic over the runs and its percentile interval (Efron & Tibshirani, 1993, chapter 13), point by point.

    Args:
        values: A row a run. Shape: (n_runs, n_points).
        statistic: Of the first axis: `numpy.mean` or `numpy.median`.
        level: Of the interval.
        resamples: Of the runs, with replacement; the same ones for all points.
        seed: Of the resamples.

    Returns:
        The statistic, the lower and the upper end. Shape of each: (n_points,).
    """
    array = np.asarray(values, dtype=float)
    drawn = np.random.default_rng(seed).integers(len(array), size=(resamples, len(array)))
    centre, low, high = (np.empty(array.shape[1]) for _ in range(3))
    tail = 50 * (1 - level)
    for start in range(0, array.shape[1], 64):  # in slices: (resamples, n_runs, n_points) would not fit for long ones
        part = array[:, start : start + 64]
        found = statistic(part[drawn], axis=1)
        centre[start : start + 64] = statistic(part, axis=0)
        low[start : start + 64], high[start : start + 64] = np.percentile(found, [tail, 100 - tail], axis=0)
    return centre, low, high


def quantile(values: Sequence[float], share: float) -> float:
    """A quantile, linearly between neighbours, of numbers some of which are infinite: what was never reached.

    >>> quantile([3, 1, 2], 0.5), quantile([1, 2, math.inf, math.inf], 0.5)
    (2.0, inf)
    """
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low, part = int(place), place - int(place)
    if part == 0 or ordered[low] == ordered[low + 1]:
        return float(ordered[low])
    return float(ordered[low] + part * (ordered[low + 1] - ordered[low]))


def ranks(losses: ArrayLike) -> Floats:
    """The rank of each column within its row, 1 is best, ties share their mean. Shape: (n_blocks, n_strategies).

    >>> ranks([[0.1, 0.3, 0.1]]).tolist()
    [[1.5, 3.0, 1.5]]
    """
    from scipy.stats import rankdata

    return np.asarray(rankdata(np.asarray(losses, dtype=float), axis=1))


@dataclass(frozen=True)
class Friedman:
    """Whether any of k strategies differ at all, from their ranks in n blocks.

    Args:
        mean_ranks: Of each strategy.
        blocks: n.
        chi2: Friedman's statistic, corrected for ties.
        f: That of Iman and Davenport, distributed as F with k - 1 and (k - 1)(n - 1) degrees of freedom.
        p: Of `f`.
    """

    mean_ranks: tuple[float, ...]
    blocks: int
    chi2: float
    f: float
    p: float


def friedman(losses: ArrayLike) -> Friedman:
    """Friedman's test in the form of Iman and Davenport (section 3.2.2 of the paper).

    Args:
        losses: Shape: (n_blocks, n_strategies).
    """
    from scipy.stats import f as f_distribution

    array = np.asarray(losses, dtype=float)
    n, k = array.shape
    if k < 2:
        return Friedman((1.0,) * k, n, 0.0, 0.0, 1.0)
    ranked = ranks(array)
    mean = ranked.mean(axis=0)
    spread = float(((ranked - (k + 1) / 2) ** 2).sum()) / (n * (k - 1))  # k(k+1)/12 where there are no ties
    chi2 = float(n * ((mean - (k + 1) / 2) ** 2).sum() / spread) if spread > 0 else 0.0
    left = n * (k - 1) - chi2
    f = math.inf if left <= 1e-12 else (n - 1) * chi2 / left
    p = float(f_distribution.sf(f, k - 1, (k - 1) * (n - 1))) if n > 1 else 1.0
    return Friedman(tuple(mean.tolist()), n, chi2, f, p)


def critical_difference(strategies: int, blocks: int, alpha: float = 0.05) -> float:
    """By how much mean ranks must differ (Nemenyi's test, equation in section 3.2.2 of the paper).

    >>> round(critical_difference(4, 14), 2)
    1.25
    """
    from scipy.stats import studentized_range

    if strategies < 2:
        return 0.0
    q = float(studentized_range.ppf(1 - alpha, strategies, np.inf)) / math.sqrt(2)
    return q * math.sqrt(strategies * (strategies + 1) / (6 * blocks))


def cliques(mean_ranks: Sequence[float], difference: float) -> list[tuple[int, ...]]:
    """The largest groups, as positions from the best, within which no two mean ranks differ by `difference`.

    >>> cliques([1.0, 3.0, 1.5, 3.2], 1.0)
    [(0, 2), (1, 3)]
    """
    order = sorted(range(len(mean_ranks)), key=lambda i: mean_ranks[i])
    found: list[tuple[int, ...]] = []
    reached = -1
    for start, first in enumerate(order):
        end = start
        while end + 1 < len(order) and mean_ranks[order[end + 1]] - mean_ranks[first] < difference:
            end += 1
        if end > start and end > reached:
            found.append(tuple(order[start : end + 1]))
            reached = end
    return found


@dataclass(frozen=True)
class Paired:
    """Two strategies on the same blocks.

    Args:
        wins: Blocks in which the first has the smaller loss.
        ties: Equal ones.
        losses: Blocks in which it has the larger one.
        difference: The median of first minus second.
        p: Of Wilcoxon's signed-rank test, two-sided.
    """

    wins: int
    ties: int
    losses: int
    difference: float
    p: float


def paired(first: ArrayLike, second: ArrayLike) -> Paired:
    """Wilcoxon's signed-rank test; ranks of equal pairs are split evenly among the signs (section 3.1.3)."""
    from scipy.stats import wilcoxon

    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    with np.errstate(invalid="ignore"):
        difference = np.where(a == b, 0.0, a - b)  # both infinite: equal
    p = 1.0
    if np.any(difference != 0):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that few pairs, or ties, make p approximate
            p = float(wilcoxon(difference, zero_method="zsplit").pvalue)
    return Paired(
        int((difference < 0).sum()),
        int((difference == 0).sum()),
        int((difference > 0).sum()),
        float(np.median(difference)),
        1.0 if math.isnan(p) else p,
    )


def holm(p: Sequence[float]) -> list[float]:
    """p-values of a family of tests, corrected by Holm's step-down procedure (1979); compare them with alpha itself.

    >>> [round(v, 3) for v in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p)), key=lambda i: p[i])
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = highest
    return adjusted
