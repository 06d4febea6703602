"""Where candidates come from: the whole space where it is small, else edits of the best and random architectures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from archwright.space import Space
from archwright.space.counting import count, live
from archwright.space.features import Features
from archwright.space.layout import Decision

__all__ = ["Pool", "Whole", "edited", "near", "whole_of"]


@dataclass(frozen=True)
class Pool:
    """Candidates, one a function.

    Args:
        codes: Shape (m, n_decisions).
        keys: Their canonical keys, shape (m,).
        features: Shape (m, size).
        costs: Where they have been counted, those that goals and ceilings name, each of shape (m,).
    """

    codes: NDArray[np.int32]
    keys: NDArray[np.uint64]
    features: NDArray[np.float64]
    costs: Mapping[str, NDArray[np.float64]] | None = None


class Whole:
    """The features of a space, and, where it is small, all its functions.

    Architectures of one function differ in decisions that cancel out; where all are known, the function is given the
    mean of their features, so that equal keys are equal features in every group.

    Args:
        space: Where the architectures come from.
        most: Up to so many architectures, before rules, are listed.
    """

    def __init__(self, space: Space, most: int = 65_536):
        self.space, self.most = space, most
        self.features = Features(space)

    @cached_property
    def pool(self) -> Pool | None:
        """Every function of the space; None where there are too many architectures."""
        if count(self.space.decisions) > self.most:  # before rules, which take time to go through
            return None
        codes = self.space.all_codes()
        keys, first, which = np.unique(self.space.keys(codes), return_index=True, return_inverse=True)
        features = np.zeros((len(keys), self.features.size))
        np.add.at(features, which, self.features(codes))
        features /= np.bincount(which)[:, None]
        return Pool(codes[first], keys, features)

    def of(self, codes: NDArray[np.int32], keys: NDArray[np.uint64]) -> NDArray[np.float64]:
        """The features of some architectures whose keys are known."""
        if self.pool is None or not len(codes):
            return self.features(codes).astype(float)
        return self.pool.features[np.searchsorted(self.pool.keys, keys)]

    def pool_of(self, codes: NDArray[np.int32]) -> Pool:
        """Some architectures as candidates, one a function."""
        keys, first = np.unique(self.space.keys(codes), return_index=True)
        return Pool(codes[first], keys, self.features(codes[first]).astype(float))


@lru_cache(maxsize=4)
def whole_of(space: Space, most: int) -> Whole:
    """The `Whole` of a space, made once for all strategies on it."""
    return Whole(space, most)


def near(
    decisions: Sequence[Decision], parents: NDArray[np.int32], edits: int, rng: np.random.Generator
) -> NDArray[np.int32]:
    """So many architectures at one or two edits from some parents, the best first. They may break rules."""
    shares = 1 / np.arange(1, len(parents) + 1)  # the best are edited more often
    found = edited(decisions, parents[rng.choice(len(parents), edits, p=shares / shares.sum())], rng)
    twice = rng.random(edits) < 0.5
    found[twice] = edited(decisions, found[twice], rng)
    return found


def edited(decisions: Sequence[Decision], codes: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int32]:
    """Each architecture with one live decision changed, and what that switches on drawn anew: whole arrays at once.

    Ordered decisions of more than eight values move by a normal step of a tenth of their range.
    """
    codes = np.array(codes, dtype=np.int32, order="F")
    sizes = np.array([d.size for d in decisions])
    open_ = (codes >= 0) & (sizes > 1)
    draws = np.where(open_, rng.random(codes.shape), -1.0)
    column = draws.argmax(axis=1) if codes.shape[1] else np.zeros(len(codes), dtype=int)
    rows = np.flatnonzero(open_.any(axis=1)) if codes.shape[1] else np.zeros(0, dtype=int)
    steps, jumps = rng.normal(size=len(codes)), rng.random(len(codes))
    for i in np.unique(column[rows]):
        d, here = decisions[i], rows[column[rows] == i]
        old = codes[here, i]
        if d.ordered and d.size > 8:
            step = np.maximum(1, np.rint(np.abs(steps[here]) * 0.1 * d.size)).astype(int) * np.sign(steps[here]).astype(
                int
            )
            new = np.clip(old + step, 0, d.size - 1)
            new = np.where(new == old, np.clip(old - step, 0, d.size - 1), new)
        else:
            new = (old + 1 + (jumps[here] * (d.size - 1)).astype(int)) % d.size
        codes[here, i] = new
    for i, d in enumerate(decisions):
        if d.conditions:
            alive = live(d, codes)
            fill = alive & (codes[:, i] < 0)
            codes[fill, i] = rng.integers(d.size, size=len(codes))[fill]
            codes[~alive, i] = -1
    return codes
