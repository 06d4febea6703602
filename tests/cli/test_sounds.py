"""Sounds from the shell: folders of files in, a network that says what is heard or said, and what cannot be read."""

import json

import numpy as np
import pytest
from scipy.io import wavfile

RATE = 4000
PITCH = {"low": 300, "high": 1200}


def tone(pitch, rng, seconds=0.15):
    time = np.arange(round(rng.uniform(0.9, 1.1) * seconds * RATE)) / RATE
    return 0.3 * np.sin(2 * np.pi * pitch * rng.uniform(0.95, 1.05) * time) + 0.01 * rng.normal(size=len(time))


def write(path, samples):
    path.parent.mkdir(parents=True, exist_ok=True)
    wavfile.write(path, RATE, samples.astype(np.float32))


@pytest.fixture
def sounds(tmp_path):
    """A folder of class folders: forty short tones."""
    rng = np.random.default_rng(0)
    for i in range(40):
        label = list(PITCH)[i % 2]
        write(tmp_path / "sounds" / label / f"{i:02}.wav", tone(PITCH[label], rng))
    return tmp_path / "sounds"


@pytest.fixture
def said(tmp_path):
    """A folder of clips, and beside each what is said in it: two or three tones, each of which is a word."""
    pytest.importorskip("jiwer")
    rng = np.random.default_rng(0)
    for i in range(40):
        words = rng.choice(list(PITCH), rng.integers(2, 4)).tolist()
        parts = [p for word in words for p in (tone(PITCH[word], rng), np.zeros(400))]
        write(tmp_path / "said" / f"{i:02}.wav", np.concatenate(parts))
        (tmp_path / "said" / f"{i:02}.txt").write_text(" ".join(words))
    return tmp_path / "said"


def answers(archwright, forms, *arguments):
    """What each form of the network says: of each sample the label, or the text."""
    told = {}
    for form in forms:
        made = archwright("predict", *arguments, "--form", form, "--json")
        assert made.exit_code == 0, made.stderr
        found = json.loads(made.stdout)["predictions"]
        told[form] = {a["sample"]: a.get("label") or a.get("value") for a in found}
    return told


@pytest.mark.slow
def test_sounds_are_searched_exported_and_told(archwright, tiny, sounds):
    told = json.loads(archwright("tasks", "sounds", "--kind", "audio", "--json").stdout)
    assert (told["kind"], told["classes"], told["doubts"]) == ("AudioClassification", ["high", "low"], [])
    done = archwright("search", "sounds", "--kind", "audio", "--budget", "4 s", "--out", "out", "--no-baseline", *tiny)
    assert done.exit_code == 0, (done.stdout, done.stderr, done.exception)
    assert "test accuracy" in " ".join(done.stdout.split())
    found = answers(archwright, ("source", "pt2", "onnx"), "out", "sounds/low")
    assert list(found["source"]) == [f"{i:02}.wav" for i in range(0, 40, 2)]
    assert found["source"] == found["pt2"] == found["onnx"]
    assert set(found["source"].values()) <= {"low", "high"}
    assert archwright("predict", "out", "sounds/high/01.wav").exit_code == 0
    again = archwright("export", "out", "--trial", "0", "--forms", "source", "--to", "again")
    assert again.exit_code == 0, (again.stdout, again.stderr)
    assert archwright("predict", "again", "sounds/high/01.wav").exit_code == 0


@pytest.mark.slow
def test_speech_is_searched_exported_and_written(archwright, tiny, said):
    told = json.loads(archwright("tasks", "said", "--kind", "speech", "--json").stdout)
    assert (told["kind"], told["metric"], told["sample_rate"]) == ("SpeechRecognition", "wer", RATE)
    done = archwright("search", "said", "--kind", "speech", "--budget", "5 s", "--out", "out", "--no-baseline", *tiny)
    assert done.exit_code == 0, (done.stdout, done.stderr, done.exception)
    assert "test wer" in " ".join(done.stdout.split())
    found = answers(archwright, ("source", "pt2", "onnx"), "out", "said")
    assert list(found["source"]) == [f"{i:02}.wav" for i in range(40)]
    assert found["source"] == found["pt2"] == found["onnx"]
    assert all(isinstance(text, str) for text in found["source"].values())


@pytest.mark.parametrize(("folder", "kind", "names"), [("sounds", "audio", "*/*.wav"), ("said", "speech", "*.wav")])
def test_clips_that_cannot_be_read_are_named_and_may_be_left_out(archwright, refused, request, folder, kind, names):
    where = request.getfixturevalue(folder)
    bad = sorted(where.glob(names))[:7]
    for path in bad:
        path.write_bytes(b"no sound at all")
    message = " ".join(refused("search", folder, "--kind", kind, "--trials", "1").split())
    assert "7 of 40 clips cannot be read: " in message
    assert [path.name in message for path in bad] == [True] * 5 + [False] * 2
    assert "; and 2 more. Repair or remove them, or give --on-bad-clip skip to go on without them" in message
    assert "'stop' and 'skip'" in refused("tasks", folder, "--kind", kind, "--on-bad-clip", "keep")
    done = archwright("tasks", folder, "--kind", kind, "--on-bad-clip", "skip", "--json")
    assert sum(json.loads(done.stdout)["sizes"].values()) == 33
    assert "7 of 40 clips cannot be read" in done.stderr
    assert "They are left out" in done.stderr
