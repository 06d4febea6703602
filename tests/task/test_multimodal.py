"""Several inputs at once: each in its own shape, and together more than either alone."""

import numpy as np
import pandas as pd
import pytest
import torch

from archwright import nn
from archwright.errors import DataError, EvaluationError
from archwright.evaluator import Recipe, Training
from archwright.export import export, predict
from archwright.export.card import Card
from archwright.nn import materialize
from archwright.task import Multimodal
from archwright.task.preparation import Preparation
from archwright.testing import TaskContract
from archwright.testing.task import sklearn_classification
from archwright.trial import Proposal


def halves(n=120, seed=0, texts=False):
    """A class that neither the image (bright or dark) nor the table (up or down) tells, but both together do."""
    rng = np.random.default_rng(seed)
    bright, up = rng.integers(2, size=(2, n))
    images = rng.normal(100, 10, (n, 8, 8)) + 80 * bright[:, None, None]
    table = pd.DataFrame({"size": rng.normal(size=n) + 4 * up, "town": rng.choice(["Bath", "York"], n)})
    x = {"photo": images.clip(0, 255).astype(np.uint8), "facts": table}
    if texts:
        x["review"] = [f"it was {'fine' if u else 'dull'} on day {i}" for i, u in enumerate(up)]
    return x, np.where(bright == up, "match", "other")


class TestMultimodal(TaskContract):
    near_zero = 0.1
    steps = 150

    def make(self):
        return Multimodal(*halves())

    def make_of(self, n):
        x, y = halves()
        return Multimodal({"photo": x["photo"][:n], "facts": x["facts"][:n]}, y[:n])

    def library(self, task, output, target):
        return sklearn_classification(output, target)


def test_pieces_lie_side_by_side_and_each_is_prepared_as_its_kind_is():
    task = Multimodal(*halves(texts=True))
    pieces = {p["name"]: p for p in task.space_options["pieces"]}
    assert pieces["photo"]["shape"] == [1, 8, 8]
    assert pieces["facts"]["shape"] == [3]
    assert pieces["review"]["vocabulary"] > 4
    assert task.input_shape == (64 + 3 + pieces["review"]["shape"][0],)
    again = Preparation.from_json(task.preparation.to_json())
    raw, _ = halves(texts=True)
    assert torch.equal(again.inputs(raw), task.preparation.inputs(raw))


def test_both_together_learn_what_neither_can_alone():
    task = Multimodal(*halves(400))

    def learnt(task):
        space = task.space()
        choices = {"towers/fusion": "concat"} if len(task.space_options["pieces"]) > 1 else {}
        rng = np.random.default_rng(0)
        some = [
            a for a in space.sample(rng, 200) if all(a[k] == v for k, v in choices.items()) and a["layers/times"] == 2
        ]
        recipe = Recipe.suiting(task, epochs=25, precision="float32", layout="contiguous")
        return max(Training(space, task, recipe, device="cpu")(Proposal(a), 0).metrics["accuracy"] for a in some[:3])

    assert learnt(task) > 0.9
    assert learnt(task.alone("photo")) < 0.7
    assert learnt(task.alone("facts")) < 0.7


@pytest.mark.parametrize("fusion", ["concat", "sum", "product"])
def test_every_fusion_is_what_it_says(fusion):
    how = "concat" if fusion == "concat" else (fusion, 4)
    towers = nn.Towers(torch.nn.Identity(), torch.nn.Flatten(), shapes=[[2], [1, 3]], fusion=how)
    x = torch.randn(5, 5)
    found = towers(x)
    if fusion == "concat":
        assert torch.equal(found, x)
        return
    first, second = (image(piece) for image, piece in zip(towers.images, x.split([2, 3], 1), strict=True))
    expected = first + second if fusion == "sum" else first.tanh() * second.tanh()
    torch.testing.assert_close(found, expected)


def test_networks_of_the_space_leave_as_source_and_answer_for_new_samples(tmp_path):
    x, y = halves(texts=True)
    task = Multimodal(x, y)
    space = task.space()
    fusions = {}
    for a in space.sample(np.random.default_rng(0), 60):
        fusions.setdefault(a["towers/fusion"], a)
    assert set(fusions) == {"concat", "sum", "product"}
    for fusion, a in fusions.items():
        network = materialize(space.build(a), task.input_shape)
        card = Card(name="halves", preparation=task.preparation.to_json())
        card = export(network, tmp_path / fusion, input_shape=task.input_shape, card=card)
        assert card.left_out == {}, fusion
    assert {p.label for p in predict(tmp_path / "sum", x)} <= {"match", "other"}


def test_a_width_of_the_fusion_is_open_only_where_it_means_something():
    space = Multimodal(*halves()).space()
    width = "towers/fusion/width"
    sampled = space.sample(np.random.default_rng(0), 60)
    for a in sampled:
        assert (width in a) == (a["towers/fusion"] != "concat")
    wide = next(a for a in sampled if a["towers/fusion"] == "sum")
    for fusion, n in (("sum", 8), ("product", 48)):
        network = space.build(space.architecture({**wide, "towers/fusion": fusion, width: n}))
        assert (network[0].fusion, network[0].width) == (fusion, n)
    keys = {
        space.key(space.architecture({**wide, "towers/fusion": f, width: n}))
        for f in ("sum", "product")
        for n in (8, 48)
    }
    assert len(keys) == 4


def test_quantities_are_a_regression():
    x, _ = halves()
    task = Multimodal(x, x["facts"]["size"].to_numpy() * 10)
    assert (task.metric, task.n_outputs) == ("rmse", 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"facts": None}, "two inputs or more by name"),
        ({"photo": np.zeros((7, 8, 8), np.uint8)}, "differ in length: photo 7, facts 120"),
        ({"photo": np.zeros((120, 2, 8, 8, 8))}, "input 'photo' has shape"),
    ],
)
def test_bad_input_is_told(change, said):
    x, y = halves()
    x = {name: value for name, value in {**x, **change}.items() if value is not None}
    with pytest.raises(DataError, match=said):
        Multimodal(x, y)


def test_towers_that_do_not_fit_are_told():
    with pytest.raises(EvaluationError, match="as many of each"):
        nn.Towers(torch.nn.Identity(), shapes=[[2], [3]])
    with pytest.raises(EvaluationError, match=r"need inputs of 5; got \(2, 4\)"):
        nn.Towers(torch.nn.Identity(), torch.nn.Identity(), shapes=[[2], [3]])(torch.zeros(2, 4))
    with pytest.raises(EvaluationError, match="tower 0 gives"):
        nn.Towers(torch.nn.Identity(), shapes=[[1, 3]])(torch.zeros(2, 3))
    for fusion in ("sum", ("concat", 8), ("sum", 8, 8)):
        with pytest.raises(EvaluationError, match=r"allowed are 'concat', which has no width, \('sum', width\)"):
            nn.Towers(torch.nn.Identity(), shapes=[[3]], fusion=fusion)
