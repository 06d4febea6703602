"""Detection: boxes in all their forms, moved with their images, and the field's mean average precision."""

import json

import numpy as np
import pytest
import torch
from faster_coco_eval import COCO, COCOeval_faster
from PIL import Image

from archwright import task as tasks
from archwright.cli.predict import _rows
from archwright.errors import DataError, EvaluationError
from archwright.evaluator import Recipe, Training
from archwright.export import export, predict
from archwright.export.card import Card
from archwright.run.tested import _interval
from archwright.task import BoxAugmentation, Detection, Preparation
from archwright.task.annotations import read_boxes
from archwright.task.boxes import NOTHING, iou
from archwright.testing import TaskContract

SIZE = 32, 40


def scenes(n=30, seed=0):
    """Bright squares and dark bars on grey noise, none to three an image; no two touch."""
    rng = np.random.default_rng(seed)
    images = rng.integers(110, 140, (n, *SIZE, 3)).astype(np.uint8)
    boxes, labels = [], []
    for image in images:
        some, called = [], []
        for left in (1, 14, 27)[: rng.integers(0, 4)] if boxes else (1, 14):
            square = rng.random() < 0.5
            wide, high = (int(v) for v in (rng.integers(6, 10, 2) if square else (rng.integers(9, 12), 4)))
            top = int(rng.integers(0, SIZE[0] - high))
            image[top : top + high, left : left + wide] = 240 if square else 10
            some.append([left, top, left + wide, top + high])
            called.append("square" if square else "bar")
        boxes.append(some)
        labels.append(called)
    return images, boxes, labels


class TestDetection(TaskContract):
    near_zero = 0.5
    steps = 150

    def make(self):
        return Detection(*scenes(), name="scenes")

    def make_of(self, n):
        return Detection(*(a[:n] for a in scenes()))

    def library(self, task, output, target):
        entries, said = [], []
        for i, (image, truth) in enumerate(zip(output, target, strict=True)):
            said += [{"image_id": i, **box} for box in found_slowly(image)]
            for left, top, right, bottom, kind in (row for row in truth.tolist() if row[4] >= 0):
                w, h = right - left, bottom - top
                entries.append(
                    {
                        "id": len(entries) + 1, "image_id": i, "category_id": int(kind), "bbox": [left, top, w, h],
                        "area": w * h, "iscrowd": 0,
                    }
                )  # fmt: skip
        known = {"images": [{"id": i} for i in range(len(target))], "categories": [{"id": 0}, {"id": 1}]}
        truth = COCO({**known, "info": {}, "annotations": entries})
        measured = COCOeval_faster(truth, truth.loadRes(said), "bbox")
        measured.run()
        return {"map50": measured.stats[1], "map": measured.stats[0]}


