"""Hugging Face data sets: the real ones where the package is installed, and what is asked of them where it is not."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image as Picture

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


class Like:
    """What of a `datasets.Dataset` is used."""

    def __init__(self, columns, features):
        self.columns, self.features, self.column_names = columns, features, list(columns)

    def __getitem__(self, name):
        return self.columns[name]

    def to_pandas(self):
        return pd.DataFrame({k: v for k, v in self.columns.items() if not isinstance(self.features[k], Image)})


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
