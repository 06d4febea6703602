"""A benchmark from any table: what columns mean, and what a damaged table says."""

import pickle

import numpy as np
import pandas as pd
import pytest

from archwright.benchmark import load
from archwright.benchmark.table import table
from archwright.errors import DataError, EvaluationError, MissingExtraError
from archwright.objective import maximize, minimize
from archwright.space import Architecture, Space, choice, integer, searchable
from archwright.trial import Proposal


def row(depth, act):
    return {
        "depth": depth,
        "act": act,
        "maximize accuracy": 0.5 + 0.1 * depth + (act == "silu") / 100,
        "params": 10 * depth,
        "seconds": 5.0 * depth,
        "report test_accuracy": 0.4 + 0.1 * depth,
    }


ROWS = [row(depth, act) for depth in (1, 2, 3) for act in ("relu", "silu")]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_heading_says_what_columns_are(tmp_path, ending):
    path = tmp_path / f"mine.{ending}"
    frame = pd.DataFrame(ROWS)
    frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path)
    problem = load(str(path))
    assert problem.space.size == 6
    assert [d.name for d in problem.space.decisions] == ["depth", "act"]
    assert (problem.best, problem.reported, problem.name) == (pytest.approx(0.81), "test_accuracy", "mine")
    a = Architecture({"depth": 3, "act": "silu"})
    measured = problem.measure(a)
    assert measured.metrics == {"accuracy": pytest.approx(0.81), "test_accuracy": pytest.approx(0.7)}
    assert (measured.costs, measured.seconds) == ({"params": 30}, 15)
    assert problem.evaluator.costs(a, ("params",)) == {"params": 30}


def test_two_goals_have_a_front(tmp_path):
    path = tmp_path / "mine.csv"
    pd.DataFrame(ROWS).to_csv(path, index=False)
    problem = table(path, objectives=[maximize("accuracy"), minimize("params")])
    assert np.array(problem.front["scores"]) == pytest.approx(np.array([[-0.81, 30], [-0.71, 20], [-0.61, 10]]))
    assert problem.front["reference"] == pytest.approx([-0.6, 30])


def test_rows_that_are_not_there_are_not_of_the_space(tmp_path):
    path = tmp_path / "mine.csv"
    pd.DataFrame(ROWS[:-1]).to_csv(path, index=False)
    problem = load(str(path))
    assert problem.space.size == 5
    assert Architecture({"depth": 3, "act": "silu"}) not in problem.space
    again = pickle.loads(pickle.dumps(problem))
    assert again.space.size == 5
    assert again.space.fingerprint == problem.space.fingerprint


def conditional():
    body = choice(searchable(mlp)(depth=integer(1, 2)), searchable(conv)(kernel=choice(3, 5)), name="body")
    return Space({"body": body})


def mlp(depth):
    return depth


def conv(kernel):
    return kernel


def test_a_space_with_decisions_that_are_not_always_live(tmp_path):
    space = conditional()
    names = [d.name for d in space.decisions]
    rows = [{**{n: a.get(n) for n in names}, "accuracy": i / 10, "note": "text"} for i, a in enumerate(space)]
    path = tmp_path / "mine.csv"
    pd.DataFrame(rows[1:]).to_csv(path, index=False)
    problem = table(path, space=space, objectives=maximize("accuracy"))
    first, *others = space
    for i, architecture in enumerate(others, start=1):
        assert problem.measure(architecture).metrics == {"accuracy": i / 10}
    with pytest.raises(EvaluationError, match="mine has no row for"):
        problem.measure(first)
    with pytest.raises(DataError, match="row 0, column 'note': is 'text', not a finite number"):
        table(path, space=space, objectives=maximize("note"))
    wrong = pd.DataFrame(rows)
    wrong.loc[2, names[2]] = 7
    wrong.to_csv(path, index=False)
    with pytest.raises(DataError, match=f"row 2, column '{names[2]}': is not of the space"):
        table(path, space=space, objectives=maximize("accuracy"))


def test_an_empty_goal_is_a_failed_training(tmp_path):
    frame = pd.DataFrame(ROWS)
    frame.loc[5, "maximize accuracy"] = np.nan
    frame.to_csv(tmp_path / "mine.csv", index=False)
    problem = load(str(tmp_path / "mine.csv"))
    assert problem.best == pytest.approx(0.8)
    with pytest.raises(EvaluationError, match=r"training of depth=3, act=silu failed"):
        problem.evaluator(Proposal(Architecture({"depth": 3, "act": "silu"})), 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.rename(columns={"maximize accuracy": "accuracy"}), "marks no column as a goal"),
        (lambda f: f.astype({"params": object}).replace({"params": {20: "many"}}), "row 2, column 'params': is 'many'"),
        (lambda f: f.assign(seconds=[1, 2, None, 4, 5, 6]), "row 2, column 'seconds': is empty"),
        (lambda f: f.replace({"act": {"silu": "relu"}}), "row 1, column 'depth': is the architecture of row 0 again"),
        (lambda f: f.assign(act=["relu", None, *f.act[2:]]), "row 1, column 'act': is empty"),
        (lambda f: f[[c for c in f if c not in ("depth", "act")]], "has no column of decisions"),
        (lambda f: f[:0], "has no rows"),
        (lambda f: f.assign(**{"maximize accuracy": np.nan}), "every cell is empty"),
    ],
)
def test_a_damaged_table_names_the_place(tmp_path, change, message):
    path = tmp_path / "mine.csv"
    change(pd.DataFrame(ROWS)).to_csv(path, index=False)
    with pytest.raises(DataError) as caught:
        table(path)
    assert message in str(caught.value)
    assert "mine.csv" in str(caught.value)


def test_what_is_no_table(tmp_path):
    with pytest.raises(DataError, match="there is no table"):
        load(str(tmp_path / "absent.csv"))
    with pytest.raises(DataError, match=r"allowed are .csv and .parquet"):
        table(__file__)
    (tmp_path / "bad.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"bad.parquet' cannot be read"):
        table(tmp_path / "bad.parquet")
    pd.DataFrame(ROWS).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(DataError, match=r"has no column 'f1'. Allowed"):
        table(tmp_path / "mine.csv", objectives=maximize("f1"))


def test_a_missing_package_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "mine.parquet").write_bytes(b"")
    with pytest.raises(MissingExtraError, match=r"pip install 'archwright\[bench\]'"):
        table(tmp_path / "mine.parquet")
