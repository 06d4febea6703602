"""Detection: where in the picture are things, and of which class?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from archwright.errors import DataError, did_you_mean
from archwright.nn.connect import Residual
from archwright.nn.conv import ConvBlock
from archwright.nn.dense import Level
from archwright.nn.detect import CentreHead
from archwright.task.annotations import Annotated, by_image, read_boxes
from archwright.task.arrays import Layout, image_array
from archwright.task.average_precision import box_metrics
from archwright.task.baseline import fitted
from archwright.task.box_augment import BoxAugmentation
from archwright.task.boxes import MOST, NOTHING, Boxes, decode
from archwright.task.centres import CentreLoss
from archwright.task.groups import Groups
from archwright.task.inputs import ImageInputs
from archwright.task.preparation import Preparation
from archwright.task.reading import read_npz
from archwright.task.splits import parts_of
from archwright.task.task import Part, Parts, Task

__all__ = ["BadBox", "Detection", "sizes_of"]

BadBox = Literal["stop", "clip"]

ARRAYS = ("x", "boxes", "labels", "counts")

SLACK = 1.0
"""So many pixels a box may reach beyond the image: people round."""

Given = tuple[Any, ...]
"""Images, boxes and labels of a part; and counts, where it has them."""


class Detection(Task):
    """Where in the picture are things, and of which class?

    Args:
        x: Images: (n, h, w), (n, h, w, c) or (n, c, h, w) arrays or tensors; lists of arrays, files or Pillow images.
        boxes: Of each image, (k, 4) numbers: left, top, right and bottom in its pixels. None of them is fine too.
        labels: Of each image, a label a box: texts or whole numbers.
        counts: How many boxes each image has, (n,), where `boxes` and `labels` are arrays that hold those of all: (n,
            most, 4) and (n, most), filled up with anything, or (total, 4) and (total,), one image after another.
        validation: Official validation data, where there are any: images, boxes, labels, and counts where `x` has them;
            else `validation_share` is taken from `x`.
        test: Official test data likewise.
        names: The classes, in order; by default those that occur, sorted.
        name: What the task is called.
        channels: Where channels stand, ``"first"`` or ``"last"``; by default found out.
        resize: Height and width that all images are brought to, and boxes with them.
        on_bad_box: ``"stop"`` with an error that lists boxes outside their image or of no area, or ``"clip"``: cut them
            at the border, and leave out those of which nothing is left.
        box_weight: What boxes count in the loss beside centres.
        metric: The main metric: ``"map50"`` by default, or ``"map"``.
        augmentation: ``augmentation(inputs, targets, generator)``, both changed alike; by default zoom, shift,
            brightness and mirroring left and right (`archwright.task.BoxAugmentation`).
        group: The group of each image: texts, integers or booleans. Every metric then has a ``gap_`` between groups
            beside it; see `archwright.task.Groups`.
        group_validation: The groups of the official validation images.
        group_test: The groups of the official test images.
        test_share: Of all images.
        validation_share: Of the images that are not test.
        split_seed: The same seed gives the same parts.
        source: Where the data came from, for people.

    Shapes: inputs (n, channels, h, w); targets (n, most, 5) float32, a box and its class a row, class -1 where there is
    none; outputs (n, classes + 4, grid h, grid w).

    Raises:
        DataError: anything wrong with the data; the message says where, what was allowed and what to do.
        MissingExtraError: the package ``faster-coco-eval`` is not installed.
    """

    default_space = "detector"
    spaces = ("detector",)
    # Each image teaches many places: what is short is steps.
    recipe: Mapping[str, Any] = {
        "epochs": 30, "batch_size": 8, "lr": 5e-3, "label_smoothing": 0.0, "clip_norm": 10.0, "stretch": 3.0
    }  # fmt: skip

    def __init__(
        self,
        x: Any,
        boxes: Sequence[Any],
        labels: Sequence[Any],
        *,
        counts: Any = None,
        validation: Given | None = None,
        test: Given | None = None,
        names: Sequence[str] | None = None,
        name: str = "boxes",
        channels: Layout = None,
        resize: tuple[int, int] | None = None,
        on_bad_box: BadBox = "stop",
        box_weight: float = 2.0,
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
        if on_bad_box not in ("stop", "clip"):
            raise DataError(f"on_bad_box is {on_bad_box!r}: allowed are 'stop' and 'clip'")
        given: dict[str, Given] = {"": (x, boxes, labels, counts)}
        given |= {part: held for part, held in (("validation", validation), ("test", test)) if held is not None}
        images: dict[str, np.ndarray] = {}
        found: dict[str, list[np.ndarray]] = {}
        called: dict[str, list[list[str]]] = {}
        for part, (raw, corners, kinds, *many) in given.items():
            where = f"the {part} data" if part else "the data"
            if many and many[0] is not None:
                corners, kinds = by_image(corners, kinds, many[0], where)
            known = images[""].shape[1] if part else None
            sizes = sizes_of(raw, channels)
            images[part] = image_array(raw, where, channels=channels, resize=resize, n_channels=known)
            found[part], called[part] = _checked(corners, kinds, sizes, where, clip=on_bad_box == "clip")
            if len(found[part]) != len(images[part]):
                raise DataError(
                    f"{where}: {len(images[part])} images and boxes of {len(found[part])}: give each image its "
                    f"boxes, an empty list where it shows nothing"
                )
            size = (images[part].shape[2], images[part].shape[3])
            found[part] = [b * _scale(s, size) for b, s in zip(found[part], sizes, strict=True)]
        rows = parts_of(len(images[""]), split_seed, test_share, validation_share, set(given) - {""})
        classes = Boxes(_names(names, called), size)
        inputs = ImageInputs.of(images[""][rows["train"]], channels, resize)

        def part_of(which: str) -> Part:
            key, at = (which, range(len(images[which]))) if which in images else ("", rows[which])
            index = {label: i for i, label in enumerate(classes.labels)}
            values = [
                np.column_stack([found[key][i], [index[label] for label in called[key][i]]])
                if called[key][i]
                else np.empty((0, 5))
                for i in at
            ]
            return Part(inputs.prepare(images[key][list(at)], "images"), classes.encode(values))

        groups = None
        if group is not None:
            groups = Groups.of_parts(group, rows, {"validation": group_validation, "test": group_test})
        parts = Parts(part_of("train"), part_of("validation"), part_of("test"))
        there = Counter(int(c) for c in parts.train.targets[..., 4].flatten().tolist() if c != NOTHING)
        empty = [label for i, label in enumerate(classes.labels) if not there[i]]
        if empty:
            raise DataError(
                f"class {', '.join(map(repr, empty[:5]))} has no box in the training part, whose {len(parts.train)} "
                f"images hold {sum(there.values())}: leave it out, give more images of it, or another split_seed"
            )
        moved: Any = BoxAugmentation() if augmentation is None else augmentation
        super().__init__(
            name=name,
            parts=parts,
            preparation=Preparation(inputs, classes),
            loss=CentreLoss(size, box_weight),
            metrics=box_metrics(size, len(classes.labels)),
            metric=metric or "map50",
            n_outputs=len(classes.labels),
            augmentation=moved,
            groups=groups,
            facts={
                "classes": list(classes.labels),
                "class_counts": [there[i] for i in range(len(classes.labels))],
                "source": source,
                "split_seed": split_seed,
                "official_test": test is not None,
            },
        )
        self.size = size

    @classmethod
    def from_folder(cls, path: str | Path, *, name: str | None = None, **options: Any) -> Detection:
        """A folder in the manner of COCO, Pascal VOC or YOLO, or a COCO file; see `archwright.task.annotations`.

        Args:
            path: The folder or file. Parts called train, val and test stay as they are.
            name: What the task is called; by default the folder's name.
            options: As for the class, such as ``resize=`` where images differ in size.
        """
        parts = read_boxes(path)
        given: dict[str, Any] = {"source": str(path), **options}
        for part in ("validation", "test"):
            if part in parts:
                given = {part: _given(parts[part]), **given}
        return cls(*_given(parts["train"]), name=name or Path(path).resolve().stem, **given)

    @classmethod
    def from_npz(cls, path: str | Path, **options: Any) -> Detection:
        """An ``.npz`` file with arrays ``x``, ``boxes``, ``labels``, and ``counts`` where images differ in them.

        ``x_validation``, ``x_test`` and the like are official parts, ``group`` and ``group_test`` groups to compare.

        Args:
            path: The file.
            options: As for the class.
        """
        beside = [f"{name}{part}" for part in ("", "_validation", "_test") for name in ("counts", "group")]
        data = read_npz(path, ("x", "boxes", "labels"), more=beside, official=("validation", "test"))
        parts = {part: tuple(data.pop(f"{n}_{part}", None) for n in ARRAYS) for part in ("validation", "test")}
        held = {part: given for part, given in parts.items() if given[0] is not None}
        return cls(**{"name": Path(path).stem, "source": str(path), **data, **held, **options})

    @property
    def answer(self) -> str:
        """What it asks of an image."""
        return f"boxes of {self.n_outputs} {'class' if self.n_outputs == 1 else 'classes'}"

    def augment(self, inputs: Tensor, generator: Generator | None = None) -> Tensor:
        """A training batch without its boxes, changed as `augmented` would change it."""
        nothing = torch.full((len(inputs), 1, 5), float(NOTHING), device=inputs.device)
        return self.augmented(inputs, nothing, generator)[0]

    def augmented(self, inputs: Tensor, targets: Tensor, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """A training batch and its boxes, moved alike."""
        augmentation: Any = self.augmentation
        changed: tuple[Tensor, Tensor] = augmentation(inputs, targets, generator)
        return changed

    def train_and_validation(self) -> Part:
        """Both parts in one, with as many rows for boxes."""
        most = max(self.train.targets.shape[1], self.validation.targets.shape[1])
        parts = (
            Part(p.inputs, F.pad(p.targets, (0, 0, 0, most - p.targets.shape[1]), value=NOTHING), p.groups)
            for p in (self.train, self.validation)
        )
        first, second = parts
        return first + second

    def kept(self, output: Tensor) -> Tensor:
        """Boxes with scores and classes, (n, 100, 6): see `archwright.task.boxes.decode`."""
        return decode(output, self.size)

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """A residual backbone with a way down from the top by sums, and a head of centres, of width 16 by default."""

        def make(width: int) -> nn.Module:
            def down(wide: int, *inside: nn.Module) -> nn.Module:
                return nn.Sequential(ConvBlock(wide, 3, 2), Residual(ConvBlock(None, 3)), *inside)

            coarse = Level(down(4 * width), "sum", "nearest")
            middle = Level(down(3 * width, coarse), "sum", "nearest")
            head = CentreHead(self.n_outputs, 2 * width)
            return nn.Sequential(ConvBlock(width, 3, 2), down(2 * width, middle, ConvBlock(None, 3)), head)

        return make(width or 16) if max_params is None else fitted(make, self.input_shape, max_params)

    def references(self, train: Part, test: Part) -> dict[str, dict[str, float]]:
        """The boxes of the training image that looks most alike, by 16x16 pixels: what needs no looking for things."""
        small = [F.adaptive_avg_pool2d(p.inputs, 16).flatten(1) for p in (train, test)]
        nearest = train.targets[torch.cdist(small[1], small[0]).argmin(1)][:, :MOST]
        said = torch.cat([nearest[..., :4], torch.ones_like(nearest[..., :1]), nearest[..., 4:]], 2)
        said = F.pad(said, (0, 0, 0, MOST - said.shape[1]), value=NOTHING)
        return {"boxes of the most similar image": self.score(said, test.targets)}


def _given(part: Annotated) -> Given:
    return part.files, part.boxes, part.labels


def sizes_of(raw: Any, channels: Layout = None) -> list[tuple[int, int]]:
    """Height and width of each image as it was given: of files their headers are read alone."""
    from PIL import Image

    if isinstance(raw, (list, tuple)):
        found = []
        for one in raw:
            if isinstance(one, (str, Path)):
                if not Path(one).is_file():
                    raise DataError(f"image file {str(one)!r} does not exist")
                try:
                    with Image.open(one) as image:
                        found.append((image.height, image.width))
                except OSError as error:
                    raise DataError(f"image file {str(one)!r} cannot be read ({error})") from None
            elif hasattr(one, "convert"):
                found.append((one.height, one.width))
            else:
                found.append(image_array([one], channels=channels).shape[2:])
        return found
    shape = image_array(raw, channels=channels).shape
    return [(shape[2], shape[3])] * shape[0]


def _scale(size: tuple[int, int], to: tuple[int, int]) -> np.ndarray:
    high, wide = to[0] / size[0], to[1] / size[1]
    return np.array([wide, high, wide, high])


def _checked(
    boxes: Sequence[Any], labels: Sequence[Any], sizes: Sequence[tuple[int, int]], where: str, *, clip: bool
) -> tuple[list[np.ndarray], list[list[str]]]:
    """Boxes as arrays and labels as texts, image by image; bad ones are listed, or cut."""
    if len(boxes) != len(labels) or len(boxes) != len(sizes):
        raise DataError(
            f"{where}: {len(sizes)} images, boxes of {len(boxes)} and labels of {len(labels)}: each image needs its "
            f"boxes and their labels, empty lists where it shows nothing"
        )
    found, called, bad = [], [], []
    for i, (some, kinds, (high, wide)) in enumerate(zip(boxes, labels, sizes, strict=True)):
        array = np.asarray(some, dtype=np.float64).reshape(-1, 4) if len(some) else np.empty((0, 4))
        said = [str(k) for k in np.asarray(kinds).tolist()]
        if len(said) != len(array):
            raise DataError(f"{where}: image {i} has {len(array)} boxes and {len(said)} labels: give each box a label")
        if not np.isfinite(array).all():
            raise DataError(f"{where}: boxes of image {i} hold NaN or infinite numbers")
        cut = array.clip(0, [wide, high, wide, high])
        outside = np.abs(cut - array).max(1, initial=0) > SLACK
        flat = (cut[:, 2:] - cut[:, :2]).min(1, initial=np.inf) <= 0
        for k in np.flatnonzero(outside | flat):
            numbers = ", ".join(f"{v:g}" for v in array[k])
            bad.append(
                f"image {i} ({wide}x{high}), box {k}: ({numbers}) {'lies outside' if outside[k] else 'has no area'}"
            )
        found.append(cut[~flat])
        called.append([s for s, gone in zip(said, flat, strict=True) if not gone])
    if bad and not clip:
        raise DataError(
            f"{where}: {len(bad)} boxes do not fit: {'; '.join(bad[:5])}{' ...' if len(bad) > 5 else ''}. A box is "
            f"left, top, right, bottom in pixels of its image; repair them, or give on_bad_box='clip' to cut them"
        )
    return found, called


def _names(names: Sequence[str] | None, called: Mapping[str, list[list[str]]]) -> tuple[str, ...]:
    there = sorted({label for part in called.values() for image in part for label in image}, key=_in_order)
    if not there:
        raise DataError("no image has a box: there is nothing to learn to find")
    if names is None:
        return tuple(there)
    for label in there:
        if label not in names:
            raise DataError(f"a box has the label {label!r}, which is none of names. {did_you_mean(label, names)}")
    return tuple(map(str, names))


def _in_order(label: str) -> tuple[int, float, str]:
    """Numbers as numbers, before texts."""
    return (0, float(label), "") if label.isdigit() else (1, 0.0, label)
