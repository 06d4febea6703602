"""Boxes on the pictures they were found in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from archwright.task.arrays import image_array, picture
from archwright.task.boxes import Boxes
from archwright.task.detection import sizes_of
from archwright.task.inputs import ImageInputs

__all__ = ["boxes_in", "draw"]

COLOURS = ("#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#46f0f0", "#f032e6", "#9a6324")


def boxes_in(output: Tensor, targets: Boxes, raw: Any, inputs: ImageInputs) -> list[list[dict[str, Any]]]:
    """The boxes of each image, in the pixels of the images as they were given, not of what the network reads."""
    found = targets.answers(output)
    high, wide = targets.size
    for boxes, (h, w) in zip(found, sizes_of(raw, inputs.channels), strict=True):
        for box in boxes:
            left, top, right, bottom = box["box"]
            x, y = w / wide, h / high
            box["box"] = [round(v, 2) for v in (left * x, top * y, right * x, bottom * y)]
    return found


def draw(image: Any, boxes: Sequence[dict[str, Any]], labels: Sequence[str], channels: Any = None) -> Any:
    """A Pillow image with the boxes on it, a colour a class, each with its label and score.

    Args:
        image: A file, a Pillow image, or an array of one image.
        boxes: As `boxes_in` gives them.
        labels: All classes, so that a class has the same colour in every picture.
        channels: Where channels of an array stand.
    """
    from PIL import Image, ImageDraw

    if isinstance(image, (str, Path)):
        with Image.open(image) as opened:
            array = picture(opened, "RGB")
    elif hasattr(image, "convert"):
        array = picture(image, "RGB")
    else:
        array = image_array([image], channels=channels)[0].transpose(1, 2, 0)
        if array.dtype != np.uint8:  # any numbers: from the least to the greatest
            low, high = float(array.min()), float(array.max())
            array = (255 * (array - low) / max(high - low, 1e-9)).astype(np.uint8)
        array = array[..., :3] if array.shape[2] >= 3 else np.repeat(array[..., :1], 3, 2)
    drawn = Image.fromarray(np.ascontiguousarray(array))
    pen = ImageDraw.Draw(drawn)
    for box in boxes:
        colour = COLOURS[list(labels).index(box["label"]) % len(COLOURS)]
        left, top, right, bottom = box["box"]
        pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=colour)
        pen.text((left + 2, top + 1), f"{box['label']} {box['score']:.2f}", fill=colour)
    return drawn
