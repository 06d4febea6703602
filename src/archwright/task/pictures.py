"""Images as what a network makes: latent numbers in, images scaled to -1..1 out, and back to bytes."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archwright.errors import DataError
from archwright.task.arrays import Layout, check_finite, image_array, number_array

__all__ = ["Latents", "Pictures", "grid", "png"]

GAP = 1
"""Pixels between the images of a grid."""


@dataclass(frozen=True)
class Latents:
    """Random numbers that images are made of: (n, size) float32, of a standard normal distribution."""

    size: int

    def __call__(self, raw: Any, seed: int = 0) -> Tensor:
        """Latent numbers as they are, or so many rows drawn with `seed`: the same seed, the same numbers."""
        if isinstance(raw, int) and not isinstance(raw, bool):
            if raw < 1:
                raise DataError(f"samples is {raw}: allowed are whole numbers of 1 or more")
            return torch.randn(raw, self.size, generator=torch.Generator().manual_seed(seed))
        array = number_array(raw, "latent numbers")
        if array.ndim != 2 or array.shape[1] != self.size:
            raise DataError(
                f"latent numbers have shape {array.shape}: allowed is (n, {self.size}), or a whole number of images"
            )
        check_finite(array, "latent numbers")
        return torch.from_numpy(np.array(array, dtype=np.float32))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": "latents", "size": self.size}

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> Latents:
        """Read what `to_json` wrote."""
        return cls(int(d["size"]))


@dataclass(frozen=True)
class Pictures:
    """Images of one shape, and how they are scaled to -1..1.

    Args:
        shape: Channels, height and width.
        low: What becomes -1, in raw units.
        high: What becomes 1.
        channels: Where raw arrays have their channels; None to find out.
        resize: Height and width that raw images are brought to first.
    """

    shape: tuple[int, int, int]
    low: float = 0.0
    high: float = 255.0
    channels: Layout = None
    resize: tuple[int, int] | None = None

    @classmethod
    def of(cls, images: np.ndarray, channels: Layout = None, resize: tuple[int, int] | None = None) -> Pictures:
        """Bytes have 0 and 255; other numbers the least and the greatest of the training part, (n, c, h, w)."""
        low, high = (0.0, 255.0) if images.dtype == np.uint8 else (float(images.min()), float(images.max()))
        return cls(images.shape[1:], low, high if high > low else low + 1.0, channels, resize)

    def encode(self, raw: Any) -> Tensor:
        """Raw images, as the task was given them, to a float32 tensor (n, c, h, w)."""
        return self.prepare(
            image_array(raw, channels=self.channels, resize=self.resize, n_channels=self.shape[0]), "images"
        )

    def prepare(self, array: np.ndarray, where: str) -> Tensor:
        """Images already laid out as (n, channels, height, width) to a tensor, whose ends are -1 and 1."""
        if array.shape[1:] != self.shape:
            raise DataError(
                f"{where} are {array.shape[1:]} (channels, height, width): this task has {self.shape}. Bring them to "
                f"that size, or make the task with resize={self.shape[1:]}"
            )
        scaled = (array.astype(np.float32) - self.low) * np.float32(2 / (self.high - self.low)) - 1
        return torch.from_numpy(np.ascontiguousarray(scaled.clip(-1, 1)))

    def decode(self, output: Tensor) -> list[Any]:
        """Made images, (n, c, h, w) in -1..1, to uint8: (h, w), or (h, w, c) for colour."""
        array = ((output.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
        return [image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)) for image in array]

    answers = decode

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "kind": "pictures", "shape": list(self.shape), "low": self.low, "high": self.high,
            "channels": self.channels, "resize": list(self.resize) if self.resize else None,
        }  # fmt: skip

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> Pictures:
        """Read what `to_json` wrote."""
        c, h, w = d["shape"]
        resize = (int(d["resize"][0]), int(d["resize"][1])) if d["resize"] else None
        return cls((c, h, w), d["low"], d["high"], d["channels"], resize)


def grid(images: Sequence[np.ndarray], columns: int | None = None) -> Any:
    """One Pillow image of many: uint8 (h, w) or (h, w, 3), in rows, about as many as columns."""
    from PIL import Image

    if not len(images):
        raise DataError("there is no image to show: give one at least")
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    h, w = images[0].shape[:2]
    sheet = np.full((rows * (h + GAP) - GAP, columns * (w + GAP) - GAP, *images[0].shape[2:]), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = (i // columns) * (h + GAP), (i % columns) * (w + GAP)
        sheet[top : top + h, left : left + w] = image
    return Image.fromarray(sheet if sheet.ndim == 2 or sheet.shape[2] in (3, 4) else sheet[..., 0])


def png(image: Any) -> str:
    """A Pillow image as PNG in base64, for a page."""
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
