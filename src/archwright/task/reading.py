"""Reading images from folders and arrays from ``.npz`` files, and raw data of any kind for prediction."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import psutil

from archwright.errors import DataError
from archwright.objective import parse_bytes
from archwright.task.arrays import is_grey, picture
from archwright.task.decoding import decoded, reason, unequal, unreadable
from archwright.task.folders import files_below, folders_in, has_official_test
from archwright.task.lazy import Images

__all__ = ["BadImage", "ImageFolder", "image_files", "read_image_folder", "read_npz", "read_pictures", "read_raw"]

BadImage = Literal["stop", "skip"]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pnm")

MOST = 2**29
"""Bytes that images may take in memory where nothing is said; see `_share`."""


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """What `read_image_folder` found: uint8 images of one size (n, h, w) or (n, h, w, 3), and a label each.

    Images on disk are (n, channels, h, w).
    """

    images: np.ndarray | Images
    labels: list[str]
    test_images: np.ndarray | Images | None
    test_labels: list[str] | None
    skipped: tuple[str, ...]


def image_files(folder: Path) -> list[Path]:
    """Image files below a folder, sorted, without hidden ones."""
    return files_below(folder, IMAGE_SUFFIXES)


def _labelled(path: Path) -> list[tuple[Path, str]]:
    """Every image with its class: the name of the folder right below `path`."""
    folders = folders_in(path)
    found = [(f, d.name) for d in folders for f in image_files(d)]
    if found:
        empty = [d.name for d in folders if d.name not in {label for _, label in found}]
        if empty:
            named = ", ".join(repr(str(path / name)) for name in empty)
            noun, hold, them = ("folder", "holds", "it") if len(empty) == 1 else ("folders", "hold", "them")
            raise DataError(f"class {noun} {named} {hold} no image: remove {them}, or fill {them} ({_suffixes()})")
        return found
    loose = image_files(path)
    if loose:
        raise DataError(
            f"folder {str(path)!r} holds {len(loose)} images, but no class folders: put the images of each class into "
            f"a folder of its own, whose name is the label"
        )
    raise DataError(
        f"folder {str(path)!r} holds no image: expected one folder a class with image files in it ({_suffixes()})"
    )


def _share() -> int:
    """Bytes that images may take where nothing is said: 512 MiB, and at most a sixteenth of the machine's memory.

    Every worker has the data once, and so has the search. How many workers there will be is not known yet: with eight,
    which are the most by default, half of the memory is left to networks and everything else.
    """
    return min(MOST, psutil.virtual_memory().total // 16)


def _suffixes() -> str:
    return ", ".join(IMAGE_SUFFIXES)


def read_image_folder(
    path: str | Path,
    *,
    on_bad_image: BadImage = "stop",
    resize: tuple[int, int] | None = None,
    memory: int | str | None = None,
) -> ImageFolder:
    """Read a folder of class folders of images, or ``train/`` and ``test/`` folders of these (an official test part).

    Images that would take more than `memory` as inputs are left on disk; see `archwright.task.decoding.decoded`.

    Raises:
        DataError: no such folder, no image, unreadable images where `on_bad_image` is ``"stop"``, sizes that differ.
    """
    if on_bad_image not in ("stop", "skip"):
        raise DataError(f"on_bad_image is {on_bad_image!r}: allowed are 'stop' and 'skip'")
    path = Path(path)
    if not path.is_dir():
        raise DataError(f"folder {str(path)!r} does not exist: give a folder with one folder of images a class")
    official = has_official_test(path)
    files = _labelled(path / "train" if official else path)
    test_files = _labelled(path / "test") if official else []
    every = [f for f, _ in (*files, *test_files)]
    most = _share() if memory is None else parse_bytes(memory, where="memory", error=DataError)
    lazy = _size_of_all(every, resize) > most
    read: Any
    read, bad = decoded(every, path, resize) if lazy else _read(every, resize)
    skipped = _left_out(bad, len(every), on_bad_image)
    stacked = read if lazy else _stack(read)
    kept, held = ([label for f, label in group if f not in bad] for group in (files, test_files))
    return ImageFolder(
        images=stacked[: len(kept)],
        labels=kept,
        test_images=stacked[len(kept) :] if official else None,
        test_labels=held if official else None,
        skipped=skipped,
    )


def read_pictures(
    path: str | Path, *, on_bad_image: BadImage = "stop", resize: tuple[int, int] | None = None
) -> ImageFolder:
    """As `read_image_folder`, all in memory; but images may lie in the folder itself, without classes or labels."""
    path = Path(path)
    if not path.is_dir() or not _unlabelled(path):
        return read_image_folder(path, on_bad_image=on_bad_image, resize=resize, memory=sys.maxsize)
    if on_bad_image not in ("stop", "skip"):
        raise DataError(f"on_bad_image is {on_bad_image!r}: allowed are 'stop' and 'skip'")
    official = has_official_test(path)
    files = image_files(path / "train" if official else path)
    held = image_files(path / "test") if official else []
    read, bad = _read([*files, *held], resize)
    skipped = _left_out(bad, len(files) + len(held), on_bad_image)
    stacked, n = _stack(read), sum(f in read for f in files)
    return ImageFolder(stacked[:n], [], stacked[n:] if official else None, [] if official else None, skipped)


def _unlabelled(path: Path) -> bool:
    """Whether images lie in the folder itself, or in its folder ``train``."""
    within = path / "train" if has_official_test(path) else path
    return any(f.suffix.lower() in IMAGE_SUFFIXES for f in within.iterdir())


def _left_out(bad: dict[Path, str], n: int, on_bad_image: BadImage) -> tuple[str, ...]:
    """The files that cannot be read; an error, or a warning where they are to be left out."""
    if bad:
        named = "; ".join(f"{f} ({why})" for f, why in list(bad.items())[:5]) + (" ..." if len(bad) > 5 else "")
        what = f"{len(bad)} of {n} images cannot be read: {named}"
        if on_bad_image == "stop" or len(bad) == n:
            raise DataError(f"{what}. Repair or remove them, or give on_bad_image='skip' to go on without them")
        warnings.warn(f"{what}. They are left out", UserWarning, stacklevel=3)
    return tuple(str(f) for f in bad)


def _size_of_all(files: Sequence[Path], resize: tuple[int, int] | None) -> int:
    """Bytes of all images as inputs, float32, as far as 16 of them tell."""
    from PIL import Image

    most = 0
    for file in files[:: max(1, len(files) // 16)]:
        with contextlib.suppress(*unreadable()), Image.open(file) as image:
            height, width = resize or (image.height, image.width)
            most = max(most, 4 * height * width * (1 if is_grey(image) else 3))
    return most * len(files)


def _read(files: Iterable[Path], resize: tuple[int, int] | None) -> tuple[dict[Path, np.ndarray], dict[Path, str]]:
    from PIL import Image

    read: dict[Path, np.ndarray] = {}
    bad: dict[Path, str] = {}
    for file in files:
        try:
            with Image.open(file) as image:
                read[file] = picture(image, resize=resize)
        except unreadable() as error:
            bad[file] = reason(file, error)
    return read, bad


def _stack(read: dict[Path, np.ndarray]) -> np.ndarray:
    """Images of equal size in one array; grey ones become colour where any is."""
    error = unequal([(file, (a.shape[0], a.shape[1])) for file, a in read.items()])
    if error is not None:
        raise error
    colour = any(a.ndim == 3 for a in read.values())
    return np.stack([np.repeat(a[..., None], 3, 2) if colour and a.ndim == 2 else a for a in read.values()])


def read_npz(
    path: str | Path,
    needed: Sequence[str] = ("x", "y"),
    *,
    more: Sequence[str] = ("group", "group_test", "sample_rate"),
    official: Sequence[str] = ("test",),
) -> dict[str, np.ndarray]:
    """Arrays of these names; and ``x_test`` and the like where the file has one of them. Pickled objects are refused.

    Args:
        path: The file.
        needed: Of the training part, and of each official part that is there.
        more: What is read where it is there.
        official: The parts that may be there.
    """
    path = Path(path)
    example = ", ".join(f"{name}=..." for name in needed)
    if not path.is_file():
        raise DataError(
            f"data file {str(path)!r} does not exist: give the path of an .npz file with arrays {' and '.join(needed)}"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            there = list(file)
            parts = [[f"{name}_{part}" for name in needed] for part in official]
            wanted = [*needed, *(name for names in parts if {*names} & {*there} for name in names)]
            absent = [name for name in wanted if name not in there]
            if absent:
                raise DataError(
                    f"{path} holds the arrays {', '.join(there) or 'none'}: {' and '.join(absent)} missing. Save it "
                    f"with numpy.savez(path, {example}), and {example.replace('=', '_test=')} for an official test part"
                )
            return {name: file[name] for name in (*wanted, *more) if name in there}
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib and numpy each raise their own for a broken file
        raise DataError(f"{path} cannot be read as .npz: {error}") from None


def read_raw(path: str | Path, *, texts: bool = False) -> tuple[Any, list[str]]:
    """New data for ``Preparation.inputs``, with a name for each sample.

    Args:
        path: An image, a folder of images, a CSV or Parquet file, an ``.npy`` file, or an ``.npz`` file with ``x``.
        texts: Whether texts are wanted: a ``.txt`` file then holds one in each line.

    Returns:
        What ``Preparation.inputs`` takes, and file names or row numbers.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(
            f"data {str(path)!r} do not exist: give an image, a folder of images, a .csv, .parquet, .txt, .npy or "
            ".npz file"
        )
    if path.is_dir():
        files = image_files(path)
        if not files:
            raise DataError(f"folder {str(path)!r} holds no image ({_suffixes()})")
        return files, [str(f.relative_to(path)) for f in files]
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return [path], [path.name]
    if texts and suffix == ".txt":
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise DataError(f"{path} is no text in UTF-8: {error}") from None
        return lines, [str(i) for i in range(len(lines))]
    if suffix in (".csv", ".tsv", ".txt", ".parquet"):
        from archwright.task.table import read_table

        frame = read_table(path, texts=texts)
        return frame, [str(i) for i in range(len(frame))]
    if suffix in (".npy", ".npz"):
        try:
            loaded = np.load(path, allow_pickle=False)
            array = loaded["x"] if suffix == ".npz" else loaded
        except Exception as error:  # see read_npz
            raise DataError(f"{path} cannot be read as {suffix}: {error}") from None
        return array, [str(i) for i in range(len(array))]
    raise DataError(
        f"{path} has the ending {suffix!r}: allowed are images, .csv, .tsv, .parquet, .npy and .npz, or a folder of "
        "images; for texts .txt too"
    )