def found_slowly(output, least=0.01, most=100):
    """The boxes of one image, by loops: peaks of scores, then the likeliest of those that overlap."""
    scores = output[:-4].sigmoid().double().numpy()
    reach = output[-4:].double().exp().numpy()
    classes, h, w = scores.shape
    step = SIZE[0] / h, SIZE[1] / w
    found = []
    for c in range(classes):
        for i in range(h):
            for j in range(w):
                around = scores[c, max(0, i - 1) : i + 2, max(0, j - 1) : j + 2]
                if scores[c, i, j] == around.max():
                    left, top, right, bottom = reach[:, i, j]
                    box = np.array([(j + 0.5 - left) * step[1], (i + 0.5 - top) * step[0],
                                    (j + 0.5 + right) * step[1], (i + 0.5 + bottom) * step[0]])  # fmt: skip
                    found.append((scores[c, i, j], c, box.clip(0, [SIZE[1], SIZE[0], SIZE[1], SIZE[0]])))
    kept = []
    for score, c, box in sorted(found, key=lambda f: -f[0])[:most]:
        same = [b for _, k, b in kept if k == c]
        pair = torch.tensor(box).view(1, 1, 4)
        if score > least and not any(float(iou(pair, torch.tensor(b).view(1, 1, 4))) > 0.6 for b in same):
            kept.append((score, c, box))
    return [{"score": s, "category_id": c, "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]]} for s, c, b in kept]


@pytest.fixture(scope="module")
def trained():
    task = Detection(*scenes(80), name="scenes")
    space = task.space()
    architecture = space.sample(np.random.default_rng(1))
    recipe = Recipe.suiting(task, epochs=12, precision="float32", layout="contiguous")
    module, measured = Training(space, task, recipe, device="cpu").fit(architecture, 0)
    return task, module, measured


def test_a_short_training_finds_most_things(trained):
    task, _, measured = trained
    assert measured.metrics["map50"] > 0.7
    assert measured.metrics["map"] < measured.metrics["map50"]
    (nearest,) = task.references(task.train, task.validation).values()
    assert nearest["map50"] < measured.metrics["map50"]


def test_the_interval_is_that_of_coco_s_figure(trained):
    task, module, measured = trained
    with torch.no_grad():
        seen = task.kept(module(task.validation.inputs))
    for name in ("map50", "map"):
        metric = task.metrics[name]
        counts = metric.each(seen, task.validation.targets)
        assert metric.after(counts.double().mean(0)) == pytest.approx(measured.metrics[name], abs=0.02)
    low, high = _interval(task.metrics["map"], [seen], task.validation, seed=0).values()
    assert low < measured.metrics["map"] < high


def test_boxes_that_are_right_score_one_and_misses_and_ghosts_cost():
    task = Detection(*scenes(60))
    target = task.train.targets
    said = torch.cat([target[..., :4], torch.full_like(target[..., :1], 0.9), target[..., 4:]], 2)
    assert task.score(said, target) == pytest.approx({"map50": 1.0, "map": 1.0})
    without = said.clone()
    without[:, 0, 5] = NOTHING
    assert task.score(without, target)["map50"] < 0.8
    ghosts = torch.cat([said, said[:, :1] + torch.tensor([0, 9, 0, 9, 0.05, 0])], 1)
    assert task.score(ghosts, target)["map50"] < 0.9
    for name in task.metrics:
        metric = task.metrics[name]
        for case in (said, without, ghosts):
            counts = metric.each(case, target).double().mean(0)
            assert metric.after(counts) == pytest.approx(metric(case, target), abs=0.01)
    assert task.score(torch.full_like(said, NOTHING), target) == {"map50": 0.0, "map": 0.0}


def test_images_and_boxes_move_alike():
    generator = torch.Generator().manual_seed(3)
    images, targets = torch.zeros(64, 1, 32, 40), torch.full((64, 2, 5), float(NOTHING))
    images[:, :, 8:20, 10:26] = 1
    targets[:, 0] = torch.tensor([10.0, 8, 26, 20, 1])
    moved, boxes = BoxAugmentation(flip_vertical=True, brightness=0)(images, targets, generator)
    assert boxes.shape == targets.shape
    assert (boxes[:, 1] == NOTHING).all()
    there = boxes[:, 0, 4] != NOTHING
    assert there.float().mean() > 0.9
    for image, (left, top, right, bottom, _) in zip(moved[there, 0], boxes[there, 0].tolist(), strict=True):
        rows, columns = torch.where(image > 0.5)
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert [float(v) for v in seen] == pytest.approx([left, top, right, bottom], abs=1.01)
    assert (boxes[:, 0] != targets[:, 0]).any(1).float().mean() > 0.9
    far = BoxAugmentation(shift=3.0, scale=0, flip=False)(images, targets, generator)[1]
    assert (far[:, 0] == NOTHING).any(), "what left the image is gone"
    kept = far[far[..., 4] != NOTHING]
    assert (kept[:, :4] >= 0).all()
    assert (kept[:, 2] <= 40).all()
    assert (kept[:, 3] <= 32).all()
    task = Detection(*scenes())
    draws = [task.augmented(task.train.inputs, task.train.targets, torch.Generator().manual_seed(5)) for _ in range(2)]
    assert all(torch.equal(a, b) for a, b in zip(*draws, strict=True))


def test_boxes_are_brought_to_the_size_of_the_network_and_parts_stay():
    images, boxes, labels = scenes(40)
    plain = Detection(images, boxes, labels)
    half = Detection(images, boxes, labels, resize=(16, 20))
    assert half.input_shape == (3, 16, 20)
    there = plain.train.targets[..., 4] != NOTHING
    torch.testing.assert_close(half.train.targets[there][:, :4] * 2, plain.train.targets[there][:, :4])
    held = {"validation": (images[:5], boxes[:5], labels[:5]), "test": (images[5:11], boxes[5:11], labels[5:11])}
    task = Detection(images[11:], boxes[11:], labels[11:], names=["square", "bar"], **held)
    assert task.sizes == {"train": 29, "validation": 5, "test": 6}
    assert task.describe()["classes"] == ["square", "bar"]
    again = task.preparation.labels(task.validation.targets[:1])[0]
    assert [b["box"] for b in again] == boxes[0]
    assert [b["label"] for b in again] == labels[0]
    assert len(task.train_and_validation()) == 34
    saved = Preparation.from_json(json.loads(json.dumps(task.preparation.to_json())))
    assert saved == task.preparation


def write_images(folder, images):
    folder.mkdir(parents=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:02}.png")
    return [f"{i:02}" for i in range(len(images))]


def as_coco(path, images, boxes, labels):
    names = write_images(path / "images", images)
    entries = [
        (i, b, k) for i, (bs, ks) in enumerate(zip(boxes, labels, strict=True)) for b, k in zip(bs, ks, strict=True)
    ]
    data = {
        "images": [{"id": 7 * i, "file_name": f"{n}.png"} for i, n in enumerate(names)],
        "categories": [{"id": 3, "name": "bar"}, {"id": 9, "name": "square"}],
        "annotations": [
            {"id": j, "image_id": 7 * i, "category_id": 9 if k == "square" else 3,
             "bbox": [b[0], b[1], b[2] - b[0], b[3] - b[1]]}
            for j, (i, b, k) in enumerate(entries)
        ],
    }  # fmt: skip
    (path / "annotations").mkdir()
    (path / "annotations" / "instances.json").write_text(json.dumps(data))


def as_voc(path, images, boxes, labels):
    names = write_images(path / "JPEGImages", images)
    (path / "Annotations").mkdir()
    for name, some, kinds in zip(names, boxes, labels, strict=True):
        things = "".join(
            f"<object><name>{k}</name><bndbox><xmin>{b[0] + 1}</xmin><ymin>{b[1] + 1}</ymin><xmax>{b[2]}</xmax>"
            f"<ymax>{b[3]}</ymax></bndbox></object>"
            for b, k in zip(some, kinds, strict=True)
        )
        (path / "Annotations" / f"{name}.xml").write_text(f"<annotation>{things}</annotation>")


def as_yolo(path, images, boxes, labels):
    names = write_images(path / "images", images)
    (path / "labels").mkdir()
    (path / "data.yaml").write_text("train: images\nnames:\n  0: bar\n  1: 'square'\nnc: 2\n")
    for name, some, kinds in zip(names, boxes, labels, strict=True):
        lines = [
            f"{int(k == 'square')} {(b[0] + b[2]) / 80} {(b[1] + b[3]) / 64} {(b[2] - b[0]) / 40} {(b[3] - b[1]) / 32}"
            for b, k in zip(some, kinds, strict=True)
        ]
        (path / "labels" / f"{name}.txt").write_text("\n".join(lines))


@pytest.mark.parametrize("write", [as_coco, as_voc, as_yolo])
def test_folders_of_all_kinds_hold_the_same(write, tmp_path):
    images, boxes, labels = scenes()
    plain = Detection(images, boxes, labels)
    write(tmp_path, images, boxes, labels)
    task = tasks.load(tmp_path)
    assert isinstance(task, Detection)
    assert task.describe()["classes"] == ["bar", "square"]
    for ours, theirs in ((plain.train, task.train), (plain.open_test(), task.open_test())):
        torch.testing.assert_close(ours.inputs, theirs.inputs)
        torch.testing.assert_close(ours.targets, theirs.targets, atol=1e-3, rtol=0)
    next(tmp_path.rglob("07.png")).unlink()
    with pytest.raises(DataError, match=r"1 of 30 images are missing: 07"):
        tasks.load(tmp_path)


def test_a_network_written_down_finds_things_in_images_of_any_size_and_draws_them(trained, tmp_path):
    task, module, _ = trained
    card = Card(name="scenes", preparation=Detection(*scenes(80), resize=SIZE).preparation.to_json())
    card = export(module, tmp_path / "out", input_shape=task.input_shape, forms=["source", "onnx"], card=card)
    assert card.left_out == {}
    images, boxes, _ = scenes(80)
    (tmp_path / "new").mkdir()
    for i in range(4):
        Image.fromarray(images[i]).resize((80, 64), Image.Resampling.NEAREST).save(tmp_path / "new" / f"{i}.png")
    for form in ("source", "onnx"):
        answers = predict(tmp_path / "out", tmp_path / "new", form=form)
        assert [a.sample for a in answers] == ["0.png", "1.png", "2.png", "3.png"]
        best = answers[0].value[0]
        assert set(best) == {"label", "box", "score"}
        near = iou(torch.tensor([[best["box"]]]), 2.0 * torch.tensor([boxes[0]])).max()
        assert near > 0.5, "in the pixels of the image, which is twice as large as what the network reads"
    assert "drawing" not in answers[0].to_json()
    drawn = Image.open(answers[0].save_drawing(tmp_path / "drawn"))
    assert drawn.size == (80, 64)
    assert not np.array_equal(np.asarray(drawn), np.asarray(Image.open(tmp_path / "new" / "0.png")))
    assert len(predict(tmp_path / "out", images[:2])) == 2
    header, rows = _rows(answers)
    assert header == ["sample", "label", "score", "left", "top", "right", "bottom"]
    assert rows[0] == ["0.png", best["label"], best["score"], *best["box"]]
    assert len(rows) == sum(len(a.value) for a in answers)
    nothing = predict(tmp_path / "out", np.full((2, *SIZE, 3), 125, np.uint8))
    assert _rows([a for a in nothing if not a.value]) == (header, [])


BOX = [[2, 2, 9, 9]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda x, b, k: (x, [[[2, 2, 99, 9]], *b[1:]], [["bar"], *k[1:]]),
            "image 0 (40x32), box 0: (2, 2, 99, 9) lies outside",
        ),
        (lambda x, b, k: (x, [[[9, 2, 9, 9]], *b[1:]], [["bar"], *k[1:]]), "has no area"),
        (lambda x, b, k: (x, [BOX, *b[1:]], [[], *k[1:]]), "image 0 has 1 boxes and 0 labels"),
        (lambda x, b, k: (x, b[:-1], k[:-1]), "30 images, boxes of 29"),
        (lambda x, b, k: (x, [[] for _ in b], [[] for _ in k]), "no image has a box"),
        (lambda x, b, k: (x, [[[np.nan, 2, 9, 9]], *b[1:]], [["bar"], *k[1:]]), "NaN"),
        (lambda x, b, k: ([f"{i}.png" for i in range(30)], b, k), "image file '0.png' does not exist"),
    ],
)
def test_boxes_that_cannot_be_learnt_from_are_said_with_what_to_do(change, said):
    with pytest.raises(DataError) as raised:
        Detection(*change(*scenes()))
    assert said in str(raised.value)


