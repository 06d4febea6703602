"""Images of files decoded once, into a file that training reads from: for folders that would fill the memory.

Decoded once rather than for each batch: a PNG of 32x32 takes longer to decode than a small network takes to learn from
it, and the same images are read in every epoch of every trial by every worker.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from pathlib import Path

import numpy as np

from archwright.errors import DataError
from archwright.objective import format_bytes
from archwright.task.arrays import is_grey, picture
from archwright.task.lazy import Images

__all__ = ["decoded", "reason", "told", "unequal", "unreadable"]

AT_A_TIME = 256
"""Images that are in memory while they are decoded."""

UNUSED_DAYS = 30
"""Decoded images that nobody has opened for so long are removed."""

VERSION = 1

Size = tuple[int, int]

_told: ContextVar[Callable[[str], None] | None] = ContextVar("told", default=None)


@contextlib.contextmanager
def told(say: Callable[[str], None]) -> Iterator[None]:
    """Within it, `say` is told how far the decoding of images is, as in ``12,000 of 50,000 images decoded``."""
    token = _told.set(say)
    try:
        yield
    finally:
        _told.reset(token)


def _tell(done: int, n: int, what: str) -> None:
    say = _told.get()
    if say is not None:
        say(f"{done:,} of {n:,} images {what}")


def unreadable() -> tuple[type[Exception], ...]:
    """What Pillow raises for a file that is no image, or half of one."""
    from PIL import Image

    return OSError, SyntaxError, ValueError, Image.DecompressionBombError


def reason(file: Path, error: Exception) -> str:
    """Why it cannot be read, in a few words."""
    with contextlib.suppress(OSError):
        if file.stat().st_size == 0:
            return "empty file"
    return str(error).split(" '")[0].split(": '")[0] or type(error).__name__


def unequal(sizes: Sequence[tuple[Path, Size]]) -> DataError | None:
    """The error for images whose sizes differ; None where they do not."""
    found: dict[Size, list[Path]] = {}
    for file, size in sizes:
        found.setdefault(size, []).append(file)
    if len(found) < 2:
        return None
    ranked = sorted(found.items(), key=lambda item: -len(item[1]))
    listed = ", ".join(f"{h}x{w} ({len(files)} images, e.g. {files[0].name})" for (h, w), files in ranked[:4])
    height, width = (int(np.median([size[i] for _, size in sizes])) for i in (0, 1))
    return DataError(
        f"images differ in size (height x width): {listed}{' ...' if len(ranked) > 4 else ''}. A network needs one "
        f"size: give resize=(height, width), e.g. resize=({height}, {width})"
    )


def decoded(files: Sequence[Path], root: Path, resize: Size | None) -> tuple[Images | None, dict[Path, str]]:
    """All images in a file of the user's cache folder, which is made unless it is there; and why some are not in it.

    The file is found by the paths (below `root`), sizes and times of change of all files and by `resize`; so it serves
    every later task of the same images, and an image that changes is decoded anew. It appears under its name when it is
    whole: one that is killed while it decodes leaves nothing that would be believed, and the next one tidies it up.

    Args:
        files: Of images.
        root: The folder that they are in.
        resize: Height and width to bring all to.

    Returns:
        The images that can be read, in the order of `files` (None where there are none), and the others.

    Raises:
        DataError: Sizes differ, or there is no room for the file.
    """
    place = _folder() / f"{root.resolve().name}-{_key(files, root, resize)}"
    found = _opened(place, files)
    if found is not None:
        return found
    shape, bad = _survey(files, resize)
    if shape is None:
        return None, bad
    with _unfinished(place.parent) as making:
        _write(making, files, shape, resize, bad)
        with _alone(place.parent):
            if _opened(place, files) is None:  # else somebody was faster
                shutil.rmtree(place, ignore_errors=True)  # if anything is there, it is broken
                making.rename(place)
    found = _opened(place, files)
    if found is None:
        raise DataError(f"decoded images in {place} are gone again: leave that folder alone while a search runs")
    return found


def _folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "archwright" / "images"


def _key(files: Sequence[Path], root: Path, resize: Size | None) -> str:
    digest = hashlib.sha256(json.dumps([VERSION, resize]).encode())
    for file in files:
        stat = file.stat()
        digest.update(json.dumps([str(file.relative_to(root)), stat.st_size, stat.st_mtime_ns]).encode())
    return digest.hexdigest()[:32]


def _opened(place: Path, files: Sequence[Path]) -> tuple[Images | None, dict[Path, str]] | None:
    """The images that lie there, if they are whole."""
    try:
        about = json.loads((place / "about.json").read_text(encoding="utf-8"))
        path, offset, shape = place / "images.npy", int(about["offset"]), tuple(about["shape"])
        if path.stat().st_size != offset + len(files) * int(np.prod(shape)):
            return None
        bad = {files[int(i)]: why for i, why in about["bad"].items()}
        os.utime(place)
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None
    good = np.array([i for i, file in enumerate(files) if file not in bad], dtype=np.int64)
    return (Images(path, offset, shape, good) if len(good) else None), bad


def _survey(files: Sequence[Path], resize: Size | None) -> tuple[tuple[int, int, int] | None, dict[Path, str]]:
    """Channels, height and width of all, from their heads alone; and those without one."""
    from PIL import Image

    bad: dict[Path, str] = {}
    sizes, colour = [], False
    for i, file in enumerate(files):
        if i % 1000 == 0:
            _tell(i, len(files), "looked at")
        try:
            with Image.open(file) as image:
                colour |= not is_grey(image)
                sizes.append((file, (image.height, image.width)))
        except unreadable() as error:
            bad[file] = reason(file, error)
    if not sizes:
        return None, bad
    differ = None if resize is not None else unequal(sizes)
    if differ is not None:
        raise differ
    height, width = resize or sizes[0][1]
    return (3 if colour else 1, height, width), bad


@contextlib.contextmanager
def _unfinished(folder: Path) -> Iterator[Path]:
    """A new folder that is locked while its maker lives, and gone at the end unless it was renamed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            _tidy(folder)
            making = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=folder))
            lock = os.open(making, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise DataError(
            f"decoded images cannot be kept in {folder} ({error.strerror}): set XDG_CACHE_HOME to a folder with room, "
            f"or keep all images in memory, by a size above theirs such as memory='100GiB'"
        ) from None
    try:
        yield making
    finally:
        shutil.rmtree(making, ignore_errors=True)
        os.close(lock)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """For a moment no other process adds to this folder or removes from it."""
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _tidy(folder: Path) -> None:
    """Remove what a dead process left unfinished, and what has not been opened for long."""
    for other in folder.iterdir():
        with contextlib.suppress(OSError):
            if other.suffix == ".part":
                lock = os.open(other, os.O_RDONLY)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its maker lives
                    shutil.rmtree(other, ignore_errors=True)
                finally:
                    os.close(lock)
            elif other.is_dir() and time.time() - other.stat().st_mtime > UNUSED_DAYS * 86400:
                shutil.rmtree(other, ignore_errors=True)


def _write(
    making: Path, files: Sequence[Path], shape: tuple[int, int, int], resize: Size | None, known: dict[Path, str]
) -> None:
    """All images, one after another, to ``images.npy``, zeros for those that are bad; these, with why, beside it."""
    bad = dict(known)
    needed = len(files) * int(np.prod(shape))
    free = shutil.disk_usage(making).free
    if needed > free:
        raise DataError(
            f"{len(files):,} decoded images take {format_bytes(needed)}, and {making.parent} has room for "
            f"{format_bytes(free)}: free some, set XDG_CACHE_HOME to a folder with more, or give a smaller resize="
        )
    with open(making / "images.npy", "wb") as file, ThreadPoolExecutor() as pool:
        header = {"descr": "|u1", "fortran_order": False, "shape": (len(files), *shape)}
        np.lib.format.write_array_header_1_0(file, header)  # so that numpy.load opens it too
        offset = file.tell()
        for start in range(0, len(files), AT_A_TIME):
            _tell(start, len(files), "decoded")
            some = files[start : start + AT_A_TIME]
            block = np.zeros((len(some), *shape), dtype=np.uint8)
            for i, made in enumerate(pool.map(lambda f: f if f in known else _decode(f, shape, resize), some)):
                if isinstance(made, np.ndarray):
                    block[i] = made
                elif isinstance(made, str):
                    bad[some[i]] = made
            file.write(block.data)
        file.flush()
        os.fsync(file.fileno())
    order = {str(i): bad[file] for i, file in enumerate(files) if file in bad}
    about = {"version": VERSION, "offset": offset, "shape": shape, "resize": resize, "bad": order}
    (making / "about.json").write_text(json.dumps(about), encoding="utf-8")


def _decode(file: Path, shape: tuple[int, int, int], resize: Size | None) -> np.ndarray | str:
    """One image as (channels, height, width), or why it cannot be."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            array = picture(image, resize=resize)
    except unreadable() as error:
        return reason(file, error)
    array = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    if array.shape[1:] != shape[1:]:
        return f"{array.shape[1]}x{array.shape[2]}, though its head says otherwise"
    return np.broadcast_to(array, shape)
