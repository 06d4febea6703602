"""Translation: pairs in, what a network writes by itself measured as the field measures it."""

import math

import numpy as np
import pandas as pd
import pytest
import sacrebleu
import torch
from sklearn.metrics import accuracy_score, log_loss

from archwright import task as tasks
from archwright.errors import DataError
from archwright.evaluator import Recipe, Training
from archwright.evaluator.loop import observed
from archwright.export import export, predict
from archwright.export.card import Card
from archwright.nn import materialize
from archwright.run.tested import _interval
from archwright.task import Preparation, Translation
from archwright.task.translations import greedy
from archwright.testing import TaskContract
from archwright.trial import Proposal

WORDS = {
    "the": "der", "cat": "Katze", "dog": "Hund", "sees": "sieht", "a": "ein", "man": "Mann", "old": "alte",
    "runs": "rennt", "small": "kleine", "and": "und", "hears": "hört", "bird": "Vogel",
}  # fmt: skip


def pairs(n=80, seed=0):
    """Sentences of two to six words, no two alike, whose translation is word for word and in reverse."""
    rng, found = np.random.default_rng(seed), {}
    while len(found) < n:
        words = rng.choice(list(WORDS), rng.integers(2, 7)).tolist()
        found[" ".join(words) + "."] = " ".join(WORDS[w] for w in reversed(words)) + "."
    return list(found), list(found.values())


SMALL = {"vocabulary": 60}


class TestTranslation(TaskContract):
    near_zero = 0.05
    steps = 150

    def make(self):
        x, y = pairs()
        return Translation(x[:70], y[:70], x_validation=x[70:], y_validation=y[70:], **SMALL)

    def make_of(self, n):
        return Translation(*(side[:n] for side in pairs()), **SMALL)

    def library(self, task, output, target):
        tokens = target[:, 1:].flatten()
        flat = output.transpose(1, 2).flatten(0, 1).double()[tokens != 0]
        nats = log_loss(tokens[tokens != 0], flat.softmax(1), labels=range(task.n_outputs))
        hits = accuracy_score(tokens[tokens != 0], flat.argmax(1))
        network = self.network(task).eval()
        source = task.space_options["source_length"]
        # Another way of writing than the metric's own: all positions anew for each token.
        wrote = greedy(lambda x: network(x), task.validation.inputs, source, task.n_outputs - 1)
        texts = task.preparation.labels(wrote)
        right = pairs()[1][70:]
        return {
            "nats": nats,
            "perplexity": math.exp(nats),
            "accuracy": hits,
            "bleu": sacrebleu.corpus_bleu(texts, [right]).score,
            "chrf": sacrebleu.corpus_chrf(texts, [right]).score,
        }


class TestTranslationOfWords(TestTranslation):
    def make(self):
        x, y = pairs()
        return Translation(x[:70], y[:70], x_validation=x[70:], y_validation=y[70:], level="word", joint=False)


def trained(task, epochs):
    space = task.space()
    architecture = space.architecture(
        {
            "width": 64, "dropout": 0.1, "share": "output", "encoder/kind": "recurrent",
            "encoder/kind/recurrent/width": 64, "encoder/kind/recurrent/cell": "gru",
            "encoder/kind/recurrent/layers": 1, "encoder/kind/recurrent/bidirectional": True, "decoder": "recurrent",
            "decoder/recurrent/times": 1, "decoder/recurrent/cell": "gru", "decoder/recurrent/attention": "dot",
            "decoder/recurrent/dropout": 0.0,
        }
    )  # fmt: skip
    recipe = Recipe.suiting(task, epochs=epochs, lr=1e-2, batch_size=32, precision="float32", layout="contiguous")
    return Training(space, task, recipe, device="cpu").fit(architecture, 0)


def test_texts_come_back_and_what_is_begun_is_the_target_one_on():
    x, y = pairs()
    task = Translation(x, y, **SMALL)
    assert sum(task.sizes.values()) + task.describe()["too_long_for_training"] == 80
    source, end = task.space_options["source_length"], task.n_outputs - 1
    texts = task.preparation.targets
    for part in (task.train, task.validation, task.open_test()):
        tokens, begun = part.targets[:, 1:], part.inputs[:, source:]
        assert len(set(texts.decode(tokens)) & set(y)) >= 0.8 * len(part), "a few are cut, and none in training"
        assert (begun[:, 0] == end).all()
        assert torch.equal(texts.meant(begun), tokens)
        after = begun[:, 1:]
        assert torch.equal(after[after != 0], tokens[:, :-1][(tokens[:, :-1] != 0) & (tokens[:, :-1] != end)])
        assert ((tokens == end).sum(1) == 1).all()


def test_scores_never_see_the_token_that_they_are_for():
    task = Translation(*pairs(), **SMALL)
    source, rng = task.space_options["source_length"], np.random.default_rng(0)
    space, kinds = task.space(), set()
    while len(kinds) < 4:
        architecture = space.sample(rng)
        kind = architecture["encoder/kind"], architecture["decoder"]
        if kind in kinds:
            continue
        kinds.add(kind)
        network = materialize(space.build(architecture), task.input_shape, dtype=torch.int64).eval()
        one = task.train.inputs[:6].clone()
        two = one.clone()
        two[:, source + 3 :] = 2 + (two[:, source + 3 :] + 1) % 20
        with torch.no_grad():
            torch.testing.assert_close(network(one)[:, :, :3], network(two)[:, :, :3])
            assert not torch.allclose(network(one)[:, :, 3:], network(two)[:, :, 3:])
            written = greedy(network, one, source, task.n_outputs - 1)
            again = greedy(lambda x, network=network: network(x), one, source, task.n_outputs - 1)
            assert torch.equal(written, again)


