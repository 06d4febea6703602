"""Answers for new data from an exported folder."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archwright.errors import DataError, ExportError, did_you_mean
from archwright.export.agreement import tensors
from archwright.export.card import Card, read_card
from archwright.export.forms import FILES, Runs, open_form
from archwright.export.generating import generate
from archwright.export.pictures import boxes_in, draw
from archwright.export.writing import digest
from archwright.task import Preparation
from archwright.task.boxes import Boxes
from archwright.task.clips import AudioInputs
from archwright.task.graphsets import GraphSetInputs, read_graphs
from archwright.task.inputs import ImageInputs
from archwright.task.neighbourhoods import GraphInputs, read_graph
from archwright.task.pairs import PairInputs
from archwright.task.pictures import Latents, Pictures, grid
from archwright.task.pixels import Pixels
from archwright.task.reading import read_raw
from archwright.task.targets import NextTokens, Quantities
from archwright.task.tokens import TextInputs
from archwright.task.translations import SourceInputs
from archwright.task.windows import WindowInputs

__all__ = ["Prediction", "predict", "save_grid"]

BATCH, MASKS = 256, 16
RUNNABLE = ("source", "pt2", "onnx")


@dataclass(frozen=True)
class Prediction:
    """The answer for one sample.

    Attributes:
        sample: A file's name, or the number of the row from 0.
        label: The likeliest class, for a classifier.
        probability: That class's probability by softmax (a network's own, not calibrated).
        value: Otherwise: the quantity in its own units; a translation; for a forecast, a list of quantities by target;
            of a user and an item, both with the rating or score; for a class a pixel, the share of the image by class;
            for things, their boxes in the image's own pixels; for an image that was made, its mean over pixels, 0 to
            255; or the network's output as numbers.
        mask: For a class a pixel: (height, width) values or (height, width, 3) colours, as masks had in training.
        image: An image that was made: uint8 (height, width) or (height, width, 3).
        drawing: For things: gives the image, as a Pillow image, with their boxes on it.
    """

    sample: str
    label: Any = None
    probability: float | None = None
    value: Any = None
    mask: np.ndarray | None = field(default=None, repr=False, compare=False)
    image: np.ndarray | None = field(default=None, repr=False, compare=False)
    drawing: Callable[[], Any] | None = field(default=None, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """The fields that say something, but for mask, image and drawing, which are for files."""
        return {k: v for k, v in asdict(replace(self, mask=None, image=None, drawing=None)).items() if v is not None}

    def save_mask(self, folder: str | Path) -> Path:
        """Write the mask as ``NAME.png`` into a folder: values of one number a pixel, or colours, as in training."""
        from PIL import Image

        if self.mask is None:
            raise ExportError("this answer has no mask: only networks that say a class for each pixel give one")
        return self._saved(Image.fromarray(self.mask), folder)

    def save_image(self, folder: str | Path) -> Path:
        """Write the image that was made as ``NAME.png`` into a folder."""
        from PIL import Image

        if self.image is None:
            raise ExportError("this answer is no image: only networks that make images give one")
        return self._saved(Image.fromarray(self.image), folder)

    def save_drawing(self, folder: str | Path) -> Path:
        """Write the image with boxes around what was found as ``NAME.png`` into a folder."""
        if self.drawing is None:
            raise ExportError("this answer has no boxes to draw: only networks that find things give some")
        return self._saved(self.drawing(), folder)

    def _saved(self, image: Any, folder: str | Path) -> Path:
        path = (Path(folder) / self.sample).with_suffix(".png")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
        except OSError as error:
            raise ExportError(f"{path} cannot be written ({error.strerror}): give another folder") from None
        return path


def save_grid(answers: Sequence[Prediction], path: str | Path) -> Path:
    """Write all images that were made into one picture, in rows.

    Raises:
        ExportError: the answers are no images, or the file cannot be written.
    """
    images = [answer.image for answer in answers if answer.image is not None]
    if len(images) < len(answers) or not images:
        raise ExportError("these answers are no images to lay side by side: only networks that make images give some")
    place = Path(path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        grid(images).save(place)
    except (OSError, ValueError) as error:  # Pillow's own for an ending that is no image
        raise ExportError(f"{place} cannot be written ({error}): give another file, such as grid.png") from None
    return place


def predict(
    folder: str | Path,
    data: Any = None,
    *,
    form: str | None = None,
    verify: bool = True,
    tokens: int = 200,
    temperature: float = 0.8,
    seed: int = 0,
    samples: int | None = None,
) -> list[Prediction]:
    """Run an exported network on new data.

    Args:
        folder: What a search or `export` wrote.
        data: A path: an image or a sound, a folder of them, a CSV or Parquet file with a header, an ``.npy`` file or an
            ``.npz`` file with ``x``, for texts also a ``.txt`` file with one in each line; or the same as a list,
            arrays, tensors, a DataFrame. Raw, as the task was given it. A forecast goes on after the last row of each
            series.
        form: ``"source"``, ``"pt2"`` or ``"onnx"``; by default the first that is there. ``source`` executes the
            folder's model.py: use only folders that you trust.
        verify: Refuse files whose content changed since the export.
        tokens: How many tokens a language model goes on with each text for.
        temperature: How freely; 0 always takes the likeliest token. See `archwright.export.generating.generate`.
        seed: Of its draws, and of those of `samples`.
        samples: How many images to make, instead of data, of a network that makes some; each answer has its `image`.

    Raises:
        ExportError: The folder is missing, not ours, changed, or lacks the form.
        DataError: The data cannot be read, or do not fit the network.
    """
    card = read_card(folder)
    home = Path(folder) if Path(folder).is_dir() else Path(folder).parent
    run = _runner(card, home, form, verify)
    preparation = Preparation.from_json(card.preparation) if card.preparation is not None else None
    texts = preparation is not None and isinstance(preparation.features, (TextInputs, SourceInputs))
    raw: Any
    if samples is not None or data is None:
        raw, names = _drawn(samples, data, preparation, seed), None
    elif preparation is not None and isinstance(preparation.features, GraphInputs):
        read = read_graph(data)
        raw, names = read.graph, list(read.ids) or None
    elif preparation is not None and isinstance(preparation.features, GraphSetInputs):
        many = read_graphs(data)
        raw, names = many, list(many.ids) or None
    else:
        raw, names = _read(data, preparation, texts) if isinstance(data, (str, Path)) else (data, None)
    if texts and preparation is not None and isinstance(preparation.targets, NextTokens):
        features: Any = preparation.features
        begun = features.column_of(raw)
        made = generate(run, features, begun, tokens=tokens, temperature=temperature, seed=seed)
        return [Prediction(str(i), value=text) for i, text in enumerate(made)]
    if preparation is not None and isinstance(preparation.features, SourceInputs):
        return [Prediction(str(i), value=text) for i, text in enumerate(preparation.features.translate(run, raw))]
    inputs = preparation.inputs(raw) if preparation is not None else _as_tensor(raw, card)
    if tuple(inputs.shape[1:]) != card.input_shape:
        raise DataError(
            f"one sample of the data has shape {tuple(inputs.shape[1:])}: this network takes {card.input_shape}. "
            "Give it data of the kind that it was trained on"
        )
    if len(inputs) == 0:
        raise DataError("the data hold no sample: give at least one")
    if preparation is not None and isinstance(preparation.features, WindowInputs):
        names = preparation.features.labels(raw)
    if preparation is not None and isinstance(preparation.features, PairInputs):
        return _pairs(run, inputs, raw, preparation)
    names = names if names is not None and len(names) == len(inputs) else [str(i) for i in range(len(inputs))]
    answers = []
    size = MASKS if preparation is not None and isinstance(preparation.targets, (Pixels, Boxes)) else BATCH
    for start in range(0, len(inputs), size):  # scores of many images, a class a pixel, would fill the memory
        output = _output(run, inputs[start : start + size])
        if preparation is not None and isinstance(preparation.targets, Boxes):
            answers += _boxes(names[start : start + size], output, raw[start : start + size], preparation)
            continue
        answers += _answers(names[start : start + size], output, card, preparation)
    return answers


def _pairs(run: Runs, inputs: Tensor, raw: Any, preparation: Preparation) -> list[Prediction]:
    """Ratings, or scores, of users and items, with both beside them."""
    features = preparation.features
    assert isinstance(features, PairInputs)
    answers = [a for part in inputs.split(BATCH) for a in preparation.answers(_output(run, part))]
    targets = preparation.targets
    frame, named = features.frame(raw), targets.names[0] if isinstance(targets, Quantities) else "score"
    rows = zip(frame[features.user].tolist(), frame[features.item].tolist(), answers, strict=True)
    return [
        Prediction(str(i), value={features.user: user, features.item: item, named: answer})
        for i, (user, item, answer) in enumerate(rows)
    ]


def _drawn(samples: int | None, data: Any, preparation: Preparation | None, seed: int) -> Tensor:
    """Latent numbers of so many images."""
    features = preparation.features if preparation is not None else None
    if not isinstance(features, Latents):
        raise DataError("this network answers for data: give some. Only one that makes images takes samples= instead")
    if data is not None or samples is None:
        raise DataError("a network that makes images takes samples=, how many, or latent numbers as data; not both")
    return features(samples, seed)


def _read(data: str | Path, preparation: Preparation | None, texts: bool) -> tuple[Any, list[str]]:
    """What is at a path, raw, and what each sample of it is called."""
    if preparation is not None and isinstance(preparation.features, AudioInputs):
        return preparation.features.read(Path(data))
    return read_raw(data, texts=texts)


def _boxes(names: list[str], output: Tensor, raw: Any, preparation: Preparation) -> list[Prediction]:
    """What was found in images, in the pixels of these."""
    targets, features = preparation.targets, preparation.features
    assert isinstance(targets, Boxes)
    assert isinstance(features, ImageInputs)
    found = boxes_in(output, targets, raw, features)
    return [
        Prediction(name, value=boxes, drawing=functools.partial(draw, image, boxes, targets.labels, features.channels))
        for name, boxes, image in zip(names, found, raw, strict=True)
    ]


def _runner(card: Card, folder: Path, form: str | None, verify: bool) -> Runs:
    """What runs the chosen form, or the first that is there and intact."""
    if form is not None and form not in RUNNABLE:
        raise ExportError(f"no form that runs is called {form!r}. {did_you_mean(form, RUNNABLE)}")
    there = [f for f in RUNNABLE if card.file(f) is not None and (folder / FILES[f]).is_file()]
    chosen = form or next(iter(there), None)
    if chosen is None:
        wanted = ", ".join(FILES[f] for f in RUNNABLE)
        raise ExportError(f"{folder} holds none of {wanted}: export the network again")
    if card.file(chosen) is None:
        why = card.left_out.get(chosen, "it was not asked for")
        raise ExportError(f"{folder} has no {FILES[chosen]}: {why}. There are: {', '.join(there) or 'none'}")
    for part in ("source", "weights") if chosen == "source" else (chosen,):
        file, path = card.file(part), folder / FILES[part]
        if not path.is_file():
            raise ExportError(f"{folder} has no {path.name}, which its card lists: it was removed; export again")
        if verify and (file is None or digest(path) != file.sha256):
            raise ExportError(
                f"{path} changed since it was exported (its SHA-256 is not the card's): export again, "
                "or pass verify=False if the change is yours"
            )
    return open_form(folder, chosen)


def _as_tensor(raw: Any, card: Card) -> Tensor:
    """Data for a network without a preparation: numbers as they are."""
    dtype = getattr(torch, card.input_dtype)
    try:
        if not isinstance(raw, Tensor):
            raw = torch.from_numpy(np.array(raw, dtype=np.float64))
        inputs: Tensor = raw.detach().cpu().to(dtype)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"the data are no array of numbers ({error}): this network's card says nothing of how to prepare others; "
            f"give an array of shape (n, {', '.join(map(str, card.input_shape))})"
        ) from None
    if dtype.is_floating_point and not bool(inputs.isfinite().all()):
        bad = int((~inputs.isfinite()).sum())
        raise DataError(f"the data hold {bad} NaN or infinite values: remove or replace them")
    return inputs


def _output(run: Runs, inputs: Tensor) -> Tensor:
    with torch.no_grad():
        given = list(tensors(run(inputs)))
    if len(given) != 1:
        raise ExportError(f"the network gives {len(given)} tensors: predict reads networks that give one")
    return given[0]


def _answers(names: list[str], output: Tensor, card: Card, preparation: Preparation | None) -> list[Prediction]:
    labels = card.labels
    if labels and output.dim() == 2 and output.shape[1] == len(labels):
        probability, index = output.double().softmax(1).max(1)
        rows = zip(names, index.tolist(), probability.tolist(), strict=True)
        return [Prediction(name, label=labels[i], probability=p) for name, i, p in rows]
    if preparation is not None and isinstance(preparation.targets, Pixels):
        shares, masks = preparation.targets.shares(output), preparation.targets.answers(output)
        return [Prediction(n, value=v, mask=m) for n, v, m in zip(names, shares, masks, strict=True)]
    if preparation is not None and isinstance(preparation.targets, Pictures):
        images = preparation.targets.answers(output)
        return [Prediction(n, value=round(float(i.mean()), 2), image=i) for n, i in zip(names, images, strict=True)]
    values = preparation.answers(output) if preparation is not None else output.tolist()
    return [Prediction(name, value=value) for name, value in zip(names, values, strict=True)]