def test_bad_boxes_may_be_cut_and_empty_classes_are_refused():
    x, b, k = scenes()
    task = Detection(x, [[[2, 2, 99, 9], [5, 5, 5, 9]], *b[1:]], [["bar", "bar"], *k[1:]], on_bad_box="clip")
    everything = torch.cat(
        [task.train.targets[..., :4].reshape(-1, 4), task.validation.targets[..., :4].reshape(-1, 4)]
    )
    assert everything.max() <= 40
    with pytest.raises(DataError, match="class 'disc' has no box in the training part"):
        Detection(x, b, k, names=["bar", "square", "disc"])
    with pytest.raises(DataError, match="'square', which is none of names"):
        Detection(x, b, k, names=["bar", "squares"])


def test_a_network_that_ends_otherwise_is_told_what_is_needed():
    task = Detection(*scenes())
    for shape in ((2, 3, 8, 10), (2, 6, 99, 99), (2, 4)):
        with pytest.raises(EvaluationError, match="end it with a CentreHead"):
            task.loss(torch.randn(shape), torch.tensor([[[1.0, 1, 9, 9, 1]], [[1.0, 1, 9, 9, 0]]]))


def test_parts_of_folders_stay_and_masks_of_the_same_name_are_no_images(tmp_path):
    images, boxes, labels = scenes(40)
    for part, rows in {"train": slice(16, 40), "valid": slice(0, 8), "test": slice(8, 16)}.items():
        as_coco(tmp_path / "coco" / part, images[rows], boxes[rows], labels[rows])
        as_yolo(tmp_path / "yolo" / part, images[rows], boxes[rows], labels[rows])
    (tmp_path / "yolo" / "classes.txt").write_text("bar\nsquare\n")
    as_voc(tmp_path / "voc", images, boxes, labels)
    (tmp_path / "voc" / "ImageSets" / "Main").mkdir(parents=True)
    for part, rows in {"train": range(16, 40), "val": range(8), "test": range(8, 16)}.items():
        (tmp_path / "voc" / "ImageSets" / "Main" / f"{part}.txt").write_text("\n".join(f"{i:02}" for i in rows))
    (tmp_path / "voc" / "SegmentationClass").mkdir()
    Image.new("L", (3, 3)).save(tmp_path / "voc" / "SegmentationClass" / "00.png")
    found = [tasks.load(tmp_path / kind) for kind in ("coco", "yolo", "voc")]
    for task in found:
        assert task.sizes == {"train": 24, "validation": 8, "test": 8}
        torch.testing.assert_close(task.open_test().inputs, found[0].open_test().inputs)
        torch.testing.assert_close(task.open_test().targets, found[0].open_test().targets, atol=1e-3, rtol=0)
    for part in ("train", "valid"):  # images of one name in two folders, and one folder of annotations
        (tmp_path / "both" / "annotations").mkdir(parents=True, exist_ok=True)
        (tmp_path / "coco" / part / "annotations" / "instances.json").rename(
            tmp_path / "both" / "annotations" / f"instances_{part}.json"
        )
        (tmp_path / "coco" / part / "images").rename(tmp_path / "both" / part)
    files = read_boxes(tmp_path / "both")["validation"].files
    assert files == [tmp_path / "both" / "valid" / f"{i:02}.png" for i in range(8)]
    (tmp_path / "both" / "valid").rename(tmp_path / "both" / "other")
    with pytest.raises(DataError, match=r"names the image '00\.png', and several folders"):
        tasks.load(tmp_path / "both")
    as_coco(tmp_path / "whole", images[:24], boxes[:24], labels[:24])
    alone = tasks.load(tmp_path / "whole" / "annotations" / "instances.json")
    assert sum(alone.sizes.values()) == 24


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", '{"images": []}', "is no COCO file of boxes"),
        ("a.json", "[", "is no COCO file of boxes"),
        ("labels/00.txt", "0 0.5 0.5", "line 1: '0 0.5 0.5' is no box"),
        ("labels/00.txt", "7 0.5 0.5 0.1 0.1", "a class from 0 to 1"),
        ("Annotations/00.xml", "<annotation><object>", "is no annotation of Pascal VOC"),
        (
            "Annotations/00.xml",
            "<annotation><object><name>bar</name></object></annotation>",
            "needs a name and a bndbox",
        ),
    ],
)
def test_files_of_boxes_that_cannot_be_read_are_named(name, text, said, tmp_path):
    images, boxes, labels = scenes(8)
    {"l": as_yolo, "A": as_voc}.get(name[0], lambda *_: None)(tmp_path, images, boxes, labels)
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError) as raised:
        tasks.load(tmp_path / name if name == "a.json" else tmp_path)
    assert said in str(raised.value)
    assert name.split("/")[-1] in str(raised.value)


