"""Folders of images that are read from disk: the same task to the last bit, whole or not there at all."""

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from archwright import task
from archwright.errors import DataError
from archwright.evaluator import Recipe, Training
from archwright.evaluator.loop import outputs
from archwright.task import ImageClassification
from archwright.task.decoding import told
from archwright.task.lazy import Images, LazyInputs
from archwright.trial import Proposal

RNG = np.random.default_rng(0)
NONE = 1  # byte: nothing is kept in memory


def fill(folder, classes=("cat", "dog"), n=20, size=(9, 8), mode="RGB"):
    for i, label in enumerate(classes):
        (folder / label).mkdir(parents=True)
        for k in range(n):
            shape = size if mode == "L" else (*size, 3)
            pixels = RNG.integers(40 * i, 150 + 40 * i, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{k:02}.png")
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "archwright" / "images"


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("data") / "pets")


@pytest.fixture
def both(pets):
    return ImageClassification.from_folder(pets), ImageClassification.from_folder(pets, memory=NONE)


def kept(cache):
    return [p for p in cache.iterdir() if p.name != ".lock"] if cache.exists() else []


def test_it_is_the_same_task(both):
    eager, lazy = both
    assert isinstance(eager.train.inputs, torch.Tensor)
    assert isinstance(lazy.train.inputs, LazyInputs)
    assert lazy.preparation == eager.preparation
    assert lazy.augmentation == eager.augmentation
    assert lazy.fingerprint == eager.fingerprint
    assert lazy.doubts == eager.doubts
    assert lazy.input_shape == eager.input_shape == (3, 9, 8)
    assert repr(lazy) == repr(eager)


def test_batches_are_the_same(both):
    eager, lazy = (t.train.inputs for t in both)
    rows = torch.tensor([5, 0, 11, 5])
    assert torch.equal(lazy.index_select(0, rows), eager.index_select(0, rows))
    for key in (rows, slice(3, 9), slice(None, None, 4), 2, -1, rows.numpy(), torch.arange(len(eager)) % 3 == 0):
        assert torch.equal(lazy[key], eager[key])
    assert torch.equal(lazy[2:5, 1], eager[2:5, 1])
    for mine, theirs in zip(lazy.split(7), eager.split(7), strict=True):
        assert torch.equal(mine, theirs)
    assert torch.equal(torch.stack(list(lazy)), eager)
    assert lazy.shape == eager.shape
    with pytest.raises(IndexError):
        lazy[len(eager)]


def test_other_functions_of_torch_read_all(both):
    eager, lazy = (t.train.inputs for t in both)
    assert torch.equal(torch.nn.functional.avg_pool2d(lazy, 2), torch.nn.functional.avg_pool2d(eager, 2))
    assert torch.equal(lazy.mean((0, 2, 3)), eager.mean((0, 2, 3)))
    assert lazy.to(torch.float64).dtype == torch.float64
    with pytest.raises(AttributeError, match="nonsense"):
        _ = lazy.nonsense


def test_parts_of_parts_stay_on_disk(both):
    eager, lazy = both
    rows = torch.tensor([3, 1])
    joined = lazy.train_and_validation()
    for part, whole in ((joined, eager.train_and_validation()), (lazy.train[rows], eager.train[rows])):
        assert isinstance(part.inputs, LazyInputs)
        assert torch.equal(part.inputs[:], whole.inputs)
        assert torch.equal(part.targets, whole.targets)
    assert isinstance(lazy.train.to("cpu").inputs, LazyInputs)


def test_a_worker_gets_the_place_and_not_the_images(both):
    eager, lazy = both
    sent = pickle.dumps(lazy)
    assert len(sent) < 10_000
    assert pickle.loads(sent).fingerprint == eager.fingerprint


def test_training_gives_the_same_numbers(both):
    space = both[0].space()
    proposal = Proposal(space.sample(np.random.default_rng(1)))
    found = [Training(space, t, Recipe(epochs=2, precision="float32", layout="contiguous"))(proposal, 0) for t in both]
    assert found[0].metrics == found[1].metrics
    assert [p["train_loss"] for p in found[0].curve] == [p["train_loss"] for p in found[1].curve]


