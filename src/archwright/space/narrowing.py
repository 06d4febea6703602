"""Networks made smaller without changing their shape: all their widths lowered together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from archwright.space.layout import Decision

__all__ = ["fitting", "narrowed"]

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


def fitting(decisions: Sequence[Decision], codes: np.ndarray, fits: Callable[[np.ndarray], bool]) -> np.ndarray | None:
    """One architecture, shape (n_decisions,), or else the widest narrower one, that `fits`; None where there is none.

    It is looked for by halving: narrower ones are taken to fit wherever wider ones do.
    """
    if fits(codes):
        return codes
    found, lo, hi = None, 1, max((decisions[i].size for i in _widths(decisions)), default=1)
    while lo < hi:
        middle = (lo + hi) // 2
        narrower = narrowed(decisions, codes[None, :], middle)[0]
        if fits(narrower):
            found, hi = narrower, middle
        else:
            lo = middle + 1
    return found


def _widths(decisions: Sequence[Decision]) -> list[int]:
    switches = {parent for d in decisions for parent, _ in d.conditions}
    return [
        i
        for i, d in enumerate(decisions)
        if i not in switches and len(d.values) >= WIDE and all(type(value) is int for value in d.values)
    ]
