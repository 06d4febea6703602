"""Masks: arrays and files to one layout, and folders of images with a mask each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from archwright.errors import DataError
from archwright.task.folders import folders_in
from archwright.task.reading import image_files

__all__ = ["MaskFolder", "holds_masks", "mask_array", "read_mask_folder"]

IMAGES = ("images", "image", "imgs", "img", "JPEGImages")
MASKS = ("masks", "mask", "labels", "annotations", "annot", "SegmentationClass")
"""What folders are called."""

PARTS = {"train": ("train", "training"), "validation": ("val", "valid", "validation"), "test": ("test", "testing")}


def mask_array(raw: Any, where: str = "masks", *, resize: tuple[int, int] | None = None) -> tuple[np.ndarray, bool]:
    """Masks as (n, height, width) whole numbers, and whether they are of colours, packed into one number each.

    Args:
        raw: (n, height, width) whole numbers, (n, height, width, 3) colours; arrays, tensors, lists of arrays, of
            files or of Pillow images. Files with a palette hold its numbers.
        where: What to call them in messages.
        resize: Height and width to bring all to, by the nearest pixel.
    """
    if isinstance(raw, Tensor):
        raw = raw.detach().cpu().numpy()
    if isinstance(raw, (list, tuple)):
        masks = [_mask(item) for item in raw]
        if resize is not None:
            masks = [_resized(m[None], resize)[0] for m in masks]
        sizes = {m.shape for m in masks}
        if len(sizes) > 1:
            said = ", ".join("x".join(map(str, s)) for s in sorted(sizes)[:4])
            raise DataError(f"{where} differ in size: {said}. Give resize=(height, width)")
        raw = np.stack(masks) if masks else np.empty((0, 0, 0), dtype=np.uint8)
    array = np.asarray(raw)
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in (1, 3)):
        raise DataError(
            f"{where} have shape {array.shape}: allowed are (n, height, width), a class a pixel, and (n, height, "
            f"width, 3), a colour a class"
        )
    if array.dtype.kind == "f":
        if not (array == np.round(array)).all():
            raise DataError(
                f"{where} are numbers with fractions: a mask holds the whole number of a class for each pixel"
            )
        array = array.astype(np.int64)
    if array.dtype.kind not in "iub":
        raise DataError(f"{where} have type {array.dtype}: allowed are whole numbers")
    if len(array) == 0:
        raise DataError(f"{where} are empty: at least one is needed for each image")
    array = array[..., 0] if array.ndim == 4 and array.shape[3] == 1 else array
    if resize is not None and array.shape[1:3] != tuple(resize):
        array = _resized(array, resize)
    if array.ndim == 3:
        return array.astype(np.int64), False
    red, green, blue = (array[..., i].astype(np.int64) for i in range(3))
    return (red << 16) + (green << 8) + blue, True


def _mask(item: Any) -> np.ndarray:
    from PIL import Image

    if isinstance(item, (str, Path)):
        try:
            with Image.open(item) as image:
                return _mask(image)
        except OSError as error:
            raise DataError(f"mask {str(item)!r} cannot be read ({error})") from None
    if hasattr(item, "convert"):
        return np.asarray(item if item.mode in ("1", "L", "P", "I", "I;16") else item.convert("RGB"))
    return np.asarray(item.detach().cpu() if isinstance(item, Tensor) else item)


def _resized(masks: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """By the nearest pixel: classes have no mean."""
    rows = (np.arange(size[0]) + 0.5) * masks.shape[1] / size[0]
    columns = (np.arange(size[1]) + 0.5) * masks.shape[2] / size[1]
    return masks[:, rows.astype(int)][:, :, columns.astype(int)]


@dataclass(frozen=True)
class MaskFolder:
    """Files of images and their masks, by part; validation and test are None where the folder is not divided so."""

    train: tuple[list[Path], list[Path]]
    validation: tuple[list[Path], list[Path]] | None
    test: tuple[list[Path], list[Path]] | None


def holds_masks(path: Path) -> bool:
    """Whether a folder holds images and masks, or folders of parts that do."""
    return _pair_of(path) is not None or any(_pair_of(d) is not None for d in folders_in(path))


def read_mask_folder(path: str | Path) -> MaskFolder:
    """Find images and masks of the same name below a folder.

    Args:
        path: Of a folder with ``images/`` and ``masks/``, or with ``train/`` and, where there are some, ``val/`` and
            ``test/``, each with these.

    Raises:
        DataError: no such folders; images without a mask, or masks without an image.
    """
    path = Path(path)
    if not path.is_dir():
        raise DataError(f"folder {str(path)!r} does not exist: give one with the folders images and masks")
    if _pair_of(path) is not None:
        return MaskFolder(_pairs(path), None, None)
    folders = folders_in(path)
    there = {part: next((d for d in folders if d.name.lower() in words), None) for part, words in PARTS.items()}
    if there["train"] is None or _pair_of(there["train"]) is None:
        raise DataError(
            f"folder {str(path)!r} holds no folders images and masks, and none called train with these: it has "
            f"{', '.join(d.name for d in folders[:8]) or 'no folders'}. The mask of images/a.jpg is masks/a.png"
        )
    found = {part: _pairs(d) if d is not None else None for part, d in there.items()}
    assert found["train"] is not None
    return MaskFolder(found["train"], found["validation"], found["test"])


def _pair_of(path: Path) -> tuple[Path, Path] | None:
    """The folder of images and that of masks."""

    def called(words: Sequence[str]) -> Path | None:
        return next((d for word in words for d in folders_in(path) if d.name.lower() == word.lower()), None)

    images, masks = called(IMAGES), called(MASKS)
    return (images, masks) if images is not None and masks is not None else None


def _pairs(path: Path) -> tuple[list[Path], list[Path]]:
    pair = _pair_of(path)
    if pair is None:
        raise DataError(f"folder {str(path)!r} holds no folders images and masks, as the other parts do")
    images, masks = ({f.relative_to(d).with_suffix("").as_posix(): f for f in image_files(d)} for d in pair)
    for what, mine, others, other in (
        ("image", images, masks, "mask"),
        ("mask", masks, images, "image"),
    ):
        alone = sorted(set(mine) - set(others))
        if alone:
            raise DataError(
                f"{len(alone)} of {len(mine)} {what}s in {str(path)!r} have no {other} of the same name, such as "
                f"{mine[alone[0]].name}. Add it, or remove the {what}"
            )
    if not images:
        raise DataError(f"{str(pair[0])!r} holds no image")
    return [images[k] for k in sorted(images)], [masks[k] for k in sorted(images)]
