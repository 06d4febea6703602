"""Language models: parts without leakage, figures a character, and texts that go on."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from archwright import task as tasks
from archwright.errors import DataError
from archwright.evaluator import Recipe, Training
from archwright.export import export, predict
from archwright.export.card import Card
from archwright.nn import materialize
from archwright.task import LanguageModelling
from archwright.task.tokens import tokenizer_of
from archwright.testing import TaskContract
from archwright.trial import Proposal

pytest.importorskip("tokenizers", reason="needs the extra 'text'")


def prose(n, seed=0):
    """Words drawn at random: no two windows are alike."""
    words = ["the", "cat", "sat", "on", "a", "mat", "and", "saw", "dogs,", "birds", "run.\n"]
    rng = np.random.default_rng(seed)
    return " ".join(rng.choice(words, n)).replace("\n ", "\n")[:n]


class TestLanguage(TaskContract):
    near_zero = 0.1
    steps = 300

    def make(self):
        return LanguageModelling(prose(3000), window=16)

    def make_of(self, n):
        return LanguageModelling(prose(n), window=16)

    def library(self, task, output, target):
        flat = output.transpose(1, 2).flatten(0, 1).double()
        nats = log_loss(target.flatten(), flat.softmax(1), labels=range(task.n_outputs))
        hits = accuracy_score(target.flatten(), flat.argmax(1))
        return {"bits": nats / math.log(2), "nats": nats, "perplexity": math.exp(nats), "accuracy": hits}


class TestLanguageOfSubwords(TestLanguage):
    def make(self):
        return LanguageModelling(prose(4000), window=12, level="subword", vocabulary=60)

    def library(self, task, output, target):
        a_token = super().library(task, output, target)
        share = task.describe()["tokens_a_character"]
        assert 0.1 < share < 0.7
        return {**a_token, "bits": share * a_token["bits"], "nats": share * a_token["nats"]}


def test_parts_lie_one_after_the_other_and_targets_are_one_token_on():
    text = prose(3000)
    task = LanguageModelling(text, window=16)
    parts = (task.train, task.validation, task.open_test())
    assert task.describe()["characters"] == {"training": 2430, "validation": 270, "test": 300}
    read = ["".join(chars(task, row) for row in part.inputs) for part in parts]
    for start, piece in zip((0, 2430, 2700), read, strict=True):
        assert text[start:].startswith(piece)
    for part in parts:
        assert torch.equal(part.inputs[:, 1:], part.targets[:, :-1])
        assert torch.equal(part.inputs[1:, 0], part.targets[:-1, -1])


def chars(task, row):
    return tokenizer_of(task.preparation.features.tokenizer).decode(row.tolist(), skip_special_tokens=False)


def test_a_space_of_language_models_never_reads_ahead():
    task = LanguageModelling(prose(3000), window=16)
    space = task.space()
    rng, seen = np.random.default_rng(0), set()
    while len(seen) < 3:
        architecture = space.sample(rng)
        if architecture["kind"] in seen:
            continue
        seen.add(architecture["kind"])
        network = materialize(space.build(architecture), (16,), dtype=torch.int64).eval()
        one = task.train.inputs[:4]
        two = one.clone()
        two[:, 9:] = 2 + (two[:, 9:] + 1) % 8
        torch.testing.assert_close(network(one)[:, :, :9], network(two)[:, :, :9])
        assert not torch.allclose(network(one)[:, :, 9:], network(two)[:, :, 9:])


def test_pairs_of_tokens_say_more_than_nothing_and_training_says_more_than_they():
    task = LanguageModelling(prose(6000), window=16)
    (pairs,) = task.references(task.train_and_validation(), task.validation).values()
    uniform = math.log(task.n_outputs)
    assert 0.5 < pairs["nats"] < uniform - 0.5
    space = task.space()
    architecture = space.architecture(
        {
            "embedding/width": 32, "dropout": 0.0, "kind": "recurrent", "kind/recurrent/width": 64,
            "kind/recurrent/cell": "gru", "kind/recurrent/layers": 1,
        }
    )  # fmt: skip
    recipe = Recipe.suiting(task, epochs=6, lr=1e-2, precision="float32", layout="contiguous")
    measured = Training(space, task, recipe, device="cpu")(Proposal(architecture), 0)
    assert measured.metrics["nats"] < pairs["nats"]


def test_an_exported_model_goes_on_with_what_is_begun(tmp_path):
    torch.manual_seed(0)
    task = LanguageModelling("abcdefgh" * 400, window=8)
    network = materialize(task.baseline(width=24), (8,), dtype=torch.int64)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(200):
        loss = task.loss(network(task.train.inputs[:64]), task.train.targets[:64])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    card = Card(name="letters", preparation=task.preparation.to_json())
    card = export(network, tmp_path, input_shape=(8,), dtype=torch.int64, card=card, forms=["source"])
    assert card.left_out == {}
    long, short = predict(tmp_path, ["abcdefghab", "f"], tokens=12, temperature=0)
    assert (long.value, short.value) == ("cdefghabcdef", "ghabcdefghab")
    drawn = [predict(tmp_path, ["a"], tokens=30, temperature=5.0, seed=s)[0].value for s in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    with pytest.raises(DataError, match="temperature=-1"):
        predict(tmp_path, ["a"], temperature=-1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LanguageModelling(["a", "b"]), "text is a list: allowed is one text"),
        (lambda: LanguageModelling("short"), "the text has 5 characters"),
        (lambda: LanguageModelling(prose(3000), level="word"), "level is 'word'"),
        (lambda: LanguageModelling(prose(3000), window=1), "window is 1"),
        (lambda: LanguageModelling(prose(3000), test_share=1.0), "test_share is 1.0"),
        (lambda: LanguageModelling.from_file("nowhere.txt"), "does not exist"),
    ],
)
def test_what_is_wrong_is_said(make, message):
    with pytest.raises(DataError, match=message):
        make()


def test_texts_come_by_path_and_by_name(tmp_path):
    (tmp_path / "tale.txt").write_text(prose(3000), encoding="utf-8")
    task = tasks.load(tmp_path / "tale.txt", window=16)
    assert task.fingerprint == LanguageModelling(prose(3000), name="tale", window=16).fingerprint
    manual = tasks.load("python_manual")
    assert manual.train.inputs.numel() > 300_000
