"""Splits: which samples train, which choose, which are kept for the end. Stratified and seeded."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from archwright.errors import DataError

__all__ = ["Split", "divide", "parts_of", "strata_of", "take"]


@dataclass(frozen=True, eq=False)
class Split:
    """Sample numbers of the three parts, each in increasing order; `test` is None where the test data came apart."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray | None


def take(strata: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Which samples to set aside: a mask with `share` of every stratum, and of the whole as near as can be.

    Every stratum of two or more keeps a sample on both sides.
    """
    values, counts = np.unique(strata, return_counts=True)
    wanted = counts * share
    takes = np.floor(wanted).astype(int)
    left_over = round(share * len(strata)) - takes.sum()
    # Largest remainders get the samples that rounding down lost; ties by a draw, so that no class is favoured.
    order = np.lexsort((rng.random(len(values)), takes - wanted))
    takes[order[: max(0, left_over)]] += 1
    takes = np.where(counts > 1, np.clip(takes, 1, counts - 1), 0)
    mask = np.zeros(len(strata), dtype=bool)
    for value, n in zip(values, takes, strict=True):
        mask[rng.permutation(np.flatnonzero(strata == value))[:n]] = True
    return mask


def divide(
    strata: np.ndarray,
    *,
    seed: int,
    names: Sequence[Any] | None = None,
    official_test: bool = False,
    validation_share: float = 0.2,
    test_share: float = 0.2,
) -> Split:
    """Divide samples into training, validation and test.

    Args:
        strata: (n,) integers; every part holds its share of each. Class indices, or bins of a target.
        seed: The same seed gives the same split.
        names: What the strata are called, for messages; given when they are classes.
        official_test: Test data exist already, so none is taken from these samples.
        validation_share: Of what is left after test, as is usual.
        test_share: Of all; 0 keeps none, where somebody else will measure what comes out.

    Raises:
        DataError: a share outside 0..1, or a class with fewer members than there are parts.
    """
    for what, share in (("validation_share", validation_share), ("test_share", test_share)):
        if not 0.0 < share < 1.0 and not (what == "test_share" and share == 0.0):
            raise DataError(f"{what} is {share}: a share lies between 0 and 1, e.g. 0.2")
    untested = not official_test and test_share == 0.0
    parts = 2 if official_test or untested else 3
    if names is not None:
        counts = np.bincount(strata, minlength=len(names))
        few = [f"{names[i]!r} has {counts[i]}" for i in np.flatnonzero(counts < parts)]
        if few:
            what = "training and validation" if parts == 2 else "training, validation and test"
            shown = ", ".join(few[:5]) + (f" and {len(few) - 5} more" if len(few) > 5 else "")
            raise DataError(
                f"class {shown}: every class needs at least {parts} samples, one each for {what}. "
                f"Add samples of it, merge it with another class, or leave it out"
                + (". So many small classes look like a quantity: is this a regression?" if len(few) > 20 else "")
            )
    elif len(strata) < 2 * parts:
        raise DataError(f"there are {len(strata)} samples: at least {2 * parts} are needed to learn and to check")
    rng = np.random.default_rng([seed, len(strata)])
    test = None
    if not official_test:
        test = np.zeros(len(strata), dtype=bool) if untested else take(strata, test_share, rng)
    rest = np.arange(len(strata)) if test is None else np.flatnonzero(~test)
    held = take(strata[rest], validation_share, rng)
    return Split(rest[~held], rest[held], None if test is None else np.flatnonzero(test))


def parts_of(
    n: int, seed: int, test_share: float, validation_share: float, apart: Collection[str] = ()
) -> dict[str, np.ndarray]:
    """Which of `n` samples without classes are which part, by its name; parts that came `apart` are left out."""
    if {"validation", "test"} <= set(apart):
        return {"train": np.arange(n)}
    alike = np.zeros(n, dtype=np.int64)
    if "validation" in apart:  # what is left is taken for the test
        split = divide(alike, seed=seed, official_test=True, validation_share=test_share)
        return {"train": split.train, "test": split.validation}
    split = divide(
        alike, seed=seed, official_test="test" in apart, test_share=test_share, validation_share=validation_share
    )
    found = {"train": split.train, "validation": split.validation}
    return found if split.test is None else {**found, "test": split.test}


def strata_of(values: np.ndarray, bins: int = 10) -> np.ndarray:
    """Bins of equal count of a quantity, so that its parts are spread alike: (n,) or (n, targets) to (n,)."""
    first = values.reshape(len(values), -1)[:, 0]
    bins = max(1, min(bins, len(first) // 10))
    return np.argsort(np.argsort(first, kind="stable"), kind="stable") * bins // max(1, len(first))
