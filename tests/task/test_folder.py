"""Folders of images, good and bad; and raw data for prediction."""

import numpy as np
import pytest
import torch
from PIL import Image

from archwright import task
from archwright.errors import DataError

RNG = np.random.default_rng(0)


def fill(folder, classes=("cat", "dog"), n=6, size=(9, 8), mode="RGB", suffix="png"):
    for label in classes:
        (folder / label).mkdir(parents=True)
        for i in range(n):
            shape = size if mode == "L" else (*size, 3)
            Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(folder / label / f"{i}.{suffix}")
    return folder


def test_class_folders_become_classes(tmp_path):
    loaded = task.load(fill(tmp_path / "pets"))
    assert loaded.name == "pets"
    assert loaded.describe()["classes"] == ["cat", "dog"]
    assert loaded.input_shape == (3, 9, 8)
    assert sum(loaded.sizes.values()) == 12


def test_train_and_test_folders_keep_the_official_test(tmp_path):
    fill(tmp_path / "train", n=5)
    fill(tmp_path / "test", n=2)
    assert task.load(tmp_path).sizes["test"] == 4


def test_grey_among_colour_becomes_colour_and_grey_alone_stays_grey(tmp_path):
    fill(tmp_path / "a", ("cat",), mode="L")
    fill(tmp_path / "a", ("dog",))
    fill(tmp_path / "b", mode="L", suffix="jpg")
    assert task.load(tmp_path / "a").input_shape == (3, 9, 8)
    assert task.load(tmp_path / "b").input_shape == (1, 9, 8)


def test_unreadable_images_stop_with_their_names_and_number(tmp_path):
    fill(tmp_path)
    (tmp_path / "cat" / "broken.png").write_bytes(b"this is no picture")
    (tmp_path / "dog" / "empty.jpg").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"2 of 14 images cannot be read: .*broken\.png.*empty\.jpg.*on_bad_image='skip'"
    ):
        task.load(tmp_path)


def test_unreadable_images_are_skipped_with_a_warning_that_names_them(tmp_path):
    fill(tmp_path)
    good = (tmp_path / "cat" / "0.png").read_bytes()
    (tmp_path / "cat" / "cut.png").write_bytes(good[: len(good) // 2])  # a download that broke off
    with pytest.warns(UserWarning, match=r"1 of 13 images cannot be read: .*cut\.png.*left out"):
        loaded = task.load(tmp_path, on_bad_image="skip")
    assert sum(loaded.sizes.values()) == 12
    assert [name.endswith("cut.png") for name in loaded.describe()["skipped_images"]] == [True]


def test_nothing_but_unreadable_images_stops_even_when_skipping(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"1 of 1 images"):
        task.load(tmp_path, on_bad_image="skip")


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(DataError, match=r"holds no image: expected one folder a class"):
        task.load(tmp_path)


def test_an_empty_class_folder_is_named(tmp_path):
    fill(tmp_path)
    (tmp_path / "eel").mkdir()
    with pytest.raises(DataError, match=r"class folder '.*eel' holds no image"):
        task.load(tmp_path)


def test_images_without_class_folders_are_told(tmp_path):
    fill(tmp_path)
    with pytest.raises(DataError, match=r"holds 6 images, but no class folders"):
        task.load(tmp_path / "cat")


def test_a_single_class_folder_is_told(tmp_path):
    with pytest.raises(DataError, match=r"only one class, 'cat'"):
        task.load(fill(tmp_path, ("cat",)))


def test_a_single_image_in_a_class_is_told(tmp_path):
    fill(tmp_path)
    fill(tmp_path, ("eel",), n=1)
    with pytest.raises(DataError, match=r"class 'eel' has 1: every class needs at least 3"):
        task.load(tmp_path)


def test_sizes_that_differ_are_counted_and_resize_is_offered(tmp_path):
    fill(tmp_path)
    fill(tmp_path, ("eel",), n=4, size=(20, 20))
    with pytest.raises(DataError, match=r"9x8 \(12 images.*20x20 \(4 images.*resize=\(9, 8\)"):
        task.load(tmp_path)
    assert task.load(tmp_path, resize=(16, 12)).input_shape == (3, 16, 12)


def test_a_wrong_flag_or_folder_is_told(tmp_path):
    with pytest.raises(DataError, match=r"allowed are 'stop' and 'skip'"):
        task.load(fill(tmp_path), on_bad_image="ignore")
    with pytest.raises(DataError, match=r"does not exist"):
        task.ImageClassification.from_folder(tmp_path / "nowhere")


def test_raw_data_of_every_kind_can_be_read_for_prediction(tmp_path):
    preparation = task.load(fill(tmp_path / "pets")).preparation
    raw, names = task.read_raw(tmp_path / "pets" / "cat")
    assert names[:2] == ["0.png", "1.png"]
    whole = preparation.inputs(raw)
    raw, names = task.read_raw(tmp_path / "pets" / "cat" / "1.png")
    assert torch.equal(preparation.inputs(raw), whole[1:2])
    pixels = np.stack([np.asarray(Image.open(tmp_path / "pets" / "cat" / f"{i}.png")) for i in range(6)])
    np.savez(tmp_path / "x.npz", x=pixels)
    np.save(tmp_path / "x.npy", pixels)
    for file in ("x.npz", "x.npy"):
        raw, names = task.read_raw(tmp_path / file)
        assert torch.equal(preparation.inputs(raw), whole)
        assert names == list("012345")
    for wrong, message in (("gone.png", "do not exist"), ("x.doc", "has the ending '.doc'")):
        if wrong == "x.doc":
            (tmp_path / wrong).write_bytes(b"")
        with pytest.raises(DataError, match=message):
            task.read_raw(tmp_path / wrong)
