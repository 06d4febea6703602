"""Several inputs at once: a table and an image, a table and a text, in one network with a tower for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from archwright import nn as layers
from archwright.errors import DataError
from archwright.task.arrays import check_lengths
from archwright.task.augment import NoAugmentation
from archwright.task.baseline import fitted
from archwright.task.classification import ClassWeight, Labelled
from archwright.task.loss import SquaredError
from archwright.task.metrics import regression_metrics
from archwright.task.pieces import JoinedInputs, Pieces
from archwright.task.preparation import Preparation
from archwright.task.splits import divide, strata_of
from archwright.task.targets import Quantities, quantity_array
from archwright.task.task import Augmentation, Part, Parts, Task

__all__ = ["Multimodal"]


class Multimodal(Task):
    """Which class, or how much, by several inputs of each sample together.

    Args:
        x: The inputs by name: images, sequences, tables or texts, as the tasks of these kinds take them.
        y: A label or a quantity a sample.
        regression: Whether `y` are quantities; by default numbers with fractions are.
        class_weight: As for `ImageClassification`.
        name: What the task is called.
        metric: The main metric; accuracy, balanced accuracy where classes are weighed, or rmse.
        augmentation: What to do to training batches, (n, numbers); nothing by default.
        test_share: Of all samples.
        validation_share: Of the samples that are not test.
        split_seed: The same seed gives the same parts.
        source: Where the data came from, for people.

    Raises:
        DataError: fewer than two inputs, or anything wrong with the data; the message says what to do.
    """

    default_space = "towers"
    exchangeable = True
    spaces = ("towers",)

    def __init__(
        self,
        x: Mapping[str, Any],
        y: Any,
        *,
        regression: bool | None = None,
        class_weight: ClassWeight = "auto",
        name: str = "several inputs",
        metric: str | None = None,
        augmentation: Augmentation | None = None,
        test_share: float = 0.2,
        validation_share: float = 0.2,
        split_seed: int = 0,
        source: str = "arrays",
    ):
        if not isinstance(x, Mapping) or len(x) < 2:
            raise DataError("give two inputs or more by name, such as {'photo': images, 'facts': table}")
        pieces, values = Pieces(x), np.asarray(y)
        check_lengths(pieces, values)
        if regression is None:
            regression = values.dtype.kind == "f" and bool((values != np.round(values)).any())
        if regression:
            quantities = quantity_array(values, "y")
            split = divide(
                strata_of(quantities), seed=split_seed, test_share=test_share, validation_share=validation_share
            )
            known = Quantities.of(quantities[split.train], ["y"])
            targets = known.encode(quantities)
            about: dict[str, Any] = {
                "loss": SquaredError(), "metrics": regression_metrics(known.mean, known.std),
                "metric": metric or "rmse", "n_outputs": 1, "facts": {"source": source, "split_seed": split_seed},
            }  # fmt: skip
            decoding: Any = known
        else:
            labelled = Labelled.of(pieces, y, None, None, seed=split_seed, shares=(test_share, validation_share))
            split, targets, decoding = labelled.split, labelled.targets, labelled.classes
            facts = labelled.facts(source)
            about = {**labelled.learning(class_weight, metric), "n_outputs": len(decoding.labels), "facts": facts}
        inputs = pieces.measured(split.train)
        assert split.test is not None
        rows = (split.train, split.validation, split.test)
        train, validation, test = (Part(pieces.prepared(inputs, r), targets[torch.from_numpy(r)]) for r in rows)
        self._assemble(
            inputs, decoding, Parts(train, validation, test), augmentation or NoAugmentation(), {"name": name, **about}
        )

    def _assemble(
        self, inputs: JoinedInputs, decoding: Any, parts: Parts, augmentation: Augmentation, about: Mapping[str, Any]
    ) -> None:
        self._inputs, self._about = inputs, dict(about)
        super().__init__(
            parts=parts, preparation=Preparation(inputs, decoding), augmentation=augmentation, **self._about
        )
        self.space_options = {"pieces": inputs.shapes()}

    def alone(self, name: str) -> Multimodal:
        """The same samples in the same parts with one of the inputs: what the others bring is what this lacks."""
        at, inputs = self._inputs.place(name), self._inputs.only(name)
        train, validation, test = (
            Part(p.inputs[:, at].contiguous(), p.targets) for p in (self.train, self.validation, self._test)
        )
        other = Multimodal.__new__(Multimodal)
        about = {**self._about, "name": f"{self.name}: {name}"}
        other._assemble(inputs, self.preparation.targets, Parts(train, validation, test), self.augmentation, about)
        return other

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """A small fixed tower for each input, side by side, and a linear layer; of width 32 where nothing is said."""
        pieces = self._inputs.shapes()

        def tower(piece: Mapping[str, Any], width: int) -> nn.Module:
            if "vocabulary" in piece:
                embedding = layers.TokenEmbedding(piece["vocabulary"], width)
                return layers.TokenNetwork(embedding, layers.Classifier(width, pool="avg"))
            if len(piece["shape"]) == 1:
                return layers.LinearBlock(width)
            first, second = (layers.ConvBlock(width, kernel=3, stride=s) for s in (1, 2))
            return nn.Sequential(first, second, layers.GlobalPool())

        def make(width: int) -> nn.Module:
            made = [tower(piece, width) for piece in pieces]
            marks = ["vocabulary" in piece for piece in pieces]
            joined = layers.Towers(*made, shapes=[p["shape"] for p in pieces], tokens=marks)
            return nn.Sequential(joined, layers.Classifier(self.n_outputs))

        return make(width or 32) if max_params is None else fitted(make, self.input_shape, max_params)
