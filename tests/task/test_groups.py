"""Groups of samples: figures by group, the gap between them, as a goal and as a ceiling."""

import numpy as np
import pandas as pd
import pytest
import torch

from archwright import at_most, maximize, minimize, search
from archwright.errors import DataError, ObjectiveError
from archwright.evaluator import Recipe
from archwright.objective import Objectives
from archwright.report import write_page
from archwright.report.groups import bars
from archwright.report.wording import metric
from archwright.run import tested
from archwright.task import (
    Groups,
    ImageClassification,
    SequenceClassification,
    TabularClassification,
    TabularRegression,
    TextClassification,
    load,
)
from archwright.task.groups import compared
from archwright.task.splits import divide

FAST = Recipe(epochs=2, precision="float32", layout="contiguous")


def people(n=400, seed=0):
    """In one group the answer follows from `a`; in the other from nothing."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n), "sex": rng.choice(["f", "m"], n)})
    chance = rng.choice([-1.0, 1.0], n)
    return table.assign(answer=np.where(np.where(table.sex == "f", table.a, chance) > 0, "yes", "no"))


@pytest.fixture(scope="module")
def task():
    return TabularClassification(people(), group="sex")


def test_the_column_of_groups_is_no_feature_and_no_target_unless_it_shall_be(task):
    assert task.input_shape == (2,)
    assert task.describe()["target"] == ["answer"]
    assert list(task.describe()["columns"]) == ["a", "b"]
    kept = TabularClassification(people(), group="sex", keep_group=True)
    assert list(kept.describe()["columns"]) == ["a", "b", "sex"]
    last = people()[["a", "b", "answer", "sex"]]
    assert TabularClassification(last, group="sex").describe()["target"] == ["answer"]


def test_every_sample_keeps_its_group_through_the_split(task):
    frame = people()
    table = frame.round({"a": 6}).set_index("a")
    column = task.preparation.features.columns[0]
    for part in (task.train, task.validation, task.open_test()):
        raw = (part.inputs[:, 0].double() * column.std + column.mean).numpy()
        nearest = [np.abs(frame.a.to_numpy() - value).argmin() for value in raw]
        assert [task.groups.labels[g] for g in part.groups] == frame.sex.iloc[nearest].tolist()
    assert len(table) == sum(task.sizes.values())


def test_a_gap_is_the_largest_less_the_smallest_value_of_the_groups(task):
    part = task.validation
    output = torch.randn(len(part), 2, generator=torch.Generator().manual_seed(1))
    got = task.score(output, part.targets, groups=part.groups)
    for name in ("accuracy", "log_loss"):
        own = [task.score(output[part.groups == g], part.targets[part.groups == g], [name])[name] for g in (0, 1)]
        assert got[f"gap_{name}"] == pytest.approx(max(own) - min(own))
    assert task.metrics["gap_accuracy"].direction == "minimize"


def test_without_the_groups_of_the_samples_a_gap_is_an_error_and_the_rest_is_told(task):
    part = task.validation
    output = torch.zeros(len(part), 2)
    assert not any(name.startswith("gap_") for name in task.score(output, part.targets))
    with pytest.raises(DataError, match="gap_accuracy compares groups"):
        task.score(output, part.targets, ["gap_accuracy"])


def test_groups_change_the_fingerprint_and_nothing_of_the_data(task):
    plain = TabularClassification(people(), ignore=["sex"])
    assert torch.equal(plain.train.inputs, task.train.inputs)
    assert plain.fingerprint != task.fingerprint
    assert not any(name.startswith("gap_") for name in plain.metrics)


def test_a_small_group_is_not_compared():
    codes = torch.tensor([0] * 30 + [1] * 9 + [2] * 10)
    assert compared(codes) == [0, 2]


def test_arrays_of_groups_do_for_images_sequences_texts_and_tables():
    rng = np.random.default_rng(0)
    y, group = np.arange(240) % 2, np.arange(240) // 2 % 2
    whole = np.where(np.arange(240) % 7 == 0, None, group)  # a missing value is a group of its own
    made = [
        ImageClassification(rng.normal(size=(240, 8, 8)), y, group=group),
        SequenceClassification(rng.normal(size=(240, 20)), y, group=pd.Series(group, name="device")),
        TabularClassification(rng.normal(size=(240, 3)), y, group=torch.from_numpy(group)),
        TabularRegression(rng.normal(size=(240, 3)), rng.normal(size=240), group=group.astype(bool)),
        TextClassification([f"text {i} of many" for i in range(240)], y, group=whole),
    ]
    names = [t.groups.labels for t in made]
    assert names == [("0", "1"), ("0", "1"), ("0", "1"), ("False", "True"), ("0", "1", "missing")]
    assert made[1].groups.name == "device"
    for one in made:
        assert sum(sum(g.values()) for g in one.describe()["groups"].values()) == 240


def test_official_test_samples_have_groups_too(tmp_path):
    frame = people()
    with pytest.raises(DataError, match="the test table has no column of groups 'sex'"):
        TabularClassification(frame, group="sex", test=frame.drop(columns="sex"))
    task = TabularClassification(frame, group="sex", test=people(100, seed=1))
    assert len(task.open_test().groups) == 100
    x, y = np.random.default_rng(0).normal(size=(200, 8, 8)), np.arange(200) % 2
    with pytest.raises(DataError, match="official test samples need groups too"):
        ImageClassification(x, y, x_test=x, y_test=y, group=y)
    np.savez(tmp_path / "set.npz", x=x, y=y, x_test=x, y_test=y, group=1 - y, group_test=y)
    assert load(tmp_path / "set.npz", kind="images").open_test().groups.tolist() == y.tolist()


def test_a_table_of_texts_has_its_column_of_groups(tmp_path):
    rows = [{"review": f"a film of number {i}", "by": "ab"[i // 2 % 2], "good": "yn"[i % 2]} for i in range(240)]
    pd.DataFrame(rows).to_csv(tmp_path / "reviews.csv", index=False)
    task = load(tmp_path / "reviews.csv", group="by")
    assert type(task).__name__ == "TextClassification"
    assert (task.groups.name, task.groups.labels) == ("by", ("a", "b"))


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (np.linspace(0, 1, 200), "numbers with fractions"),
        (np.arange(200), "200 different values"),
        (np.zeros(10), "200 samples and 10 groups"),
        (np.zeros(200), "fewer than two groups"),
        (np.zeros((200, 2)), r"shape \(200, 2\)"),
    ],
)
def test_what_names_no_groups_is_said(group, message):
    split = divide(np.zeros(200, dtype=int), seed=0)
    with pytest.raises(DataError, match=message):
        Groups.of(group, split)


def test_a_gap_may_have_a_ceiling_and_any_other_metric_may_not():
    ceilings = Objectives.of([maximize("accuracy"), at_most(gap_accuracy=0.1, params="5k")])
    assert ceilings.needs == {"params"}
    assert ceilings.violation({"params": 5000.0}) == 0, "not told before training"
    assert ceilings.violation({"params": 5000.0, "gap_accuracy": 0.15}) == pytest.approx(0.5)
    assert Objectives.from_json(ceilings.to_json()) == ceilings
    with pytest.raises(ObjectiveError, match="cannot limit 'accuracy'"):
        at_most(accuracy=0.5)


def test_a_search_says_at_once_that_there_are_no_groups():
    with pytest.raises(ObjectiveError, match="It knows of no groups: give group="):
        search(load("digits"), objectives=[maximize("accuracy"), at_most(gap_accuracy=0.1)], trials=1, progress=False)


def test_a_search_takes_gaps_as_goal_and_ceiling_and_tells_test_by_group(task, tmp_path):
    result = search(
        task, objectives=[maximize("accuracy"), minimize("gap_accuracy"), at_most(gap_accuracy=0.2)],
        trials=4, recipe=FAST, progress=False,
    )  # fmt: skip
    for trial in result.trials:
        told = trial.measurement.metrics["gap_accuracy"]
        assert trial.status == "done"
        assert trial.violation == pytest.approx(max(0.0, told / 0.2 - 1))
    groups = result.chosen.outcome["groups"]
    assert [g["group"] for g in groups["values"]] == ["f", "m"]
    figures = [g["metrics"]["accuracy"] for g in groups["values"]]
    counts = [g["count"] for g in groups["values"]]
    assert np.average(figures, weights=counts) == pytest.approx(result.test["accuracy"]["mean"])
    assert figures[0] > figures[1] + 0.2, "nothing tells the answer of the second group"
    assert result.by_group["f"]["accuracy"] == figures[0]
    drawn = bars(result.record()).data[0]
    assert list(drawn.x) == ["f", "m"]
    assert list(drawn.y) == figures
    write_page(result.record(), tmp_path / "report.html")
    gap = metric(result.test["gap_accuracy"]["mean"])
    assert f"Test accuracy by sex, gap {gap}" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_where_no_network_meets_the_gap_the_nearest_is_given_and_it_is_said(task):
    result = search(
        task, objectives=[maximize("accuracy"), at_most(gap_accuracy=1e-6)], trials=3, recipe=FAST, progress=False
    )
    assert result.best.model is not None
    assert result.chosen.trial.violation > 0
    held = result.record()
    from archwright.report.outcome import ceilings, sentence

    assert "does not meet every ceiling" in sentence(held)
    assert [c.holds for c in ceilings(held)] == [False]


def test_the_interval_of_a_gap_covers_the_true_one():
    """Two groups of known accuracies: of 60 drawn samples, 95 % intervals hold the true gap nearly always."""
    rng = np.random.default_rng(0)
    group = torch.arange(400) % 2
    inside = 0
    for seed in range(60):
        right = torch.from_numpy(rng.random(400) < np.where(group == 0, 0.9, 0.6))
        frame = pd.DataFrame({"x": rng.normal(size=400), "y": np.arange(400) // 2 % 2})
        made = TabularClassification(frame, group=group.numpy())
        target = torch.zeros(400, dtype=torch.int64)
        output = torch.nn.functional.one_hot((~right).long(), 2).float()
        part = type(made.train)(torch.zeros(400, 1), target, group)
        ends = tested._interval(made.metrics["gap_accuracy"], [output], part, seed)
        inside += ends["low"] <= 0.3 <= ends["high"]
    assert inside >= 51  # P(fewer | 95 %) < 0.001


def test_every_metric_has_an_interval_around_its_value(task):
    from archwright.nn import materialize
    from archwright.task.baseline import ResidualMLP

    torch.manual_seed(0)
    network = materialize(ResidualMLP(2, width=8), task.input_shape)
    found = tested.tested(task, task.open_test(), [network], frozenset(), 0)
    assert set(found["test"]) == set(task.metrics)
    for name, figure in found["test"].items():
        if name != "ece" and not name.startswith("gap_"):
            assert figure["low"] <= figure["mean"] <= figure["high"], name
    assert "low" not in found["test"]["ece"], "resamples are less calibrated, whatever the network"
    rows = tested._by_group(task, task.open_test(), [torch.zeros(sum(task.sizes.values()) - 320, 2)], 0)
    assert {r["compared"] for r in rows["values"]} == {True}