def test_an_official_test_part_and_groups(tmp_path):
    fill(tmp_path / "train", n=80)
    fill(tmp_path / "test", n=20)
    groups = {"group": [i % 2 for i in range(160)], "group_test": [i % 2 for i in range(40)]}
    eager, lazy = (ImageClassification.from_folder(tmp_path, **groups, **more) for more in ({}, {"memory": NONE}))
    assert lazy.fingerprint == eager.fingerprint
    assert lazy.sizes["test"] == 40
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(2))
    scores = [
        t.score(outputs(network, part.inputs), part.targets, groups=part.groups)
        for t in (eager, lazy)
        for part in [t.open_test()]
    ]
    assert scores[0] == scores[1]
    assert "gap_accuracy" in scores[0]


def test_duplicates_are_found_on_disk_too(tmp_path):
    fill(tmp_path / "train")
    fill(tmp_path / "test", n=3)
    (tmp_path / "test" / "cat" / "again.png").write_bytes((tmp_path / "train" / "cat" / "00.png").read_bytes())
    found = ImageClassification.from_folder(tmp_path, memory=NONE).doubts
    assert found == ImageClassification.from_folder(tmp_path).doubts
    assert "1 of 7 test samples" in found[0]


@pytest.mark.parametrize("resize", [None, (6, 7)])
def test_grey_among_colour(tmp_path, resize):
    fill(tmp_path, ("cat",), mode="L")
    fill(tmp_path, ("dog",), size=(9, 8) if resize is None else (12, 5))
    eager, lazy = (ImageClassification.from_folder(tmp_path, resize=resize, memory=m) for m in (None, NONE))
    assert lazy.input_shape == (3, *(resize or (9, 8)))
    assert lazy.fingerprint == eager.fingerprint


def test_grey_alone_stays_grey(tmp_path):
    lazy = ImageClassification.from_folder(fill(tmp_path / "a", mode="L"), memory=NONE)
    assert lazy.input_shape == (1, 9, 8)


def test_memory_decides(pets):
    n, one = 40, 3 * 9 * 8 * 4
    above = ImageClassification.from_folder(pets, memory=n * one)
    below = ImageClassification.from_folder(pets, memory=f"{n * one - 1}B")
    assert isinstance(above.train.inputs, torch.Tensor)
    assert isinstance(below.train.inputs, LazyInputs)
    with pytest.raises(DataError, match=r"memory: 'much'.*2GiB"):
        ImageClassification.from_folder(pets, memory="much")


