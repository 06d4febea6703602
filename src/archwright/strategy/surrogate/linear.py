"""The Gaussian process as a linear model on random features: what remains affordable after thousands of trials."""

from __future__ import annotations

from copy import copy

import numpy as np
from numpy.typing import NDArray

from archwright.strategy.surrogate.process import JITTER, Hyperparameters

__all__ = ["LinearBelief"]

Array = NDArray[np.float64]


class LinearBelief:
    """The same posterior as `Belief`, its kernel approximated: an observation costs the same however many there are.

    Bayesian linear regression on random Fourier features (Rahimi & Recht, *Random Features for Large-Scale Kernel
    Machines*, NeurIPS 2007), whose frequencies are the Matérn kernel's: Student's t with 5 degrees of freedom.

    Args:
        candidates: Their features, shape (m, size).
        h: The kernel's hyperparameters.
        waves: How many random features.
    """

    def __init__(self, candidates: Array, h: Hyperparameters, *, waves: int = 512):
        rng = np.random.default_rng(0)
        tails = np.sqrt(5 / rng.chisquare(5, size=waves))
        self.h = h
        self.n = 0
        self._frequencies = rng.standard_normal((candidates.shape[1], waves)) * tails * np.sqrt(h.weights)[:, None]
        self._phases = rng.uniform(0, 2 * np.pi, size=waves)
        self._noise = h.noise + JITTER
        self._seen: list[Array] = []
        self._inverse = np.eye(waves + candidates.shape[1]) / self._noise  # of the normal equations
        self._take(candidates)

    def _take(self, candidates: Array) -> None:
        self._at = self._waves(candidates)
        self._reach = self._inverse @ self._at.T
        self._left = self._noise * np.einsum("ij,ji->i", self._at, self._reach)

    def moved(self, candidates: Array) -> LinearBelief:
        """The same observations, at other candidates."""
        other = self.copy()
        other._take(candidates)
        return other

    def _waves(self, x: Array) -> Array:
        waves = np.sqrt(2 / len(self._phases)) * np.cos(x @ self._frequencies + self._phases)
        return np.concatenate([waves, x * np.sqrt(self.h.weights * self.h.linear / self.h.weights.sum())], axis=1)

    def copy(self) -> LinearBelief:
        """Another that starts from here."""
        other = copy(self)
        other._seen = list(self._seen)
        return other

    def observe(self, x: Array) -> None:
        """Add observations at features `x`, shape (k, size)."""
        if not len(x):
            return
        new = self._waves(x)
        self._seen.append(new)
        self.n += len(x)
        if len(x) > len(self._inverse):  # at once rather than by corrections
            self._inverse = np.asarray(np.linalg.inv(np.linalg.inv(self._inverse) + new.T @ new), dtype=float)
            self._reach = self._inverse @ self._at.T
            self._left = self._noise * np.einsum("ij,ji->i", self._at, self._reach)
            return
        gain = self._inverse @ new.T  # Woodbury's identity: rows are added to the normal equations
        within = np.linalg.inv(np.eye(len(x)) + new @ gain)
        across = new @ self._reach
        self._left = self._left - self._noise * (across * (within @ across)).sum(axis=0)
        self._reach = self._reach - gain @ (within @ across)
        self._inverse = self._inverse - gain @ within @ gain.T

    def mean(self, y: Array) -> Array:
        """Expected values at the candidates."""
        return self._sums(y) @ self._reach

    def deviation(self, y: Array) -> Array:
        """Standard deviations at the candidates, noise left out."""
        return np.sqrt(self.amplitude(y) * np.maximum(self._left, 1e-10))

    def amplitude(self, y: Array) -> float:
        """The variance that the kernel is a share of."""
        sums = self._sums(y)
        return (max(float(y @ y - sums @ self._inverse @ sums), 0.0) / self._noise + 2) / (self.n + 2)

    def elsewhere(self, x: Array, y: Array) -> Array:
        """Expected values at other features."""
        return self._waves(x) @ (self._inverse @ self._sums(y))

    def smoothed(self, y: Array) -> Array:
        """Expected values at the observations."""
        return self._rows() @ (self._inverse @ self._sums(y))

    def _rows(self) -> Array:
        if len(self._seen) > 1:
            self._seen = [np.concatenate(self._seen)]
        return self._seen[0]

    def _sums(self, y: Array) -> Array:
        return self._rows().T @ y
