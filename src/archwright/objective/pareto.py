"""Pareto dominance over plain arrays: sorting into fronts, crowding, hypervolume, the knee.

Points are rows of an array of shape (n_points, n_goals); in every column **smaller is better**.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from archwright.errors import ObjectiveError

__all__ = ["crowding_distance", "hypervolume", "knee", "non_dominated_sort"]

Points = NDArray[np.float64]


def non_dominated_sort(points: ArrayLike) -> NDArray[np.int64]:
    """The front of each point, shape (n_points,): 0 is the Pareto front, 1 the front of what is left, ...

    Equal points share a front. Two goals: each point in lexicographic order goes to the first front whose
    lowest point is above it, O(n log n) (Jensen, *Reducing the Run-Time Complexity of Multiobjective EAs*, IEEE
    TEVC 7(5), 2003). More: efficient non-dominated sort with binary search, ENS-BS (Zhang et al., *An
    Efficient Approach to Nondominated Sorting*, IEEE TEVC 19(2), 2015).

    >>> non_dominated_sort([[0, 1], [1, 0], [1, 1], [1, 1], [2, 2]]).tolist()
    [0, 0, 1, 1, 2]
    """
    array = _points(points)
    if not len(array):
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort(array.T[::-1])  # by the first goal, then the second, ...
    ordered = array[order]
    new = np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)])
    which = np.cumsum(new) - 1  # equal points are one point here
    distinct = ordered[new]
    if distinct.shape[1] == 1:
        ranks = np.arange(len(distinct))
    elif distinct.shape[1] == 2:
        ranks = _sort_two(distinct[:, 1].tolist())
    else:
        ranks = _sort_many(distinct)
    result = np.empty(len(array), dtype=np.int64)
    result[order] = ranks[which]
    return result


def _sort_two(second: Sequence[float]) -> NDArray[np.int64]:
    """Fronts of distinct points in lexicographic order, from their second goal alone."""
    lowest: list[float] = []  # of each front; never falls from front to front
    ranks = np.empty(len(second), dtype=np.int64)
    for i, value in enumerate(second):
        front = bisect_right(lowest, value)
        lowest[front : front + 1] = [value]
        ranks[i] = front
    return ranks


def _sort_many(points: Points) -> NDArray[np.int64]:
    """Fronts of distinct points in lexicographic order; a point is never dominated by a later one."""
    fronts: list[Points] = []
    sizes: list[int] = []
    ranks = np.empty(len(points), dtype=np.int64)
    for i, point in enumerate(points):
        lo, hi = 0, len(fronts)
        while lo < hi:  # what front k dominates, all before it dominate too
            middle = (lo + hi) // 2
            if (fronts[middle][: sizes[middle]] <= point).all(axis=1).any():
                lo = middle + 1
            else:
                hi = middle
        if lo == len(fronts):
            fronts.append(np.empty((8, points.shape[1])))
            sizes.append(0)
        elif sizes[lo] == len(fronts[lo]):
            fronts[lo] = np.concatenate([fronts[lo], np.empty_like(fronts[lo])])
        fronts[lo][sizes[lo]] = point
        sizes[lo] += 1
        ranks[i] = lo
    return ranks


def crowding_distance(points: ArrayLike) -> Points:
    """How far each point of one front lies from its neighbours, shape (n_points,); larger is lonelier.

    The sum over goals of the distance between the two neighbours, as a share of the goal's range; the ends
    of each goal get infinity. Section III-B of Deb et al., *A Fast and Elitist Multiobjective Genetic
    Algorithm: NSGA-II*, IEEE TEVC 6(2), 2002. A goal in which all points are equal tells nothing and adds nothing.

    >>> crowding_distance([[0, 4], [1, 2], [2, 1], [4, 0]]).tolist()
    [inf, 1.25, 1.25, inf]
    """
    array = _points(points)
    if len(array) <= 2:
        return np.full(len(array), np.inf)
    distance = np.zeros(len(array))
    for column in array.T:
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        span = ordered[-1] - ordered[0]
        if span > 0:
            distance[order[1:-1]] += (ordered[2:] - ordered[:-2]) / span
            distance[order[[0, -1]]] = np.inf
    return distance


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """The volume that the points dominate within `reference`, exact; larger is better.

    A point that is not better than the reference in every goal adds nothing. Two goals by one sweep; more by
    the recursion of While, Bradstreet and Barone, *A Fast Way of Calculating Exact Hypervolumes* (WFG), IEEE TEVC
    16(1), 2012, with one goal sliced off at each level. Fit for up to five goals and some hundred points.

    Args:
        points: Shape (n_points, n_goals).
        reference: Shape (n_goals,): a point that every interesting point beats.

    >>> hypervolume([[1, 2], [2, 1]], [3, 3])
    3.0
    """
    corner = np.asarray(reference, dtype=float).reshape(-1)
    array = _points(points, len(corner))
    if not np.isfinite(corner).all():
        raise ObjectiveError(f"the reference of a hypervolume must be finite, got {corner.tolist()}")
    inside = array[(array < corner).all(axis=1)]
    return _volume(_minimal(inside), corner) if len(inside) else 0.0


def _volume(points: Points, corner: Points) -> float:
    """Volume of the union of the boxes from each point to the corner."""
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(corner[0] - points.min())
    if points.shape[1] == 2:
        ordered = points[np.argsort(points[:, 0])]
        widths = np.diff(ordered[:, 0], append=corner[0])
        heights = corner[1] - np.minimum.accumulate(ordered[:, 1])
        return float(widths @ heights)
    # Worst last goal first: what a later point covers of this one's box then spans the box's whole depth.
    ordered = points[np.argsort(-points[:, -1], kind="stable")]
    sides = corner - ordered
    total = 0.0
    for i, side in enumerate(sides):
        covered = np.maximum(ordered[i + 1 :, :-1], ordered[i, :-1])
        if points.shape[1] > 3:  # the sweep of two goals needs no such help
            covered = _minimal(covered)
        total += side[-1] * (side[:-1].prod() - _volume(covered, corner[:-1]))
    return float(total)


def _minimal(points: Points) -> Points:
    """The distinct points that no other dominates."""
    return np.unique(points[non_dominated_sort(points) == 0], axis=0) if len(points) > 1 else points


def knee(points: ArrayLike) -> int:
    """The row of the knee of a Pareto front: the point that bulges most from the plane through the extremes.

    Goals are scaled to 0..1 over the front; an extreme is the best point of a goal; distance counts towards
    the ideal point. Das, *On characterizing the "knee" of the Pareto curve based on Normal-Boundary Intersection*,
    Structural Optimization 18, 1999. Where nothing bulges (a straight or hollow front) it is the
    point whose worst scaled goal is best. Dominated points are never the knee.

    >>> knee([[0, 10], [1, 1], [10, 0], [9, 9]])
    1
    """
    array = _points(points)
    if not len(array):
        raise ObjectiveError("an empty front has no knee: give at least one point")
    front = np.flatnonzero(non_dominated_sort(array) == 0)
    scaled = array[front] - array[front].min(axis=0)
    span = scaled.max(axis=0)
    scaled = scaled[:, span > 0] / span[span > 0]
    if not scaled.shape[1]:
        return int(front[0])
    extremes = scaled[[np.lexsort([scaled.sum(axis=1), column])[0] for column in scaled.T]]
    n_goals = scaled.shape[1]
    # The plane w @ x = 1 through the extremes; when they do not span one with w > 0, the plane through the unit points.
    try:
        weights = np.linalg.solve(extremes, np.ones(n_goals))
    except np.linalg.LinAlgError:
        weights = np.ones(n_goals)
    if not (np.isfinite(weights).all() and (weights > 0).all()):
        weights = np.ones(n_goals)
    distance = (1 - scaled @ weights) / np.linalg.norm(weights)
    if distance.max() > 1e-9:
        return int(front[np.argmax(distance)])
    return int(front[np.argmin(scaled.max(axis=1))])


def _points(points: Any, n_goals: int | None = None) -> Points:
    """Points as a finite-or-infinite float array (n_points, n_goals)."""
    array = np.asarray(points, dtype=float)
    if not array.size:
        return np.zeros((0, n_goals or 1))
    if array.ndim != 2 or (n_goals is not None and array.shape[1] != n_goals):
        wanted = f"(n_points, {n_goals or 'n_goals'})"
        raise ObjectiveError(f"points must have shape {wanted}, got {array.shape}")
    if np.isnan(array).any():
        raise ObjectiveError("points must be numbers, got NaN: leave failed trials out")
    return array