def test_a_network_learns_to_translate_and_bleu_is_of_its_own_texts_beside_the_raw_references():
    x, y = pairs(600)
    held = {"x_validation": x[-120:-60], "y_validation": y[-120:-60], "x_test": x[-60:], "y_test": y[-60:]}
    task = Translation(x[:480], y[:480], vocabulary=80, **held)
    module, measured = trained(task, epochs=20)
    assert measured.metrics["bleu"] > 60
    assert measured.metrics["accuracy"] > 0.9
    assert "bleu" not in measured.curve[-1], "which would take longer than the epoch"
    seen = observed(module, task, task.validation.inputs)
    texts = task.translations(seen)
    assert measured.metrics["bleu"] == pytest.approx(sacrebleu.corpus_bleu(texts, [y[-120:-60]]).score)
    low, high = _interval(task.metrics["bleu"], [seen], task.validation, seed=0).values()
    assert low < measured.metrics["bleu"] < high

    lower = Translation(x[:480], y[:480], vocabulary=80, lowercase=True, **held)
    assert lower.preparation.labels(lower.validation.targets[:1, 1:])[0] == y[-120].lower()
    ids = lower.validation.targets[:, 1:].double()
    said = torch.cat([ids.new_zeros(len(ids), 3), ids], 1)
    assert lower.score(said, lower.validation.targets, ["bleu"])["bleu"] < 90, "capitals that are lost count"


def test_a_network_in_every_form_translates_new_texts(tmp_path):
    x, y = pairs(300)
    task = Translation(x, y, **SMALL)
    module, _ = trained(task, epochs=10)
    card = Card(name="words", preparation=task.preparation.to_json())
    card = export(module, tmp_path / "out", input_shape=task.input_shape, dtype=torch.int64, card=card)
    assert card.left_out == {}
    pd.DataFrame({"en": x[:3]}).to_csv(tmp_path / "new.csv", index=False)
    (tmp_path / "new.txt").write_text("\n".join(x[:3]), encoding="utf-8")
    found = [[a.value for a in predict(tmp_path / "out", x[:3], form=form)] for form in ("source", "pt2", "onnx")]
    assert found[0] == found[1] == found[2]
    assert found[0] == task.preparation.features.translate(module, x[:3])
    assert [a.value for a in predict(tmp_path / "out", tmp_path / "new.txt")] == found[0]
    assert [a.value for a in predict(tmp_path / "out", tmp_path / "new.csv")] == found[0]


def test_tables_and_official_parts_are_read(tmp_path):
    x, y = pairs(100)
    frame = pd.DataFrame({"number": range(100), "en": x, "de": y})
    frame.to_parquet(tmp_path / "pairs.parquet")
    task = tasks.load(tmp_path / "pairs.parquet", kind="translation", text="en", target="de", **SMALL)
    assert isinstance(task, Translation)
    assert task.name == "pairs"
    held = Translation.from_table(frame[:60], text="en", target="de", validation=frame[60:80], test=frame[80:], **SMALL)
    assert held.sizes["validation"] == held.sizes["test"] == 20
    back = Translation.from_table(frame, text="de", target="en", **SMALL)
    assert back.preparation.labels(back.train.targets[:1, 1:])[0] in x
    again = Preparation.from_json(task.preparation.to_json())
    assert torch.equal(again.inputs(frame), task.preparation.inputs(x))
    with pytest.raises(DataError, match="no column 'fr'"):
        Translation.from_table(frame, text="en", target="fr")


def test_long_pairs_do_not_train_and_are_cut_elsewhere():
    x, y = pairs(200)
    long = 30 * "the cat and "
    held = {"x_test": [long, *x[:9]], "y_test": [long, *y[:9]]}
    task = Translation([long, *x[10:]], [long, *y[10:]], split_seed=1, max_length=20, **SMALL, **held)
    assert task.describe()["too_long_for_training"] >= 1
    assert max(task.describe()["lengths"]) <= 20
    assert len(task.open_test()) == 10


def test_a_translation_memory_is_beside():
    task = Translation(*pairs(300), **SMALL)
    (memory,) = task.references(task.train, task.validation).values()
    assert set(memory) == {"bleu", "chrf"}
    assert 1 < memory["bleu"] < 90
    (known,) = task.references(task.train, task.train).values()
    assert known["bleu"] == pytest.approx(100)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda x, y: Translation(x, y[:-1]), "each text needs its translation"),
        (lambda x, y: Translation(["", *x], ["a", *y]), "x: 1 texts are empty, the first in row 0"),
        (lambda x, y: Translation(x, [None, *y[1:]]), "row 0"),
        (lambda x, y: Translation(x, y, level="wrd"), "Did you mean 'word'"),
        (lambda x, y: Translation(x, y, bleu_words="13"), "Did you mean '13a'"),
        (lambda x, y: Translation(x, y, vocabulary=3), "10 or more"),
        (lambda x, y: Translation(x, y, x_test=x), "y_test"),
        (lambda x, y: Translation.from_table(pd.DataFrame({"en": x})), "two are needed"),
    ],
)
def test_pairs_that_cannot_be_learnt_from_are_said_with_what_to_do(make, said):
    with pytest.raises(DataError) as raised:
        make(*pairs())
    assert said in str(raised.value)


def test_a_proposal_is_measured_with_a_main_metric_of_written_texts():
    task = Translation(*pairs(120), metric="bleu", **SMALL)
    space = task.space()
    recipe = Recipe.suiting(task, epochs=1, precision="float32", layout="contiguous")
    measured = Training(space, task, recipe, device="cpu")(Proposal(space.sample(np.random.default_rng(0))), 0)
    assert measured.curve[-1]["bleu"] == measured.metrics["bleu"]
