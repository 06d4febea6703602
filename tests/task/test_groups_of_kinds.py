"""Groups where a sample is an image with masks or boxes, a pair of texts, or a window of one of several series."""

import numpy as np
import pandas as pd
import pytest
import torch

from archwright.errors import DataError
from archwright.task import Detection, Forecasting, Segmentation, Translation

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
