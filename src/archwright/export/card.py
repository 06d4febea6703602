"""The card: what a network is, how good it was, what it takes and gives, and which files it lies in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from archwright.errors import ExportError

__all__ = ["CARD", "Card", "File", "read_card", "write_card"]

CARD = "card.json"
FORMAT = "archwright card"
VERSION = 1


@dataclass(frozen=True)
class File:
    """One exported file.

    Attributes:
        name: In the card's folder.
        form: ``"weights"``, ``"source"``, ``"onnx"`` or ``"pt2"``.
        bytes: Its size.
        sha256: Of its content.
        check: How far its outputs were from the original's: ``max_difference``, ``scale`` (greatest absolute output
            of the original), ``tolerance`` (as a share of the scale) and ``batches`` (sizes that it was run on).
        load: How to load it, in Python.
        seconds: What writing and checking it took.
    """

    name: str
    form: str
    bytes: int
    sha256: str
    check: Mapping[str, Any]
    load: str
    seconds: float


@dataclass(frozen=True)
class Card:
    """All that is known about an exported network; ``card.json`` holds the same fields.

    The caller of `archwright.export.export` gives the first block, the export fills in the second.

    Attributes:
        name: What the network is for, e.g. the task's name.
        task: The task's description (JSON).
        architecture: The chosen values by decision, or None for a network from elsewhere.
        costs: Figures by name: ``params``, ``macs``, ``bytes``, ``peak_bytes``, ``latency_ms``.
        metrics: Figures by name as measured, e.g. ``{"test": {"accuracy": {"mean": 0.99, "std": 0.002,
            "interval": [0.985, 0.994]}}}``.
        preparation: What `archwright.task.Preparation.to_json` gives: raw data to inputs, outputs to answers.
        labels: The class of each output, for a classifier; by default those of the preparation.
        seed: Of the training that made these weights.
        command: What repeats the search.
        notes: Anything else (JSON).
        created: Date and time (UTC, ISO 8601).
        input_shape: One input, without the batch.
        input_dtype: ``"float32"`` or ``"int64"``.
        output_shape: One output, without the batch; empty when the network returns several tensors.
        files: What was written.
        left_out: Form by form, why it was not written.
        versions: Of Python and the packages that wrote the files.
    """

    name: str = ""
    task: Mapping[str, Any] | None = None
    architecture: Mapping[str, Any] | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    preparation: Mapping[str, Any] | None = None
    labels: tuple[Any, ...] | None = None
    seed: int | None = None
    command: str | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    created: str = ""
    input_shape: tuple[int, ...] = ()
    input_dtype: str = "float32"
    output_shape: tuple[int, ...] = ()
    files: tuple[File, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def file(self, form: str) -> File | None:
        """The file of a form, or None when it was left out."""
        return next((f for f in self.files if f.form == form), None)

    def to_json(self) -> dict[str, Any]:
        """As JSON values. A `Mapping` such as an `Architecture` becomes a plain object."""
        values = {f.name: _plain(getattr(self, f.name)) for f in fields(self) if f.name != "files"}
        return {"format": FORMAT, "version": VERSION, **values, "files": [asdict(f) for f in self.files]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Card:
        """Read what `to_json` gave. Fields of a later, compatible writer are left aside."""
        if values.get("format") != FORMAT or not isinstance(values.get("version"), int):
            raise ExportError("this is not a card that archwright wrote")
        if values["version"] > VERSION:
            raise ExportError(
                f"the card has version {values['version']}, this archwright reads up to {VERSION}: update it"
            )
        known = {f.name for f in fields(cls)}
        given = {k: v for k, v in values.items() if k in known}
        for name in ("input_shape", "output_shape", "labels"):
            if given.get(name) is not None:
                given[name] = tuple(given[name])
        own = {f.name for f in fields(File)}
        try:
            given["files"] = tuple(File(**{k: v for k, v in f.items() if k in own}) for f in given.get("files", ()))
        except (TypeError, AttributeError) as error:
            raise ExportError(f"the card's list of files is damaged: {error}") from None
        return cls(**given)


def write_card(card: Card, folder: str | Path) -> Path:
    """Write ``card.json`` into a folder, replacing one that is there in one step; returns its path."""
    path = Path(folder) / CARD
    partial = path.with_name(f".{CARD}.partial")
    try:
        partial.write_text(card_text(card), encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ExportError(f"{path} cannot be written: {error}") from error
    return path


def card_text(card: Card) -> str:
    """What ``card.json`` holds. Raises `ExportError` for a value that JSON cannot hold."""
    try:
        return json.dumps(card.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ExportError(f"the card holds a value that JSON cannot: {error}") from None


def read_card(folder: str | Path) -> Card:
    """The card of an exported folder (or the path of a ``card.json``)."""
    path = Path(folder)
    if not path.exists():
        raise ExportError(f"{path} does not exist: give the folder that a search or export wrote")
    path = path / CARD if path.is_dir() else path
    if not path.is_file():
        raise ExportError(f"{path.parent} has no {CARD}: it is not a folder that archwright exported")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"{path} cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise ExportError(f"{path} is not a card that archwright wrote")
    try:
        return Card.from_json(values)
    except ExportError as error:
        raise ExportError(f"{path}: {error}") from None


def _plain(value: Any) -> Any:
    """JSON values out of mappings, tuples, numpy numbers, and floats that JSON has no word for."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
