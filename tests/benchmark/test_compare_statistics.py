"""The statistics against scipy, and against what Demšar's paper works out by hand."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from archwright.benchmark import statistics

# Table 6 of Demšar, JMLR 7, 2006: AUC of C4.5, C4.5+m, C4.5+cf, C4.5+m+cf on 14 data sets.
# The paper ranks before it rounds: of the two 0.975 the former is the larger.
TABLE_6 = """
    0.763 0.768 0.771 0.798   0.599 0.591 0.590 0.569   0.954 0.971 0.968 0.967   0.628 0.661 0.654 0.657
    0.882 0.888 0.886 0.898   0.936 0.931 0.916 0.931   0.661 0.668 0.609 0.685   0.583 0.583 0.563 0.625
    0.775 0.838 0.866 0.875   1.000 1.000 1.000 1.000   0.940 0.962 0.965 0.962   0.619 0.666 0.614 0.669
    0.972 0.981 0.97501 0.975   0.957 0.978 0.946 0.970
"""
AUC = np.array([float(number) for number in TABLE_6.split()]).reshape(14, 4)


def test_the_worked_example_of_the_paper():
    found = statistics.friedman(-AUC)
    assert found.mean_ranks == pytest.approx((3.143, 2.000, 2.893, 1.964), abs=5e-4)
    assert found.blocks == 14
    # The paper leaves ties uncorrected: 9.28 and 3.69 there.
    plain = 12 * 14 / (4 * 5) * (sum(r**2 for r in found.mean_ranks) - 4 * 25 / 4)
    assert plain == pytest.approx(9.28, abs=0.01)
    assert 13 * plain / (14 * 3 - plain) == pytest.approx(3.69, abs=0.01)
    assert found.chi2 > plain
    assert found.p < 0.05
    difference = statistics.critical_difference(4, 14)
    assert difference == pytest.approx(1.25, abs=0.005)
    assert statistics.critical_difference(4, 14, 0.10) == pytest.approx(1.12, abs=0.005)
    # "Post-hoc tests are not powerful enough to detect any significant differences" at 0.05; at 0.10, C4.5 is worse
    # than the two with m.
    assert statistics.cliques(found.mean_ranks, difference) == [(3, 1, 2, 0)]
    assert statistics.cliques(found.mean_ranks, 1.12) == [(3, 1, 2), (2, 0)]


def test_nemenyis_critical_values_are_those_of_table_5():
    table = [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]
    for k, q in enumerate(table, 2):
        assert statistics.critical_difference(k, 1) / math.sqrt(k * (k + 1) / 6) == pytest.approx(q, abs=2e-3)


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=2, max_size=20))
def test_friedmans_statistic_is_scipys(rows):
    losses = np.array(rows, dtype=float)
    if (losses == losses[:, :1]).all():
        assert statistics.friedman(losses).p > 0.5
    else:
        theirs = scipy.stats.friedmanchisquare(*losses.T)
        assert statistics.friedman(losses).chi2 == pytest.approx(theirs.statistic)


def test_wilcoxon_by_hand():
    # Differences -1, -2, +3, -4, -5: the rank sum of the rarer sign is 3; 2 * 5 of the 32 signings have at most that.
    found = statistics.paired([1, 1, 4, 1, 1], [2, 3, 1, 5, 6])
    assert (found.wins, found.ties, found.losses, found.difference) == (4, 0, 1, -2)
    assert found.p == pytest.approx(10 / 32)


def test_pairs_that_are_all_equal_differ_in_nothing():
    found = statistics.paired([1.0, math.inf, 0.0], [1.0, math.inf, 0.0])
    assert (found.ties, found.p, found.difference) == (3, 1.0, 0.0)


def test_wilcoxon_splits_equal_pairs_among_the_signs():
    a, b = np.arange(12.0), np.arange(12.0) + np.array([0, 0, 0, 0, 1, 2, 3, -1, 4, 5, 6, 7])
    assert statistics.paired(a, b).p == pytest.approx(scipy.stats.wilcoxon(a - b, zero_method="zsplit").pvalue)


def test_holm_by_hand():
    assert statistics.holm([0.01, 0.02, 0.03, 0.005]) == pytest.approx([0.03, 0.04, 0.04, 0.02])
    assert statistics.holm([0.9, 0.8]) == [1.0, 1.0]
    assert statistics.holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_no_correction_and_bonferronis(p):
    for corrected, raw in zip(statistics.holm(p), p, strict=True):
        assert raw <= corrected <= min(1.0, raw * len(p)) or corrected >= raw
        assert corrected <= min(1.0, max(p) * len(p))


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=15), st.floats(0, 1))
def test_quantiles_are_numpys_where_all_was_reached(values, share):
    assert statistics.quantile(values, share) == pytest.approx(float(np.quantile(values, share)), abs=1e-9)


def test_quantiles_beyond_what_was_reached_are_infinite():
    assert statistics.quantile([5, math.inf, 3], 0.5) == 5
    assert statistics.quantile([5, math.inf, 3, math.inf], 0.5) == math.inf
    assert statistics.quantile([math.inf] * 3, 0.9) == math.inf


def test_the_bootstrap_covers_the_mean_as_often_as_it_says():
    # 95% intervals of 30 normal draws; percentile intervals cover a little less (about 93.5%). Of 400, fewer than 350
    # or more than 395 would happen by chance less than once in 10,000 times.
    values = np.random.default_rng(0).normal(size=(30, 400))
    centre, low, high = statistics.bootstrap(values)
    assert centre == pytest.approx(values.mean(axis=0))
    assert 350 <= ((low <= 0) & (high >= 0)).sum() <= 395


def test_the_bootstrap_of_one_value_is_that_value():
    centre, low, high = statistics.bootstrap(np.full((5, 3), 2.0), np.median)
    assert centre.tolist() == low.tolist() == high.tolist() == [2.0] * 3
