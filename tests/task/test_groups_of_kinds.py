"""Groups where a sample is an image with masks or boxes, a pair of texts, a clip, or a window of one of many series."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.io import wavfile

import archwright as aw
from archwright import task as tasks
from archwright.errors import DataError
from archwright.evaluator import Recipe
from archwright.task import Detection, Forecasting, Segmentation, SpeechRecognition, Translation

N = 200
MAKER = np.where(np.arange(N) % 3 == 0, "old", "new")


def images(n=N):
    """Each carries its number in its first pixels, so that it can be told apart."""
    made = np.random.default_rng(0).integers(100, 140, (n, 16, 16, 3)).astype(np.uint8)
    made[:, 0, 0] = np.arange(n)[:, None]
    return made


def numbers(task, part):
    """The numbers of the images of a part."""
    inputs = task.preparation.features
    raw = part.inputs * torch.tensor(inputs.std)[:, None, None] + torch.tensor(inputs.mean)[:, None, None]
    return (raw[:, 0, 0, 0] * (1 if raw.max() > 2 else 255)).round().long().tolist()


def segmentation(**options):
    masks = np.random.default_rng(1).integers(0, 2, (N, 16, 16)).astype(np.uint8)
    return Segmentation(images(), masks, group=MAKER, **options)


def detection(**options):
    return Detection(images(), [[[2, 2, 8, 8]]] * N, [["thing"]] * N, group=MAKER, **options)


@pytest.mark.parametrize("make", [segmentation, detection])
def test_every_image_keeps_its_group(make):
    task = make()
    assert task.groups.labels == ("new", "old")
    for part in (task.train, task.validation, task.train_and_validation(), task.open_test()):
        assert [task.groups.labels[g] for g in part.groups] == MAKER[numbers(task, part)].tolist()
    assert f"gap_{task.metric}" in task.metrics
    assert sum(sum(g.values()) for g in task.describe()["groups"].values()) == N


def test_the_gap_of_masks_is_that_of_the_groups():
    task = segmentation()
    part = task.validation
    output = torch.randint(0, 2, part.targets.shape, generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    told = task.score(output, part.targets, groups=part.groups)
    own = [task.score(output[part.groups == g], part.targets[part.groups == g])["mean_iou"] for g in (0, 1)]
    assert told["gap_mean_iou"] == pytest.approx(abs(own[0] - own[1]))


def test_official_parts_have_groups_of_their_own():
    masks = np.random.default_rng(1).integers(0, 2, (N, 16, 16)).astype(np.uint8)
    held = {"x_validation": images(40), "y_validation": masks[:40], "x_test": images(40), "y_test": masks[:40]}
    given = {"group_validation": MAKER[:40], "group_test": MAKER[:40][::-1]}
    task = Segmentation(images(), masks, group=MAKER, **held, **given)
    assert [task.groups.labels[g] for g in task.validation.groups] == MAKER[:40].tolist()
    assert [task.groups.labels[g] for g in task.open_test().groups] == MAKER[:40][::-1].tolist()
    with pytest.raises(DataError, match="official validation samples need groups too"):
        Segmentation(images(), masks, group=MAKER, **held, group_test=MAKER[:40])


def test_pairs_of_texts_keep_their_groups_and_long_ones_leave_theirs_behind():
    pytest.importorskip("tokenizers")
    pytest.importorskip("sacrebleu")
    frame = pd.DataFrame(
        {
            "en": [f"the {'very ' * (40 if i == 7 else 1)}small house number {i}" for i in range(N)],
            "de": [f"haus {' '.join(str(i))}" for i in range(N)],
            "by": MAKER,
        }
    )
    task = Translation.from_table(frame, group="by", level="word", vocabulary=300, validation_share=0.3, test_share=0.3)
    assert task.groups.name == "by"
    for part in (task.train, task.validation, task.open_test()):
        wrote = ["".join(text.split()[1:]) for text in task.texts.decode(part.targets[:, 1:])]
        assert [task.groups.labels[g] for g in part.groups] == [MAKER[int(number)] for number in wrote]
        assert "7" not in wrote or part is not task.train
    assert "gap_nats" in task.metrics
    with pytest.raises(DataError, match="no column 'maker'"):
        Translation.from_table(frame, group="maker")


RATE = 4000
SPEAKER = np.where(np.arange(90) % 4 < 2, "Ann", "Bob")


def clips(n=90):
    """Clips of hiss, the first sample of each being its number in thousandths."""
    made = [0.01 * np.random.default_rng(i).normal(size=1200 + 10 * i) for i in range(n)]
    for i, clip in enumerate(made):
        clip[0] = i / 1000
    return made, [f"number {i}" for i in range(n)]


def speakers(task, part):
    """Who speaks, by the group of each clip, and by its number."""
    found = [task.groups.labels[g] for g in part.groups]
    return found, SPEAKER[(1000 * part.inputs[:, 0, 0]).round().long().tolist()].tolist()


SHARES = {"validation_share": 0.5, "test_share": 0.4}


def test_clips_keep_their_speakers_and_long_ones_leave_theirs_behind():
    pytest.importorskip("jiwer")
    x, y = clips()
    task = SpeechRecognition(x, y, sample_rate=RATE, group=SPEAKER, seconds=2000 / RATE, **SHARES)
    assert task.describe()["too_long_for_training"] > 0
    for part in (task.train, task.validation, task.train_and_validation(), task.open_test()):
        found, right = speakers(task, part)
        assert found == right
    part = task.validation
    output = torch.randn(len(part), task.n_outputs, 40, generator=torch.Generator().manual_seed(0))
    told = task.score(output, part.targets, groups=part.groups)
    own = [task.score(output[part.groups == g], part.targets[part.groups == g]) for g in (0, 1)]
    assert told["gap_wer"] == pytest.approx(abs(own[0]["wer"] - own[1]["wer"]))
    assert told["gap_cer"] == pytest.approx(abs(own[0]["cer"] - own[1]["cer"]))
    held = {"x_test": x[:25], "y_test": y[:25], "group_test": SPEAKER[:25][::-1]}
    task = SpeechRecognition(x, y, sample_rate=RATE, group=SPEAKER, validation_share=0.5, **held)
    assert [task.groups.labels[g] for g in task.open_test().groups] == SPEAKER[:25][::-1].tolist()


def test_speakers_are_a_column_or_folders(tmp_path):
    pytest.importorskip("jiwer")
    x, y = clips()
    for i, (clip, text, who) in enumerate(zip(x, y, SPEAKER, strict=True)):
        (tmp_path / "said" / who / "day").mkdir(parents=True, exist_ok=True)
        wavfile.write(tmp_path / "said" / who / "day" / f"{i:02}.wav", RATE, clip.astype(np.float32))
        (tmp_path / "said" / who / "day" / f"{i:02}.txt").write_text(text)
    names = [f"said/{who}/day/{i:02}.wav" for i, who in enumerate(SPEAKER)]
    pd.DataFrame({"clip": names, "text": y, "who": SPEAKER}).to_csv(tmp_path / "clips.csv", index=False)
    table = tasks.load(tmp_path / "clips.csv", kind="speech", group="who", **SHARES)
    folder = tasks.load(tmp_path / "said", kind="speech", group="folder", **SHARES)
    assert (table.groups.name, folder.groups.name) == ("who", "folder")
    for task in (table, folder):
        for part in (task.train, task.validation, task.open_test()):
            found, right = speakers(task, part)
            assert found == right
    (tmp_path / "said" / "Ann" / "day" / "01.wav").write_bytes(b"nothing")
    with pytest.warns(UserWarning, match="1 of 90 clips"):
        less = tasks.load(tmp_path / "said", kind="speech", group="folder", on_bad_clip="skip", **SHARES)
    found, right = speakers(less, less.train)
    assert found == right
    with pytest.raises(DataError, match="group is 'who': allowed for a folder of sounds is 'folder'"):
        tasks.load(tmp_path / "said", kind="speech", group="who")
    (tmp_path / "said" / "loose.txt").write_text("number 0")
    wavfile.write(tmp_path / "said" / "loose.wav", RATE, x[0].astype(np.float32))
    with pytest.raises(DataError, match=r"1 sound files, such as .*loose\.wav', lie in no folder within"):
        tasks.load(tmp_path / "said", kind="speech", group="folder")
    with pytest.raises(DataError, match="the table has no column 'speaker'"):
        tasks.load(tmp_path / "clips.csv", kind="speech", group="speaker")


@pytest.mark.slow
def test_the_gap_of_wrong_words_is_a_goal_and_a_ceiling():
    pytest.importorskip("jiwer")
    x, y = clips()
    task = SpeechRecognition(x, y, sample_rate=RATE, group=SPEAKER, **SHARES)
    goals = [aw.minimize("wer"), aw.minimize("gap_wer"), aw.at_most(gap_wer=0.5)]
    recipe = Recipe.suiting(task, epochs=1, precision="float32", layout="contiguous")
    result = aw.search(task, objectives=goals, trials=1, recipe=recipe, progress=False)
    (trial,) = result.trials
    metrics = trial.measurement.metrics
    assert trial.scores == (metrics["wer"], metrics["gap_wer"])
    assert trial.violation == max(0.0, metrics["gap_wer"] / 0.5 - 1)
    own = [result.by_group[who]["wer"] for who in ("Ann", "Bob")]
    assert result.test["gap_wer"]["mean"] == pytest.approx(abs(own[0] - own[1]))


def test_kinds_without_groups_say_so(tmp_path):
    (tmp_path / "text.txt").write_text("to be or not to be " * 200)
    with pytest.raises(DataError, match=r"groups are not compared by LanguageModelling, .* leave group out"):
        tasks.load(tmp_path / "text.txt", group="speaker")


def shops(lengths):
    rows = [
        {"shop": shop, "day": day, "sold": 10 * i + day % 6 + 0.1 * day}
        for i, (shop, length) in enumerate(lengths.items())
        for day in range(length)
    ]
    return pd.DataFrame(rows)


def test_series_are_groups_where_there_are_several():
    options = {"target": "sold", "time": "day", "group": "shop", "season": 6, "horizon": 4, "context": 12}
    task = Forecasting(shops({"north": 150, "east": 150}), **options)
    assert task.groups.labels == ("east", "north")
    for part in (task.train, task.validation, task.open_test()):
        assert sorted(set(part.groups.tolist())) == [0, 1]
        # What was sold in the north is ten a day less: it is the lower half of what is read.
        level = part.inputs[:, 0].mean(1)
        assert level[part.groups == 1].max() < level[part.groups == 0].min()
    output = torch.zeros(len(task.validation), task.n_outputs)
    told = task.score(output, task.validation.targets, groups=task.validation.groups)
    own = [
        task.score(output[task.validation.groups == g], task.validation.targets[task.validation.groups == g])["mase"]
        for g in (0, 1)
    ]
    assert told["gap_mase"] == pytest.approx(abs(own[0] - own[1]))


def test_one_series_or_short_ones_are_not_compared():
    options = {"target": "sold", "time": "day", "season": 6, "horizon": 4, "context": 12}
    assert Forecasting(shops({"north": 150}), group="shop", **options).groups is None
    assert Forecasting(shops({"north": 150, "east": 40}), group="shop", **options).groups is None
