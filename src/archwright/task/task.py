"""The `Task`: one learning problem, with its data divided and prepared, its loss, metrics, spaces and baseline."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor, nn

from archwright.errors import DataError, EvaluationError, did_you_mean
from archwright.task.groups import Groups, gaps
from archwright.task.lazy import LazyInputs
from archwright.task.metrics import Metric
from archwright.task.preparation import Preparation
from archwright.task.problems import doubts

if TYPE_CHECKING:
    from archwright.space import Space

__all__ = ["Part", "Parts", "Task"]

BLOCK = 1024
"""Samples that are read at a time where all are gone through."""

Augmentation = Callable[[Tensor, Generator | None], Tensor]


@dataclass(frozen=True, eq=False)
class Part:
    """Samples with their targets, prepared: what a training loop indexes.

    They lie in memory, but for inputs that would take too much of it: these are
    `archwright.task.lazy.LazyInputs`, and each batch of them is read from disk.

    Shapes: `inputs` is (n, *input_shape), float32 (int64 for tokens); `targets` is (n,) int64 for classes, (n, targets)
    float32 for quantities, (n, 3, numbers) float32 for forecasts, (n, height, width) uint8 for masks, (n, most, 5)
    float32 for boxes, (n, 1 + tokens) int64 for translations and transcripts, (n, channels, height, width) float32 for
    images to be made like. `groups` is (n,) int64, the place of each sample's group in `Task.groups`; None where no
    groups are told apart.
    """

    inputs: Tensor
    targets: Tensor
    groups: Tensor | None = None

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.targets):
            raise DataError(
                f"a part has {len(self.inputs)} inputs and {len(self.targets)} targets: they must be as many"
            )
        if self.groups is not None and len(self.groups) != len(self.inputs):
            raise DataError(f"a part has {len(self.inputs)} inputs and {len(self.groups)} groups: they must be as many")

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, rows: slice | Tensor) -> Part:
        inputs: Any = self.inputs.taken(rows) if isinstance(self.inputs, LazyInputs) else self.inputs[rows]
        return Part(inputs, self.targets[rows], None if self.groups is None else self.groups[rows])

    def __add__(self, other: Part) -> Part:
        both = None if self.groups is None or other.groups is None else torch.cat([self.groups, other.groups])
        return Part(torch.cat([self.inputs, other.inputs]), torch.cat([self.targets, other.targets]), both)

    def to(self, device: torch.device | str) -> Part:
        """The same on a device; what lies there already is not copied."""
        groups = None if self.groups is None else self.groups.to(device)
        return Part(self.inputs.to(device), self.targets.to(device), groups)


@dataclass(frozen=True, eq=False)
class Parts:
    """The three parts of a task's data; `untested` where no test part was wanted, and none is there."""

    train: Part
    validation: Part
    test: Part
    untested: bool = False

    def __post_init__(self) -> None:
        for name, part in (("training", self.train), ("validation", self.validation), ("test", self.test)):
            if len(part) < 2 and not (name == "test" and self.untested):
                raise DataError(
                    f"the {name} part holds {len(part) or 'no'} sample{'s' * (len(part) != 1)}: at least two are "
                    f"needed in each of training, validation and test. Give more data, or larger shares"
                )


