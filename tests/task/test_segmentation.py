"""Segmentation: masks in all their forms, void nowhere counted, and the field's mean IoU."""

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import accuracy_score, confusion_matrix, jaccard_score, recall_score

from archwright import task as tasks
from archwright.errors import DataError, EvaluationError
from archwright.evaluator import Recipe, Training
from archwright.export import export, predict
from archwright.export.card import Card
from archwright.run.tested import _interval
from archwright.task import PixelAugmentation, Segmentation
from archwright.task.pixels import VOID, PixelLoss, confusion
from archwright.testing import TaskContract
from archwright.trial import Proposal


def scenes(n=30, size=16, seed=0, void=True):
    """A bright square and a dark disc on noise: classes 0, 1, 2, and a border of void around some."""
    rng = np.random.default_rng(seed)
    images = rng.integers(90, 130, (n, size, size, 3)).astype(np.uint8)
    masks = np.zeros((n, size, size), np.uint8)
    rows, columns = np.mgrid[:size, :size]
    for i in range(n):
        r, c = rng.integers(1, size - 6, 2)
        images[i, r : r + 5, c : c + 5] = rng.integers(200, 255, 3)
        masks[i, r : r + 5, c : c + 5] = 1
        r, c = rng.integers(3, size - 3, 2)
        disc = (rows - r) ** 2 + (columns - c) ** 2 <= 6
        images[i, disc] = rng.integers(0, 40, 3)
        masks[i, disc] = 2
        if void and i % 2:
            masks[i, :, :2] = VOID
    return images, masks


class TestSegmentation(TaskContract):
    near_zero = 0.1
    steps = 120

    def make(self):
        return Segmentation(*scenes(), name="scenes")

    def make_of(self, n):
        return Segmentation(*(a[:n] for a in scenes()))

    def library(self, task, output, target):
        there = (target != VOID).numpy()
        called, true = output.argmax(1).numpy()[there], target.numpy()[there]
        of = {"average": "macro", "labels": range(3)}
        return {
            "mean_iou": jaccard_score(true, called, **of),
            "pixel_accuracy": accuracy_score(true, called),
            "mean_accuracy": recall_score(true, called, **of),
        }


def test_iou_is_over_the_pixels_of_all_images_and_of_classes_that_occur():
    torch.manual_seed(0)
    task = Segmentation(*scenes())
    target = torch.randint(0, 2, (9, 16, 16), dtype=torch.uint8)  # class 2 occurs nowhere
    target[:, 3] = VOID
    output = torch.randn(9, 3, 16, 16)
    output[:, 2] = -9
    matrix = confusion(output, target, 3)
    there = target != VOID
    expected = confusion_matrix(target[there], output.argmax(1)[there], labels=range(3))
    assert matrix.shape == (9, 3, 3)
    assert matrix.sum(0).int().tolist() == expected.tolist()
    both = expected.diagonal()[:2]
    iou = both / (expected.sum(0) + expected.sum(1) - expected.diagonal())[:2]
    assert task.score(output, target)["mean_iou"] == pytest.approx(iou.mean())
    assert task.score(task.kept(output), target) == task.score(output, target), "what is kept is enough"
    apart = np.mean([task.score(o[None], t[None])["mean_iou"] for o, t in zip(output, target, strict=True)])
    assert abs(apart - iou.mean()) > 1e-4, "and not the mean over images"


def test_void_pixels_are_in_neither_loss_nor_metric():
    task = Segmentation(*scenes())
    target = task.train.targets[:6]
    void = target == VOID
    assert void.any()
    output = torch.randn(6, 3, 16, 16, requires_grad=True)
    other = output.detach() + 50 * void.unsqueeze(1) * torch.randn(6, 3, 16, 16)
    assert task.loss(output, target).item() == pytest.approx(task.loss(other, target).item(), rel=1e-5)
    assert task.score(output, target) == task.score(other, target)
    task.loss(output, target).backward()
    assert output.grad.abs().amax(1)[void].max() == 0
    nothing = torch.full_like(target, VOID)
    assert task.loss(output, nothing).item() == 0
    assert PixelLoss(weights=(1.0, 2.0, 0.5), dice=0)(other, target).isfinite()


def test_images_and_masks_move_alike():
    torch.manual_seed(0)
    mask = torch.zeros(40, 24, 24, dtype=torch.uint8)
    mask[:, 6:14, 5:11] = 1
    image = mask.float().unsqueeze(1)
    moved, masks = PixelAugmentation(brightness=0.0)(image, mask, torch.Generator().manual_seed(3))
    inside = masks != VOID
    assert 0 < (~inside).float().mean() < 0.4, "what comes in from outside is void"
    assert set(masks.unique().tolist()) == {0, 1, VOID}
    assert (masks != mask).flatten(1).any(1).float().mean() > 0.8
    agree = ((moved[:, 0] > 0.5) == (masks == 1))[inside].float().mean()
    assert agree > 0.98
    task = Segmentation(*scenes())
    same = [task.augmented(task.train.inputs, task.train.targets, torch.Generator().manual_seed(5)) for _ in range(2)]
    assert torch.equal(same[0][0], same[1][0])
    assert torch.equal(same[0][1], same[1][1])


