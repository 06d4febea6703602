"""Several tasks at once: targets side by side, a loss and metrics of each, a trunk that branches."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import (
    accuracy_score,
    f1_score,
    log_loss,
    mean_absolute_error,
    r2_score,
    recall_score,
    root_mean_squared_error,
)

from archwright import task as tasks
from archwright.errors import DataError
from archwright.evaluator import Recipe, Training
from archwright.export import export, predict
from archwright.export.card import Card
from archwright.nn import materialize
from archwright.task import MultiTask
from archwright.task.preparation import Preparation
from archwright.testing import TaskContract
from archwright.trial import Proposal


def stripes(n=90, seed=0):
    """Images with a bright row or column at some place: which of both, where, and how bright."""
    rng = np.random.default_rng(seed)
    images = rng.normal(0, 0.2, (n, 8, 8)).astype(np.float32)
    way, place, bright = rng.integers(2, size=n), rng.integers(4, size=n), rng.uniform(2, 4, n)
    for i in range(n):
        at = 2 * place[i]
        if way[i]:
            images[i, at] += bright[i]
        else:
            images[i, :, at] += bright[i]
    return images, {"way": np.where(way, "row", "column"), "place": place, "bright": bright}


class TestMultiTask(TaskContract):
    near_zero = 0.15
    steps = 200

    def make(self):
        return MultiTask(*stripes(), name="stripes")

    def make_of(self, n):
        x, targets = stripes()
        return MultiTask(x[:n], {name: values[:n] for name, values in targets.items()})

    def library(self, task, output, target):
        way, place, bright = output[:, :2], output[:, 2:6], output[:, 6]
        true = target.long()
        (deviation,) = dict(task.preparation.targets.targets)["bright"].std
        r2 = r2_score(target[:, 2], bright)
        found = {
            "mean": r2,
            "bright_r2": r2,
            "bright_rmse": deviation * root_mean_squared_error(target[:, 2], bright),
            "bright_mae": deviation * mean_absolute_error(target[:, 2], bright),
        }
        for name, scores, column in (("way", way, 0), ("place", place, 1)):
            called = scores.argmax(1)
            found[f"{name}_accuracy"] = accuracy_score(true[:, column], called)
            found[f"{name}_balanced_accuracy"] = recall_score(true[:, column], called, average="macro")
            found[f"{name}_f1"] = f1_score(true[:, column], called, average="macro")
            found[f"{name}_log_loss"] = log_loss(
                true[:, column], scores.double().softmax(1), labels=range(scores.shape[1])
            )
            found["mean"] += found[f"{name}_accuracy"]
        return {**found, "mean": found["mean"] / 3}


def test_kinds_of_targets_are_seen_and_each_has_its_outputs_and_metrics():
    task = MultiTask(*stripes())
    assert task.n_outputs == 2 + 4 + 1
    assert task.train.targets.shape == (len(task.train), 3)
    assert {"way_accuracy", "place_f1", "bright_rmse", "mean"} <= set(task.metrics)
    (first, *_) = task.preparation.targets.decode(task.train.targets[:1])
    assert set(first) == {"way", "place", "bright"}
    again = Preparation.from_json(task.preparation.to_json())
    assert again == task.preparation


def test_a_loss_that_knows_nothing_is_one_for_every_target_and_weights_weigh():
    x, targets = stripes(600)
    task = MultiTask(x, targets)
    nothing = torch.zeros(len(task.train), task.n_outputs)
    assert float(task.loss(nothing, task.train.targets)) == pytest.approx(3, abs=0.02)
    heavy = MultiTask(x, targets, weights={"way": 5.0, "bright": 0.0})
    assert float(heavy.loss(nothing, heavy.train.targets)) == pytest.approx(6, abs=0.03)


def test_one_target_alone_has_the_same_samples_in_the_same_parts():
    task = MultiTask(*stripes())
    alone = task.alone("place")
    assert torch.equal(alone.train.inputs, task.train.inputs)
    assert torch.equal(alone.open_test().targets[:, 0], task.open_test().targets[:, 1])
    assert alone.n_outputs == 4
    assert "place_accuracy" in alone.metrics
    assert "way_accuracy" not in alone.metrics
    with pytest.raises(DataError, match="no target 'colour': this task has way, place, bright"):
        task.alone("colour")


def test_the_space_branches_early_or_late_and_late_has_fewer_parameters():
    task = MultiTask(*stripes())
    space = task.space()
    rng = np.random.default_rng(0)
    assert {a["branch"] for a in space.sample(rng, 40)} == {"early", "late"}
    for a in space.sample(rng, 6):
        network = materialize(space.build(a), task.input_shape)
        assert network(task.train.inputs[:3]).shape == (3, task.n_outputs)
    for shape in ((5,), (3, 40)):
        from archwright.nn.spaces import shared

        other = shared(shape, 5, heads={"a": 2, "b": 3})
        for a in other.sample(rng, 6):
            assert materialize(other.build(a), shape)(torch.randn(4, *shape)).shape == (4, 5)


def test_a_table_names_its_target_columns_from_python_and_by_path(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=80), "b": rng.choice(["x", "y"], 80)})
    frame["sold"] = np.where(frame["a"] > 0, "yes", "no")
    frame["price"] = 3 * frame["a"] + (frame["b"] == "x")
    both = MultiTask(frame, ["sold", "price"])
    assert (both.input_shape, both.n_outputs) == ((3,), 3)
    frame.to_csv(tmp_path / "sales.csv", index=False)
    named = tasks.load(tmp_path / "sales.csv", target="sold, price")
    assert isinstance(named, MultiTask)
    assert named.metric == "mean"
    assert torch.equal(named.train.inputs, both.train.inputs)
    with pytest.raises(DataError, match=r"no target column 'prise'.*'price'"):
        tasks.load(tmp_path / "sales.csv", target="sold,prise")


def test_a_network_learns_both_and_its_export_answers_by_name(tmp_path):
    x, targets = stripes(240)
    task = MultiTask(x, {"way": targets["way"], "place": targets["place"]})
    space = task.space()
    recipe = Recipe.suiting(task, epochs=12, precision="float32", layout="contiguous")
    training = Training(space, task, recipe, device="cpu")
    small = space.sample(np.random.default_rng(1))
    module, measured = training.fit(small, 0)
    assert measured.metrics["mean"] > 0.5
    card = Card(name="stripes", preparation=task.preparation.to_json())
    card = export(module, tmp_path, input_shape=task.input_shape, card=card, forms=["source"])
    assert card.left_out == {}
    (answer, *_) = predict(tmp_path, x[:3])
    assert set(answer.value) == {"way", "place"}
    assert answer.value["way"] in ("row", "column")
    assert training(Proposal(small), 0).metrics == measured.metrics


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"targets": {"way": [0, 1] * 45}}, "two targets or more; got way"),
        ({"weights": {"colour": 1.0}}, "weights names 'colour'"),
        ({"weights": {"way": -1.0}}, "each is a number of 0 or more"),
        ({"kind": "pictures"}, "kind='pictures'"),
        ({"metric": "accuracy"}, "no metric 'accuracy'"),
        ({"targets": {"way": [0, 1] * 45, "place": [0, 1, 2]}}, "target 'place'"),
        ({"targets": {"way": [0, 1] * 45, "same": [1] * 90}}, "only one class, 1"),
    ],
)
def test_bad_input_is_told(change, said):
    x, targets = stripes()
    arguments = {"x": x, "targets": targets, **change}
    with pytest.raises(DataError, match=said):
        MultiTask(arguments.pop("x"), arguments.pop("targets"), **arguments)
