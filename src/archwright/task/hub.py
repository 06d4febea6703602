"""Tasks of Hugging Face `datasets` objects, which need not be installed: what they offer is asked for by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archwright.errors import DataError, did_you_mean
from archwright.task.paths import SOUNDS, TABLES, from_frame, made
from archwright.task.task import Task

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["from_dataset", "is_dataset"]

SAID = ("text", "sentence", "transcription", "transcript", "normalized_text")
"""What columns of what is said are called, in the data sets of the field."""


def is_dataset(data: Any) -> bool:
    """Whether it is a `datasets.Dataset`, or a `DatasetDict` of several."""
    if isinstance(data, Mapping):
        return bool(data) and all(is_dataset(part) for part in data.values())
    return hasattr(data, "features") and hasattr(data, "column_names") and hasattr(data, "to_pandas")


def from_dataset(data: Any, options: Mapping[str, Any]) -> Task:
    """The task of a data set: images, sounds or texts with labels, sounds with what is said in them, or a table.

    Args:
        data: A `Dataset`; or a `DatasetDict`, whose ``test`` is the official test part, and whose ``validation`` joins
            ``train`` (a search divides them by its own seed).
        options: As for `archwright.task.load`: ``target=`` names the column to predict (by default the one of class
            labels, else what is said in sounds, else the last), ``kind=`` what the rest is.

    Raises:
        DataError: There is no training part, no such column, or nothing that can be learnt from.
    """
    parts = dict(data) if isinstance(data, Mapping) else {"train": data}
    if "train" not in parts:
        raise DataError(f"the data sets are {', '.join(map(repr, parts))}: one must be called 'train'")
    train = parts["train"]
    features, settings = dict(train.features), dict(options)
    sounds = _columns(features, "Audio")
    target = str(settings.pop("target", "") or _label(features, spoken=bool(sounds)))
    if target not in features:
        raise DataError(f"the data set has no column {target!r}. {did_you_mean(target, features)}")
    kind = settings.pop("kind", None)
    joined = [train, *(parts[name] for name in ("validation", "valid", "dev") if name in parts)]
    test = parts.get("test")
    settings = {"name": _name(train), "source": "a datasets.Dataset", **settings}
    images = [c for c in _columns(features, "Image") if c != target]
    if kind == "images" or (kind is None and images):
        if not images:
            raise DataError(f"kind='images': none of the columns {', '.join(map(repr, features))} holds images")
        from archwright.task.image import ImageClassification

        given = {**_pairs(joined, test, images[0], target), **_grouped(joined, test, settings.get("group"))}
        return made(ImageClassification, {**settings, **given}, settings["name"])
    if sounds and kind in (None, *SOUNDS):
        rate = getattr(features[sounds[0]], "sampling_rate", None)
        settings = {**({} if rate is None else {"resample": int(rate)}), **settings}
        joined = [_undecoded(d, sounds[0]) for d in joined]
        test = None if test is None else _undecoded(test, sounds[0])
        given = {**_pairs(joined, test, sounds[0], target), **_grouped(joined, test, settings.get("group"))}
        make = _of_sounds(kind or ("speech" if _are_said(train, target) else "audio"))
        return made(make, {**settings, **given}, settings["name"])
    import pandas as pd

    frame = pd.concat([_frame(d, target) for d in joined], ignore_index=True)
    held = None if test is None else _frame(test, target)
    if kind is not None and kind not in TABLES:
        raise DataError(f"kind={kind!r} does not fit a data set. {did_you_mean(kind, [*TABLES, 'images'])}")
    return from_frame(frame, kind, {"target": target, **({} if held is None else {"test": held}), **settings})


def _columns(features: Mapping[str, Any], kind: str) -> list[str]:
    return [column for column, feature in features.items() if type(feature).__name__ == kind]


def _label(features: Mapping[str, Any], *, spoken: bool) -> str:
    named = _columns(features, "ClassLabel") or [name for name in SAID if spoken and name in features]
    return named[0] if named else list(features)[-1]


def _are_said(data: Any, target: str) -> bool:
    """Whether the targets of sounds are what is said in them: texts, of which hardly any comes twice."""
    if getattr(data.features[target], "names", None):
        return False
    values = list(data[target])
    return all(isinstance(v, str) for v in values) and len(set(values)) > len(values) / 2


def _of_sounds(kind: str) -> Callable[..., Task]:
    from archwright.task.audio import AudioClassification
    from archwright.task.speech import SpeechRecognition

    return SpeechRecognition if kind == "speech" else AudioClassification


def _undecoded(data: Any, column: str) -> Any:
    """The same with files or bytes for sounds: to decode them, `datasets` needs packages that nothing here does."""
    if not hasattr(data, "cast_column"):
        return data
    return data.cast_column(column, type(data.features[column])(decode=False))


def _pairs(joined: Sequence[Any], test: Any, column: str, target: str) -> dict[str, Any]:
    """Samples and their targets, and those of the official test part."""
    pairs = {"x": [i for d in joined for i in d[column]], "y": [v for d in joined for v in _labels(d, target)]}
    return pairs if test is None else {**pairs, "x_test": list(test[column]), "y_test": _labels(test, target)}


def _grouped(joined: Sequence[Any], test: Any, group: Any) -> dict[str, Any]:
    """The groups of a column, where one is named."""
    if not isinstance(group, str):
        return {}
    if group not in joined[0].features:
        raise DataError(
            f"the data set has no column of groups {group!r}. {did_you_mean(group, list(joined[0].features))}"
        )
    groups = {"group": [v for d in joined for v in d[group]]}
    return groups if test is None else {**groups, "group_test": list(test[group])}


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
