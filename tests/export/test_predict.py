"""`predict`: answers for raw data from an exported folder."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_diabetes, load_digits

from archwright import nn as an
from archwright import task
from archwright.errors import DataError, ExportError
from archwright.export import Card, export, predict

sys.path.insert(0, str(Path(__file__).parent))
from export_networks import Recurrent, trained


def put(folder: Path, given: task.Task, forms=("weights", "source")):
    """An exported network for a task, and the network."""
    network = trained(lambda: an.materialize(given.baseline(), given.input_shape))
    card = Card(name=given.name, preparation=given.preparation.to_json())
    export(network, folder, input_shape=given.input_shape, card=card, forms=forms)
    return network


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    given = task.load("digits")
    network = put(folder, given, ("weights", "source", "onnx", "pt2"))
    images = load_digits().images.astype(np.uint8)[:30]
    with torch.no_grad():
        output = network(given.preparation.inputs(images))
    return folder, images, given.preparation.answers(output), output.softmax(1).amax(1).tolist()


@pytest.mark.parametrize("form", [None, "source", "pt2", "onnx"])
def test_every_form_answers_as_the_network_does(digits, form):
    folder, images, labels, probabilities = digits
    found = predict(folder, images, form=form)
    assert [p.label for p in found] == labels
    assert np.allclose([p.probability for p in found], probabilities, atol=1e-5)
    assert [p.sample for p in found] == [str(i) for i in range(30)]


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_array_files_are_read(digits, suffix, tmp_path):
    folder, images, labels, _ = digits
    path = tmp_path / f"new{suffix}"
    np.save(path, images) if suffix == ".npy" else np.savez(path, x=images)
    assert [p.label for p in predict(folder, path)] == labels


def test_a_folder_of_images_and_a_single_one_are_read_with_their_names(digits, tmp_path):
    folder, images, labels, _ = digits
    for i, image in enumerate(images[:5]):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    found = predict(folder, tmp_path)
    assert [(p.sample, p.label) for p in found] == [(f"{i}.png", labels[i]) for i in range(5)]
    (one,) = predict(folder, tmp_path / "3.png")
    assert (one.sample, one.label) == ("3.png", labels[3])
    assert set(one.to_json()) == {"sample", "label", "probability"}


def test_regression_answers_in_the_units_of_the_target(tmp_path):
    x, y = load_diabetes(return_X_y=True, as_frame=True)
    network = put(tmp_path / "out", given := task.TabularRegression(x, y))
    x[:20].to_csv(tmp_path / "new.csv", index=False)
    found = predict(tmp_path / "out", tmp_path / "new.csv")
    with torch.no_grad():
        standardised = network(given.preparation.inputs(x[:20]))
    train = given.preparation.targets
    expected = standardised.squeeze(1).numpy() * train.std[0] + train.mean[0]
    assert np.allclose([p.value for p in found], expected, rtol=1e-4)
    assert np.ptp(expected) > 10, "in the units of the target, patients differ by tens"


def test_a_table_with_categories_and_missing_values_is_read_from_csv(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(size=60), "colour": rng.choice(["red", "blue"], 60)})
    frame.loc[3, "size"] = np.nan
    frame["kind"] = np.where(frame["colour"] == "red", "warm", "cold")
    put(tmp_path / "out", task.TabularClassification(frame, target="kind"))
    frame.drop(columns="kind").to_csv(tmp_path / "new.csv", index=False)
    found = predict(tmp_path / "out", tmp_path / "new.csv")
    assert len(found) == 60
    assert {p.label for p in found} <= {"warm", "cold"}
    (tmp_path / "bad.csv").write_text("size\n1.0\n")
    with pytest.raises(DataError, match="colour"):
        predict(tmp_path / "out", tmp_path / "bad.csv")


def test_a_network_without_a_preparation_takes_numbers_as_they_are(tmp_path):
    network = trained(Recurrent)
    export(network, tmp_path, input_shape=(3, 6), forms=("source",))
    x = torch.randn(300, 3, 6)
    with torch.no_grad():
        expected = network(x)
    for raw in (x, x.numpy(), x.tolist()):
        assert np.allclose([p.value for p in predict(tmp_path, raw)], expected, atol=1e-5)
    for wrong, message in (
        (x[0], r"takes \(3, 6\)"),
        (x.transpose(1, 2), r"one sample of the data has shape \(6, 3\)"),
        (x[:0], "no sample"),
        (x * float("nan"), "5400 NaN"),
        ([["a"]], "no array of numbers"),
    ):
        with pytest.raises(DataError, match=message):
            predict(tmp_path, wrong)


def test_data_that_do_not_fit_are_said(digits, tmp_path):
    folder, *_ = digits
    with pytest.raises(DataError, match="8x8"):
        predict(folder, np.zeros((4, 9, 9), np.uint8))
    with pytest.raises(DataError, match="do not exist"):
        predict(folder, tmp_path / "nothing.npy")
    (tmp_path / "words.npy").write_text("no array")
    with pytest.raises(DataError, match="cannot be read"):
        predict(folder, tmp_path / "words.npy")


def test_folders_that_do_not_serve_are_said(tmp_path):
    x = torch.zeros(1, 3, 6)
    with pytest.raises(ExportError, match="does not exist"):
        predict(tmp_path / "nowhere", x)
    with pytest.raises(ExportError, match=r"has no card\.json"):
        predict(tmp_path, x)
    out = tmp_path / "out"
    export(trained(Recurrent), out, input_shape=(3, 6), forms=("source",))
    with pytest.raises(ExportError, match=r"has no model\.onnx: it was not asked for\. There are: source"):
        predict(out, x, form="onnx")
    with pytest.raises(ExportError, match=r"'onx'.*Did you mean 'onnx'"):
        predict(out, x, form="onx")
    source = out / "model.py"
    source.write_text(source.read_text() + "# edited\n")
    with pytest.raises(ExportError, match=r"model\.py changed since it was exported"):
        predict(out, x)
    assert len(predict(out, x, verify=False)) == 1
    (out / "weights.safetensors").unlink()
    with pytest.raises(ExportError, match=r"has no weights\.safetensors"):
        predict(out, x, verify=False)
    source.unlink()
    with pytest.raises(ExportError, match="export the network again"):
        predict(out, x)
