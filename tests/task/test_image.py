"""Images: layouts, preparation, and everything that can be wrong with them."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from archwright.errors import DataError
from archwright.task import ImageClassification, Preparation

RNG = np.random.default_rng(0)
X = RNG.integers(0, 200, (60, 10, 12, 3), dtype=np.uint8)
Y = np.array(["cat", "dog", "owl"])[np.arange(60) % 3]


def test_all_layouts_give_the_same_tensors():
    reference = ImageClassification(X, Y)
    assert reference.input_shape == (3, 10, 12)
    for same in (X.transpose(0, 3, 1, 2), torch.from_numpy(X), list(X), [Image.fromarray(a) for a in X]):
        assert torch.equal(ImageClassification(same, Y).train.inputs, reference.train.inputs)
    grey = ImageClassification(X[..., 0], Y)
    assert grey.input_shape == (1, 10, 12)


def test_statistics_are_of_the_training_part_alone():
    task = ImageClassification(X, Y)
    assert task.train.inputs.mean((0, 2, 3)) == pytest.approx([0, 0, 0], abs=1e-4)
    assert task.train.inputs.std((0, 2, 3)) == pytest.approx([1, 1, 1], abs=1e-3)
    brighter = X.copy()
    held = task.preparation.inputs(X)
    rest = [i for i in range(60) if not any(torch.equal(held[i], t) for t in task.train.inputs)]
    brighter[rest] += 55  # only validation and test change ...
    assert ImageClassification(brighter, Y).preparation == task.preparation  # ... so the preparation does not


def test_the_preparation_survives_json_and_gives_the_same_tensors():
    task = ImageClassification(X, Y, resize=(8, 8))
    again = Preparation.from_json(json.loads(json.dumps(task.preparation.to_json())))
    assert again == task.preparation
    assert torch.equal(again.inputs(X[:4]), task.preparation.inputs(X[:4]))
    assert again.inputs(X[:4]).shape == (4, 3, 8, 8)
    assert again.labels(again.indices(Y[:3])) == ["cat", "dog", "owl"]
    assert again.answers(torch.eye(3)) == ["cat", "dog", "owl"]


def test_files_are_prepared_as_arrays_are(tmp_path):
    task = ImageClassification(X, Y)
    paths = []
    for i in range(3):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(X[i]).save(paths[-1])
    assert torch.equal(task.preparation.inputs(paths), task.preparation.inputs(X[:3]))
    grey = ImageClassification(X[..., 0], Y)  # a colour file for a grey task is turned grey
    assert grey.preparation.inputs(paths).shape == (3, 1, 10, 12)


def test_mirroring_is_for_colour_only_and_the_background_fills_the_border():
    assert ImageClassification(X, Y).augmentation.flip is True
    framed = np.full((60, 10, 12), 250, dtype=np.uint8)
    framed[:, 2:8, 2:8] = X[:, 2:8, 2:8, 0]
    task = ImageClassification(framed, Y)
    assert task.augmentation.flip is False
    mean, std = task.preparation.features.mean[0], task.preparation.features.std[0]
    assert task.augmentation.fill[0] * std + mean == pytest.approx(250, abs=0.01)


def test_an_ambiguous_layout_is_asked_about():
    with pytest.raises(DataError, match=r"axis 1 or axis 3\? both could be.*channels='first'"):
        ImageClassification(np.zeros((9, 3, 20, 3)), np.arange(9) % 3)
    assert ImageClassification(np.zeros((9, 3, 20, 3)), np.arange(9) % 3, channels="last").input_shape == (3, 3, 20)
    with pytest.raises(DataError, match=r"neither is 1, 3 or 4 long"):
        ImageClassification(np.zeros((9, 8, 8, 8)), np.arange(9) % 3)


def test_nan_and_infinite_inputs_are_counted_and_placed():
    x = X[..., 0].astype(np.float32)
    x[7, 2, 3] = np.nan
    x[7, 2, 4] = np.inf
    x[9, 0, 0] = np.nan
    with pytest.raises(
        DataError, match=r"2 NaN and 1 infinite values, in 2 of 60 samples; the first in sample 7 at \(0, 2, 3\)"
    ):
        ImageClassification(x, Y)


def test_one_class_only_is_told():
    with pytest.raises(DataError, match=r"only one class, 'cat'"):
        ImageClassification(X, ["cat"] * 60)


def test_lengths_must_agree():
    with pytest.raises(DataError, match=r"x has 60 samples and y has 59 labels"):
        ImageClassification(X, Y[:-1])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.linspace(0, 1, 60), "numbers with fractions.*regression"),
        (np.eye(60)[:, :3], r"shape \(60, 3\).*one-hot rows, give y.argmax"),
        (np.where(np.arange(60) == 5, np.nan, 1.0), "1 of 60 are missing, the first in row 5"),
        ([None if i == 3 else "a" for i in range(60)], "1 of 60 are missing, the first in row 3"),
        (np.zeros(60, complex), "type complex128"),
    ],
)
def test_labels_that_do_not_match_are_told(labels, message):
    with pytest.raises(DataError, match=message):
        ImageClassification(X, labels)


def test_whole_numbers_stored_as_floats_are_labels():
    assert ImageClassification(X, (np.arange(60) % 3).astype(float)).preparation.labels([2]) == [2]


def test_a_test_label_that_training_never_saw_is_told():
    with pytest.raises(
        DataError, match=r"y_test hold 'yak', which training never saw: its classes are 'cat', 'dog', 'owl'"
    ):
        ImageClassification(X, Y, x_test=X[:2], y_test=["cat", "yak"])
    with pytest.raises(DataError, match=r"x_test is given without y_test"):
        ImageClassification(X, Y, x_test=X[:2])


def test_sizes_that_differ_offer_resize():
    mixed = [*X[:59], X[59][:8]]
    with pytest.raises(
        DataError, match=r"differ in size: sample 0 has shape \(10, 12, 3\), sample 59 has \(8, 12, 3\).*resize="
    ):
        ImageClassification(mixed, Y)
    assert ImageClassification(mixed, Y, resize=(8, 8)).input_shape == (3, 8, 8)


def test_new_images_of_another_size_are_told():
    preparation = ImageClassification(X, Y).preparation
    with pytest.raises(DataError, match=r"images are 8x12 .*: this task has 10x12 .*resize=\(10, 12\)"):
        preparation.inputs(X[:2, :8])
    with pytest.raises(DataError, match=r"does not exist"):
        preparation.inputs(["nowhere.png"])


def test_texts_are_no_images():
    with pytest.raises(DataError, match=r"type <U"):
        ImageClassification(np.array([["a"]] * 60), Y)
    with pytest.raises(DataError, match=r"empty"):
        ImageClassification(np.zeros((0, 8, 8)), [])
