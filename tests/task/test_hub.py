"""Hugging Face data sets: the real ones where the package is installed, and what is asked of them where it is not."""

import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image as Picture
from scipy.io import wavfile

from archwright import task
from archwright.errors import DataError

try:
    import datasets
except ImportError:
    datasets = None


class ClassLabel:
    def __init__(self, names):
        self.names = names


class Image:
    pass


class Value:
    pass


class Audio:
    def __init__(self, sampling_rate=None, decode=True):
        self.sampling_rate, self.decode = sampling_rate, decode


class Like:
    """What of a `datasets.Dataset` is used."""

    def __init__(self, columns, features):
        self.columns, self.features, self.column_names = columns, features, list(columns)

    def __getitem__(self, name):
        return self.columns[name]

    def to_pandas(self):
        return pd.DataFrame({k: v for k, v in self.columns.items() if not isinstance(self.features[k], Image)})


class LikeOfSounds(Like):
    """What of one with sounds is used: decoded they are dicts of arrays, else of the bytes of files."""

    def cast_column(self, name, feature):
        made = LikeOfSounds(self.columns, {**self.features, name: feature})
        if not feature.decode:
            coded = [{"bytes": in_file(c["array"], c["sampling_rate"]), "path": None} for c in self.columns[name]]
            made.columns = {**self.columns, name: coded}
        return made


def texts(n=60):
    kinds, words = ("film", "play", "book"), ("fine", "dull")
    said = [f"the {kinds[i % 3]} on evening {i} was really {words[i % 2]}" for i in range(n)]
    return {"text": said, "label": [i % 2 for i in range(n)]}


def images(n=30):
    rng = np.random.default_rng(0)
    return {
        "image": [Picture.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)) for _ in range(n)],
        "label": [i % 3 for i in range(n)],
    }


RATE = 4000


def in_file(samples, rate):
    """The bytes of a .wav file."""
    file = io.BytesIO()
    wavfile.write(file, rate, samples.astype(np.float32))
    return file.getvalue()


