"""Sequences: layouts, statistics, bad input, and a real UCR set."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from archwright.errors import DataError
from archwright.task import Preparation, SequenceClassification

RNG = np.random.default_rng(0)
X = RNG.normal(3, 5, (60, 4, 25))
Y = np.arange(60) % 3
UCR = Path(__file__).parents[2].parent / "shared" / "data" / "sets" / "ucr.npz"


def test_layouts_agree_and_channels_are_standardised_alone():
    task = SequenceClassification(X * np.array([1, 10, 100, 1000])[:, None], Y)
    assert task.input_shape == (4, 25)
    assert task.train.inputs.std((0, 2)) == pytest.approx([1] * 4, abs=1e-3)
    first = SequenceClassification(X, Y)
    last = SequenceClassification(X.transpose(0, 2, 1), Y, channels="last")
    assert torch.equal(first.train.inputs, last.train.inputs)
    assert SequenceClassification(X[:, 0], Y).input_shape == (1, 25)


def test_the_preparation_survives_json():
    task = SequenceClassification(X.transpose(0, 2, 1), Y, channels="last")
    again = Preparation.from_json(json.loads(json.dumps(task.preparation.to_json())))
    new = RNG.normal(size=(5, 25, 4))
    assert torch.equal(again.inputs(new), task.preparation.inputs(new))


def test_a_constant_channel_does_no_harm():
    x = X.copy()
    x[:, 2] = 7.0
    assert torch.equal(
        SequenceClassification(x, Y).train.inputs[:, 2], torch.zeros(len(SequenceClassification(x, Y).train), 25)
    )


def test_series_of_unequal_length_are_told():
    with pytest.raises(DataError, match=r"sample 1 has \(20,\).*cut or pad sequences"):
        SequenceClassification([np.zeros(25), np.zeros(20)], [0, 1])
    with pytest.raises(DataError, match=r"4 channels of length 30: this task has 4 of length 25"):
        SequenceClassification(X, Y).preparation.inputs(np.zeros((2, 4, 30)))


def test_wrong_ranks_and_nan_are_told():
    with pytest.raises(DataError, match=r"allowed are \(n, time\) and \(n, channels, time\)"):
        SequenceClassification(np.zeros((60, 2, 3, 4)), Y)
    with pytest.raises(DataError, match=r"One sequence alone needs an axis more"):
        SequenceClassification(X, Y).preparation.inputs(np.zeros(25))
    x = X.copy()
    x[3, 1, 4] = np.nan
    with pytest.raises(
        DataError, match=r"1 NaN and 0 infinite values, in 1 of 60 samples; the first in sample 3 at \(1, 4\)"
    ):
        SequenceClassification(x, Y)


@pytest.mark.skipif(not UCR.is_file(), reason=f"{UCR.name} of the shared measurement data is not there")
@pytest.mark.parametrize("name", ["GunPoint", "BasicMotions"])
def test_a_real_set_keeps_its_official_test(name):
    data = np.load(UCR)
    x, y, x_test, y_test = (data[f"{name}__{k}"] for k in ("x_train", "y_train", "x_test", "y_test"))
    task = SequenceClassification(x, y, x_test=x_test, y_test=y_test, name=name)
    assert task.input_shape == x.shape[1:]
    assert task.sizes["test"] == len(y_test)
    assert task.preparation.labels(task.open_test().targets) == y_test.tolist()
    assert len(task.train_and_validation()) == len(x)
