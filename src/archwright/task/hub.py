"""Tasks of Hugging Face `datasets` objects, which need not be installed: what they offer is asked for by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archwright.errors import DataError, did_you_mean
from archwright.task.paths import TABLES, from_frame, made
from archwright.task.task import Task

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["from_dataset", "is_dataset"]


def is_dataset(data: Any) -> bool:
    """Whether it is a `datasets.Dataset`, or a `DatasetDict` of several."""
    if isinstance(data, Mapping):
        return bool(data) and all(is_dataset(part) for part in data.values())
    return hasattr(data, "features") and hasattr(data, "column_names") and hasattr(data, "to_pandas")


def from_dataset(data: Any, options: Mapping[str, Any]) -> Task:
    """The task of a data set: images with labels, texts with labels, or a table.

    Args:
        data: A `Dataset`; or a `DatasetDict`, whose ``test`` is the official test part, and whose ``validation`` joins
            ``train`` (a search divides them by its own seed).
        options: As for `archwright.task.load`: ``target=`` names the column to predict (by default the one of class
            labels, else the last), ``kind=`` what the rest is.

    Raises:
        DataError: There is no training part, no such column, or nothing that can be learnt from.
    """
    parts = dict(data) if isinstance(data, Mapping) else {"train": data}
    if "train" not in parts:
        raise DataError(f"the data sets are {', '.join(map(repr, parts))}: one must be called 'train'")
    train = parts["train"]
    features, settings = dict(train.features), dict(options)
    target = str(settings.pop("target", "") or _label(features))
    if target not in features:
        raise DataError(f"the data set has no column {target!r}. {did_you_mean(target, features)}")
    kind = settings.pop("kind", None)
    joined = [train, *(parts[name] for name in ("validation", "valid", "dev") if name in parts)]
    test = parts.get("test")
    settings = {"name": _name(train), "source": "a datasets.Dataset", **settings}
    images = [c for c, f in features.items() if type(f).__name__ == "Image" and c != target]
    if kind == "images" or (kind is None and images):
        if not images:
            raise DataError(f"kind='images': none of the columns {', '.join(map(repr, features))} holds images")
        from archwright.task.image import ImageClassification

        given = {"x": [i for d in joined for i in d[images[0]]], "y": [v for d in joined for v in _labels(d, target)]}
        if test is not None:
            given |= {"x_test": list(test[images[0]]), "y_test": _labels(test, target)}
        group = settings.get("group")
        if isinstance(group, str):
            if group not in features:
                raise DataError(f"the data set has no column of groups {group!r}. {did_you_mean(group, features)}")
            settings["group"] = [v for d in joined for v in d[group]]
            settings |= {} if test is None else {"group_test": list(test[group])}
        return made(ImageClassification, {**given, **settings}, settings["name"])
    import pandas as pd

    frame = pd.concat([_frame(d, target) for d in joined], ignore_index=True)
    held = None if test is None else _frame(test, target)
    if kind is not None and kind not in TABLES:
        raise DataError(f"kind={kind!r} does not fit a data set. {did_you_mean(kind, [*TABLES, 'images'])}")
    return from_frame(frame, kind, {"target": target, **({} if held is None else {"test": held}), **settings})


def _label(features: Mapping[str, Any]) -> str:
    named = [column for column, feature in features.items() if type(feature).__name__ == "ClassLabel"]
    return named[0] if named else list(features)[-1]


def _labels(data: Any, target: str) -> list[Any]:
    """The labels, by their names where the data set has them. A label of -1 means that it is kept secret."""
    names = getattr(data.features[target], "names", None)
    values = list(data[target])
    secret = sum(isinstance(v, int) and v < 0 for v in values) if names else 0
    if secret:
        raise DataError(
            f"{secret} of {len(values)} labels of a part are -1, which means unknown: leave this part out, as "
            f"load({{'train': data['train']}})"
        )
    return [names[v] for v in values] if names else values


def _frame(data: Any, target: str) -> pd.DataFrame:
    frame: pd.DataFrame = data.to_pandas()
    frame[target] = _labels(data, target)
    return frame


def _name(data: Any) -> str:
    return str((getattr(data, "info", None) and getattr(data.info, "dataset_name", None)) or "dataset")