def sounds(n=60, kind="label"):
    rng = np.random.default_rng(0)
    clips = [{"array": 0.1 * rng.normal(size=1500 + i), "sampling_rate": RATE} for i in range(n)]
    if kind == "label":
        return {"audio": clips, "who": ["a", "b"] * (n // 2), "label": [i % 3 for i in range(n)]}
    return {
        "id": list(range(n)),
        "audio": clips,
        "sentence": [f"number {i}" for i in range(n)],
        "who": ["a", "b"] * (n // 2),
    }


def like_sounds(columns):
    return cast(LikeOfSounds, columns)


def undecoded(columns):
    """As `datasets` gives them where nothing decodes: dicts of bytes, and no other way."""
    made = cast(LikeOfSounds, columns)
    return Like(made.cast_column("audio", Audio(decode=False)).columns, made.features)


def cast(kind, columns):
    features = {name: Audio(RATE) if name == "audio" else Value() for name in columns}
    return kind(columns, {**features, **({"label": ClassLabel(NAMES["image"])} if "label" in columns else {})})


def decoded(columns):
    return cast(Like, columns)


def real_sounds(columns):
    if datasets is None:
        pytest.skip("datasets is not installed")
    coded = [{"bytes": in_file(c["array"], c["sampling_rate"]), "path": None} for c in columns["audio"]]
    made = datasets.Dataset.from_dict({**columns, "audio": coded}).cast_column(
        "audio", datasets.Audio(sampling_rate=RATE)
    )
    return made.cast_column("label", datasets.ClassLabel(names=NAMES["image"])) if "label" in columns else made


OF_SOUNDS = [like_sounds, undecoded, decoded, real_sounds]

NAMES = {"text": ["good", "bad"], "image": ["ant", "bee", "cat"]}


def like(columns):
    kinds = {name: Image() if name == "image" else Value() for name in columns}
    return Like(columns, {**kinds, "label": ClassLabel(NAMES["image" if "image" in columns else "text"])})


def real(columns):
    if datasets is None:
        pytest.skip("datasets is not installed")
    kind = "image" if "image" in columns else "text"
    first = {"image": datasets.Image()} if kind == "image" else {"text": datasets.Value("string")}
    features = datasets.Features({**first, "label": datasets.ClassLabel(names=NAMES[kind])})
    return datasets.Dataset.from_dict(columns, features=features)


@pytest.mark.parametrize("make", [like, real])
def test_texts_with_class_labels_are_a_task_whose_labels_have_their_names(make):
    found = task.load(make(texts()))
    assert isinstance(found, task.TextClassification)
    assert found.describe()["classes"] == ["bad", "good"]
    assert sum(found.sizes.values()) == 60


@pytest.mark.parametrize("make", [like, real])
def test_images_are_a_task_and_an_official_test_part_is_kept(make):
    parts = {"train": make(images(30)), "validation": make(images(9)), "test": make(images(12))}
    found = task.load(datasets.DatasetDict(parts) if make is real else parts)
    assert isinstance(found, task.ImageClassification)
    assert found.sizes["test"] == 12
    assert found.sizes["train"] + found.sizes["validation"] == 39
    assert found.input_shape == (1, 8, 8)


@pytest.mark.parametrize("make", OF_SOUNDS)
def test_sounds_with_labels_are_a_task_and_an_official_test_part_is_kept(make):
    parts = {"train": make(sounds(60)), "validation": make(sounds(30)), "test": make(sounds(24))}
    found = task.load(datasets.DatasetDict(parts) if make is real_sounds else parts, group="who", validation_share=0.5)
    assert isinstance(found, task.AudioClassification)
    assert found.sizes["test"] == 24
    assert found.sizes["train"] + found.sizes["validation"] == 90
    assert found.describe()["classes"] == NAMES["image"]
    assert (found.sample_rate, found.groups.labels) == (RATE, ("a", "b"))
    first, second, held = (sounds(n) for n in (60, 30, 24))
    x, y = ([*first[column], *second[column]] for column in ("audio", "label"))
    alike = task.AudioClassification(x, y, validation_share=0.5, x_test=held["audio"], y_test=held["label"])
    torch.testing.assert_close(found.train.inputs, alike.train.inputs)
    assert task.load(make(sounds(60)), resample=2000).sample_rate == 2000


@pytest.mark.parametrize("make", OF_SOUNDS)
def test_sounds_with_what_is_said_in_them_are_speech(make):
    pytest.importorskip("jiwer")
    found = task.load(make(sounds(60, "said")))
    assert isinstance(found, task.SpeechRecognition)
    assert "".join(found.texts.tokens).strip() == "0123456789bemnru"
    alike = task.SpeechRecognition(sounds(60, "said")["audio"], sounds(60, "said")["sentence"])
    torch.testing.assert_close(found.train.inputs, alike.train.inputs)
    assert torch.equal(found.train.targets, alike.train.targets)
    told = task.load(make(sounds(60, "said")), kind="audio", target="who")
    assert isinstance(told, task.AudioClassification)
    assert isinstance(task.load(make(sounds(60, "said")), target="who"), task.AudioClassification)


def test_sounds_that_cannot_be_read_are_named_and_may_be_left_out():
    made = undecoded(sounds(60))
    made.columns["audio"][4] = {"bytes": b"nothing", "path": "four.wav"}
    made.columns["audio"][5] = {"path": "nowhere.wav"}
    with pytest.raises(DataError, match=r"2 of 60 clips cannot be read: clip 4 of x is no sound.*clip 5 of x does not"):
        task.load(made)
    with pytest.warns(UserWarning, match="2 of 60 clips"):
        assert sum(task.load(made, on_bad_clip="skip").sizes.values()) == 58


def test_other_columns_are_a_table_with_the_target_that_is_named():
    rng = np.random.default_rng(0)
    columns = {"a": rng.normal(size=50).tolist(), "b": ["x", "y"] * 25, "c": rng.normal(size=50).tolist()}
    found = task.load(Like(columns, dict.fromkeys(columns, Value())), target="a")
    assert isinstance(found, task.TabularRegression)
    assert found.input_shape == (3,)
    classes = task.load(Like(columns, dict.fromkeys(columns, Value())), target="b", kind="classification", split_seed=3)
    assert classes.describe()["split_seed"] == 3
    assert classes.train.targets.dtype == torch.int64


@pytest.mark.parametrize(
    ("parts", "options", "said"),
    [
        ({"training": texts()}, {}, "one must be called 'train'"),
        ({"train": texts()}, {"target": "labels"}, "no column 'labels'.*'label'"),
        ({"train": texts()}, {"kind": "images"}, "holds images"),
        ({"train": texts()}, {"kind": "pictures"}, "kind='pictures' does not fit"),
        ({"train": texts(), "test": {**texts(4), "label": [-1] * 4}}, {}, "4 of 4 labels of a part are -1"),
    ],
)
def test_what_cannot_be_learnt_from_is_told(parts, options, said):
    with pytest.raises(DataError, match=said):
        task.load({name: like(columns) for name, columns in parts.items()}, **options)


def test_a_column_of_groups_is_one_of_images_too():
    columns = {**images(150), "camera": ["a", "b"] * 75}
    found = task.load({"train": like(columns), "test": like(columns)}, group="camera")
    assert found.groups.labels == ("a", "b")
    assert len(found.open_test().groups) == 150
    with pytest.raises(DataError, match="no column of groups 'lens'"):
        task.load(like(columns), group="lens")