def arrays(images, boxes, labels, form):
    """The same in arrays: boxes and labels side by side, filled up with what is no box, or one after another."""
    counts = np.array([len(some) for some in boxes])
    if form == "one after another":
        flat = np.array([box for some in boxes for box in some], dtype=float)
        called = np.array([label for some in labels for label in some])
        return {"x": images, "boxes": flat, "labels": called, "counts": counts}
    corners = np.full((len(images), counts.max() + 1, 4), np.nan)
    called = np.full(corners.shape[:2], "nothing")
    for i, (some, kinds) in enumerate(zip(boxes, labels, strict=True)):
        if some:
            corners[i, : len(some)], called[i, : len(some)] = some, kinds
    return {"x": images, "boxes": corners, "labels": called, "counts": counts}


@pytest.mark.parametrize("form", ["side by side", "one after another"])
def test_arrays_of_all_boxes_are_those_of_each_image(form, tmp_path):
    lists, given = Detection(*scenes()), arrays(*scenes(), form)
    assert Detection(**given).fingerprint == lists.fingerprint
    np.savez(tmp_path / "scenes.npz", **given)
    read = tasks.load(tmp_path / "scenes.npz")
    assert isinstance(read, Detection)
    assert (read.name, read.fingerprint) == ("scenes", lists.fingerprint)
    held = {f"{name}_{part}": a for part in ("validation", "test") for name, a in arrays(*scenes(9, 1), form).items()}
    np.savez(tmp_path / "parts.npz", **given, **held)
    parts = tasks.load(tmp_path / "parts.npz", kind="detection")
    assert parts.sizes == {"train": 30, "validation": 9, "test": 9}
    assert parts.describe()["official_test"]
    official = Detection(*scenes(), validation=scenes(9, 1), test=scenes(9, 1))
    assert parts.fingerprint == official.fingerprint


