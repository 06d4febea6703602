"""Splits are stratified, seeded, and complain about classes that are too small."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archwright.errors import DataError
from archwright.task.splits import divide, strata_of, take


@given(
    counts=st.lists(st.integers(3, 40), min_size=2, max_size=8),
    seed=st.integers(0, 2**31),
    official=st.booleans(),
)
def test_parts_are_disjoint_cover_all_and_hold_every_class(counts, seed, official):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    split = divide(labels, seed=seed, names=[str(i) for i in range(len(counts))], official_test=official)
    parts = [p for p in (split.train, split.validation, split.test) if p is not None]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    assert all(set(labels[p]) == set(labels) for p in parts)
    assert (split.test is None) == official


def test_shares_are_kept_exactly_over_all_and_nearly_in_each_class():
    labels = np.repeat([0, 1, 2], [505, 303, 197])
    mask = take(labels, 0.2, np.random.default_rng(0))
    assert mask.sum() == 201
    for c, n in enumerate((505, 303, 197)):
        assert abs(mask[labels == c].sum() - n * 0.2) < 1


def test_the_same_seed_gives_the_same_split_and_another_seed_another():
    labels = np.repeat([0, 1], 50)
    first, again, other = (divide(labels, seed=s) for s in (1, 1, 2))
    assert np.array_equal(first.test, again.test)
    assert np.array_equal(first.validation, again.validation)
    assert not np.array_equal(first.test, other.test)


def test_a_class_with_a_single_member_is_named():
    with pytest.raises(DataError, match=r"class 'b' has 1: every class needs at least 3 samples"):
        divide(np.array([0, 0, 0, 0, 1]), seed=0, names=["a", "b"])
    with pytest.raises(DataError, match=r"'b' has 1: every class needs at least 2 samples, one each for training and"):
        divide(np.array([0, 0, 0, 0, 1]), seed=0, names=["a", "b"], official_test=True)


def test_a_share_outside_0_to_1_is_refused():
    with pytest.raises(DataError, match=r"test_share is 1.5"):
        divide(np.zeros(10, int), seed=0, test_share=1.5)


def test_parts_of_a_quantity_are_spread_alike():
    values = np.random.default_rng(0).lognormal(0, 2, 500)
    split = divide(strata_of(values), seed=0)
    for q in (0.1, 0.5, 0.9):
        whole, part = np.quantile(np.log(values), q), np.quantile(np.log(values[split.validation]), q)
        assert abs(whole - part) < 0.5
