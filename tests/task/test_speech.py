"""Speech: clips and what is said in them; the loss beside torch's, the rates beside jiwer's."""

import itertools
import json
import math

import jiwer
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.io import wavfile

from archwright import task as tasks
from archwright.cost import measure
from archwright.errors import DataError, SpaceError
from archwright.evaluator import Recipe, Training
from archwright.export import Card, export, predict
from archwright.nn import materialize, spaces
from archwright.run.tested import _interval
from archwright.task import Preparation, SpeechRecognition
from archwright.task.transcripts import CTCLoss, Transcripts, needed_frames
from archwright.testing import TaskContract

RATE = 4000
PITCH = {"one": 300, "two": 600, "three": 1100, "four": 1700}


def spoken(n=60, seed=0, words=(2, 4)):
    """Clips of words that are tones of a tenth of a second or so, and which ones these are."""
    rng, clips, texts = np.random.default_rng(seed), [], []
    for _ in range(n):
        said = rng.choice(list(PITCH), rng.integers(words[0], words[1] + 1)).tolist()
        parts = [np.zeros(200)]
        for word in said:
            time = np.arange(rng.integers(300, 500)) / RATE
            parts += [0.3 * np.sin(2 * np.pi * PITCH[word] * rng.uniform(0.95, 1.05) * time), np.zeros(200)]
        clip = np.concatenate(parts)
        clips.append(clip + 0.01 * rng.normal(size=len(clip)))
        texts.append(" ".join(said))
    return clips, texts


class TestSpeech(TaskContract):
    near_zero = 0.1
    steps = 150

    def make(self):
        return self.make_of(60)

    def make_of(self, n):
        x, y = spoken(60)
        return SpeechRecognition(x[:n], y[:n], sample_rate=RATE)

    def library(self, task, output, target):
        right = [" ".join(task.preparation.targets.decode(t[None])[0].split()) for t in _spread(target[:, 1:])]
        heard = []
        for frames in output.argmax(1).tolist():
            kept = [a for a, b in zip(frames, [0, *frames], strict=False) if a not in (b, 0)]
            heard.append(" ".join("".join(task.texts.tokens[i - 1] for i in kept).split()))
        return {"wer": jiwer.wer(right, heard), "cer": jiwer.cer(right, heard)}


def _spread(tokens):
    """Tokens with a blank before each, so that equal ones stay two."""
    return torch.stack([torch.zeros_like(tokens), tokens], 2).flatten(1)


class TestSpeechInWords(TestSpeech):
    def make_of(self, n):
        x, y = spoken(60)
        return SpeechRecognition(x[:n], y[:n], sample_rate=RATE, level="word")

    def library(self, task, output, target):
        right = [" ".join(task.texts.tokens[i - 1] for i in row if i) for row in target[:, 1:].tolist()]
        heard = task.texts.answers(output)
        return {"wer": jiwer.wer(right, heard), "cer": jiwer.cer(right, heard)}


def test_the_loss_is_the_likelihood_of_all_alignments():
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(1, 3, 4, generator=generator).double()
    target = torch.tensor([[7, 1, 2, 0]])
    shares = output.float().softmax(1)[0]
    total = 0.0
    for frames in itertools.product(range(3), repeat=4):
        kept = [a for a, b in zip(frames, (0, *frames), strict=False) if a not in (b, 0)]
        if kept == [1, 2]:
            total += math.prod(float(shares[token, i]) for i, token in enumerate(frames))
    assert CTCLoss()(output, target).item() == pytest.approx(-math.log(total) / 2, rel=1e-5)


def test_texts_are_decoded_as_ctc_says():
    texts = Transcripts.of(["ab ba", "abc"], "character")
    assert texts.tokens == (" ", "a", "b", "c")
    assert texts.decode([[0, 2, 2, 0, 2, 3, 3, 1, 1, 4]]) == ["aab c"]
    assert texts.encode(["AB  z c"]).tolist() == [[2, 3, 1, 1, 4]], "z was never seen"
    assert Transcripts.of(["A b"], "word", lowercase=False).tokens == ("A", "b")
    assert needed_frames(texts.encode(["aab", "abc"])) == 4
    assert Transcripts.from_json(json.loads(json.dumps(texts.to_json()))) == texts


