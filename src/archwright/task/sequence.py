"""Classification of sequences and time series."""

from __future__ import annotations

from typing import Any

from torch import nn

from archwright.task.arrays import Layout, sequence_array
from archwright.task.augment import SequenceAugmentation
from archwright.task.baseline import ResidualConv, fitted
from archwright.task.classification import ClassWeight, Labelled, check_labels, check_test_pair
from archwright.task.groups import Groups
from archwright.task.inputs import SequenceInputs
from archwright.task.preparation import Preparation
from archwright.task.problems import Problems
from archwright.task.task import Augmentation, Task

__all__ = ["SequenceClassification"]


class SequenceClassification(Task):
    """Which class does this series belong to?

    Args:
        x: (n, time) or (n, channels, time) arrays, tensors or lists; (n, time, channels) with ``channels="last"``.
        y: One label a series: integers, booleans or texts.
        x_test: Official test series, where the data has them; else `test_share` is taken from `x`.
        y_test: Their labels.
        name: What the task is called.
        channels: Where channels stand in `x`; first by default.
        class_weight: ``"auto"``, ``"balanced"``, None or a weight a label; see `archwright.task.loss.class_weights`.
        metric: The main metric; accuracy, or balanced accuracy where classes are weighed.
        augmentation: What to do to training batches; by default small shifts in time, changes of amplitude, and noise.
        group: The group of each sample, such as who made it: texts, integers or booleans. Every metric then has a
            ``gap_`` between groups beside it; see `archwright.task.Groups`.
        group_test: The groups of the official test samples.
        test_share: Of all samples; 0 for no test part.
        validation_share: Of the samples that are not test.
        split_seed: The same seed gives the same parts.
        source: Where the data came from, for people.

    Raises:
        DataError: anything wrong with the data; the message says where, what was allowed and what to do.
    """

    default_space = "sequence"
    exchangeable = True
    spaces = ("sequence",)

    def __init__(
        self,
        x: Any,
        y: Any,
        *,
        x_test: Any = None,
        y_test: Any = None,
        name: str = "sequences",
        channels: Layout = None,
        class_weight: ClassWeight = "auto",
        metric: str | None = None,
        augmentation: Augmentation | None = None,
        group: Any = None,
        group_test: Any = None,
        test_share: float = 0.2,
        validation_share: float = 0.2,
        split_seed: int = 0,
        source: str = "arrays",
    ):
        check_test_pair(x_test, y_test)
        problems = Problems()
        series = problems.of(sequence_array, x, "x", channels=channels)
        test = None if x_test is None else problems.of(sequence_array, x_test, "x_test", channels=channels)
        check_labels(problems, y, y_test)
        problems.check()
        assert series is not None
        labelled = Labelled.of(series, y, test, y_test, seed=split_seed, shares=(test_share, validation_share))
        inputs = SequenceInputs.of(series[labelled.split.train], channels)
        super().__init__(
            name=name,
            parts=labelled.parts(series, test, inputs.prepare),
            preparation=Preparation(inputs, labelled.classes),
            n_outputs=len(labelled.classes.labels),
            augmentation=augmentation or SequenceAugmentation(),
            facts=labelled.facts(source),
            groups=None if group is None else Groups.of(group, labelled.split, group_test),
            **labelled.learning(class_weight, metric),
        )

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """A small residual network over time (`archwright.task.baseline.ResidualConv`), of width 32 by default."""
        length = self.input_shape[1]
        strides = (1, 1, 2, 2) if length <= 128 else (2, 2, 2, 2)

        def make(width: int) -> nn.Module:
            return ResidualConv(self.n_outputs, dimensions=1, width=width, kernel=5, strides=strides)

        return make(width or 32) if max_params is None else fitted(make, self.input_shape, max_params)
