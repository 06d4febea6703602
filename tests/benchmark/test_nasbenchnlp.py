"""NAS-Bench-NLP: curves, failed trainings, repeated ones, and what a damaged table says."""

import json

import numpy as np
import pandas as pd
import pytest

from archwright.benchmark import load
from archwright.errors import DataError, EvaluationError
from archwright.space import Architecture

RNN = {"f": {"op": "linear", "input": ["x", "h_prev_0"]}, "h_new_0": {"op": "activation_tanh", "input": ["f"]}}
SIGM = {**RNN, "h_new_0": {"op": "activation_sigm", "input": ["f"]}}
DEAD = {"g": {"op": "activation_sigm", "input": ["x"]}, **RNN}
SWAPPED = {**RNN, "f": {"op": "linear", "input": ["h_prev_0", "x"]}}


def line(number, recipe, curve, test=5.0, epochs=None):
    epochs = len(curve) if epochs is None else epochs
    return {"recepie_id": number, "recepie": json.dumps(recipe), "num_params": 100 + number, "n_epochs": epochs,
            "val_curve": json.dumps(curve), "test_loss": test, "wall": 10.0 * epochs}  # fmt: skip


LINES = [
    line(1, RNN, [6.0, 5.5, 5.6, 5.0]),
    line(2, SIGM, [6.5, 6.0, 5.8, 5.2]),
    line(3, RNN, [6.2, 5.7, 5.5, 5.2], test=5.2),
    line(4, SWAPPED, [6.0, None], test=None),
]


def cell(number):
    return Architecture({"cell": str(number)})


@pytest.fixture
def tables(tmp_path):
    pd.DataFrame(LINES).to_csv(tmp_path / "nasbench_nlp_wikitext2.csv", index=False)
    return tmp_path


def test_curves(tables):
    problem = load("nasbenchnlp", tables)
    assert (problem.max_epochs, problem.space.size) == (4, 3)
    whole = problem.measure(cell(1))
    assert whole.metrics == {"loss": pytest.approx(5.1), "test_loss": pytest.approx(5.1)}, "the mean of two trainings"
    assert problem.measure(cell(1), epochs=3).metrics == {"loss": pytest.approx(5.5)}, "the least loss so far"
    assert (whole.seconds, problem.measure(cell(1), epochs=3).seconds) == (40, 30)
    assert problem.best == pytest.approx(5.1)
    assert problem.objectives.scores(whole) == (pytest.approx(5.1),)


def test_a_training_that_broke_off(tables):
    problem = load("nasbenchnlp", tables)
    assert problem.measure(cell(4), epochs=1).metrics == {"loss": 6.0}
    with pytest.raises(EvaluationError, match="cell=4 failed"):
        problem.measure(cell(4))


def test_cells_are_known_by_their_graphs(tables):
    pd.DataFrame([line(1, RNN, [5.0]), line(2, DEAD, [5.0]), line(3, SIGM, [5.0]), line(4, SWAPPED, [5.0])]).to_csv(
        tables / "nasbench_nlp_wikitext2.csv", index=False
    )
    space = load("nasbenchnlp", tables).space
    labels = [d["label"] for _, d in space.graph(cell(1)).nodes(data=True)]
    assert sorted(labels) == sorted(["input", "x", "h_prev_0", "sum", "linear", "activation_tanh", "output"])
    assert space.key(cell(1)) == space.key(cell(4)) != space.key(cell(3))
    dead = [d["label"] for _, d in space.graph(cell(2)).nodes(data=True)]
    assert sorted(dead) == sorted(labels), "a node that nothing reads is not there"


def test_a_damaged_table_names_the_place(tables):
    path = tables / "nasbench_nlp_wikitext2.csv"

    def message(**change):
        pd.DataFrame([LINES[0], {**LINES[1], **change}]).to_csv(path, index=False)
        with pytest.raises(DataError) as caught:
            load("nasbenchnlp", tables)
        return str(caught.value)

    assert "row 1, column 'val_curve': is no list of numbers" in message(val_curve="[1,")
    assert "row 1, column 'val_curve': has 5 epochs" in message(val_curve="[1, 2, 3, 4, 5]")
    assert "row 1, column 'recepie': is no recipe" in message(recepie="{}")
    bad = json.dumps({"h_new_0": {"op": "linear", "input": ["y"]}})
    assert "reads 'y', which is not there" in message(recepie=bad)
    assert "different recipes share a recepie_id" in message(recepie_id=1)


def test_the_real_table(shared_data):
    path = shared_data("tables/nasbench_nlp_wikitext2.parquet")
    longest = pd.read_parquet(path).groupby("recepie").n_epochs.max()
    problem = load("nasbenchnlp", path.parent)
    assert (problem.space.size, problem.max_epochs) == (291, 50)
    failed, losses = 0, []
    for architecture in problem.space:
        try:
            losses.append(problem.measure(architecture).metrics["loss"])
        except EvaluationError:
            failed += 1
    assert failed == (longest < 50).sum() == 2
    assert np.min(losses) == problem.best == pytest.approx(4.5676)
