"""Tasks by the path of a file or folder: what it holds is guessed, or said by ``kind=``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archwright.errors import DataError, did_you_mean
from archwright.task.annotations import holds_boxes
from archwright.task.arrays import like_images
from archwright.task.graphsets import holds_graphs
from archwright.task.masks import holds_masks
from archwright.task.neighbourhoods import holds_graph
from archwright.task.reading import read_npz
from archwright.task.sounds import holds_sounds, sound_column
from archwright.task.task import Task

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SOUNDS", "TABLES", "from_frame", "from_path", "made"]

# What makes a task of each kind, by its name in `archwright.task`: imported when it is needed.
FOLDERS = {
    "audio": "AudioClassification.from_folder",
    "speech": "SpeechRecognition.from_folder",
    "images": "ImageClassification.from_folder",
    "generation": "ImageGeneration.from_folder",
    "segmentation": "Segmentation.from_folder",
    "detection": "Detection.from_folder",
    "nodes": "NodeClassification.from_folder",
    "graphs": "GraphClassification.from_folder",
}
TABLES = {
    "classification": "TabularClassification",
    "regression": "TabularRegression",
    "text": "TextClassification.from_table",
    "translation": "Translation.from_table",
    "audio": "AudioClassification.from_table",
    "speech": "SpeechRecognition.from_table",
    "forecast": "Forecasting",
    "recommendation": "Recommendation",
    "clicks": "Recommendation.of_clicks",
    "several": "MultiTask.from_table",
}
ARRAYS = {
    "images": "ImageClassification",
    "generation": "ImageGeneration",
    "sequences": "SequenceClassification",
    "audio": "AudioClassification",
    "segmentation": "Segmentation",
    "table": "",  # classes or quantities: the targets say
    "classification": "TabularClassification",
    "regression": "TabularRegression",
}
NPZ = {"nodes": "NodeClassification.from_folder", "detection": "Detection.from_npz"}
"""Kinds of ``.npz`` files with arrays of their own names."""
SOUNDS = ("audio", "speech")
HOLDS: dict[str, Callable[[Path], bool]] = {
    "graphs": holds_graphs,  # before nodes, whose files they have too
    "nodes": holds_graph,
    "detection": holds_boxes,
    "segmentation": holds_masks,
    "audio": holds_sounds,
}
"""What a folder is, by what it holds; else it is images."""
COCO = {"detection": "Detection.from_folder"}
TEXTS = {"language": "LanguageModelling.from_file"}


def from_path(path: Path, options: Mapping[str, Any]) -> Task:
    """The task of the data in a file or folder that exists; see `archwright.task.load`."""
    settings = dict(options)
    kind = settings.pop("kind", None)
    if path.is_dir():
        kind = kind or next((k for k, holds in HOLDS.items() if holds(path)), "images")
        return made(_maker(FOLDERS, kind, path), {"path": path, **settings}, str(path))
    settings = {"name": path.stem, "source": str(path), **settings}
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv", ".parquet"):
        return _from_table(path, kind, settings)
    if suffix == ".npz":
        kind = kind or next((k for k in NPZ if HOLDS[k](path)), None)
        if kind in NPZ:
            return made(_named(NPZ[kind]), {"path": path, **settings}, str(path))
        return _from_arrays(path, kind, settings)
    if suffix == ".json":
        return made(_maker(COCO, kind or "detection", path), {"path": path, **settings}, str(path))
    if suffix == ".txt":
        return made(_maker(TEXTS, kind or "language", path), {"path": path, **settings}, str(path))
    raise DataError(
        f"{str(path)!r} has the ending {suffix!r}: allowed are .csv, .tsv, .parquet, .npz, .txt, .json, or a folder of "
        f"class folders of images"
    )


def made(make: Callable[..., Task], options: Mapping[str, Any], name: str, of: str | None = None) -> Task:
    """``make(**options)``; an option that it does not take is an error that says which ones it does.

    Args:
        make: A class of tasks, a method of one, or a function.
        options: For it.
        name: Of the data, for the message.
        of: The class whose options `make` passes on, where that is not plain.
    """
    try:
        return make(**options)
    except TypeError as error:
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        if unknown is None or unknown.group(1) not in options:
            raise
        takes = _named(of) if of else getattr(make, "__self__", make)
        if unknown.group(1) == "group":
            raise DataError(
                f"{name!r}: groups are not compared by {takes.__name__}, which has none to tell apart: leave group out"
            ) from None
        data = ("self", "x", "y", "data", "x_test", "y_test", "options")
        said = [p for p in inspect.signature(takes).parameters if p not in data]
        raise DataError(
            f"{name!r} takes no option {unknown.group(1)!r}. {did_you_mean(unknown.group(1), said)}"
        ) from None


def _named(name: str) -> Callable[..., Task]:
    from archwright import task

    of, _, method = name.partition(".")
    return getattr(getattr(task, of), method) if method else getattr(task, of)


def _maker(makers: Mapping[str, str], kind: str, path: Path | str) -> Callable[..., Task]:
    if kind not in makers:
        raise DataError(f"kind={kind!r} does not fit {str(path)!r}. {did_you_mean(kind, makers)}")
    return _named(makers[kind])


def from_frame(frame: pd.DataFrame, kind: str | None, settings: Mapping[str, Any], where: str = "the table") -> Task:
    """The task of a table in memory, of a kind that is said, or seen in its columns."""
    from archwright.task.text import is_of_texts

    target = settings.get("target")
    kind = kind or _said(settings)
    if kind is None:
        rest = _without(frame, settings.get("group"))
        kind = "text" if is_of_texts(rest, target) else _kind_of_target(rest, target)
    return made(_maker(TABLES, kind, where), {"data": frame, **settings}, where)


def _without(frame: pd.DataFrame, group: Any) -> pd.DataFrame:
    """The table without the column that tells groups apart, which says nothing of its kind."""
    return frame.drop(columns=[group]) if isinstance(group, str) and group in frame.columns else frame


def _said(settings: Mapping[str, Any]) -> str | None:
    """The kind that other options leave no doubt of."""
    if "horizon" in settings:
        return "forecast"
    if "user" in settings or "item" in settings:
        return "recommendation"
    return "several" if "," in str(settings.get("target")) else None


def _from_table(path: Path, kind: str | None, settings: dict[str, Any]) -> Task:
    from archwright.task.table import read_table
    from archwright.task.text import is_of_texts

    kind = kind or _said(settings)
    frame = read_table(path, texts=kind in ("text", "translation"))
    if kind in SOUNDS or (kind is None and sound_column(frame) is not None):
        # Not the table, but where it is: files are looked for beside it.
        return made(_maker(TABLES, kind or "audio", path), {"data": path, **settings}, str(path))
    if kind is None and is_of_texts(_without(frame, settings.get("group")), settings.get("target")):
        kind, frame = "text", read_table(path, texts=True)
    return from_frame(frame, kind, settings, str(path))


def _from_arrays(path: Path, kind: str | None, settings: dict[str, Any]) -> Task:
    data = read_npz(path, ("x",), more=("y",)) if kind == "generation" else read_npz(path)
    kind = kind or _kind_of_arrays(data)
    rate = data.pop("sample_rate", None)
    if kind in SOUNDS and rate is not None:
        settings = {"sample_rate": int(rate), **settings}
    if kind == "table":
        quantity = data["y"].dtype.kind == "f" and bool((data["y"] != np.round(data["y"])).any())
        kind = "regression" if quantity or data["y"].ndim == 2 else "classification"
    if kind in ("classification", "regression"):
        if "x_test" in data:
            settings = {"test": (data["x_test"], data["y_test"]), **settings}
        data = {"data": data["x"], "y": data["y"], **{k: data[k] for k in ("group", "group_test") if k in data}}
    return made(_maker({**ARRAYS, **NPZ}, kind, path), {**data, **settings}, str(path))


def _kind_of_arrays(data: Mapping[str, np.ndarray]) -> str:
    """Masks have places, sounds a sample rate; what else the axes say."""
    x = data["x"]
    if "sample_rate" in data:
        return "audio"
    if data["y"].ndim >= 3:
        return "segmentation"
    if x.ndim == 4:
        return "images"
    if x.ndim != 3:
        return "table"
    return "images" if like_images(x) else "sequences"


def _kind_of_target(frame: pd.DataFrame, target: str | None) -> str:
    """Texts, booleans and few integers are classes; numbers with fractions and many integers are quantities."""
    import pandas as pd

    name = str(target) if target is not None else str(frame.columns[-1])
    if name not in frame.columns:
        raise DataError(f"the table has no target column {name!r}. {did_you_mean(name, map(str, frame.columns))}")
    values = frame[name].dropna()
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return "classification"
    whole = bool((values == values.round()).all())
    return "classification" if whole and values.nunique() <= 20 else "regression"