def test_rates_are_of_the_references_as_they_were_given():
    x, y = spoken()
    held = {"x_validation": x[40:50], "y_validation": [t.upper() for t in y[40:49]] + ["five"]}
    task = SpeechRecognition(x[:40], y[:40], x_test=x[50:], y_test=y[50:], sample_rate=RATE, level="word", **held)
    tokens = task.validation.targets[:, 1:]
    assert (tokens[-1] == 0).all(), "five is no token"
    perfect = torch.nn.functional.one_hot(_spread(tokens), task.n_outputs).transpose(1, 2).float()
    assert len(task.train_and_validation()) == 50, "texts of both parts are filled up alike"
    words = sum(len(t.split()) for t in y[40:49]) + 1
    assert task.score(perfect, task.validation.targets)["wer"] == pytest.approx(1 / words)
    low, high = _interval(task.metrics["wer"], [perfect], task.validation, seed=0).values()
    assert 0 <= low <= 1 / words <= high
    silent = torch.zeros_like(perfect)
    silent[:, 0] = 1
    assert task.score(silent, task.validation.targets) == {"wer": 1.0, "cer": 1.0}


def test_clips_begin_at_once_and_longer_ones_do_not_train(tmp_path):
    x, y = spoken()
    task = SpeechRecognition(x, y, sample_rate=RATE)
    assert task.describe()["too_long_for_training"] == 0
    assert task.preparation.inputs([np.ones(100)])[0, 0, :100].eq(1).all()
    sizes = sorted(map(len, x))
    short = SpeechRecognition(x, y, sample_rate=RATE, seconds=sizes[50] / RATE)
    assert short.input_shape == (1, sizes[50])
    assert 0 < short.describe()["too_long_for_training"] <= 9
    assert len(short.validation) == len(task.validation), "cut, not left out"


def test_tables_and_folders_are_the_same(tmp_path):
    x, y = spoken()
    for i, (clip, text) in enumerate(zip(x, y, strict=True)):
        wavfile.write(tmp_path / f"{i:02}.wav", RATE, clip.astype(np.float32))
        (tmp_path / f"{i:02}.txt").write_text(text)
    frame = pd.DataFrame({"text": y, "clip": [f"{i:02}.wav" for i in range(60)], "length": 1})
    frame.to_csv(tmp_path / "clips.csv", index=False)
    table = tasks.load(tmp_path / "clips.csv", kind="speech", text="text")
    folder = tasks.load(tmp_path, kind="speech")
    assert isinstance(table, SpeechRecognition)
    assert torch.equal(table.train.inputs, folder.train.inputs)
    assert torch.equal(table.train.targets, folder.train.targets)
    again = Preparation.from_json(json.loads(json.dumps(table.preparation.to_json())))
    assert again == table.preparation
    held = SpeechRecognition.from_table(tmp_path / "clips.csv", text="text", test=tmp_path / "clips.csv")
    assert held.sizes["test"] == 60
    (tmp_path / "03.wav").write_bytes(b"nothing")
    (tmp_path / "05.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 of 60 clips cannot be read: .*03.wav.*05.wav.* or give on_bad_clip='skip'"):
        tasks.load(tmp_path / "clips.csv", kind="speech", text="text")
    with pytest.warns(UserWarning, match="2 of 60 clips"):
        less = tasks.load(tmp_path / "clips.csv", kind="speech", text="text", on_bad_clip="skip")
    assert sum(less.sizes.values()) == 58
    (tmp_path / "07.txt").unlink()
    with pytest.raises(DataError, match=r"has no 07\.txt in UTF-8 beside it"):
        tasks.load(tmp_path, kind="speech")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda x, y: SpeechRecognition(x, y[:-1], sample_rate=RATE), "60 samples and y has 59"),
        (lambda x, y: SpeechRecognition(x, ["", *y[1:]], sample_rate=RATE), "y: 1 texts are empty, the first in row 0"),
        (lambda x, y: SpeechRecognition(x, [None, *y[1:]], sample_rate=RATE), "row 0"),
        (lambda x, y: SpeechRecognition(x, y), "how many samples a second arrays have"),
        (lambda x, y: SpeechRecognition(x, y, sample_rate=RATE, level="wrd"), "Did you mean 'word'"),
        (lambda x, y: SpeechRecognition(x, y, sample_rate=RATE, x_test=x), "y_test"),
        (lambda x, y: SpeechRecognition(x, y, sample_rate=RATE, seconds=0.01), "every training clip is longer"),
        (lambda x, y: SpeechRecognition([c[:200] for c in x], y, sample_rate=RATE), "fewer frames than the longest"),
        (lambda x, y: SpeechRecognition.from_table(pd.DataFrame({"a": y})), "no column of sound files"),
        (lambda x, y: SpeechRecognition.from_table(pd.DataFrame({"a": ["b.wav"]})), "no column of texts"),
        (lambda x, y: SpeechRecognition.from_folder("/nowhere"), "does not exist"),
    ],
)
def test_what_cannot_be_learnt_from_is_said_with_what_to_do(make, said):
    with pytest.raises(DataError) as raised:
        make(*spoken())
    assert said in str(raised.value)


