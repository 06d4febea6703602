"""From raw images and sequences to standardised tensors, with statistics that were measured once, on training data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from archwright.errors import DataError
from archwright.task.arrays import Layout, check_finite, image_array, number_array, sequence_array
from archwright.task.lazy import Images, LazyInputs, blocks

__all__ = ["ImageInputs", "PlainInputs", "SequenceInputs"]


def _channel_statistics(array: np.ndarray | Images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel of (n, channels, ...); a constant channel gets deviation 1."""
    if isinstance(array, Images) or array.dtype == np.uint8:
        mean, std = _of_bytes(array)
    else:
        axes = (0, *range(2, array.ndim))
        mean = array.mean(axes, dtype=np.float64)
        std = array.std(axes, dtype=np.float64)
    return tuple(mean.tolist()), tuple(np.where(std > 1e-8 * np.maximum(1.0, np.abs(mean)), std, 1.0).tolist())


def _of_bytes(array: np.ndarray | Images) -> tuple[np.ndarray, np.ndarray]:
    """The same of bytes, by counting each value: exact, so that it is no matter in which blocks they come."""
    channels = array.shape[1]
    counts = np.zeros((channels, 256), dtype=np.int64)
    for block in blocks(array):
        for c in range(channels):
            counts[c] += np.bincount(block[:, c].ravel(), minlength=256)
    n = int(counts[0].sum())
    once, twice = ([sum(int(k) * v**power for v, k in enumerate(row)) for row in counts] for power in (1, 2))
    mean = np.array([s / n for s in once])
    return mean, np.sqrt([(n * q - s * s) / n**2 for s, q in zip(once, twice, strict=True)])


def _standardised(array: np.ndarray, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    view = (1, -1, *[1] * (array.ndim - 2))
    out = np.ascontiguousarray(array, dtype=np.float32)
    out = out - np.array(mean, np.float32).reshape(view)
    out /= np.array(std, np.float32).reshape(view)
    return torch.from_numpy(np.ascontiguousarray(out))


@dataclass(frozen=True)
class ImageInputs:
    """Images to float32 (n, channels, height, width), standardised by channel.

    Args:
        shape: Channels, height and width.
        mean: Of each channel in the training part, in raw units (0 to 255 for files and uint8).
        std: Deviation likewise.
        channels: Where raw arrays have their channels; None to find out.
        resize: Height and width that raw images are brought to first.
    """

    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: Layout = None
    resize: tuple[int, int] | None = None

    @classmethod
    def of(
        cls, images: np.ndarray | Images, channels: Layout = None, resize: tuple[int, int] | None = None
    ) -> ImageInputs:
        """Measure the statistics of the training part's (n, channels, height, width)."""
        _, c, height, width = images.shape
        return cls((c, height, width), *_channel_statistics(images), channels, resize)

    def __call__(self, raw: Any) -> Tensor:
        """Raw images, as the task was given them, to a tensor; see `archwright.task.arrays.image_array`."""
        array = image_array(raw, channels=self.channels, resize=self.resize, n_channels=self.shape[0])
        return self.prepare(array)

    def prepare(self, array: np.ndarray | Images, where: str = "images") -> Tensor:
        """Images already laid out as (n, channels, height, width) to a tensor; those on disk stay there."""
        if array.shape[1:] != self.shape:
            raise DataError(
                f"{where} are {_say(array.shape[1:])}: this task has {_say(self.shape)}. "
                f"Bring them to that size, or make the task with resize={self.shape[1:]}"
            )
        if isinstance(array, Images):
            return cast(Tensor, LazyInputs(array, self))  # does what a training loop asks of a tensor
        return _standardised(array, self.mean, self.std)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        resize = list(self.resize) if self.resize else None
        return {
            "kind": "images", "shape": list(self.shape), "mean": list(self.mean), "std": list(self.std),
            "channels": self.channels, "resize": resize,
        }  # fmt: skip

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> ImageInputs:
        """Read what `to_json` wrote."""
        c, height, width = d["shape"]
        resize = (int(d["resize"][0]), int(d["resize"][1])) if d["resize"] else None
        return cls((c, height, width), tuple(d["mean"]), tuple(d["std"]), d["channels"], resize)


def _say(shape: tuple[int, ...]) -> str:
    c, height, width = shape
    return f"{height}x{width} (height x width) with {c} channel{'s' * (c != 1)}"


@dataclass(frozen=True)
class SequenceInputs:
    """Sequences to float32 (n, channels, time), standardised by channel over the training part and all times."""

    shape: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: Layout = None

    @classmethod
    def of(cls, sequences: np.ndarray, channels: Layout = None) -> SequenceInputs:
        """Measure the statistics of the training part's (n, channels, time)."""
        _, c, length = sequences.shape
        return cls((c, length), *_channel_statistics(sequences), channels)

    def __call__(self, raw: Any) -> Tensor:
        """Raw sequences, as the task was given them, to a tensor."""
        return self.prepare(sequence_array(raw, channels=self.channels))

    def prepare(self, array: np.ndarray, where: str = "sequences") -> Tensor:
        """Sequences already laid out as (n, channels, time) to a tensor."""
        if array.shape[1:] != self.shape:
            raise DataError(
                f"{where} have {array.shape[1]} channels of length {array.shape[2]}: this task has {self.shape[0]} of "
                f"length {self.shape[1]}. Cut or pad them to that"
            )
        return _standardised(array, self.mean, self.std)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "kind": "sequences", "shape": list(self.shape), "mean": list(self.mean), "std": list(self.std),
            "channels": self.channels,
        }  # fmt: skip

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> SequenceInputs:
        """Read what `to_json` wrote."""
        c, length = d["shape"]
        return cls((c, length), tuple(d["mean"]), tuple(d["std"]), d["channels"])


@dataclass(frozen=True)
class PlainInputs:
    """Inputs of a user's own making: checked in shape, and otherwise left alone. Integers stay int64 (tokens)."""

    shape: tuple[int, ...]
    integers: bool = False

    def __call__(self, raw: Any) -> Tensor:
        """Arrays, tensors or lists of samples to a tensor (n, *shape)."""
        array = number_array(raw, "inputs")
        check_finite(array, "inputs")
        if array.shape[1:] != self.shape:
            raise DataError(f"inputs have samples of shape {array.shape[1:]}: this task has {self.shape}")
        return torch.from_numpy(np.array(array, dtype=np.int64 if self.integers else np.float32))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": "plain", "shape": list(self.shape), "integers": self.integers}

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> PlainInputs:
        """Read what `to_json` wrote."""
        return cls(tuple(d["shape"]), d["integers"])
