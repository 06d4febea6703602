"""Networks made smaller without changing their shape: all their widths lowered together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from archwright.space.layout import Decision

__all__ = ["most_steps", "narrowed"]

WIDE = 5
"""Whole numbers of so many values are widths, unless they switch other decisions on."""


def narrowed(decisions: Sequence[Decision], codes: np.ndarray, steps: ArrayLike) -> np.ndarray:
    """Each architecture with all its widths so many steps lower in the order of their values, the lowest at least.

    Args:
        decisions: Of the space.
        codes: Shape (n, n_decisions).
        steps: Whole numbers, zero or more, one for all or one each.
    """
    codes = codes.copy()
    for i in _widths(decisions):
        rising = np.argsort(decisions[i].values).astype(np.int32)
        place = np.argsort(rising)[codes[:, i]]
        codes[:, i] = np.where(codes[:, i] < 0, -1, rising[np.maximum(0, place - np.asarray(steps))])
    return codes


def most_steps(decisions: Sequence[Decision]) -> int:
    """How many values the finest width has: with fewer steps than that all widths come to their lowest; 1 without."""
    return max((decisions[i].size for i in _widths(decisions)), default=1)


def _widths(decisions: Sequence[Decision]) -> list[int]:
    switches = {parent for d in decisions for parent, _ in d.conditions}
    return [
        i
        for i, d in enumerate(decisions)
        if i not in switches and len(d.values) >= WIDE and all(type(value) is int for value in d.values)
    ]