class Task(ABC):
    """A learning problem. A search sees `train` and `validation`; `open_test` is for the end, and is counted.

    Args:
        name: What it is called, e.g. ``"digits"``.
        parts: Prepared data. The test part is kept away from everything but `open_test`.
        preparation: How raw data were prepared, so that it can be done again.
        loss: ``loss(output, target, label_smoothing)``, a scalar to minimise.
        metrics: What outputs are scored by, by name.
        metric: The name of the one that matters most.
        n_outputs: How many numbers the network gives for each sample.
        augmentation: ``augmentation(inputs, generator)`` on a training batch.
        facts: JSON values that `describe` adds: where the data came from, its classes, the seed of its splits.
        groups: Groups of samples to compare; every metric then has a gap between them beside it.

    Attributes:
        default_space: The name of the space that a search takes where none is given.
        spaces: The names of all spaces that fit.
        exchangeable: Whether the validation part is a random draw, so that another would have been as good; see `fold`.
        one_loss: Whether a training step is one descent of `loss`, on which supernets and zero-cost proxies rely.
        space_options: What its spaces need to know beside the shape of an input and the number of outputs.
        recipe: What of `archwright.evaluator.Recipe` this kind of problem trains better with than the defaults.
        test_openings: How often the test part was opened.
    """

    default_space: str
    spaces: tuple[str, ...]
    recipe: Mapping[str, Any] = {}
    exchangeable = False
    one_loss = True
    space_options: Mapping[str, Any] = {}

    def __init__(
        self,
        *,
        name: str,
        parts: Parts,
        preparation: Preparation,
        loss: Callable[..., Tensor],
        metrics: Mapping[str, Metric],
        metric: str,
        n_outputs: int,
        augmentation: Augmentation,
        facts: Mapping[str, Any],
        groups: Groups | None = None,
    ):
        if metric not in metrics:
            raise DataError(f"task {name!r} has no metric {metric!r}. {did_you_mean(metric, metrics)}")
        if groups is not None:
            parts = Parts(*groups.on(parts.train, parts.validation, parts.test), untested=parts.untested)
            metrics, facts = {**metrics, **gaps(metrics)}, {**facts, **groups.facts()}
        self.name = name
        self.groups = groups
        self.train = parts.train
        self.validation = parts.validation
        self.preparation = preparation
        self.metrics = metrics
        self.metric = metric
        self.n_outputs = n_outputs
        self.augmentation = augmentation
        self.test_openings = 0
        self._test = parts.test
        self._loss = loss
        self._facts = dict(facts)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input, without the batch."""
        return tuple(self.train.inputs.shape[1:])

    @property
    def input_dtype(self) -> torch.dtype:
        """What a network reads: float32, or int64 for one that begins with an embedding."""
        return self.train.inputs.dtype

    @property
    def answer(self) -> str:
        """What it asks of a sample, in words."""
        labels = getattr(self.preparation.targets, "labels", None)
        return f"{self.n_outputs} classes" if labels is not None else "a quantity"

    @property
    def sizes(self) -> dict[str, int]:
        """How many samples each part holds."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self._test)}

    def open_test(self) -> Part:
        """The test part. Meant for the very end: each call adds one to `test_openings`."""
        self.test_openings += 1
        return self._test

    def train_and_validation(self) -> Part:
        """Both parts in one, for the final training; prepared with the training part's statistics."""
        return self.train + self.validation

    @property
    def folds(self) -> int:
        """How many divisions of training and validation part there are; 1 where validation is no random draw."""
        if not self.exchangeable or isinstance(self.train.inputs, LazyInputs):
            return 1
        return 1 + len(self.train) // len(self.validation)

    def fold(self, number: int) -> tuple[Part, Part]:
        """What to train on and what to validate on, as in cross-validation; number 0 is the task's own division.

        The others hold back a share of the training part in turn, as large as the validation part at least and with
        its classes, and train on that part too. All are prepared with the training part's statistics.

        Args:
            number: From 0 to `folds` - 1.
        """
        if not 0 <= number < self.folds:
            raise DataError(f"fold {number} of task {self.name!r}: allowed are 0 to {self.folds - 1}")
        if number == 0:
            return self.train, self.validation
        targets = self.train.targets
        order = torch.randperm(len(targets), generator=Generator().manual_seed(0))
        if targets.ndim == 1 and not targets.is_floating_point():
            order = order[targets[order].argsort(stable=True)]
        held = torch.zeros(len(targets), dtype=torch.bool)
        held[order[number - 1 :: self.folds - 1]] = True
        return self.train[~held] + self.validation, self.train[held]

    def loss(self, output: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """What training minimises: a scalar."""
        return self._loss(output, target, label_smoothing)

    def losses(
        self,
        network: nn.Module,
        inputs: Tensor,
        targets: Tensor,
        label_smoothing: float = 0.0,
        precise: AbstractContextManager[Any] | None = None,
    ) -> Iterator[Tensor]:
        """The losses of one training step: each is descended before the next is asked for.

        One, by default: `loss` of what the network says. A task whose networks play against each other gives one for
        each in turn; what has no gradient in a turn is left alone by the optimizer, its moments included.

        Args:
            network: In training mode.
            inputs: A batch.
            targets: Of it.
            label_smoothing: For `loss`.
            precise: Where forward passes run, such as `torch.autocast`.

        Raises:
            EvaluationError: the network's output does not fit the task.
        """
        with precise or nullcontext():
            output = network(inputs)
        if not isinstance(output, Tensor):
            raise EvaluationError(f"the network returned a {type(output).__name__}: one tensor is needed")
        needed = (len(inputs), self.n_outputs)
        if output.ndim == 2 and tuple(output.shape) != needed:
            raise EvaluationError(
                f"the network made {tuple(output.shape)} of {len(inputs)} inputs: task {self.name!r} needs {needed}"
            )
        yield self.loss(output.float(), targets, label_smoothing)

    def augment(self, inputs: Tensor, generator: Generator | None = None) -> Tensor:
        """A training batch, changed at random in ways that keep its targets true."""
        return self.augmentation(inputs, generator)

    def augmented(self, inputs: Tensor, targets: Tensor, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """A training batch as `augment` changes it; where targets have places, as masks do, they move along."""
        return self.augment(inputs, generator), targets

    def drawn(self, inputs: Tensor, targets: Tensor, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """A training batch with what is drawn anew each time and belongs to the problem, as it is where nothing is.

        Unlike `augmented`, whose batch it is given first, no recipe leaves it out: without the items that a user did
        not click, a recommender would learn that everything is clicked. The batch may grow.
        """
        return inputs, targets

    def kept(self, output: Tensor) -> Tensor:
        """What `score` needs of a batch of outputs, so that no more is kept of a whole part; all of it by default."""
        return output

    def observed(
        self, network: nn.Module, inputs: Tensor, output: Tensor, names: Sequence[str] | None = None
    ) -> Tensor:
        """What `score` needs of a network and its output for a batch, to tell the metrics `names` (by default all).

        What is `kept` of the output, by default. A task with a metric that one pass does not tell, such as BLEU, which
        is of texts that a network writes token by token, asks the network again here.
        """
        return self.kept(output)

    def score(
        self, output: Tensor, target: Tensor, names: Sequence[str] | None = None, groups: Tensor | None = None
    ) -> dict[str, float]:
        """Metrics of a network's outputs for a whole part, or of what is `kept` of them: all, or those named.

        Gaps between groups are told where the `groups` of the samples are given.
        """
        known = [n for n, m in self.metrics.items() if groups is not None or not m.grouped]
        wanted = known if names is None else names
        for name in wanted:
            if name not in self.metrics:
                raise DataError(f"task {self.name!r} has no metric {name!r}. {did_you_mean(name, self.metrics)}")
        output = output.detach()
        return {name: self.metrics[name](output, target, groups) for name in wanted}

    def space(self, name: str | None = None) -> Space:
        """A search space that fits: the default one, or the one called `name` (see `spaces`)."""
        from archwright.nn import spaces

        name = name or self.default_space
        if name not in self.spaces:
            raise DataError(f"task {self.name!r} has no space {name!r}. {did_you_mean(name, self.spaces)}")
        return getattr(spaces, name)(self.input_shape, self.n_outputs, **self.space_options)

    @abstractmethod
    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """A hand-made network to compare with: of this width, or the widest with at most `max_params` parameters."""

    def references(self, train: Part, test: Part) -> dict[str, dict[str, float]]:
        """What simple methods of the field that are no networks score on `test` when they learn from `train`, by name.

        Told beside the result of a search, which must be better to have been worth it.
        """
        return {}

    @functools.cached_property
    def fingerprint(self) -> str:
        """SHA-256 over all prepared data and the settings: equal means the same problem to the last bit."""
        settings = {**self._settings(), "preparation": self.preparation.to_json()}
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for part in (self.train, self.validation, self._test):
            for tensor in (part.inputs, part.targets, *(() if part.groups is None else (part.groups,))):
                digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
                for block in tensor.split(BLOCK):
                    digest.update(block.contiguous().numpy().data)
        return digest.hexdigest()

    @functools.cached_property
    def doubts(self) -> tuple[str, ...]:
        """What may make its figures worse than they look, in sentences; see `archwright.task.problems.doubts`."""
        return doubts(self, self._test, self._facts)

    def describe(self) -> dict[str, Any]:
        """What the task is, as JSON: kind, sizes, shapes, classes and their counts, where from, settings."""
        return {
            "name": self.name,
            "kind": type(self).__name__,
            "sizes": self.sizes,
            "input_shape": list(self.input_shape),
            "n_outputs": self.n_outputs,
            **self._settings(),
            **self._facts,
        }

    def _settings(self) -> dict[str, Any]:
        loss = self._loss.to_json() if hasattr(self._loss, "to_json") else {"loss": _called(self._loss)}
        return {
            "metric": self.metric,
            "metrics": {m.name: m.direction for m in self.metrics.values()},
            **loss,
            "augmentation": _called(self.augmentation),
        }

    def __repr__(self) -> str:
        sizes = ", ".join(f"{n} {part}" for part, n in self.sizes.items())
        return f"<{type(self).__name__} {self.name!r}: {sizes}; inputs {self.input_shape}, {self.n_outputs} outputs>"


def _called(function: Any) -> Any:
    """A function or a frozen setting, as JSON that is the same in every process."""
    if dataclasses.is_dataclass(function) and not isinstance(function, type):
        settings = {"name": type(function).__name__, **dataclasses.asdict(function)}
        return json.loads(json.dumps(settings, default=_called))
    return f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__qualname__)}"
