"""Tables: columns of every kind, missing values, new data, bad input."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from archwright import task
from archwright.errors import DataError
from archwright.task import Preparation, TabularClassification, TabularRegression


def table(n=80, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": np.where(np.arange(n) % 9 == 0, np.nan, rng.normal(40, 12, n)),
            "rooms": rng.integers(1, 9, n),
            "town": rng.choice(["Bath", "York"], n),
            "heated": rng.random(n) < 0.5,
            "price": rng.normal(200_000, 50_000, n),
        }
    )


def test_columns_become_numbers_indicators_and_one_hot_places():
    frame = table()
    regression = TabularRegression(frame)
    columns = {c.name: c for c in regression.preparation.features.columns}
    assert {n: c.kind for n, c in columns.items()} == {
        "age": "number",
        "rooms": "number",
        "town": "category",
        "heated": "number",
    }
    assert columns["age"].indicator
    assert columns["town"].levels == ("Bath", "York")
    assert regression.input_shape == (2 + 1 + 2 + 1,)
    assert regression.describe()["missing_values"] == {"age": 9}
    assert regression.train.inputs[:, 0].mean().item() == pytest.approx(0, abs=1e-5)
    assert regression.train.inputs[:, 2].std(unbiased=False).item() == pytest.approx(1, abs=1e-4)


def test_targets_of_a_regression_are_standardised_and_scored_in_their_units():
    regression = TabularRegression(table())
    assert regression.train.targets.shape == (51, 1)
    assert regression.train.targets.mean().item() == pytest.approx(0, abs=1e-5)
    off = regression.validation.targets + 0.1
    score = regression.score(off, regression.validation.targets)
    assert score["rmse"] == pytest.approx(0.1 * regression.describe()["target_std"][0], rel=1e-4)
    prices = regression.preparation.labels(regression.validation.targets)
    assert all(min(abs(table()["price"] - p)) < 1 for p in prices)  # of 200,000


def test_several_targets_are_learnt_together():
    x = np.random.default_rng(0).normal(size=(50, 3))
    regression = TabularRegression(x, np.stack([x[:, 0] * 2, x[:, 1] + 5], 1))
    assert regression.n_outputs == 2
    assert regression.train.targets.shape[1] == 2
    assert regression.preparation.labels(torch.zeros(1, 2))[0] == pytest.approx(regression.describe()["target_mean"])


def test_new_rows_with_unknown_categories_and_new_gaps_are_prepared(tmp_path):
    regression = TabularRegression(table())
    again = Preparation.from_json(json.loads(json.dumps(regression.preparation.to_json())))
    assert again == regression.preparation
    new = pd.DataFrame({"extra": [1], "heated": [True], "town": ["Rome"], "rooms": [None], "age": [30.0]})
    row = again.inputs(new)[0]
    assert torch.isfinite(row).all()
    assert row[3:5].tolist() == [0.0, 0.0]  # no place for a town that training never saw
    table().to_csv(tmp_path / "new.csv", index=False)
    assert torch.allclose(again.inputs(tmp_path / "new.csv"), again.inputs(table()), atol=1e-5)


def test_a_column_that_new_data_lack_is_named():
    with pytest.raises(DataError, match=r"has no column 'rooms'.*Did you mean 'room'"):
        TabularRegression(table()).preparation.inputs(table().rename(columns={"rooms": "room"}))


def test_statistics_are_of_the_training_part_alone():
    frame = table().drop(columns=["town", "heated", "age"])
    plain = TabularRegression(frame)
    changed = frame.copy()
    known = set(np.round(plain.preparation.labels(plain.train.targets), 0))
    outside = ~changed["price"].round(0).isin(known)
    assert outside.sum() == 29
    changed.loc[outside, "rooms"] = 1000
    assert TabularRegression(changed).preparation == plain.preparation


def test_arrays_and_lists_of_rows_are_tables_too():
    x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    classification = TabularClassification(x, y)
    assert torch.allclose(classification.preparation.inputs(x[:2]), classification.preparation.inputs(x[:2].tolist()))
    with pytest.raises(DataError, match=r"has 2 columns: this task has 3"):
        classification.preparation.inputs(x[:, :2])
    rows = [{"a": float(i), "b": "p" if i % 2 else "q"} for i in range(20)]
    assert TabularClassification(rows).preparation.labels([0, 1]) == ["p", "q"]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_file_says_by_its_target_what_it_is(tmp_path, separator):
    frame = table()
    frame.to_csv(tmp_path / "a.csv", index=False, sep=separator)
    assert isinstance(task.load(tmp_path / "a.csv"), TabularRegression)
    by_town = task.load(tmp_path / "a.csv", target="town")
    assert isinstance(by_town, TabularClassification)
    assert by_town.describe()["source"] == str(tmp_path / "a.csv")
    assert isinstance(task.load(tmp_path / "a.csv", target="rooms"), TabularClassification)
    assert isinstance(task.load(tmp_path / "a.csv", target="rooms", kind="regression"), TabularRegression)


def test_an_official_test_table_is_kept():
    assert TabularRegression(table(), test=table(30, seed=1)).sizes == {"train": 64, "validation": 16, "test": 30}


def test_an_unknown_target_gets_the_nearest_name(tmp_path):
    with pytest.raises(DataError, match=r"no target column 'prize'.*Did you mean 'price'"):
        TabularRegression(table(), target="prize")
    table().to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=r"no target column 'prize'.*Did you mean 'price'"):
        task.load(tmp_path / "a.csv", target="prize")


def test_a_target_with_missing_values_is_told_with_its_row():
    frame = table()
    frame.loc[4, "price"] = np.nan
    with pytest.raises(DataError, match=r"'price' is missing in 1 of 80 rows, the first is row 4 \(line 6"):
        TabularRegression(frame)


def test_text_in_a_numeric_column_names_column_row_and_value(tmp_path):
    frame = table().astype({"rooms": object})
    frame.loc[17, "rooms"] = "five"
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError, match=r"column 'rooms' holds numbers, but 'five' in row 17 \(line 19"):
        task.load(tmp_path / "a.csv")
    assert task.load(tmp_path / "a.csv", missing_values=("five",)).describe()["missing_values"]["rooms"] == 1
    assert task.load(tmp_path / "a.csv", categorical=("rooms",)).describe()["columns"]["rooms"] == "category"


def test_an_infinite_number_names_its_column_and_row():
    frame = table()
    frame.loc[8, "age"] = np.inf
    with pytest.raises(DataError, match=r"column 'age' holds 1 infinite values, the first in row 8"):
        TabularRegression(frame)


def test_an_all_missing_column_is_named():
    with pytest.raises(DataError, match=r"column 'gone' of the table is missing in all 80 rows: remove it \(ignore="):
        TabularRegression(table().assign(gone=np.nan), target="price")
    assert (
        "gone"
        not in TabularRegression(table().assign(gone=np.nan), target="price", ignore=("gone",)).describe()["columns"]
    )


def test_a_column_of_other_texts_in_every_row_is_left_out_with_a_warning():
    with pytest.warns(UserWarning, match=r"column 'id' holds another text in every row"):
        regression = TabularRegression(table().assign(id=[f"r{i}" for i in range(80)]), target="price")
    assert "id" not in regression.describe()["columns"]


def test_dates_twins_and_unknown_columns_are_told():
    with pytest.raises(DataError, match=r"column 'when' of the table holds dates"):
        TabularRegression(table().assign(when=pd.Timestamp("2020-01-01")), target="price")
    twins = pd.concat([table(), table()[["age"]]], axis=1)
    with pytest.raises(DataError, match=r"more than one column called 'age'"):
        TabularRegression(twins, target="price")
    with pytest.raises(DataError, match=r"categorical names 'twon'.*Did you mean 'town'"):
        TabularRegression(table(), categorical=("twon",))


def test_texts_as_targets_of_a_regression_are_told():
    with pytest.raises(DataError, match=r"'(Bath|York)', which is not a number"):
        TabularRegression(table(), target="town")


def test_a_constant_target_is_told():
    with pytest.raises(DataError, match=r"target 'price' is 7 in every training sample"):
        TabularRegression(table().assign(price=7.0))


def test_quantities_as_classes_are_told():
    with pytest.raises(DataError, match=r"numbers with fractions.*regression"):
        TabularClassification(table())
    with pytest.raises(DataError, match=r"is this a regression"):
        TabularClassification(table().assign(price=np.arange(80)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as CSV"),
        ("a,b\n", "a header and no rows"),
        ("a,b\n1,2,3,4\n1,2\n1,2,3,4,5\n", "cannot be read as CSV"),
    ],
)
def test_a_broken_csv_file_is_told(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        task.load(tmp_path / "a.csv")


def test_a_target_alone_is_told():
    with pytest.raises(DataError, match=r"has the column 'price' alone"):
        TabularRegression(table()[["price"]])


def test_y_and_target_together_are_refused():
    with pytest.raises(DataError, match=r"both y and target"):
        TabularRegression(table(), table()["price"], target="price")


def test_y_of_another_length_is_told():
    with pytest.raises(DataError, match=r"has 80 samples and y has 79 labels"):
        TabularClassification(table(), np.zeros(79, int))
