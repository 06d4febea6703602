"""Ratings and clicks from the shell: what they are, a search on them, and answers for a table."""

import csv
import json

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def films():
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((20, 30)) < 0.5)
    frame = pd.DataFrame({"user_id": user, "movie_id": item, "rating": 1 + (user + item + rng.integers(0, 2)) % 5})
    frame.to_csv("films.csv", index=False)
    frame.head(3)[["user_id", "movie_id"]].to_csv("new.csv", index=False)
    return frame


@pytest.mark.parametrize(
    ("kind", "column", "metric"),
    [
        ("recommendation", "rating", "rmse"),
        pytest.param("clicks", "score", "ndcg10", marks=pytest.mark.slow),
    ],
)
def test_a_search_on_users_and_items_answers_for_a_table(archwright, films, kind, column, metric):
    told = json.loads(archwright("tasks", "films.csv", "--kind", kind, "--json").stdout)
    assert told["kind"] == "Recommendation"
    assert told["metric"] == metric
    assert told["users"] == 20
    out = "out"
    budget = ("--trials", "2", "--train-epochs", "2", "--workers", "1", "--no-baseline")
    done = archwright("search", "films.csv", "--kind", kind, *budget, "--out", out)
    assert done.exit_code == 0, (done.stdout, done.stderr, done.exception)
    answers = {}
    for form in ("source", "pt2", "onnx"):
        made = archwright("predict", out, "new.csv", "--form", form, "--json")
        assert made.exit_code == 0, made.stderr
        answers[form] = [p["value"] for p in json.loads(made.stdout)["predictions"]]
        assert [(a["user_id"], a["movie_id"]) for a in answers[form]] == list(
            films.head(3)[["user_id", "movie_id"]].itertuples(index=False, name=None)
        )
    for other in ("pt2", "onnx"):
        assert [a[column] for a in answers[other]] == pytest.approx([a[column] for a in answers["source"]], rel=1e-3)
    assert archwright("predict", out, "new.csv", "--csv", "answers.csv").exit_code == 0
    with open("answers.csv") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["sample", "user_id", "movie_id", column]
    assert [float(r[column]) for r in rows] == pytest.approx([a[column] for a in answers["source"]], rel=1e-3)
    again = archwright("export", out, "--trial", "0", "--forms", "source", "--to", "again")
    assert again.exit_code == 0, (again.stdout, again.stderr)
    assert archwright("predict", "again", "new.csv").exit_code == 0


def test_columns_of_other_names_are_said(archwright, refused, films):
    films.rename(columns={"user_id": "who", "movie_id": "what"}).to_csv("other.csv", index=False)
    said = refused("tasks", "other.csv", "--kind", "recommendation")
    assert "say which it is, with user=" in said
    shown = archwright("tasks", "other.csv", "--user", "who", "--item", "what")
    assert "rmse (minimize)" in shown.stdout
    assert "who (user)" in shown.stdout
