"""Architectures as rows of numbers, for predictors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from archwright.space.layout import Decision
from archwright.space.nodes import Subset

__all__ = ["encode", "feature_names"]


def feature_names(decisions: Sequence[Decision]) -> tuple[str, ...]:
    """What each column of `encode` means: ``width=16``, ``depth``, ``2/width off``."""
    names: list[str] = []
    for d in decisions:
        if d.ordered:
            names.append(d.name)
        elif isinstance(d.node, Subset):
            names += [f"{d.name}={i}" for i in range(len(d.node.options))]
        else:
            names += [f"{d.name}={v}" for v in d.values]
        if d.conditions:
            names.append(f"{d.name} off")
    return tuple(names)


def encode(decisions: Sequence[Decision], codes: np.ndarray) -> np.ndarray:
    """One row of features an architecture.

    Unordered decisions are one-hot (a subset: one column a member), ordered ones scaled to 0..1, and every
    decision that can be off has a column that says so, its other columns then being 0.

    Shapes: `codes` is (n, n_decisions); the result is (n, n_features), float32.
    """
    features = np.zeros((len(feature_names(decisions)), len(codes)), dtype=np.float32)
    at = 0
    for i, d in enumerate(decisions):
        code = codes[:, i]
        if d.ordered:
            np.divide(code, max(1, d.size - 1), out=features[at], casting="unsafe")
            if d.conditions:
                features[at][code < 0] = 0.0
            at += 1
        elif isinstance(d.node, Subset):
            table = np.zeros((d.size + 1, len(d.node.options)), dtype=np.float32)
            for c, members in enumerate(d.node.members):
                table[c, list(members)] = 1.0
            features[at : at + table.shape[1]] = table[code].T
            at += table.shape[1]
        else:
            for c in range(d.size):
                np.equal(code, c, out=features[at + c], casting="unsafe")
            at += d.size
        if d.conditions:
            np.less(code, 0, out=features[at], casting="unsafe")
            at += 1
    return features.T
