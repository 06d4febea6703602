"""Several tasks at once: one network, a shared trunk, and a head for each target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from archwright.errors import DataError, did_you_mean
from archwright.task.arrays import Layout, check_lengths, image_array, like_images, sequence_array
from archwright.task.augment import ImageAugmentation, SequenceAugmentation, TableAugmentation
from archwright.task.baseline import ResidualConv, ResidualMLP, fitted
from archwright.task.inputs import ImageInputs, SequenceInputs
from archwright.task.preparation import Preparation
from archwright.task.several import Several, WeighedLosses
from archwright.task.splits import Split, divide, strata_of
from archwright.task.table import Column, TableInputs, as_frame, kind_of
from archwright.task.targets import Classes
from archwright.task.task import Augmentation, Part, Parts, Task

__all__ = ["MultiTask"]


class MultiTask(Task):
    """Several targets of the same inputs, learnt by one network (Caruana, *Multitask Learning*, 1997).

    Args:
        x: Images (n, h, w), (n, h, w, c) or (n, c, h, w); sequences (n, channels, time) or a table: a DataFrame, a
            path, an array (n, columns).
        targets: For each target its name and values (n,). Texts, booleans and few different whole numbers are
            classes, other numbers are quantities. For a table, names of its columns will do.
        kind: ``"images"``, ``"sequences"`` or ``"table"``; by default what the shape of `x` says, and three axes are
            grey images where they are bytes or their sides are alike.
        weights: Of each target's loss, by name; 1 where nothing is said. Every loss is first divided by what it is
            when nothing is known, so equal weights mean equal importance.
        name: What the task is called.
        channels: Where an image's or sequence's channels are, as for `ImageClassification`.
        metric: The main metric: ``"mean"`` of all accuracies and r2, or ``NAME_accuracy`` and the like.
        augmentation: What to do to training batches; by default what the single tasks do, without mirroring.
        test_share: Of all samples.
        validation_share: Of the samples that are not test.
        split_seed: The same seed gives the same parts.
        source: Where the data came from, for people.

    Raises:
        DataError: fewer than two targets, or anything wrong with the data; the message says what to do.
    """

    default_space = "shared"
    spaces = ("shared",)

    def __init__(
        self,
        x: Any,
        targets: Mapping[str, Any] | Sequence[str],
        *,
        kind: str | None = None,
        weights: Mapping[str, float] | None = None,
        name: str = "several",
        channels: Layout = None,
        metric: str | None = None,
        augmentation: Augmentation | None = None,
        test_share: float = 0.2,
        validation_share: float = 0.2,
        split_seed: int = 0,
        source: str = "arrays",
    ):
        kind = kind or _kind_of(x)
        if kind not in _READERS:
            raise DataError(f"kind={kind!r}. {did_you_mean(kind, _READERS)}")
        if not isinstance(targets, Mapping):
            x, targets = _columns(x, list(targets))
        if len(targets) < 2:
            raise DataError(f"several tasks need two targets or more; got {', '.join(targets) or 'none'}")
        values = {str(name): np.asarray(given) for name, given in targets.items()}
        for called, given in values.items():
            check_lengths(x, given, "x", f"target {called!r}")
        known = Several.of(values)
        strata = _strata(known, known.encode(values))
        split = divide(strata, seed=split_seed, test_share=test_share, validation_share=validation_share)
        found = Several.of(values, split.train)
        features, prepare, default = _READERS[kind](x, channels, split)
        encoded = found.encode(values)
        assert split.test is not None
        sets = (split.train, split.validation, split.test)
        train, validation, test = (Part(prepare(rows), encoded[rows]) for rows in sets)
        self._assemble(
            found, Parts(train, validation, test), features, augmentation or default, weights or {}, name, metric,
            {"kind_of_inputs": kind, "source": source, "split_seed": split_seed},
        )  # fmt: skip

    @classmethod
    def from_table(cls, data: Any, *, target: str | Sequence[str] = "", **options: Any) -> MultiTask:
        """A table whose columns hold the targets: ``target=["price", "sold"]``, or in one text, ``"price,sold"``."""
        names = target.split(",") if isinstance(target, str) else target
        return cls(data, [name.strip() for name in names if name.strip()], kind="table", **options)

    def _assemble(
        self, found: Several, parts: Parts, features: Any, augmentation: Augmentation, weights: Mapping[str, float],
        name: str, metric: str | None, facts: Mapping[str, Any],
    ) -> None:  # fmt: skip
        unknown = [w for w in weights if w not in found.names]
        if unknown:
            raise DataError(
                f"weights names {unknown[0]!r}, which is no target. {did_you_mean(unknown[0], found.names)}"
            )
        bad = [w for w in weights.values() if not 0 <= w < math.inf]
        if bad or (weights and not any(weights.get(n, 1.0) for n in found.names)):
            raise DataError(f"weights={dict(weights)}: each is a number of 0 or more, and one is above 0")
        classes = tuple(isinstance(t, Classes) for _, t in found.targets)
        blind = [math.log(size) if c else 1.0 for size, c in zip(found.sizes, classes, strict=True)]
        weighed = tuple(weights.get(n, 1.0) / b for n, b in zip(found.names, blind, strict=True))
        self.target_names, self._weights = found.names, dict(weights)
        super().__init__(
            name=name,
            parts=parts,
            preparation=Preparation(features, found),
            loss=WeighedLosses(found.sizes, classes, weighed),
            metrics=found.metrics(),
            metric=metric or "mean",
            n_outputs=sum(found.sizes),
            augmentation=augmentation,
            facts=facts,
        )
        self.space_options = {"heads": dict(zip(found.names, found.sizes, strict=True))}

    def alone(self, target: str) -> MultiTask:
        """The same samples in the same parts with one target: what a network for each would be compared on."""
        several = self.preparation.targets
        assert isinstance(several, Several)
        found, column = several.only(target), several.names.index(target)
        train, validation, test = (
            Part(p.inputs, p.targets[:, column : column + 1]) for p in (self.train, self.validation, self._test)
        )
        other = MultiTask.__new__(MultiTask)
        other._assemble(
            found, Parts(train, validation, test), self.preparation.features, self.augmentation, {},
            f"{self.name}: {target}", None, self._facts,
        )  # fmt: skip
        return other

    @property
    def answer(self) -> str:
        """What it asks of a sample, in words."""
        return f"{len(self.target_names)} targets ({', '.join(self.target_names)})"

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """One residual network that ends in the outputs of all targets: everything is shared but the last layer."""

        def make(width: int) -> nn.Module:
            if len(self.input_shape) == 1:
                return ResidualMLP(self.n_outputs, width=width)
            if len(self.input_shape) == 2:
                return ResidualConv(self.n_outputs, dimensions=1, width=width, kernel=5)
            return ResidualConv(self.n_outputs, width=width)

        usual = 64 if len(self.input_shape) == 1 else 32
        return make(width or usual) if max_params is None else fitted(make, self.input_shape, max_params)


def _kind_of(x: Any) -> str:
    if not hasattr(x, "shape") or hasattr(x, "columns"):
        return "table"
    if len(x.shape) == 3:
        return "images" if like_images(np.asarray(x)) else "sequences"
    return "images" if len(x.shape) == 4 else "table"


def _columns(x: Any, names: list[str]) -> tuple[Any, dict[str, Any]]:
    frame = as_frame(x)
    for name in names:
        if name not in frame.columns:
            raise DataError(f"the table has no target column {name!r}. {did_you_mean(name, frame.columns)}")
    return frame.drop(columns=names), {name: frame[name].to_numpy() for name in names}


def _strata(found: Several, encoded: Tensor) -> np.ndarray:
    """Samples alike in all classes, as far as each such group can be divided; else in the first target."""
    columns = [
        encoded[:, i].numpy().astype(int) if isinstance(t, Classes) else strata_of(encoded[:, i : i + 1].numpy())
        for i, (_, t) in enumerate(found.targets)
    ]
    joint = np.unique(np.stack(columns, 1), axis=0, return_inverse=True)[1].reshape(-1)
    return joint if np.bincount(joint).min() >= 3 else columns[0]


def _images(x: Any, channels: Layout, split: Split) -> tuple[Any, Any, Augmentation]:
    images = image_array(x, "x", channels=channels)
    inputs = ImageInputs.of(images[split.train], channels, None)
    return inputs, lambda rows: inputs.prepare(images[rows], "x"), ImageAugmentation(shift=0.06, flip=False)


def _sequences(x: Any, channels: Layout, split: Split) -> tuple[Any, Any, Augmentation]:
    series = sequence_array(x, "x", channels=channels)
    inputs = SequenceInputs.of(series[split.train], channels)
    return inputs, lambda rows: inputs.prepare(series[rows], "x"), SequenceAugmentation()


def _table(x: Any, channels: Layout, split: Split) -> tuple[Any, Any, Augmentation]:
    frame = as_frame(x)
    kinds = {c: kind_of(c, frame[c], "the table") for c in frame.columns}
    columns = tuple(Column.of(c, kind, frame[c].iloc[split.train]) for c, kind in kinds.items() if kind)
    if not columns:
        raise DataError("the table has no column to learn from besides the targets: add features")
    inputs = TableInputs(columns)
    return inputs, lambda rows: inputs(frame.iloc[rows]), TableAugmentation(noise=0.05)


_READERS: dict[str, Any] = {"images": _images, "sequences": _sequences, "table": _table}