def test_masks_may_be_arrays_colours_or_files_and_sizes_are_brought_alike(tmp_path):
    images, masks = scenes(void=False)
    plain = Segmentation(images, masks, names=["ground", "square", "disc"])
    assert plain.describe()["classes"] == ["ground", "square", "disc"]
    palette = np.array([[10, 20, 30], [0, 255, 0], [255, 0, 0]], np.uint8)
    coloured = Segmentation(images, palette[masks])
    assert coloured.describe()["classes"] == ["#00ff00", "#0a141e", "#ff0000"]
    order = torch.tensor([1, 0, 2], dtype=torch.uint8)
    assert torch.equal(order[plain.train.targets.long()], coloured.train.targets)
    (again,) = coloured.preparation.targets.decode(coloured.train.targets[:1])
    assert again.shape == (16, 16, 3)

    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for i, (image, mask) in enumerate(zip(images, masks, strict=True)):
        Image.fromarray(image).save(tmp_path / "images" / f"{i:02}.png")
        Image.fromarray(mask).save(tmp_path / "masks" / f"{i:02}.png")
    files = tasks.load(tmp_path)
    assert isinstance(files, Segmentation)
    assert torch.equal(files.train.targets, plain.train.targets)
    half = tasks.load(tmp_path, resize=(8, 8))
    assert half.train.targets.shape[1:] == half.input_shape[1:] == (8, 8)
    assert set(half.train.targets.unique().tolist()) <= {0, 1, 2}
    np.savez(tmp_path / "scenes.npz", x=images, y=masks)
    assert isinstance(tasks.load(tmp_path / "scenes.npz"), Segmentation)
    (tmp_path / "masks" / "00.png").unlink()
    with pytest.raises(DataError, match=r"have no mask of the same name, such as 00\.png"):
        tasks.load(tmp_path)


def test_official_parts_are_kept_and_unknown_classes_are_found_there(tmp_path):
    images, masks = scenes(void=False)
    held = {"x_validation": images[:4], "y_validation": masks[:4], "x_test": images[4:10], "y_test": masks[4:10]}
    task = Segmentation(images[10:], masks[10:], **held)
    assert task.sizes == {"train": 20, "validation": 4, "test": 6}
    assert task.describe()["official_test"]
    odd = masks.copy()
    odd[5, 2, 3] = 9
    with pytest.raises(DataError, match=r"test part: mask 1 holds 9 at \(2, 3\).*void=9"):
        Segmentation(images[10:], masks[10:], **{**held, "y_test": odd[4:10]})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x, y: (x, y[:, :8]), "each image needs a mask of its size"),
        (lambda x, y: (x, y / 2), "numbers with fractions"),
        (lambda x, y: (x, y * 0), "allowed are 2 to 254"),
        (lambda x, y: (x, y[:, 0]), "allowed are (n, height, width)"),
    ],
)
def test_masks_that_cannot_be_learnt_from_are_said_with_what_to_do(change, said):
    with pytest.raises(DataError) as raised:
        Segmentation(*change(*scenes(void=False)))
    assert said in str(raised.value)


def test_a_network_of_another_size_is_told_what_is_needed():
    task = Segmentation(*scenes())
    with pytest.raises(EvaluationError, match="end it with a PixelClassifier of that size"):
        task.loss(torch.randn(2, 3, 8, 8), task.train.targets[:2])


def test_the_interval_of_the_test_is_that_of_whole_matrices():
    torch.manual_seed(0)
    task = Segmentation(*scenes(60))
    target = task.train.targets
    output = task.kept(torch.randn(len(target), 3, 16, 16))
    ends = _interval(task.metrics["mean_iou"], [output], task.train, seed=0)
    low, high = ends["low"], ends["high"]
    assert low < task.score(output, target)["mean_iou"] < high
    assert high - low < 0.05


def test_simple_methods_are_beside():
    task = Segmentation(*scenes(40))
    found = task.references(task.train, task.validation)
    assert set(found) == {"most frequent class of each place", "random forest of colours and places"}
    assert found["random forest of colours and places"]["mean_iou"] > 0.5
    assert all(set(v) == set(task.metrics) for v in found.values())


def test_a_network_written_down_gives_masks_of_new_images(tmp_path):
    images, masks = scenes(void=False)
    task = Segmentation(images, 100 * masks, names=["ground", "square", "disc"])
    space = task.space()
    recipe = Recipe.suiting(task, epochs=1, precision="float32", layout="contiguous")
    module, measured = Training(space, task, recipe, device="cpu").fit(space.sample(np.random.default_rng(1)), 0)
    assert 0 <= measured.metrics["mean_iou"] <= 1
    card = Card(name="scenes", preparation=task.preparation.to_json())
    export(module, tmp_path / "out", input_shape=task.input_shape, forms=["source", "onnx"], card=card)
    (tmp_path / "new").mkdir()
    for i in range(3):
        Image.fromarray(images[i]).save(tmp_path / "new" / f"{i}.jpg", quality=100)
    for form in ("source", "onnx"):
        answers = predict(tmp_path / "out", tmp_path / "new", form=form)
        assert [a.sample for a in answers] == ["0.jpg", "1.jpg", "2.jpg"]
        assert list(answers[0].value) == ["ground", "square", "disc"]
        assert sum(answers[0].value.values()) == pytest.approx(1)
        assert "mask" not in answers[0].to_json()
    path = answers[0].save_mask(tmp_path / "found")
    mask = np.asarray(Image.open(path))
    assert path.name == "0.png"
    assert mask.shape == (16, 16)
    assert set(np.unique(mask)) <= {0, 100, 200}
    assert (mask == 100).mean() == pytest.approx(answers[0].value["square"])


def test_a_short_training_beats_the_most_frequent_class_of_each_place():
    task = Segmentation(*scenes(60))
    space = task.space()
    training = Training(space, task, Recipe.suiting(task, epochs=8, precision="float32", layout="contiguous"))
    measured = training(Proposal(space.sample(np.random.default_rng(0))), 0)
    assert measured.metrics["mean_iou"] > 0.5
