"""Texts: every level of tokens, every form of data, and what can be wrong with them."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from archwright import task as tasks
from archwright.errors import DataError, MissingExtraError
from archwright.task import Preparation, TextClassification, TokenAugmentation
from archwright.testing import TaskContract

pytest.importorskip("tokenizers", reason="needs the extra 'text'")

GOOD, BAD = ["lovely", "splendid", "warm", "clever"], ["dull", "awful", "cold", "clumsy"]


def reviews(n=60, seed=0):
    """Texts of which one word in each says the class, and no two are alike."""
    rng = np.random.default_rng(seed)
    what, how = ["film", "play", "book", "song", "show"], ["truly", "really", "so", "most", "rather"]
    made = [(f"A {a}, {b} {c}!", label) for label, words in (("good", GOOD), ("bad", BAD)) for a in words for b in how
            for c in what]  # fmt: skip
    chosen = [made[i] for i in rng.permutation(len(made))[:n]]
    return [text for text, _ in chosen], [label for _, label in chosen]


class TestTexts(TaskContract):
    lr = 1e-2

    def make(self):
        return self.make_of(60)

    def make_of(self, n):
        return TextClassification(*reviews(n))


class TestTextsByLetters(TestTexts):
    def make_of(self, n):
        return TextClassification(*reviews(n), level="character")


def test_words_become_numbers_and_short_texts_are_filled_up():
    task = TextClassification(*reviews())
    inputs = task.preparation.features
    words = {number: word for word, number in json.loads(inputs.tokenizer)["model"]["vocab"].items()}
    (row,) = task.preparation.inputs(["A LOVELY film, unheardof!"])
    assert [words[n] for n in row.tolist()][:5] == ["a", "lovely", "film", ",", "[UNK]"]
    assert row.dtype == torch.int64
    assert task.input_dtype == torch.int64
    assert row.shape == task.input_shape
    assert not task.preparation.inputs([""]).any()


def test_the_tokenizer_and_the_length_are_of_the_training_part_alone():
    texts, labels = reviews()
    task = TextClassification(texts, labels)
    rows = task.preparation.inputs(texts)
    held = [i for i in range(60) if not any(torch.equal(rows[i], r) for r in task.train.inputs)]
    assert len(held) >= 20
    for i in held:
        texts[i] += " zebra zebra zebra zebra zebra zebra zebra"
    assert TextClassification(texts, labels).preparation == task.preparation


@pytest.mark.parametrize(
    ("texts", "level", "tokens"),
    [
        (["我爱北京大学很美丽"] * 3, "character", 9),
        (["colourless green ideas sleep furiously"] * 3, "word", 5),
        (["Anna", "Otto", "Eve"], "character", 4),
    ],
)
def test_the_level_fits_the_language(texts, level, tokens):
    made = tasks.preparation.TextInputs.of(texts)
    assert made.level == level
    assert made.length == tokens


def test_subwords_read_words_that_training_never_saw():
    texts = ["lower lowest newer newest wider widest low new wide"] * 4
    made = tasks.preparation.TextInputs.of(texts, "subword", 40)
    assert made.vocabulary <= 40
    unknown = made(["slower"])[0].tolist()
    assert 1 not in [n for n in unknown if n][1:], "only the s is new"
    assert made.tokenizer == tasks.preparation.TextInputs.of(texts, "subword", 40).tokenizer


def test_lists_series_columns_and_files_are_one_task(tmp_path):
    texts, labels = reviews()
    wanted = TextClassification(texts, labels).train.inputs
    frame = pd.DataFrame({"id": range(60), "review": texts, "verdict": labels})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame[["review", "verdict"]].to_csv(tmp_path / "b.csv", index=False)
    made = [
        TextClassification(pd.Series(texts, index=range(100, 160)), pd.Series(labels)),
        TextClassification(np.array(texts), np.array(labels)),
        TextClassification.from_table(frame, target="verdict"),
        TextClassification.from_table(frame, text="review"),
        tasks.load(tmp_path / "a.csv", kind="text"),
        tasks.load(tmp_path / "b.csv"),
    ]
    if pytest.importorskip("pyarrow"):
        frame.to_parquet(tmp_path / "a.parquet")
        made.append(tasks.load(tmp_path / "a.parquet", kind="text", text="review", target="verdict"))
    for task in made:
        assert torch.equal(task.train.inputs, wanted)
    assert made[-1].preparation.features.column == "review"


def test_a_word_that_reads_as_missing_is_a_word(tmp_path):
    texts, labels = reviews()
    texts[3] = "NA"
    pd.DataFrame({"text": texts, "label": labels}).to_csv(tmp_path / "a.csv", index=False)
    assert sum(tasks.load(tmp_path / "a.csv").sizes.values()) == 60


def test_new_tables_are_read_by_the_column_that_training_had():
    texts, labels = reviews()
    task = TextClassification.from_table(pd.DataFrame({"review": texts, "verdict": labels}))
    again = Preparation.from_json(json.loads(json.dumps(task.preparation.to_json())))
    new = pd.DataFrame({"title": ["x"], "review": ["A lovely film"]})
    assert torch.equal(again.inputs(new), again.inputs(["A lovely film"]))
    with pytest.raises(DataError, match="no column 'review'"):
        again.inputs(new.rename(columns={"review": "revue"}))


def test_official_test_texts_are_kept():
    texts, labels = reviews()
    task = TextClassification(texts, labels, x_test=["so awful", "so lovely"], y_test=["bad", "good"])
    assert task.sizes == {"train": 48, "validation": 12, "test": 2}
    assert task.open_test().targets.tolist() == [0, 1]


def test_augmentation_hides_words_and_leaves_padding():
    tokens = torch.tensor([[5, 6, 7, 0, 0]] * 400)
    changed = TokenAugmentation(0.25)(tokens, torch.Generator().manual_seed(0))
    assert not changed[:, 3:].any()
    assert set(changed[:, :3].unique().tolist()) == {1, 5, 6, 7}
    # 1,200 tokens at a share of 0.25: a deviation of 0.0125, so five of them on either side.
    assert (changed[:, :3] == 1).double().mean().item() == pytest.approx(0.25, abs=0.0625)


def test_a_reference_learns_what_the_texts_say():
    task = TextClassification(*reviews(200))
    (scores,) = task.references(task.train_and_validation(), task.open_test()).values()
    assert scores["accuracy"] > 0.9
    assert set(scores) == set(task.metrics)


def test_the_baseline_keeps_to_a_ceiling():
    task = TextClassification(*reviews())
    network = task.baseline(max_params=20_000)
    assert 10_000 < sum(p.numel() for p in network.parameters()) <= 20_000
    with pytest.raises(DataError, match="even the narrowest"):
        task.baseline(max_params=10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda t, y: TextClassification(t[0], y), "is one text: give a list"),
        (lambda t, y: TextClassification([*t[:5], None, *t[6:]], y), r"row 5 .* is missing"),
        (lambda t, y: TextClassification([*t[:5], 3, *t[6:]], y), r"row 5 .* is a int \(3\)"),
        (lambda t, y: TextClassification([" "] * 60, y), "training texts are all empty"),
        (lambda t, y: TextClassification(t, y[:-1]), "60 samples and y has 59 labels"),
        (lambda t, y: TextClassification(t, y, level="words"), "Did you mean 'word'"),
        (lambda t, y: TextClassification(t, y, vocabulary=2), "vocabulary is 2: allowed are whole numbers of 10"),
        (lambda t, y: TextClassification(t, y, x_test=t), "without y_test"),
        (lambda t, y: TextClassification.from_table({"text": t, "label": y}, target="lable"), "Did you mean 'label'"),
        (lambda t, y: TextClassification.from_table({"text": t}), "labels are needed beside"),
        (lambda t, y: TextClassification.from_table({"a": range(60), "b": y}, target="b"), "no column of texts"),
    ],
)
def test_what_is_wrong_is_said(make, message):
    with pytest.raises(DataError, match=message):
        make(*reviews())


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None)
    with pytest.raises(MissingExtraError, match=r"archwright\[text\]"):
        TextClassification(*reviews())


def test_first_names_are_there_by_name():
    pytest.importorskip("names", reason="needs the extra 'text'")
    task = tasks.load("first_names")
    assert sum(task.sizes.values()) == 4832
    assert task.describe()["level"] == "character"
    assert task.preparation.labels([0, 1]) == ["female", "male"]
