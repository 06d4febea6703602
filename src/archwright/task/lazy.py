"""Images that stay on disk, and the inputs of a task that are made of them batch by batch."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from archwright.errors import DataError

if TYPE_CHECKING:
    from archwright.task.inputs import ImageInputs

__all__ = ["Images", "LazyInputs", "blocks"]

BLOCK_BYTES = 2**23
"""Raw bytes that are worked on at a time where all images are gone through."""


class _File:
    """A file that every process opens for itself, when it first reads."""

    def __init__(self, path: Path):
        self.path = path
        self._descriptor: int | None = None

    def read(self, into: memoryview, at: int) -> None:
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self.path, os.O_RDONLY)
            except OSError as error:
                raise DataError(
                    f"decoded images cannot be read from {self.path} ({error.strerror}): make the task again, which "
                    f"decodes them anew"
                ) from None
            weakref.finalize(self, os.close, self._descriptor)
        while into:
            n = os.preadv(self._descriptor, [into], at)
            if n == 0:
                raise DataError(f"{self.path} ends early: remove it, and make the task again, which decodes anew")
            into, at = into[n:], at + n

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_descriptor": None}


class Images:
    """Images (n, channels, height, width), uint8, of which a file holds the numbers and memory the row numbers.

    Reading is by ``pread``, not through a mapping: what a mapping has touched counts as resident memory of each process
    (and towards ``memory_limit``), while what is read this way lies once in the system's page cache, for all workers,
    and is given back when memory is short.

    Args:
        path: Of the file.
        offset: Where its numbers begin, in bytes.
        shape: Channels, height and width.
        rows: Which images of the file, in this order.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, path: Path, offset: int, shape: tuple[int, ...], rows: np.ndarray):
        self._file = _File(path)
        self._offset = offset
        self.rows = np.asarray(rows, dtype=np.int64)
        self.shape = (len(self.rows), *shape)

    @property
    def path(self) -> Path:
        """Of the file."""
        return self._file.path

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Any) -> Images:
        """Some of them, still on disk."""
        return self._of(self.rows[rows])

    def _of(self, rows: np.ndarray) -> Images:
        some = object.__new__(Images)
        some._file, some._offset, some.rows, some.shape = self._file, self._offset, rows, (len(rows), *self.shape[1:])
        return some

    def and_these(self, other: Images) -> Images | None:
        """Both in one; None where they are not of one file."""
        same = self.path == other.path and self.shape[1:] == other.shape[1:]
        return self._of(np.concatenate([self.rows, other.rows])) if same else None

    def read(self, rows: Any = slice(None)) -> np.ndarray:
        """Some of them, or all, in memory."""
        wanted = self.rows[rows].tolist()
        found = np.empty((len(wanted), *self.shape[1:]), dtype=np.uint8)
        size = int(np.prod(self.shape[1:]))
        to = found.reshape(-1).data
        for i, row in enumerate(wanted):
            self._file.read(to[i * size : (i + 1) * size], self._offset + row * size)
        return found


def blocks(images: np.ndarray | Images) -> Iterator[np.ndarray]:
    """All images in arrays of a bounded size, in order."""
    size = max(1, BLOCK_BYTES // max(1, int(np.prod(images.shape[1:])) * images.dtype.itemsize))
    for start in range(0, len(images), size):
        rows = slice(start, start + size)
        yield images.read(rows) if isinstance(images, Images) else images[rows]


class LazyInputs:
    """The inputs of a `Part` that stay on disk: what a loop asks of a tensor, each batch being read and prepared.

    Indexing, `index_select` and `split` give tensors, equal to the last bit to those of inputs in memory. Any other
    function or method of a tensor reads all of them first.

    Args:
        images: What is on disk.
        features: How raw images become the tensor that a network takes.
        device: Where tensors go.
    """

    dtype = torch.float32

    def __init__(self, images: Images, features: ImageInputs, device: torch.device | str = "cpu"):
        self._images, self._features, self.device = images, features, torch.device(device)

    @property
    def shape(self) -> torch.Size:
        """(n, channels, height, width)."""
        return torch.Size(self._images.shape)

    @property
    def ndim(self) -> int:
        """How many axes."""
        return len(self._images.shape)

    def is_floating_point(self) -> bool:
        """They are."""
        return True

    def taken(self, rows: Any) -> LazyInputs:
        """Some of them, still on disk."""
        return LazyInputs(self._images[_numbers(rows)], self._features, self.device)

    def to(self, device: Any) -> Any:
        """The same, with batches that go to a device; of another type, they are read."""
        if isinstance(device, torch.dtype):
            return self.whole().to(device)
        return LazyInputs(self._images, self._features, device)

    def whole(self) -> Tensor:
        """All of them, in memory."""
        return self._tensor(slice(None))

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        """As of a tensor."""
        return self._tensor(_numbers(index)) if dim == 0 else self.whole().index_select(dim, index)

    def split(self, size: int, dim: int = 0) -> Iterator[Tensor]:
        """As of a tensor, but that each is made when it is asked for."""
        if dim:
            return iter(self.whole().split(size, dim))
        return (self._tensor(slice(start, start + size)) for start in range(0, max(1, len(self)), size))

    def _tensor(self, rows: Any) -> Tensor:
        return self._features.prepare(self._images.read(rows)).to(self.device)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, key: Any) -> Tensor:
        if isinstance(key, int):
            if not -len(self) <= key < len(self):
                raise IndexError(f"index {key} of {len(self)} inputs")
            return self._tensor([key])[0]
        if isinstance(key, (slice, Tensor, np.ndarray, list)):
            return self._tensor(_numbers(key))
        return self.whole()[key]

    def __iter__(self) -> Iterator[Tensor]:
        return (row for block in self.split(64) for row in block)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(Tensor, name):
            raise AttributeError(f"inputs have no {name!r}")
        return getattr(self.whole(), name)

    @classmethod
    def __torch_function__(
        cls, function: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """What torch makes of them: see *Extending torch with a Tensor-like type* in its notes."""
        if function is torch.cat and not kwargs and len(args) == 1 and all(isinstance(a, cls) for a in args[0]):
            joined = _joined(args[0])
            if joined is not None:
                return joined
        return function(*_read(tuple(args)), **_read(kwargs or {}))


def _joined(parts: Sequence[LazyInputs]) -> LazyInputs | None:
    first = parts[0]
    images: Images | None = first._images
    for other in parts[1:]:
        images = images.and_these(other._images) if images is not None and other._features == first._features else None
    return None if images is None else LazyInputs(images, first._features, first.device)


def _read(value: Any) -> Any:
    if isinstance(value, LazyInputs):
        return value.whole()
    if isinstance(value, (list, tuple)):
        return type(value)(_read(v) for v in value)
    return {k: _read(v) for k, v in value.items()} if isinstance(value, dict) else value


def _numbers(rows: Any) -> Any:
    return rows.detach().cpu().numpy() if isinstance(rows, Tensor) else rows
