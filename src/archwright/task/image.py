"""Image classification."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from archwright.task.arrays import Layout, image_array
from archwright.task.augment import ImageAugmentation
from archwright.task.baseline import ResidualConv, fitted
from archwright.task.classification import ClassWeight, Labelled, check_labels, check_test_pair
from archwright.task.groups import Groups
from archwright.task.inputs import ImageInputs
from archwright.task.lazy import Images
from archwright.task.preparation import Preparation
from archwright.task.problems import Problems
from archwright.task.reading import BadImage, read_image_folder
from archwright.task.task import Augmentation, Task

__all__ = ["ImageClassification"]


class ImageClassification(Task):
    """Which class is in the picture?

    Args:
        x: Images: (n, h, w), (n, h, w, c) or (n, c, h, w) arrays or tensors; lists of arrays, files or Pillow images.
        y: One label an image: integers, booleans or texts.
        x_test: Official test images, where the data has them; else `test_share` is taken from `x`.
        y_test: Their labels.
        name: What the task is called.
        channels: Where channels stand, ``"first"`` or ``"last"``; by default found out.
        resize: Height and width that all images are brought to.
        class_weight: ``"auto"``, ``"balanced"``, None or a weight a label; see `archwright.task.loss.class_weights`.
        metric: The main metric; accuracy, or balanced accuracy where classes are weighed.
        augmentation: What to do to training batches. By default small affine maps, with the background found in the
            data moved in at the borders, and mirroring for colour images only (mirrored digits are other digits).
        group: The group of each sample, such as who made it: texts, integers or booleans. Every metric then has a
            ``gap_`` between groups beside it; see `archwright.task.Groups`.
        group_test: The groups of the official test samples.
        test_share: Of all samples; 0 for no test part.
        validation_share: Of the samples that are not test.
        split_seed: The same seed gives the same parts.
        source: Where the data came from, for people.

    Raises:
        DataError: anything wrong with the data; the message says where, what was allowed and what to do.
    """

    default_space = "convnet"
    exchangeable = True
    spaces = ("convnet", "mobile")

    def __init__(
        self,
        x: Any,
        y: Any,
        *,
        x_test: Any = None,
        y_test: Any = None,
        name: str = "images",
        channels: Layout = None,
        resize: tuple[int, int] | None = None,
        class_weight: ClassWeight = "auto",
        metric: str | None = None,
        augmentation: Augmentation | None = None,
        group: Any = None,
        group_test: Any = None,
        test_share: float = 0.2,
        validation_share: float = 0.2,
        split_seed: int = 0,
        source: str = "arrays",
    ):
        check_test_pair(x_test, y_test)
        problems, test = Problems(), None
        images = problems.of(_images, x, "x", channels=channels, resize=resize)
        c = 1 if images is None else images.shape[1]
        if x_test is not None:
            test = problems.of(_images, x_test, "x_test", channels=channels, resize=resize, n_channels=c)
        check_labels(problems, y, y_test)
        problems.check()
        assert images is not None
        labelled = Labelled.of(images, y, test, y_test, seed=split_seed, shares=(test_share, validation_share))
        train = images[labelled.split.train]
        inputs = ImageInputs.of(train, channels, resize)
        if augmentation is None:
            background = (_background(train) - np.array(inputs.mean)) / np.array(inputs.std)
            # Half a pixel of 8, two of 32: a larger shift pushes tight crops (8x8 digits) out of the picture.
            augmentation = ImageAugmentation(shift=0.06, flip=c == 3, fill=tuple(background.round(6).tolist()))
        super().__init__(
            name=name,
            parts=labelled.parts(images, test, inputs.prepare),
            preparation=Preparation(inputs, labelled.classes),
            n_outputs=len(labelled.classes.labels),
            augmentation=augmentation,
            facts=labelled.facts(source),
            groups=None if group is None else Groups.of(group, labelled.split, group_test),
            **labelled.learning(class_weight, metric),
        )

    @classmethod
    def from_folder(
        cls,
        path: str | Path,
        *,
        on_bad_image: BadImage = "stop",
        resize: tuple[int, int] | None = None,
        memory: int | str | None = None,
        name: str | None = None,
        **options: Any,
    ) -> ImageClassification:
        """A folder with one folder of images a class; or with ``train/`` and ``test/`` folders of these.

        Where all images would take more than `memory`, they are decoded once into a file of the cache folder
        (``~/.cache/archwright``, or below ``XDG_CACHE_HOME``), and every batch is read from there: the same batches to
        the last bit, with a few MiB of memory. See `archwright.task.decoding`.

        Args:
            path: The folder.
            on_bad_image: ``"stop"`` with an error where files are unreadable, or ``"skip"`` them with a warning.
            resize: Height and width to bring all images to; needed where they differ.
            memory: How much all images may take as inputs, four bytes a number, to be kept in memory: bytes, or a text
                such as ``"1GiB"``; 1 keeps none. By default 512 MiB, or a sixteenth of the machine's memory where that
                is less, for every worker has them once.
            name: What the task is called; by default the folder's name.
            options: As for the class.
        """
        data = read_image_folder(path, on_bad_image=on_bad_image, resize=resize, memory=memory)
        task = cls(
            data.images,
            data.labels,
            x_test=data.test_images,
            y_test=data.test_labels,
            resize=resize,
            channels="last",
            name=name or Path(path).resolve().name,
            **{"source": str(path), **options},
        )
        task._facts["skipped_images"] = list(data.skipped)
        if isinstance(data.images, Images):
            task._facts["read_from"] = str(data.images.path)
        return task

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """A small residual network (`archwright.task.baseline.ResidualConv`), of width 32 where nothing is said."""
        large = min(self.input_shape[1:]) > 32

        def make(width: int) -> nn.Module:
            return ResidualConv(self.n_outputs, width=width, strides=(2, 2, 2, 2) if large else (1, 1, 2, 2))

        return make(width or 32) if max_params is None else fitted(make, self.input_shape, max_params)


def _images(raw: Any, where: str, **options: Any) -> np.ndarray | Images:
    return raw if isinstance(raw, Images) else image_array(raw, where, **options)


def _background(images: np.ndarray | Images) -> np.ndarray:
    """The median of each channel along the border of (n, channels, h, w): what surrounds the objects."""
    some = images[:: max(1, len(images) // 1000)]
    few = some.read() if isinstance(some, Images) else some
    c = few.shape[1]
    sides = (few[:, :, 0], few[:, :, -1], few[:, :, :, 0], few[:, :, :, -1])
    return np.median(np.concatenate([s.transpose(1, 0, 2).reshape(c, -1) for s in sides], 1), axis=1)