def test_every_sample_of_the_space_builds_trains_and_traces():
    shape, rng, kinds = (1, 4000), np.random.default_rng(0), set()
    space = spaces.speech(shape, 6, sample_rate=RATE, least_frames=20, widths=(8, 12))
    # Half of 51 frames of 20 ms is enough, a quarter is not; so a half is all that there is.
    fitting = {(hop, "half") for hop in (10, 15, 20)}
    x = 0.1 * torch.randn(4, *shape)
    targets = torch.tensor([[0, 1, 2, 3]] * 4)
    for _ in range(12):
        architecture = space.sample(rng)
        kinds.add(architecture["kind"])
        assert (architecture["front/hop_ms"], architecture["frames"]) in fitting
        network = materialize(space.build(architecture), shape)
        output = network(x)
        assert output.shape[:2] == (4, 6)
        assert output.shape[2] >= 20
        CTCLoss()(output, targets).backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
        network.eval()
        torch.testing.assert_close(torch.fx.symbolic_trace(network)(x), network(x))
    assert kinds == {"recurrent", "attention", "convolution"}
    with pytest.raises(SpaceError, match="fewer than least_frames=200"):
        spaces.speech(shape, 6, sample_rate=RATE, least_frames=200)


def test_a_network_learns_to_listen_and_writes_in_every_form(tmp_path):
    x, y = spoken(300)
    task = SpeechRecognition(x, y, sample_rate=RATE, level="word", validation_share=0.2)
    space = task.space()
    rng = np.random.default_rng(0)
    architecture = next(a for a in space.sample(rng, 60) if a["kind"] == "recurrent" and a["frames"] == "quarter")
    recipe = Recipe.suiting(task, epochs=12, lr=1e-2, precision="float32", layout="contiguous")
    module, measured = Training(space, task, recipe, device="cpu").fit(architecture, 0)
    assert measured.metrics["wer"] < 0.2
    assert all(v > 0 for v in measure(module, task.input_shape, ("params", "macs", "bytes", "peak_bytes")).values())
    card = Card(name=task.name, preparation=task.preparation.to_json())
    card = export(module, tmp_path / "out", input_shape=task.input_shape, card=card)
    assert card.left_out == {}
    new, texts = spoken(4, seed=1)
    wanted = task.preparation.answers(module.eval()(task.preparation.inputs(new)))
    assert jiwer.wer(texts, wanted) < 0.4
    for form in ("source", "pt2", "onnx"):
        assert [a.value for a in predict(tmp_path / "out", new, form=form)] == wanted
    wavfile.write(tmp_path / "a.wav", RATE, new[0].astype(np.float32))
    (one,) = predict(tmp_path / "out", tmp_path / "a.wav")
    assert (one.sample, one.value) == ("a.wav", wanted[0])


def test_the_baseline_keeps_to_a_ceiling():
    x, y = spoken()
    task = SpeechRecognition(x, y, sample_rate=RATE)
    network = materialize(task.baseline(max_params=20_000), task.input_shape)
    assert 10_000 < sum(p.numel() for p in network.parameters()) <= 20_000