def test_bad_images_are_told_in_one_list(tmp_path):
    fill(tmp_path)
    good = (tmp_path / "cat" / "00.png").read_bytes()
    (tmp_path / "cat" / "cut.png").write_bytes(good[: len(good) // 2])
    (tmp_path / "dog" / "empty.jpg").write_bytes(b"")
    (tmp_path / "dog" / "text.png").write_bytes(b"this is no picture")
    messages = []
    for memory in (None, NONE, NONE):  # the second time from what is known of the first
        with pytest.raises(DataError, match=r"3 of 43 images cannot be read: .*cut\.png.*empty\.jpg.*") as caught:
            ImageClassification.from_folder(tmp_path, memory=memory)
        messages.append(str(caught.value))
    assert len(set(messages)) == 1
    with pytest.warns(UserWarning, match=r"3 of 43 images"):
        eager = ImageClassification.from_folder(tmp_path, on_bad_image="skip")
    with pytest.warns(UserWarning, match=r"3 of 43 images"):
        lazy = ImageClassification.from_folder(tmp_path, on_bad_image="skip", memory=NONE)
    assert lazy.fingerprint == eager.fingerprint
    assert lazy.doubts == eager.doubts


def test_sizes_that_differ_are_told_before_anything_is_decoded(tmp_path, cache):
    fill(tmp_path, ("cat",))
    fill(tmp_path, ("dog",), size=(5, 4))
    with pytest.raises(DataError, match=r"images differ in size .*9x8 \(20 images.*resize=\(7, 6\)"):
        ImageClassification.from_folder(tmp_path, memory=NONE)
    assert not kept(cache)


def test_it_is_decoded_once_and_a_changed_image_anew(tmp_path, cache):
    fill(tmp_path)

    def decoding():
        said = []
        with told(said.append):
            made = ImageClassification.from_folder(tmp_path, memory=NONE)
        return made, any("decoded" in s for s in said)

    first, fresh = decoding()
    again, anew = decoding()
    assert fresh
    assert not anew
    assert again.fingerprint == first.fingerprint
    changed = tmp_path / "cat" / "07.png"
    Image.fromarray(np.full((9, 8, 3), 7, np.uint8)).save(changed)
    os.utime(changed, (0, 0))
    other, anew = decoding()
    assert anew
    assert other.fingerprint == ImageClassification.from_folder(tmp_path).fingerprint != first.fingerprint
    assert len(kept(cache)) == 2


def test_a_file_that_lost_its_end_is_not_believed(pets, cache):
    first = ImageClassification.from_folder(pets, memory=NONE)
    (place,) = kept(cache)
    with open(place / "images.npy", "r+b") as file:
        file.truncate(1000)
    with pytest.raises(DataError, match="ends early"):
        first.train.inputs[-1]
    assert (
        ImageClassification.from_folder(pets, memory=NONE).fingerprint
        == ImageClassification.from_folder(pets).fingerprint
    )


def test_numpy_opens_what_is_kept(pets, cache):
    lazy = ImageClassification.from_folder(pets, memory=NONE)
    (place,) = kept(cache)
    array = np.load(place / "images.npy")
    assert array.shape == (40, 3, 9, 8)
    assert lazy.describe()["read_from"] == str(place / "images.npy")
    np.testing.assert_array_equal(array[0].transpose(1, 2, 0), np.asarray(Image.open(pets / "cat" / "00.png")))


def test_what_was_not_opened_for_long_is_removed(pets, cache, tmp_path):
    ImageClassification.from_folder(pets, memory=NONE)
    (place,) = kept(cache)
    os.utime(place, (0, 0))
    ImageClassification.from_folder(fill(tmp_path / "other"), memory=NONE)
    assert len(kept(cache)) == 1
    assert not place.exists()


def test_no_room_for_the_file(pets, monkeypatch, cache):
    import shutil

    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(DataError, match=r"40 decoded images take 8\.64 ?KB, .*room for 100.*XDG_CACHE_HOME"):
        ImageClassification.from_folder(pets, memory=NONE)
    assert not kept(cache)


def test_a_cache_that_cannot_be_written(pets, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot be kept in .*XDG_CACHE_HOME"):
        ImageClassification.from_folder(pets, memory=NONE)


SLOWLY = """
import sys, time
from archwright.task import ImageClassification, decoding
decoding.AT_A_TIME = 4
decode = decoding._decode
def slowly(*given):
    time.sleep(0.2)
    return decode(*given)
decoding._decode = slowly
ImageClassification.from_folder(sys.argv[1], memory=1)
"""


def test_killed_while_it_decodes(pets, cache):
    process = subprocess.Popen([sys.executable, "-c", SLOWLY, str(pets)])
    try:
        until = time.monotonic() + 120
        while not list(cache.glob(".*.part/images.npy")):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    (half,) = kept(cache)
    assert half.name.startswith(".")
    lazy = ImageClassification.from_folder(pets, memory=NONE)
    assert lazy.fingerprint == ImageClassification.from_folder(pets).fingerprint
    assert not half.exists()
    assert len(kept(cache)) == 1


def test_statistics_of_bytes_are_exact():
    images = RNG.integers(0, 256, (50, 2, 5, 6), dtype=np.uint8)
    images[:, 1] = 9
    inputs = task.ImageClassification(images, [0, 1] * 25, channels="first").preparation.features
    assert inputs.std[1] == 1.0
    assert inputs.mean[1] == 9.0
    assert 60 < inputs.std[0] < 90


PEAK = """
import re, sys
from pathlib import Path
from archwright.task import ImageClassification
made = ImageClassification.from_folder(sys.argv[1], memory=int(sys.argv[2]))
made.fingerprint, made.doubts
for block in made.train.inputs.split(64):
    pass
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024)
"""
"""Not what `resource` tells, which counts the process that began this one too."""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the peak of a process is read as Linux tells it")
def test_it_needs_little_memory(tmp_path):
    fill(tmp_path, n=1500, size=(96, 96))  # 330 MB as inputs
    peaks = [
        int(subprocess.run([sys.executable, "-c", PEAK, str(tmp_path), memory], capture_output=True, check=True).stdout)
        for memory in ("1", str(2**40))
    ]
    assert peaks[0] < peaks[1] - 200
    assert peaks[0] < 600


def test_images_of_two_files_are_no_more_one(both, tmp_path):
    other = ImageClassification.from_folder(fill(tmp_path / "other"), memory=NONE)
    joined = torch.cat([both[1].train.inputs, other.train.inputs])
    assert isinstance(joined, torch.Tensor)
    assert len(joined) == len(both[1].train) + len(other.train)
    with pytest.raises(DataError, match="cannot be read from"):
        Images(tmp_path / "nothing", 0, (1, 2, 2), np.arange(3)).read()
