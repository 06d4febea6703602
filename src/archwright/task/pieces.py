"""Several inputs of one sample, each prepared as its kind is, laid side by side in one tensor."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archwright.errors import DataError, did_you_mean
from archwright.task.arrays import image_array, like_images, sequence_array
from archwright.task.inputs import ImageInputs, SequenceInputs
from archwright.task.table import Column, TableInputs, as_frame, kind_of
from archwright.task.tokens import TextInputs, text_list

__all__ = ["JoinedInputs", "Pieces"]

Kind = ImageInputs | SequenceInputs | TableInputs | TextInputs

_KINDS: dict[str, Callable[[Mapping[str, Any]], Kind]] = {
    "images": ImageInputs.from_json,
    "sequences": SequenceInputs.from_json,
    "table": TableInputs.from_json,
    "texts": TextInputs.from_json,
}


@dataclass(frozen=True)
class JoinedInputs:
    """Raw inputs by name to float32 (n, numbers): the pieces flat, in order. Token numbers are whole floats."""

    pieces: tuple[tuple[str, Kind], ...]

    def __call__(self, raw: Any) -> Tensor:
        """A mapping with all inputs by name to a tensor."""
        if not isinstance(raw, Mapping):
            raise DataError(f"inputs are a {type(raw).__name__}: give them by name: {', '.join(self.names)}")
        for name in self.names:
            if name not in raw:
                raise DataError(f"input {name!r} is missing. {did_you_mean(name, map(str, raw))}")
        made = [kind(raw[name]).flatten(1).float() for name, kind in self.pieces]
        lengths = {name: len(piece) for name, piece in zip(self.names, made, strict=True)}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{name} {n}" for name, n in lengths.items())
            raise DataError(f"the inputs differ in length: {said}; each sample has one of each")
        return torch.cat(made, 1)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the inputs."""
        return tuple(name for name, _ in self.pieces)

    def shapes(self) -> list[dict[str, Any]]:
        """What `archwright.nn.spaces.towers` must know of each."""
        found = []
        for name, kind in self.pieces:
            if isinstance(kind, TextInputs):
                found.append({"name": name, "shape": [kind.length], "vocabulary": kind.vocabulary})
            else:
                found.append({"name": name, "shape": list(kind.shape)})
        return found

    def place(self, name: str) -> slice:
        """Where an input lies in the tensor."""
        at = 0
        for piece in self.shapes():
            size = math.prod(piece["shape"])
            if piece["name"] == name:
                return slice(at, at + size)
            at += size
        raise DataError(f"there is no input {name!r}. {did_you_mean(name, self.names)}")

    def only(self, name: str) -> JoinedInputs:
        """One of them."""
        self.place(name)
        return JoinedInputs(tuple(p for p in self.pieces if p[0] == name))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": "joined", "pieces": [{"name": name, **kind.to_json()} for name, kind in self.pieces]}

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> JoinedInputs:
        """Read what `to_json` wrote."""
        return cls(tuple((p["name"], _KINDS[p["kind"]](p)) for p in d["pieces"]))


class Pieces:
    """Raw inputs, read and checked; indexed by rows as an array is."""

    def __init__(self, raw: Mapping[str, Any]):
        self.read = {str(name): _read(str(name), value) for name, value in raw.items()}
        lengths = {name: len(value) for name, (_, value) in self.read.items()}
        if len(set(lengths.values())) > 1:
            said = ", ".join(f"{name} {n}" for name, n in lengths.items())
            raise DataError(f"the inputs differ in length: {said}; each sample has one of each")

    def __len__(self) -> int:
        return len(next(iter(self.read.values()))[1])

    def measured(self, train: np.ndarray) -> JoinedInputs:
        """How they become numbers, by the statistics of the training rows."""
        found: list[tuple[str, Kind]] = []
        for name, (kind, value) in self.read.items():
            if kind == "table":
                kinds = {c: kind_of(c, value[c], f"input {name!r}") for c in value.columns}
                columns = tuple(Column.of(c, k, value[c].iloc[train]) for c, k in kinds.items() if k)
                if not columns:
                    raise DataError(f"input {name!r} has no column to learn from: every text is another")
                found.append((name, TableInputs(columns)))
            elif kind == "texts":
                found.append((name, TextInputs.of(value[train].tolist(), "auto", None, 128, lowercase=True)))
            else:
                found.append((name, (ImageInputs if kind == "images" else SequenceInputs).of(value[train])))
        return JoinedInputs(tuple(found))

    def prepared(self, inputs: JoinedInputs, rows: np.ndarray) -> Tensor:
        """Some rows as the network reads them."""
        made = []
        for name, kind in inputs.pieces:
            value = self.read[name][1]
            if isinstance(kind, TableInputs):
                made.append(kind(value.iloc[rows]))
            elif isinstance(kind, TextInputs):
                made.append(kind(value[rows].tolist()))
            else:
                made.append(kind.prepare(value[rows], f"input {name!r}"))
        return torch.cat([piece.flatten(1).float() for piece in made], 1)


def _read(name: str, value: Any) -> tuple[str, Any]:
    """What kind of input it is, and it as an array or a table."""
    if hasattr(value, "columns") or isinstance(value, Mapping):
        return "table", as_frame(value, f"input {name!r}")
    array = value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)
    if array.dtype.kind in "OU" and array.ndim == 1:
        return "texts", np.array(text_list(value, f"input {name!r}"), dtype=object)
    if array.ndim == 2:
        return "table", as_frame(array, f"input {name!r}")
    if array.ndim == 4 or (array.ndim == 3 and like_images(array)):
        return "images", image_array(value, f"input {name!r}")
    if array.ndim == 3:
        return "sequences", sequence_array(value, f"input {name!r}")
    raise DataError(
        f"input {name!r} has shape {array.shape}: allowed are images (n, h, w[, c]), sequences (n, channels, time), "
        "tables (n, columns) or a DataFrame, and texts"
    )
