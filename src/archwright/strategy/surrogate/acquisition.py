"""How promising candidates are: expected improvement, and what several goals make of it. Smaller scores are better."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["expected_hypervolume_improvement", "expected_improvement", "expected_shortfall", "scalarised_improvement"]

Array = NDArray[np.float64]


def expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """``E[max(best - f, 0)]`` of a normal f: ``s (z Phi(z) + phi(z))`` with ``z = (best - mean) / s``.

    Jones, Schonlau & Welch, *Efficient Global Optimization of Expensive Black-Box Functions*, Journal of Global
    Optimization 13, 1998, equation 15.
    """
    return expected_shortfall(best, mean, deviation)


def expected_shortfall(limit: float | Array, mean: Array, deviation: Array) -> Array:
    """``E[max(limit - f, 0)]``; where a deviation is 0, f is known."""
    from scipy.special import ndtr  # scipy takes long to import, and strategies are listed without being used

    below = limit - mean
    z = below / np.where(deviation > 0, deviation, 1.0)
    spread = deviation * (z * ndtr(z) + np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))
    return np.where(deviation > 0, spread, np.maximum(below, 0.0))


def expected_hypervolume_improvement(mean: Array, deviation: Array, front: Array, reference: Array) -> Array:
    """By how much a candidate is expected to raise the hypervolume of a front of two goals.

    Between two neighbours of the front the volume gained is a box, and the goals are independent, so its expectation is
    a product: Emmerich, Yang, Deutz, Wang & Fonseca, *A Multicriteria Generalization of Bayesian Global Optimization*,
    2016. A goal known exactly has deviation 0.

    Args:
        mean: Shape (m, 2).
        deviation: Shape (m, 2).
        front: Mutually non-dominated points within the reference, shape (k, 2).
        reference: Shape (2,).
    """
    ordered = front[np.argsort(front[:, 1])]
    lower = np.concatenate([[-np.inf], ordered[:, 1]])  # of the second goal, strip by strip ...
    upper = np.concatenate([ordered[:, 1], [reference[1]]])
    height = np.concatenate([[reference[0]], ordered[:, 0]])  # ... and what the first must beat there
    total = np.zeros(len(mean))
    before = np.zeros(len(mean))
    for low, up, best in zip(lower, upper, height, strict=True):
        if up > low:
            width = expected_shortfall(up, mean[:, 1], deviation[:, 1])
            total += (width - before) * expected_shortfall(best, mean[:, 0], deviation[:, 0])
            before = width
    return total


def scalarised_improvement(
    mean: Array, deviation: Array, told: Array, rng: np.random.Generator, draws: int = 32
) -> Array:
    """For three goals and more: expected improvement of one random trade-off, by draws.

    The augmented Chebyshev norm with random weights, of Knowles, *ParEGO*, IEEE TEVC 10(1), 2006.

    Args:
        mean: Shape (m, goals).
        deviation: Shape (m, goals).
        told: What has been measured, shape (n, goals).
        rng: Where the weights and the draws come from.
        draws: How many.
    """
    weights = rng.dirichlet(np.ones(mean.shape[1]))
    lowest, span = told.min(axis=0), np.maximum(np.ptp(told, axis=0), 1e-9)

    def scalar(points: Array) -> Array:
        weighted = weights * (points - lowest) / span
        return weighted.max(axis=-1) + 0.05 * weighted.sum(axis=-1)

    best = scalar(told).min()
    total = np.zeros(len(mean))
    for normal in rng.standard_normal((draws, mean.shape[1])):
        total += np.maximum(best - scalar(mean + deviation * normal), 0)
    return total / draws
