"""A Gaussian process on grouped features: its kernel, hyperparameters, and a posterior that grows trial by trial."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Belief", "Hyperparameters", "fit", "gaussianised", "kernel"]

Array = NDArray[np.float64]

JITTER = 1e-6
SQRT5 = 5.0**0.5

# Logarithms of the hyperparameters are normal beforehand: (mean, standard deviation). Features have a mean squared
# distance of 2 in each group, so the length scale is some random distances long until trials say otherwise.
WEIGHT, LINEAR, NOISE = (-2.0, 1.0), (float(np.log(0.3)), 1.0), (float(np.log(0.1)), 1.0)


@dataclass(frozen=True)
class Hyperparameters:
    """What marginal likelihood decides.

    Args:
        weights: One a column of features: that of its group. A group's length scale is ``weight ** -0.5``.
        linear: The variance of a linear trend, as a share of the rest's.
        noise: The variance of noise, as a share of the rest's.
    """

    weights: Array
    linear: float
    noise: float

    @property
    def trend(self) -> float:
        """The variance of the trend for one unit of squared, weighted features."""
        return self.linear / float(self.weights.sum())

    def scaled(self, x: Array) -> Array:
        """Features times the square roots of their weights: squared distances of these are what the kernel sees."""
        return x * np.sqrt(self.weights)


def gaussianised(values: Sequence[float] | Array) -> Array:
    """Normal scores by rank: a few disasters no longer stretch the scale, and only the order matters.

    >>> gaussianised([3.0, 1.0, 100.0]).round(2).tolist()
    [0.0, -0.97, 0.97]
    """
    from scipy.special import ndtri  # here and below: it takes long to import, and strategies are listed without use

    _, which, ties = np.unique(np.asarray(values, dtype=float), return_inverse=True, return_counts=True)
    ranks = np.cumsum(ties) - (ties + 1) / 2  # from 0; equal values share the mean of theirs
    return ndtri((ranks[which] + 0.5) / max(1, len(which)))


def kernel(a: Array, b: Array, h: Hyperparameters) -> Array:
    """``matern52(r) + linear * a.b`` of weighted features: smooth differences on a linear trend.

    Shapes: `a` is (n, size), `b` is (m, size), the result (n, m).
    """
    return _kernel(h.scaled(a), h.scaled(b), h)


def _kernel(a: Array, b: Array, h: Hyperparameters, squares: Array | None = None) -> Array:
    """`kernel` of features that are scaled already; those of many candidates come with their `squares`."""
    products = a @ b.T
    square = -2 * products
    square += _squares(a)[:, None]
    square += _squares(b) if squares is None else squares
    return _matern(square)[0] + h.trend * products


def _squares(a: Array) -> Array:
    """The squared length of each row."""
    return np.asarray(np.einsum("ij,ij->i", a, a))


def _matern(square: Array) -> tuple[Array, Array]:
    """The Matérn 5/2 covariance at a squared distance, and its derivative by that."""
    r = SQRT5 * np.sqrt(np.maximum(square, 0))
    decay = np.exp(-r)
    return (1 + r + r * r / 3) * decay, -5 / 6 * (1 + r) * decay


def fit(x: Array, y: Array, groups: Sequence[slice], *, steps: int = 40) -> Hyperparameters:
    """The most probable hyperparameters: marginal likelihood times their prior, by gradient.

    The amplitude is integrated out (under an inverse-gamma prior worth two observations of variance 1).

    Args:
        x: Features, shape (n, size).
        y: Targets, shape (n,).
        groups: The columns of each group: one weight each.
        steps: At most so many steps of L-BFGS.
    """
    from scipy.linalg import solve_triangular
    from scipy.optimize import minimize

    n = len(y)
    products = [x[:, g] @ x[:, g].T for g in groups]
    squares = [np.diag(p)[:, None] + np.diag(p)[None, :] - 2 * p for p in products]
    mean, deviation = np.array([*[WEIGHT] * len(groups), LINEAR, NOISE]).T

    def loss(log: Array) -> tuple[float, Array]:
        weights, linear, noise = np.exp(log[:-2]), np.exp(log[-2]), np.exp(log[-1])
        matern, slope = _matern(sum(w * s for w, s in zip(weights, squares, strict=True)))
        total = weights.sum()
        trend = linear / total * sum(w * p for w, p in zip(weights, products, strict=True))
        covariance = matern + trend + (noise + JITTER) * np.eye(n)
        lower = np.linalg.cholesky(covariance)
        inverse = solve_triangular(lower, np.eye(n), lower=True, check_finite=False)
        inverse = inverse.T @ inverse
        alpha = inverse @ y
        quadratic = y @ alpha + 2
        prior = (log - mean) / deviation
        value = 0.5 * (n + 2) * np.log(quadratic) + np.log(np.diag(lower)).sum() + 0.5 * prior @ prior
        outer = 0.5 * (inverse - np.outer(alpha, alpha) * (n + 2) / quadratic)
        by_trend = (outer * trend).sum()
        sloped = outer * slope
        by_weight = [
            w * ((sloped * s).sum() + ((outer * p).sum() * linear - by_trend) / total)
            for w, s, p in zip(weights, squares, products, strict=True)
        ]
        return value, np.array([*by_weight, by_trend, noise * np.trace(outer)]) + prior / deviation

    bounds = [(m - 4 * d, m + 4 * d) for m, d in zip(mean, deviation, strict=True)]
    found = minimize(loss, mean, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps}).x
    weights = np.zeros(x.shape[1])  # columns of no group say nothing
    for g, w in zip(groups, np.exp(found[:-2]), strict=True):
        weights[g] = w
    return Hyperparameters(weights, float(np.exp(found[-2])), float(np.exp(found[-1])))


class Belief:
    """The posterior at some candidates, kept up to date one observation at a time.

    With ``K = L L'`` the covariance of observations, ``W = L^-1`` and ``V = W K(x, candidates)`` each get one more row
    with one more observation, in O(n^2) and O(n m) for m candidates. Targets may change altogether at every step, as
    ranks do: the mean is ``V' W y``.

    Args:
        candidates: Their features, shape (m, size).
        h: The kernel's hyperparameters, fixed.
    """

    def __init__(self, candidates: Array, h: Hyperparameters):
        self.h = h
        self.n = 0
        self._x = np.empty((0, candidates.shape[1]))  # scaled, as all features in here
        self._whitener = np.empty((0, 0))  # W
        self._take(candidates)

    def _take(self, candidates: Array) -> None:
        n = self.n
        self._at = self.h.scaled(candidates)
        self._squares = _squares(self._at)
        self._across = self._whitener[:n, :n] @ _kernel(self._x[:n], self._at, self.h, self._squares)  # V
        prior = 1 + self.h.trend * self._squares
        self._left = prior - (self._across**2).sum(axis=0)  # of the variance: not explained yet
        self._latest: tuple[Array, Array] | None = None

    def moved(self, candidates: Array) -> Belief:
        """The same observations, at other candidates."""
        other = self.copy()
        other._take(candidates)
        return other

    def copy(self) -> Belief:
        """Another that starts from here, for observations that are only believed."""
        other = copy(self)
        # What grows in place is cut to its size, so that the other makes room of its own.
        other._x, other._whitener = self._x[: self.n], self._whitener[: self.n, : self.n]
        other._across = self._across[: self.n]
        return other

    def observe(self, x: Array) -> None:
        """Add observations at features `x`, shape (k, size); `mean` is given their values."""
        from scipy.linalg import solve_triangular

        x, k, n = self.h.scaled(x), len(x), self.n
        if not k:
            return
        self._grow(n + k)
        w = self._whitener[:n, :n]
        below = w @ _kernel(self._x[:n], x, self.h)
        corner = _kernel(x, x, self.h) + (self.h.noise + JITTER) * np.eye(k) - below.T @ below
        corner = solve_triangular(np.linalg.cholesky(corner), np.eye(k), lower=True, check_finite=False)
        self._whitener[n : n + k, :n] = -corner @ (below.T @ w)
        self._whitener[n : n + k, n : n + k] = corner
        new = corner @ (_kernel(x, self._at, self.h, self._squares) - below.T @ self._across[:n])
        self._across[n : n + k] = new
        self._left = self._left - (new**2).sum(axis=0)
        self._x[n : n + k] = x
        self.n = n + k

    def _grow(self, size: int) -> None:
        """Room for more rows: half as much again, so that copying is rare."""
        have = min(len(self._x), len(self._across))
        if have >= size:
            return
        room = max(size, have * 3 // 2, 32)
        grown = {"_x": (room, self._x.shape[1]), "_whitener": (room, room), "_across": (room, len(self._at))}
        for name, shape in grown.items():
            old, new = getattr(self, name)[: self.n], np.zeros(shape)
            new[: len(old), : old.shape[1]] = old
            setattr(self, name, new)

    def mean(self, y: Array) -> Array:
        """Expected values at the candidates given targets `y` of all observations, shape (m,)."""
        return self._whitened(y) @ self._across[: self.n]

    def deviation(self, y: Array) -> Array:
        """Standard deviations at the candidates, noise left out, shape (m,)."""
        return np.sqrt(self.amplitude(y) * np.maximum(self._left, 1e-10))

    def amplitude(self, y: Array) -> float:
        """The variance that the kernel is a share of, as `fit` integrates it out."""
        white = self._whitened(y)
        return float((white @ white + 2) / (self.n + 2))

    def elsewhere(self, x: Array, y: Array) -> Array:
        """Expected values at other features `x`, shape (k, size)."""
        return _kernel(self.h.scaled(x), self._x[: self.n], self.h) @ self._alpha(y)

    def smoothed(self, y: Array) -> Array:
        """Expected values at the observations themselves: what their targets are without noise."""
        return y - (self.h.noise + JITTER) * self._alpha(y)

    def _whitened(self, y: Array) -> Array:
        """``W y``; that of the latest targets is kept."""
        if self._latest is None or self._latest[0] is not y:
            self._latest = y, self._whitener[: self.n, : self.n] @ y
        return self._latest[1]

    def _alpha(self, y: Array) -> Array:
        return self._whitened(y) @ self._whitener[: self.n, : self.n]
