"""Raw images and sequences to arrays of one layout, and the checks that every array passes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor

from archwright.errors import DataError

__all__ = [
    "Layout",
    "check_finite",
    "check_lengths",
    "image_array",
    "is_grey",
    "like_images",
    "number_array",
    "picture",
    "sequence_array",
]

Layout = Literal["first", "last"] | None


def number_array(raw: Any, where: str) -> np.ndarray:
    """Anything array-like as an array of numbers (never copied without need). Samples of unequal shape raise."""
    if isinstance(raw, Tensor):
        raw = raw.detach().cpu().numpy()
    if isinstance(raw, (list, tuple)):
        samples = [np.asarray(sample.detach().cpu() if isinstance(sample, Tensor) else sample) for sample in raw]
        shapes: dict[tuple[int, ...], int] = {}
        for i, sample in enumerate(samples):
            shapes.setdefault(sample.shape, i)
        if len(shapes) > 1:
            (first, _), (other, at) = list(shapes.items())[:2]
            raise DataError(
                f"{where}: the samples differ in size: sample 0 has shape {first}, sample {at} has {other} "
                f"({len(shapes)} different shapes). resize=(height, width) for images; cut or pad sequences"
            )
        raw = np.stack(samples) if samples else np.empty((0,))
    array = np.asarray(raw)
    if array.dtype == object:
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise DataError(f"{where} have type 'object': allowed are numbers in an array of equal samples") from None
    if array.dtype.kind not in "fiub":
        raise DataError(f"{where} have type {array.dtype}: allowed are integers and floating-point numbers")
    if array.ndim == 0 or len(array) == 0:
        raise DataError(f"{where} are empty (shape {array.shape}): at least one sample is needed")
    return array


def check_finite(array: np.ndarray, where: str) -> None:
    """Raise a `DataError` that counts NaN and infinite values and names the first."""
    if array.dtype.kind != "f":
        return
    good = np.isfinite(array)
    if good.all():
        return
    nans, bad = int(np.isnan(array).sum()), int((~good).sum())
    samples = np.flatnonzero(~good.reshape(len(array), -1).all(1))
    place = tuple(int(i) for i in np.argwhere(~good[samples[0]])[0]) if array.ndim > 1 else ()
    raise DataError(
        f"{where} hold {nans} NaN and {bad - nans} infinite values, in {len(samples)} of {len(array)} samples; "
        f"the first in sample {samples[0]}{f' at {place}' if place else ''}. Allowed are finite numbers: repair or "
        f"remove these samples"
    )


def check_lengths(x: Any, y: Any, where: str = "x", labels: str = "y") -> None:
    """Raise a `DataError` unless there is one label a sample."""
    if len(x) != len(y):
        raise DataError(
            f"{where} has {len(x)} samples and {labels} has {len(y)} labels: there must be one label a sample"
        )


def picture(image: Any, mode: str | None = None, resize: tuple[int, int] | None = None) -> np.ndarray:
    """A Pillow image as uint8 (height, width) for grey or (height, width, 3) for colour."""
    from PIL import Image

    if image.mode.startswith("I;16"):  # 16 bits to 8; Pillow's own conversion would clip instead
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if mode is None:
        mode = "L" if is_grey(image) else "RGB"
    image = image.convert(mode)
    if resize is not None:
        image = image.resize((resize[1], resize[0]), Image.Resampling.BILINEAR)
    return np.asarray(image)


def is_grey(image: Any) -> bool:
    """Whether a Pillow image has no colour, as its head says."""
    return image.mode in ("1", "L", "LA", "I", "F") or image.mode.startswith("I;16")


def _pictures(raw: Sequence[Any], resize: tuple[int, int] | None, n_channels: int | None) -> list[np.ndarray]:
    from PIL import Image

    mode = {1: "L", 3: "RGB"}.get(n_channels or 0)
    out, bad = [], []
    for item in raw:
        if not isinstance(item, (str, Path)):
            out.append(picture(item, mode, resize))
            continue
        try:
            with Image.open(item) as image:
                out.append(picture(image, mode, resize))
        except FileNotFoundError:
            bad.append(f"image file {str(item)!r} does not exist")
        except (OSError, SyntaxError, ValueError) as error:
            bad.append(f"image file {str(item)!r} cannot be read ({error})")
    if bad:
        raise DataError("; ".join(bad[:5]) + (f"; and {len(bad) - 5} more like these" if len(bad) > 5 else ""))
    if len({a.ndim for a in out}) > 1:  # grey among colour: all become colour
        out = [a if a.ndim == 3 else np.repeat(a[..., None], 3, 2) for a in out]
    return out


def image_array(
    raw: Any,
    where: str = "images",
    *,
    channels: Layout = None,
    resize: tuple[int, int] | None = None,
    n_channels: int | None = None,
) -> np.ndarray:
    """Images as (n, channels, height, width), in their own type and units.

    Args:
        raw: (n, h, w), (n, h, w, c) or (n, c, h, w) arrays or tensors, or lists of arrays, files or Pillow images.
        where: What to call them in messages.
        channels: Where the channels stand; by default found out from the axis that is 1, 3 or 4 long.
        resize: Height and width to bring all to (bilinear).
        n_channels: How many channels are expected (1 turns colour files grey, 3 turns grey files to colour).
    """
    if isinstance(raw, (list, tuple)) and raw and (isinstance(raw[0], (str, Path)) or hasattr(raw[0], "convert")):
        raw = _pictures(raw, resize, n_channels)
    elif isinstance(raw, (list, tuple)) and resize is not None:
        raw = [_resized(image_array([one], where, channels=channels), resize)[0] for one in raw]
        channels = "first"
    array = number_array(raw, where)
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4:
        array = array.transpose(0, 3, 1, 2) if _last(array.shape, channels, where) else array
    else:
        raise DataError(
            f"{where} have shape {array.shape}: allowed are (n, height, width), (n, height, width, channels) and "
            f"(n, channels, height, width)"
            + (". One image alone needs an axis more: x[None]" if array.ndim == 2 else "")
        )
    check_finite(array, where)
    return array if resize is None or array.shape[2:] == tuple(resize) else _resized(array, resize)


def _last(shape: tuple[int, ...], channels: Layout, where: str) -> bool:
    if channels is not None:
        return channels == "last"
    first, last = shape[1] in (1, 3, 4), shape[3] in (1, 3, 4)
    if first == last:
        why = "both could be the channels" if first else "neither is 1, 3 or 4 long"
        raise DataError(f"{where} have shape {shape}: axis 1 or axis 3? {why}. Say channels='first' or channels='last'")
    return last


def _resized(array: np.ndarray, resize: tuple[int, int]) -> np.ndarray:
    import torch
    import torch.nn.functional as F

    floats = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
    out = F.interpolate(floats, size=tuple(resize), mode="bilinear", align_corners=False, antialias=True).numpy()
    return out.round().clip(0, 255).astype(np.uint8) if array.dtype == np.uint8 else out


def like_images(array: np.ndarray) -> bool:
    """(n, a, b): bytes, or sides that are alike, are grey images; else channels and time."""
    sides = array.shape[1:]
    return array.dtype == np.uint8 or (min(sides) >= 8 and max(sides) <= 2 * min(sides))


def sequence_array(raw: Any, where: str = "sequences", *, channels: Layout = None) -> np.ndarray:
    """Sequences as (n, channels, time).

    Args:
        raw: (n, time), (n, channels, time), or (n, time, channels) with ``channels="last"``; arrays, tensors, lists.
        where: What to call them in messages.
        channels: Where the channels stand; first by default.
    """
    array = number_array(raw, where)
    if array.ndim == 2:
        array = array[:, None]
    elif array.ndim == 3:
        array = array.transpose(0, 2, 1) if channels == "last" else array
    else:
        raise DataError(
            f"{where} have shape {array.shape}: allowed are (n, time) and (n, channels, time), or (n, time, channels) "
            f"with channels='last'" + (". One sequence alone needs an axis more: x[None]" if array.ndim == 1 else "")
        )
    check_finite(array, where)
    return array
