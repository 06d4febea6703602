"""What is wrong with data is told all at once, and what makes them doubtful before a search begins."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from archwright.errors import DataError
from archwright.task import ImageClassification, SequenceClassification, TabularClassification, TextClassification, load
from archwright.task.problems import Problems


def table(n=120, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "y": np.arange(n) % 2})


def told(make):
    """The problems of an error, one a line."""
    with pytest.raises(DataError) as caught:
        make()
    return str(caught.value).splitlines()


def test_one_problem_is_told_as_it_is_and_several_are_numbered():
    problems = Problems()
    problems.check()
    problems.add("one")
    problems.add("one")
    with pytest.raises(DataError, match=r"^one$"):
        problems.check()
    for i in range(25):
        problems.add(f"number {i}")
    lines = told(problems.check)
    assert lines[0] == "there are 26 problems with the data:"
    assert lines[1:3] == ["  1. one", "  2. number 0"]
    assert lines[-1] == "  and 6 more"


def test_a_table_says_all_that_is_wrong_with_it():
    bad, test = table().astype(object), table().drop(columns="b")
    bad.loc[3, "a"] = "three"
    bad.loc[5, "b"] = np.inf
    bad["gone"] = None
    bad.loc[7, "y"] = None
    lines = told(lambda: TabularClassification(bad, target="y", test=test, ignore=["c"], categorical=["d"]))
    assert lines[0] == "there are 7 problems with the data:"
    for part in (
        "column 'a' holds numbers, but 'three' in row 3",
        "'b' holds 1 infinite values",
        "'gone' of the table is missing",
        "'y' is missing in 1 of 120 rows",
        "the test table has no column 'b'",
        "categorical names 'd'",
        "ignore names 'c'",
    ):
        assert sum(part in line for line in lines) == 1, part


def test_labels_of_the_test_that_training_never_saw_are_told_beside_what_else_is_wrong():
    x = np.random.default_rng(0).normal(size=(40, 8, 8))
    x[3, 0, 0] = np.nan
    lines = told(lambda: ImageClassification(x, np.arange(40) % 2, x_test=x[10:] * np.inf, y_test=[2] * 30))
    assert [line.split(".")[0].strip() for line in lines[1:]] == ["1", "2", "3"]
    assert "x hold 1 NaN" in lines[1]
    assert "x_test hold" in lines[2]
    assert "y_test hold 2, which training never saw" in lines[3]
    series = x.reshape(40, 64)
    assert len(told(lambda: SequenceClassification(series, [None] + [1, 2, 3] * 13))) == 3
    assert len(told(lambda: TextClassification(["a b c", None], [0.5, 1]))) == 3


def test_all_files_that_are_missing_or_broken_are_named(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "good.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    files = [tmp_path / name for name in ("good.png", "broken.png", "gone.png", "lost.png")]
    (line,) = told(lambda: ImageClassification(files, [0, 1, 0, 1]))
    assert "broken.png' cannot be read" in line
    assert "gone.png' does not exist" in line
    assert "lost.png' does not exist" in line


def test_all_class_folders_without_images_are_named(tmp_path):
    for name in ("cat", "dog", "owl"):
        (tmp_path / name).mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "cat" / "1.png")
    (line,) = told(lambda: load(tmp_path))
    assert "dog" in line
    assert "owl" in line


def test_good_data_are_not_doubted():
    assert TabularClassification(table()).doubts == ()
    assert load("digits").doubts == ()


def test_samples_in_two_parts_are_counted_in_each():
    x = np.random.default_rng(0).normal(size=(100, 8, 8))
    y = np.arange(100) % 2
    task = ImageClassification(x, y, x_test=np.concatenate([x[:7], x[:20] + 100]), y_test=np.arange(27) % 2)
    in_training = sum(bool((task.train.inputs == row).flatten(1).all(1).any()) for row in task.open_test().inputs)
    said = {d.split(" samples")[0]: d for d in task.doubts}
    assert f"{in_training} of 27 test" in said
    assert 0 < in_training <= 7
    assert sum(int(d.split(" of 27")[0]) for d in task.doubts if " of 27 test" in d) == 7
    assert task.test_openings == 1, "only the test above opened it"


def test_columns_that_say_nothing_are_named():
    frame = table(200).assign(same=3.0, word="x", name=[f"n{i}" for i in range(200)])
    with pytest.warns(UserWarning, match="another text in every row"):
        task = TabularClassification(frame, target="y")
    assert any(d.endswith("columns same, word") for d in task.doubts)
    assert any(d.endswith("column name") for d in task.doubts)


def test_a_group_too_small_to_compare_is_named():
    group = np.where(np.arange(400) < 12, "rare", np.where(np.arange(400) % 2, "f", "m"))
    doubts = TabularClassification(table(400), group=group).doubts
    assert any("too small to be compared in the test part: group rare" in d for d in doubts)


def test_images_that_are_skipped_are_doubts(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(20):
        folder = tmp_path / ("cat" if i % 2 else "dog")
        folder.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(folder / f"{i}.png")
    (tmp_path / "cat" / "bad.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="1 of 21 images"):
        task = load(tmp_path, on_bad_image="skip")
    assert any(d.startswith("left out, for it cannot be read: image") and "bad.png" in d for d in task.doubts)
