"""Which layer of one network is which of another: sequences of kinds, laid beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["align", "merged"]


def align(known: Sequence[Any], kinds: Sequence[Sequence[Any]]) -> list[int | None]:
    """Where each layer stands in the known sequence, by a longest common subsequence; None where it does not.

    Args:
        known: One kind a place.
        kinds: For each layer all that it may count as.

    >>> align(["conv", "norm", "linear"], [["conv"], ["linear"]])
    [0, 2]
    >>> align(["conv"], [["norm"], ["conv"]])
    [None, 0]
    """
    n, m = len(known), len(kinds)
    best = [[0] * (m + 1) for _ in range(n + 1)]
    for i in range(n - 1, -1, -1):
        for j in range(m - 1, -1, -1):
            same = best[i + 1][j + 1] + 1 if known[i] in kinds[j] else 0
            best[i][j] = max(same, best[i + 1][j], best[i][j + 1])
    found: list[int | None] = [None] * m
    i = j = 0
    while i < n and j < m:
        if known[i] in kinds[j] and best[i][j] == best[i + 1][j + 1] + 1:
            found[j] = i
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return found


def merged(sequences: Sequence[Sequence[Sequence[Any]]]) -> list[Any]:
    """A short sequence of kinds that holds each of the given ones: clear ones first, then the longest.

    >>> merged([[["conv"], ["linear"]], [["conv"], ["norm"], ["linear"]]])
    ['conv', 'norm', 'linear']
    """
    known: list[Any] = []
    for kinds in sorted(sequences, key=lambda s: (any(len(k) > 1 for k in s), -len(s), str(s))):
        longer: list[Any] = []
        i = 0
        for place, options in zip(align(known, kinds), kinds, strict=True):
            if place is None:
                longer.append(options[0])
            else:
                longer.extend(known[i : place + 1])
                i = place + 1
        known = longer + known[i:]
    return known
