"""Semantic segmentation: of which class is each pixel?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from archwright.errors import DataError
from archwright.task.arrays import Layout, image_array
from archwright.task.augment import PixelAugmentation
from archwright.task.baseline import fitted
from archwright.task.classification import ClassWeight, check_test_pair, check_validation_pair
from archwright.task.groups import Groups
from archwright.task.inputs import ImageInputs
from archwright.task.loss import class_weights
from archwright.task.masks import mask_array, read_mask_folder
from archwright.task.pixels import VOID, PixelLoss, Pixels, pixel_metrics
from archwright.task.preparation import Preparation
from archwright.task.splits import parts_of
from archwright.task.task import Part, Parts, Task
from archwright.task.unet import UNet

__all__ = ["Segmentation"]

PIXELS_LEARNT = 20_000
"""What the forest among the references learns from: more takes longer, and hardly helps what sees so little."""


class Segmentation(Task):
    """Of which class is each pixel?

    Args:
        x: Images: (n, h, w), (n, h, w, c) or (n, c, h, w) arrays or tensors; lists of arrays, files or Pillow images.
        y: A mask each: (n, h, w) whole numbers or (n, h, w, 3) colours; lists of arrays, files or Pillow images.
        x_validation: Official validation images, where the data has them; else `validation_share` is taken from `x`.
        y_validation: Their masks.
        x_test: Official test images; else `test_share` is taken from `x`.
        y_test: Their masks.
        void: The value of pixels that belong to no class: in neither loss nor metrics. By default 255 where masks hold
            it.
        names: What the classes are called, in the order of their values.
        name: What the task is called.
        channels: Where channels stand, ``"first"`` or ``"last"``; by default found out.
        resize: Height and width that all images (bilinear) and masks (nearest) are brought to.
        class_weight: None, ``"balanced"`` (inverse to frequency), or a weight for each name; see
            `archwright.task.loss.class_weights`.
        dice: What the soft Dice loss counts beside the cross entropy; 0 for cross entropy alone.
        metric: The main metric; ``"mean_iou"`` by default.
        augmentation: ``augmentation(inputs, targets, generator)``, both changed alike; by default small affine maps,
            brightness, and mirroring.
        group: The group of each image: texts, integers or booleans. Every metric then has a ``gap_`` between groups
            beside it; see `archwright.task.Groups`.
        group_validation: The groups of the official validation images.
        group_test: The groups of the official test images.
        test_share: Of all images.
        validation_share: Of the images that are not test.
        split_seed: The same seed gives the same parts.
        source: Where the data came from, for people.

    Shapes: inputs (n, channels, h, w), targets (n, h, w) uint8 with 255 where void, outputs (n, classes, h, w).

    Raises:
        DataError: anything wrong with the data; the message says where, what was allowed and what to do.
    """

    default_space = "unet"
    spaces = ("unet",)
    # Each image teaches thousands of pixels: what is short is steps.
    recipe: Mapping[str, Any] = {"epochs": 30, "batch_size": 8, "label_smoothing": 0.0, "stretch": 3.0}

    def __init__(
        self,
        x: Any,
        y: Any,
        *,
        x_validation: Any = None,
        y_validation: Any = None,
        x_test: Any = None,
        y_test: Any = None,
        void: int | None = None,
        names: Sequence[str] | None = None,
        name: str = "masks",
        channels: Layout = None,
        resize: tuple[int, int] | None = None,
        class_weight: ClassWeight = None,
        dice: float = 0.5,
        metric: str | None = None,
        augmentation: Any = None,
        group: Any = None,
        group_validation: Any = None,
        group_test: Any = None,
        test_share: float = 0.2,
        validation_share: float = 0.2,
        split_seed: int = 0,
        source: str = "arrays",
    ):
        check_test_pair(x_test, y_test)
        check_validation_pair(x_validation, y_validation)
        if class_weight == "auto":
            raise DataError("class_weight='auto' is for whole images: allowed are None, 'balanced', or a weight a name")
        images = image_array(x, "x", channels=channels, resize=resize)
        masks, colours = mask_array(y, "y", resize=resize)
        _check_pairs(images, masks, "x", "y")
        c = images.shape[1]
        apart: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for which, (a, b) in {"validation": (x_validation, y_validation), "test": (x_test, y_test)}.items():
            if a is not None:
                held = image_array(a, f"x_{which}", channels=channels, resize=resize, n_channels=c)
                apart[which] = held, mask_array(b, f"y_{which}", resize=resize)[0]
                _check_pairs(*apart[which], f"x_{which}", f"y_{which}")
        rows = parts_of(len(images), split_seed, test_share, validation_share, set(apart))
        if void is None and not colours and (masks == VOID).any():
            void = VOID
        train = images[rows["train"]]
        classes = Pixels.of(masks[rows["train"]], void, names, colours=colours)
        inputs = ImageInputs.of(train, channels, resize)

        def part(which: str) -> Part:
            a, b = apart[which] if which in apart else (images[rows[which]], masks[rows[which]])
            return Part(inputs.prepare(a, "images"), classes.encode(b, f"the masks of the {which} part"))

        groups = None
        if group is not None:
            groups = Groups.of_parts(group, rows, {"validation": group_validation, "test": group_test})
        parts = Parts(part("train"), part("validation"), part("test"))
        moved: Any = PixelAugmentation(flip=c == 3) if augmentation is None else augmentation
        indices = parts.train.targets.numpy().ravel()
        indices = indices[indices != VOID]
        n = len(classes.labels)
        super().__init__(
            name=name,
            parts=parts,
            preparation=Preparation(inputs, classes),
            loss=PixelLoss(class_weights(class_weight, indices, classes.labels), dice),
            metrics=pixel_metrics(n),
            metric=metric or "mean_iou",
            n_outputs=n,
            augmentation=moved,
            groups=groups,
            facts={
                "classes": list(classes.labels),
                "class_shares": (np.bincount(indices, minlength=n) / len(indices)).round(6).tolist(),
                "void": void,
                "source": source,
                "split_seed": split_seed,
                "official_test": "test" in apart,
            },
        )

    @classmethod
    def from_folder(cls, path: str | Path, *, name: str | None = None, **options: Any) -> Segmentation:
        """A folder with ``images/`` and ``masks/`` of the same names; or with ``train/``, ``val/``, ``test/`` of these.

        Args:
            path: The folder.
            name: What the task is called; by default the folder's name.
            options: As for the class, such as ``resize=`` where images differ in size.
        """
        found = read_mask_folder(path)
        given: dict[str, Any] = {"source": str(path), **options}
        for part, files in (("validation", found.validation), ("test", found.test)):
            if files is not None:
                given = {f"x_{part}": files[0], f"y_{part}": files[1], **given}
        return cls(*found.train, name=name or Path(path).resolve().name, **given)

    @property
    def answer(self) -> str:
        """What it asks of an image."""
        return f"one of {self.n_outputs} classes for each pixel"

    def augment(self, inputs: Tensor, generator: Generator | None = None) -> Tensor:
        """A training batch without its masks, changed as `augmented` would change it."""
        nothing = torch.full((len(inputs), *inputs.shape[2:]), VOID, dtype=torch.uint8, device=inputs.device)
        return self.augmented(inputs, nothing, generator)[0]

    def augmented(self, inputs: Tensor, targets: Tensor, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """A training batch and its masks, moved alike."""
        augmentation: Any = self.augmentation
        changed: tuple[Tensor, Tensor] = augmentation(inputs, targets, generator)
        return changed

    def kept(self, output: Tensor) -> Tensor:
        """The likeliest class of each pixel, uint8: scores of a whole part would fill the memory."""
        return output.argmax(1).to(torch.uint8)

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """U-Net (`archwright.task.unet.UNet`) with three halvings where there is room, of width 16 by default."""
        levels = 3 if min(self.input_shape[1:]) >= 32 else 2 if min(self.input_shape[1:]) >= 8 else 1

        def make(width: int) -> nn.Module:
            return UNet(self.n_outputs, width=width, levels=levels)

        return make(width or 16) if max_params is None else fitted(make, self.input_shape, max_params)

    def references(self, train: Part, test: Part) -> dict[str, dict[str, float]]:
        """The most frequent class of each place, and a random forest on each pixel's colour, surroundings and place."""
        from sklearn.ensemble import RandomForestClassifier

        counts = torch.stack([(train.targets == c).sum(0) for c in range(self.n_outputs)])
        places = counts.argmax(0).to(torch.uint8).expand(len(test), -1, -1)
        found = {"most frequent class of each place": self.score(places, test.targets)}
        draw = np.random.default_rng(0)
        labelled = np.flatnonzero(train.targets.numpy().ravel() != VOID)
        chosen = torch.from_numpy(draw.choice(labelled, min(PIXELS_LEARNT, len(labelled)), replace=False))
        image, pixel = chosen // train.targets[0].numel(), chosen % train.targets[0].numel()
        learnt, order = image.unique(return_inverse=True)
        features = _surroundings(train.inputs[learnt])[order, :, pixel]
        forest = RandomForestClassifier(30, max_depth=16, min_samples_leaf=3, random_state=0)
        forest.fit(features.numpy(), train.targets.flatten()[chosen].numpy())
        said = []
        for batch in test.inputs.split(32):
            pixels = _surroundings(batch).transpose(1, 2).flatten(0, 1)
            said.append(torch.from_numpy(forest.predict(pixels.numpy())).view(len(batch), *test.targets.shape[1:]))
        found["random forest of colours and places"] = self.score(torch.cat(said).to(torch.uint8), test.targets)
        return found


def _check_pairs(images: np.ndarray, masks: np.ndarray, where: str, labels: str) -> None:
    if len(images) != len(masks) or images.shape[2:] != masks.shape[1:]:
        raise DataError(
            f"{where} holds {len(images)} images of {'x'.join(map(str, images.shape[2:]))} and {labels} "
            f"{len(masks)} masks of {'x'.join(map(str, masks.shape[1:]))} (height x width): each image needs a mask "
            f"of its size"
        )


def _surroundings(images: Tensor) -> Tensor:
    """(n, features, pixels): each pixel's channels, their means over 5x5 and 15x15 pixels around, and its place."""
    n, _, height, width = images.shape
    around = [F.avg_pool2d(images, k, 1, k // 2, count_include_pad=False) for k in (5, 15) if k <= min(height, width)]
    rows = torch.linspace(-1, 1, height).view(1, 1, -1, 1).expand(n, 1, height, width)
    columns = torch.linspace(-1, 1, width).view(1, 1, 1, -1).expand(n, 1, height, width)
    return torch.cat([images, *around, rows, columns], 1).flatten(2)
