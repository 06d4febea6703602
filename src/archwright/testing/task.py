"""What every task promises."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from archwright.errors import DataError
from archwright.evaluator import Recipe, Training
from archwright.nn import materialize
from archwright.task import Part, Preparation, Task
from archwright.task.targets import Classes, Quantities
from archwright.trial import Measurement, Proposal

__all__ = ["TaskContract", "sklearn_classification", "sklearn_regression"]

QUICK = Recipe(epochs=1, precision="float32", layout="contiguous")


def sklearn_classification(output: Tensor, target: Tensor) -> dict[str, float]:
    """scikit-learn's values for `archwright.task.metrics.classification_metrics`; every class must be in `target`."""
    from sklearn import metrics

    shares = torch.softmax(output.double(), 1).numpy()
    called, true, n = output.argmax(1).numpy(), target.numpy(), output.shape[1]
    macro = {"average": "macro", "labels": range(n), "zero_division": 0}
    sure, bins = shares.max(1), np.ceil(15 * shares.max(1))
    return {
        "accuracy": metrics.accuracy_score(true, called),
        "balanced_accuracy": metrics.recall_score(true, called, **macro),  # every class is there
        "precision": metrics.precision_score(true, called, **macro),
        "recall": metrics.recall_score(true, called, **macro),
        "f1": metrics.f1_score(true, called, **macro),
        "roc_auc": metrics.roc_auc_score(true, shares[:, 1] if n == 2 else shares, multi_class="ovr"),
        "log_loss": metrics.log_loss(true, shares, labels=range(n)),
        # scikit-learn has no expected calibration error: equation 3 of Guo et al. (2017) in NumPy.
        "ece": sum(abs(((called == true) - sure)[bins == b].sum()) for b in np.unique(bins)) / len(true),
    }


def sklearn_regression(output: Tensor, target: Tensor, quantities: Quantities) -> dict[str, float]:
    """scikit-learn's values for `archwright.task.metrics.regression_metrics`, in the targets' own units."""
    from sklearn import metrics

    made, true = (np.asarray(quantities.decode(v)) for v in (output, target))
    return {
        "rmse": metrics.mean_squared_error(true, made) ** 0.5,
        "mae": metrics.mean_absolute_error(true, made),
        "r2": metrics.r2_score(true, made),
    }


class TaskContract(ABC):
    """Subclass it, name the class ``Test...``, and say in `make` and `make_of` how to make a small task.

    Attributes:
        near_zero: What the loss of one batch must fall below when the baseline learns it by heart.
        steps: Within so many steps.
        lr: At this learning rate.
    """

    near_zero = 0.05
    steps = 150
    lr = 1e-2

    @abstractmethod
    def make(self) -> Task:
        """A small task, in under a second; no two samples of it alike. Each call gives the same."""

    @abstractmethod
    def make_of(self, n: int) -> Task:
        """A task of the same kind from `n` samples in all: called with 0 and 1, which must raise `DataError`."""

    def library(self, task: Task, output: Tensor, target: Tensor) -> Mapping[str, float]:
        """Every metric of the task, as a library that the field trusts computes it."""
        targets = task.preparation.targets
        if isinstance(targets, Classes):
            return sklearn_classification(output, target)
        assert isinstance(targets, Quantities), "override library() for a task with metrics of its own"
        return sklearn_regression(output, target, targets)

    def network(self, task: Task) -> nn.Module:
        """The task's baseline, its sizes known, its weights always the same, and without dropout."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = materialize(task.baseline(), task.input_shape, dtype=task.input_dtype)
        for part in network.modules():
            if isinstance(part, nn.modules.dropout._DropoutNd):
                part.p = 0.0
            elif isinstance(part, nn.RNNBase):
                part.dropout = 0.0
        return network

    def trained(self, task: Task, seed: int = 0) -> Measurement:
        """The default space's first architecture, trained for an epoch as a search would."""
        space = task.space()
        architecture = space.sample(np.random.default_rng(1))
        return Training(space, task, QUICK, device="cpu")(Proposal(architecture), seed)

    def test_no_sample_is_in_two_parts(self) -> None:
        task = self.make()
        parts = [samples(part) for part in (task.train, task.validation, task.open_test())]
        assert all(parts)
        assert len(set().union(*parts)) == sum(map(len, parts))

    def test_every_fold_divides_what_is_not_test(self) -> None:
        task = self.make()
        everything = samples(task.train) | samples(task.validation)
        seen = []
        for number in range(task.folds):
            train, validation = map(samples, task.fold(number))
            assert not train & validation
            assert train | validation == everything
            assert len(validation) >= len(task.validation)
            seen.append(validation)
        assert set().union(*seen) == everything or task.folds == 1
        assert sum(map(len, seen)) == len(set().union(*seen)), "no sample is held back twice"
        with pytest.raises(DataError, match="allowed are 0 to"):
            task.fold(task.folds)

    def test_training_leaves_the_test_part_alone(self) -> None:
        task, other = self.make(), self.make()
        held = other._test
        other._test = Part(torch.zeros_like(held.inputs), torch.zeros_like(held.targets))
        assert self.trained(task).metrics == self.trained(other).metrics
        assert task.test_openings == other.test_openings == 0
        assert task.fingerprint == self.make().fingerprint, "and as it was"

    def test_one_batch_is_learnt_by_heart(self) -> None:
        task = self.make()
        inputs, targets = task.train.inputs[:8], task.train.targets[:8]
        network = self.network(task).train()
        optimizer = torch.optim.Adam(network.parameters(), lr=self.lr)
        for _ in range(self.steps):
            loss = task.loss(network(inputs), targets)
            if loss.item() < self.near_zero:
                return
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        pytest.fail(f"after {self.steps} steps on 8 samples the loss is still {loss.item():.3g}")

    def test_metrics_are_those_of_the_library(self) -> None:
        task = self.make()
        network, inputs, target = self.network(task).eval(), task.validation.inputs, task.validation.targets
        with torch.no_grad():
            output = network(inputs)
            observed = task.observed(network, inputs, output)
        expected = self.library(task, output, target)
        assert task.score(observed, target) == pytest.approx(dict(expected), rel=1e-4, abs=1e-6)

    def test_the_same_seed_gives_the_same_numbers(self) -> None:
        first, second = self.make(), self.make()
        assert first.fingerprint == second.fingerprint
        assert self.trained(first, seed=3).metrics == self.trained(second, seed=3).metrics

    def test_one_sample_or_none_is_a_clear_error(self) -> None:
        for n in (0, 1):
            with pytest.raises(DataError) as raised:
                self.make_of(n)
            assert len(str(raised.value)) > 30, "it says what came and what to do"

    def test_networks_of_every_space_give_what_the_loss_takes(self) -> None:
        task = self.make()
        for name in task.spaces:
            space = task.space(name)
            network = space.build(space.sample(np.random.default_rng(0)))
            network = materialize(network, task.input_shape, dtype=task.input_dtype)
            loss = task.loss(network(task.train.inputs[:4]), task.train.targets[:4])
            assert loss.shape == ()
            assert torch.isfinite(loss)

    def test_what_was_done_to_the_data_goes_through_json(self) -> None:
        task = self.make()
        json.dumps(task.describe())
        saved = json.loads(json.dumps(task.preparation.to_json()))
        assert Preparation.from_json(saved) == task.preparation


def samples(part: Part) -> set[bytes]:
    """The inputs of a part, each as bytes; a sample that is there twice counts once, as it does in no other part."""
    return {row.contiguous().numpy().tobytes() for row in part.inputs}
