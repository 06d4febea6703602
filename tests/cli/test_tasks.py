"""`archwright tasks`: kinds as they are, one set of data, and what may be wrong with it."""

import json

import numpy as np
import pandas as pd
import pytest

from archwright import task
from archwright.cli.tasks import KINDS
from archwright.task.paths import ARRAYS, COCO, FOLDERS, TABLES, TEXTS

PATHS = (FOLDERS, TABLES, ARRAYS, TEXTS, COCO)


def test_every_kind_that_a_path_may_be_of_is_told():
    known = {kind: makes.split(".")[0] for table in PATHS for kind, makes in table.items()}
    assert {k.name: k.makes for k in KINDS if k.name} == {k: makes for k, makes in known.items() if makes}


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.makes)
def test_the_metrics_of_a_kind_are_those_that_its_tasks_have(kind):
    rng, lines = np.random.default_rng(0), [f"the {i}th of many short texts" for i in range(60)]
    x, y = rng.normal(size=(60, 8, 8)), np.arange(60) % 2
    clicked = pd.DataFrame({"user": np.arange(60) // 6, "item": np.arange(60) * 7 % 30, "rating": y})
    made = {
        "ImageClassification": lambda make: make(x, y),
        "SequenceClassification": lambda make: make(x, y),
        "AudioClassification": lambda make: make(rng.normal(size=(60, 800)), y, sample_rate=8000),
        "SpeechRecognition": lambda make: make(list(rng.normal(size=(60, 8000))), lines, sample_rate=8000),
        "TabularClassification": lambda make: make(x[:, 0], y),
        "TabularRegression": lambda make: make(x[:, 0], x[:, 1, 1]),
        "TextClassification": lambda make: make(lines, y),
        "Forecasting": lambda make: make(rng.normal(size=300), horizon=4),
        "LanguageModelling": lambda make: make(" ".join(lines), window=16),
        "Translation": lambda make: make(lines, lines[::-1], vocabulary=60),
        "Segmentation": lambda make: make(x, rng.integers(0, 3, (60, 8, 8))),
        "ImageGeneration": lambda make: make(x),
        "Detection": lambda make: make(x * 9, [[[1, 1, 5, 6]]] * 60, [[c] for c in y], resize=(32, 32)),
        "NodeClassification": lambda make: make(x[:, 0], rng.integers(0, 60, (2, 200)), y),
        "GraphClassification": lambda make: make([{"x": a, "edges": [[0, 1], [1, 2]]} for a in x], y),
        "MultiTask": lambda make: make(x, {"a": y, "b": x[:, 0, 0]}),
        "Multimodal": lambda make: make({"one": x, "two": x[:, 0]}, y),
        "CustomTask": lambda make: make((x[:, 0].astype("f"), y), loss=lambda o, t: o.sum()),
        "Recommendation": lambda make: make(clicked, clicks=kind.name == "clicks"),
    }[kind.makes](getattr(task, kind.makes))
    own = [m for m in made.metrics if not (kind.makes == "MultiTask" and m.split("_")[0] in ("a", "b"))]
    assert set(kind.metrics) == set(own)
    assert kind.metrics[0] == made.metric


def test_one_set_of_data_is_described(archwright):
    shown = archwright("tasks", "digits").stdout
    for part in ("1,797 samples", "ImageClassification", "accuracy (maximize)", "convnet", "none"):
        assert part in shown
    found = json.loads(archwright("tasks", "digits", "--json").stdout)
    assert found["doubts"] == []
    assert found["default_space"] == "convnet"
    assert found["sizes"] == {"train": 1150, "validation": 288, "test": 359}


def test_doubts_are_told_with_the_data_and_before_a_search(archwright, tmp_path):
    rng = np.random.default_rng(0)
    answers = np.arange(300) // 2 % 2
    frame = pd.DataFrame({"a": rng.normal(size=300), "same": 1.0, "sex": ["f", "m"] * 150, "y": answers})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    options = (str(tmp_path / "rows.csv"), "--target", "y", "--group", "sex")
    shown = archwright("tasks", *options).stdout
    assert "column same" in shown
    assert "sex: f 150, m 150" in shown
    budget = ("--trials", "1", "--train-epochs", "1", "--workers", "1", "--out", str(tmp_path / "out"))
    searched = archwright("search", *options, *budget).stdout
    assert searched.index("column same") < searched.index("test accuracy by sex")


def test_all_problems_of_a_table_are_printed_and_the_exit_code_says_so(refused, tmp_path):
    rows = pd.DataFrame({"a": ["1", "2", "three", "4"] * 10, "b": [1.0, np.inf] * 20, "y": [0, 1] * 20})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    message = refused("tasks", str(tmp_path / "rows.csv"))
    assert "there are 2 problems with the data" in message
    assert "'three' in row 2" in message
    assert "infinite" in message
