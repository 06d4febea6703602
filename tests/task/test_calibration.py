"""Calibration: the paper's error, by hand and from a classifier whose probabilities are true."""

import numpy as np
import pytest
import torch
from sklearn.calibration import calibration_curve

from archwright.errors import DataError
from archwright.task.calibration import calibration


def logits(sure):
    """Two classes, of which the first is called with these probabilities."""
    sure = torch.tensor(sure, dtype=torch.float64)
    return torch.stack([sure.log(), (1 - sure).log()], 1)


def test_the_error_is_that_of_the_paper_by_hand():
    # Bins of a tenth: two samples at 0.95, one of them right; two at 0.65, both right.
    found = calibration(logits([0.95, 0.95, 0.65, 0.65]), torch.tensor([0, 1, 0, 0]), bins=10)
    assert found["ece"] == pytest.approx((2 * abs(0.5 - 0.95) + 2 * abs(1 - 0.65)) / 4)
    assert [b["count"] for b in found["bins"]] == [2, 2]
    assert (found["accuracy"], found["confidence"]) == (0.75, pytest.approx(0.8))


def test_bins_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 4000)
    target = (rng.random(4000) > sure).astype(int)
    found = calibration(logits(sure), torch.tensor(target), bins=20)
    truth, means = calibration_curve(1 - target, sure, n_bins=20)
    np.testing.assert_allclose([b["accuracy"] for b in found["bins"]], truth, atol=1e-9)
    np.testing.assert_allclose([b["confidence"] for b in found["bins"]], means, atol=1e-9)
    assert found["ece"] < 0.03, "these probabilities are true"


def test_a_classifier_that_is_too_sure_has_a_large_error():
    target = torch.tensor([0, 1] * 250)
    assert calibration(logits(np.full(500, 0.99)), target)["ece"] == pytest.approx(0.49)


def test_no_sample_is_a_clear_error():
    with pytest.raises(DataError, match="calibration of 0 samples"):
        calibration(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64))
