"""Sounds: clips in the forms that people have them in, of any length and rate, and what cannot be read."""

import importlib.util
import json
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.io import wavfile

from archwright import task as tasks
from archwright.cost import measure
from archwright.errors import DataError
from archwright.evaluator import Recipe, Training
from archwright.export import Card, export, predict
from archwright.nn import materialize
from archwright.task import AudioAugmentation, AudioClassification, Preparation
from archwright.task.sounds import Clip, resampled
from archwright.testing import TaskContract

RATE = 8000


def tones(n=60, seed=0, rate=RATE):
    """Clips of a tenth to a fifth of a second: a low, a middle or a high tone in hiss."""
    rng, clips = np.random.default_rng(seed), []
    for i in range(n):
        time = np.arange(rng.integers(rate // 10, rate // 5)) / rate
        pitch = (300, 700, 1500)[i % 3] * rng.uniform(0.9, 1.1)
        clips.append(0.3 * np.sin(2 * np.pi * pitch * time) + 0.02 * rng.normal(size=len(time)))
    return clips, np.array(["low", "middle", "high"])[np.arange(n) % 3]


def put(folder, clips, labels, rate=RATE):
    """Files ``LABEL/NUMBER.wav``, 16 bits."""
    paths = []
    for i, (clip, label) in enumerate(zip(clips, labels, strict=True)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        paths.append(folder / label / f"{i:03}.wav")
        wavfile.write(paths[-1], rate, (clip * 32767).astype(np.int16))
    return paths


class TestSounds(TaskContract):
    def make(self):
        return self.make_of(60)

    def make_of(self, n):
        x, y = tones(60)
        return AudioClassification(x[:n], y[:n], sample_rate=RATE)


def test_clips_have_the_length_of_most_of_the_training_part_and_lie_in_the_middle():
    x, y = tones()
    task = AudioClassification(x, y, sample_rate=RATE)
    sizes = sorted(map(len, x))
    assert sizes[40] < task.input_shape[1] <= sizes[-1]
    assert task.describe()["seconds"] == task.input_shape[1] / RATE
    short = task.preparation.inputs([np.ones(100)])[0, 0]
    at = short.nonzero().flatten()
    assert len(at) == 100
    assert abs(int(at[0]) - (task.input_shape[1] - 1 - int(at[-1]))) <= 1
    long = np.arange(2 * task.input_shape[1], dtype=float)
    kept = task.preparation.inputs([long])[0, 0]
    assert kept[0] == pytest.approx(task.input_shape[1] // 2, abs=1)
    assert AudioClassification(x, y, sample_rate=RATE, seconds=0.05).input_shape == (1, 400)


def test_every_kind_of_number_has_the_same_full_scale_and_channels_are_averaged():
    wave = np.linspace(-0.9, 0.9, 300)
    x, y = tones()
    task = AudioClassification(x, y, sample_rate=RATE)
    forms = [
        wave, wave.astype("f4"), (wave * 2**15).astype("i2"), (wave * 2**31).astype("i4"),
        (wave * 128 + 128).astype("u1"), np.stack([wave, wave], 1), np.stack([wave * 2, wave * 0]), torch.tensor(wave),
        {"array": wave, "sampling_rate": RATE}, Clip(wave.astype("f4"), RATE),
    ]  # fmt: skip
    seen = [task.preparation.inputs([form]) for form in forms]
    for other in seen[1:]:
        torch.testing.assert_close(other, seen[0], atol=0.01, rtol=0)


@pytest.mark.parametrize("rate", [16_000, 44_100, 11_025, 4000])
def test_clips_of_other_rates_are_resampled(rate):
    time = np.arange(rate // 5) / rate
    there = np.sin(2 * np.pi * 600 * time)
    made = resampled(Clip(there.astype(np.float32), rate), RATE)
    expected = np.sin(2 * np.pi * 600 * np.arange(len(made)) / RATE)
    assert abs(len(made) - RATE / 5) <= 1
    np.testing.assert_allclose(made[200:-200], expected[200:-200], atol=0.02)


def test_the_commonest_rate_is_taken_and_sixteen_thousand_at_most():
    x, y = tones()
    mixed = [Clip(c.astype(np.float32), RATE if i % 3 else 22_050) for i, c in enumerate(x)]
    assert AudioClassification(mixed, y).sample_rate == RATE
    assert AudioClassification(x, y, sample_rate=44_100).sample_rate == 16_000
    assert AudioClassification(x, y, sample_rate=44_100, resample=RATE).sample_rate == RATE


@pytest.mark.parametrize("package", ["soundfile", "scipy"])
def test_folders_tables_and_arrays_are_the_same_clips(package, tmp_path, monkeypatch):
    if package == "scipy":
        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "soundfile" else find(name))
        monkeypatch.setitem(sys.modules, "soundfile", None)
    else:
        pytest.importorskip("soundfile")
    x, y = tones()
    paths = put(tmp_path / "sounds", x, y)
    order = sorted(range(60), key=lambda i: paths[i])
    folder = tasks.load(tmp_path / "sounds")
    assert isinstance(folder, AudioClassification)
    assert folder.name == "sounds"
    arrays = AudioClassification([x[i] for i in order], y[order], sample_rate=RATE)
    torch.testing.assert_close(folder.train.inputs, arrays.train.inputs, atol=1e-4, rtol=0)
    assert torch.equal(folder.train.targets, arrays.train.targets)
    names = [str(p.relative_to(tmp_path)) for p in paths]
    frame = pd.DataFrame({"clip": names, "who": ["a", "b"] * 30, "kind": y}).iloc[order]
    for file in ("t.csv", "t.parquet"):
        frame.to_csv(tmp_path / file, index=False) if file.endswith("csv") else frame.to_parquet(tmp_path / file)
        table = tasks.load(tmp_path / file)
        assert torch.equal(table.train.inputs, folder.train.inputs)
        assert table.preparation.features.column == "clip"
    assert "gap_accuracy" in tasks.load(tmp_path / "t.csv", group="who", validation_share=0.5, test_share=0).metrics
    again = Preparation.from_json(json.loads(json.dumps(table.preparation.to_json())))
    assert torch.equal(again.inputs(paths[:3]), table.preparation.inputs(paths[:3]))


def test_official_test_parts_are_kept(tmp_path):
    x, y = tones()
    put(tmp_path / "train", x[:45], y[:45])
    put(tmp_path / "test", x[45:], y[45:])
    task = AudioClassification.from_folder(tmp_path)
    assert task.sizes["test"] == 15
    assert task.describe()["official_test"]
    np.savez(tmp_path / "a.npz", x=np.stack([c[:800] for c in x]), y=y, sample_rate=RATE)
    assert isinstance(made := tasks.load(tmp_path / "a.npz"), AudioClassification)
    assert made.input_shape == (1, 800)
    frame = pd.DataFrame({"path": [f"{i}.wav" for i in range(60)], "kind": y})
    for i, clip in enumerate(x):
        wavfile.write(tmp_path / f"{i}.wav", RATE, clip.astype(np.float32))
    frame[:45].to_csv(tmp_path / "rows.csv", index=False)
    frame[45:].to_csv(tmp_path / "held.csv", index=False)
    held = AudioClassification.from_table(tmp_path / "rows.csv", test=tmp_path / "held.csv")
    assert held.sizes["test"] == 15


def test_all_that_cannot_be_read_is_told_in_one_list_and_may_be_skipped(tmp_path):
    x, y = tones()
    paths = put(tmp_path, x, y)
    paths[0].write_bytes(b"no sound at all")
    paths[4].write_bytes(b"")
    wavfile.write(paths[8], RATE, np.zeros(0, np.int16))
    wavfile.write(paths[9], RATE, np.array([0.1, np.nan] * 500, np.float32))
    with pytest.raises(DataError) as raised:
        tasks.load(tmp_path)
    message = str(raised.value)
    assert message.startswith("4 of 60 clips cannot be read: ")
    assert message.endswith("Repair or remove them, or give on_bad_clip='skip' to go on without them")
    for path, said in ((0, "is no sound"), (4, "empty file"), (8, "holds no sample"), (9, "NaN")):
        (line,) = [line for line in message.split("; ") if str(paths[path]) in line]
        assert said in line
    with pytest.warns(UserWarning, match=r"4 of 60 clips cannot be read: .*They are left out"):
        task = tasks.load(tmp_path, on_bad_clip="skip")
    assert sum(task.sizes.values()) == 56
    assert any("left out, for it cannot be read: clips" in doubt for doubt in task.doubts)


def test_what_augmentation_does():
    x = torch.zeros(200, 1, 1000)
    x[:, :, 400:600] = 1.0
    generator = torch.Generator().manual_seed(0)
    moved = AudioAugmentation(shift=0.1, gain=1, noise=0)(x, generator)
    starts = moved[:, 0].argmax(1)
    assert moved.sum((1, 2)).unique().tolist() == [200.0]
    assert 300 <= starts.min() < 330
    assert 470 < starts.max() <= 500
    louder = AudioAugmentation(shift=0, gain=2, noise=0)(x, generator).amax((1, 2))
    assert 0.5 <= louder.min() < 0.55
    assert 1.9 < louder.max() <= 2
    hiss = (AudioAugmentation(shift=0, gain=1, noise=0.1)(x, generator) - x).std((1, 2))
    assert 0 <= hiss.min() < 0.005
    assert 0.035 < hiss.max() < 0.045, "a tenth of the deviation of the clip, 0.4"
    assert torch.equal(AudioAugmentation(shift=0, gain=1, noise=0)(x), x)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda x, y: AudioClassification(x, y), "how many samples a second arrays have"),
        (lambda x, y: AudioClassification(x, y[:-1], sample_rate=RATE), "60 samples and y has 59 labels"),
        (lambda x, y: AudioClassification(np.zeros(60), y, sample_rate=RATE), "allowed are (n, time)"),
        (lambda x, y: AudioClassification(["a.wav"] * 60, y), "'a.wav' does not exist"),
        (lambda x, y: AudioClassification([{"sound": 1}] * 60, y), "a dict without 'array'"),
        (lambda x, y: AudioClassification(["x"] * 60, y, sample_rate=RATE), "does not exist"),
        (lambda x, y: AudioClassification(x, y, sample_rate=8), "sample_rate is 8: allowed are whole numbers"),
        (lambda x, y: AudioClassification(x, y, sample_rate=RATE, seconds=-1), "lengths above 0"),
        (lambda x, y: AudioClassification(x, y, sample_rate=RATE, on_bad_clip="no"), "'stop' and 'skip'"),
        (lambda x, y: AudioClassification(x, y, sample_rate=RATE, x_test=x), "y_test"),
        (lambda x, y: AudioClassification.from_folder("/nowhere"), "does not exist"),
        (lambda x, y: AudioClassification.from_table(pd.DataFrame({"a": y, "b": y})), "no column of sound files"),
        (lambda x, y: AudioClassification.from_table(pd.DataFrame({"a": ["b.wav"]})), "no column of labels"),
        (lambda x, y: AudioClassification.from_table(pd.DataFrame({"a": y}), file="b"), "no column 'b'"),
    ],
)
def test_what_cannot_be_learnt_from_is_said_with_what_to_do(make, said):
    with pytest.raises(DataError) as raised:
        make(*tones())
    assert said in str(raised.value)


def test_folders_without_class_folders_are_told(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no sound files and no class folders"):
        AudioClassification.from_folder(tmp_path)
    wavfile.write(tmp_path / "a.wav", RATE, np.zeros(80, np.int16))
    with pytest.raises(DataError, match="holds 1 sound file and no class folders"):
        AudioClassification.from_folder(tmp_path)
    (tmp_path / "full").mkdir()
    wavfile.write(tmp_path / "full" / "a.wav", RATE, np.zeros(80, np.int16))
    with pytest.raises(DataError, match=r"class folder .*empty' holds no sound file"):
        AudioClassification.from_folder(tmp_path)


def test_a_network_learns_tones_and_answers_for_new_files_in_every_form(tmp_path):
    x, y = tones(120)
    task = AudioClassification(x, y, sample_rate=RATE)
    recipe = Recipe.suiting(task, epochs=8, batch_size=16, precision="float32", layout="contiguous")
    space = task.space()
    architecture = next(a for a in space.sample(np.random.default_rng(0), 20) if a["kind"] == "temporal")
    module, measured = Training(space, task, recipe, device="cpu").fit(architecture, 0)
    assert measured.metrics["accuracy"] > 0.9
    costs = measure(module, task.input_shape, ("params", "macs", "bytes", "peak_bytes", "latency_ms"))
    assert all(value > 0 for value in costs.values())
    assert costs["params"] == measured.costs["params"]
    card = Card(name=task.name, preparation=task.preparation.to_json())
    card = export(module, tmp_path / "out", input_shape=task.input_shape, card=card)
    assert card.left_out == {}
    new, labels = tones(6, seed=1, rate=16_000)
    paths = put(tmp_path / "new", new, labels, rate=16_000)
    for form in ("source", "pt2", "onnx"):
        assert [a.label for a in predict(tmp_path / "out", paths, form=form)] == labels.tolist()
    found = predict(tmp_path / "out", tmp_path / "new")
    assert {a.sample: a.label for a in found} == {
        f"{label}/{p.name}": label for p, label in zip(paths, labels, strict=True)
    }
    (one,) = predict(tmp_path / "out", paths[0])
    assert (one.sample, one.label) == ("000.wav", "low")
    names = [str(p.relative_to(tmp_path)) for p in paths]
    pd.DataFrame({"path": names}).to_csv(tmp_path / "new.csv", index=False)
    assert [a.label for a in predict(tmp_path / "out", tmp_path / "new.csv")] == labels.tolist()


def test_the_baseline_keeps_to_a_ceiling_and_a_simple_method_is_beside():
    x, y = tones()
    task = AudioClassification(x, y, sample_rate=RATE)
    network = materialize(task.baseline(max_params=5000), task.input_shape)
    assert 2500 < sum(p.numel() for p in network.parameters()) <= 5000
    (simple,) = task.references(task.train, task.validation).values()
    assert simple["accuracy"] > 0.8, "tones are told apart by their bands"


def test_spoken_digits_keep_their_official_split(shared_data):
    data = dict(np.load(shared_data("sets/fsdd_8khz_int16.npz")))
    clips = [data["signal"][a:b] for a, b in zip(data["offset"], data["offset"][1:], strict=False)][::10]
    test = (data["take"] < 5)[::10]
    x = {part: [c for c, t in zip(clips, test, strict=True) if t == part] for part in (False, True)}
    y = data["digit"][::10]
    task = AudioClassification(x[False], y[~test], x_test=x[True], y_test=y[test], sample_rate=RATE)
    assert task.sizes["test"] == test.sum() > 10
    assert 0.3 < task.describe()["seconds"] < 1.5