def test_arrays_without_counts_have_as_many_boxes_in_each_image(tmp_path):
    images, _, _ = scenes(90)
    boxes, labels = np.tile([[2.0, 2, 9, 9], [12, 3, 20, 9]], (90, 1, 1)), np.tile([3, 5], (90, 1))
    np.savez(tmp_path / "two.npz", x=images, boxes=boxes, labels=labels, group=np.arange(90) % 2)
    task = tasks.load(tmp_path / "two.npz", validation_share=0.5, test_share=0.4)
    assert task.describe()["classes"] == ["3", "5"]
    assert task.describe()["class_counts"] == [len(task.train)] * 2
    assert task.groups.labels == ("0", "1")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"counts": np.zeros((30, 2), int)}, "counts have shape (30, 2): allowed is (n,)"),
        ({"counts": np.full(30, 9)}, "counts are of 30 images and up to 9, boxes of 30 and up to 4"),
        ({"labels": np.zeros(30)}, "labels (30,): with counts, allowed are (n, most, 4)"),
        ({"boxes": np.zeros((5, 4)), "labels": np.zeros(5)}, "boxes, and there are 5: they must agree"),
        ({"boxes": None}, "boxes missing. Save it with numpy.savez(path, x=..., boxes=..., labels=...), and x_test="),
    ],
)
def test_arrays_that_do_not_agree_are_told(change, said, tmp_path):
    given = {k: v for k, v in {**arrays(*scenes(), "side by side"), **change}.items() if v is not None}
    np.savez(tmp_path / "scenes.npz", **given)
    with pytest.raises(DataError) as raised:
        tasks.load(tmp_path / "scenes.npz", kind="detection")
    assert said in str(raised.value)
