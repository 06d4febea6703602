"""Any learning problem: the user's own data sets, loss and metrics."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, RandomSampler

from archwright.errors import DataError
from archwright.task.arrays import check_finite, check_lengths
from archwright.task.augment import NoAugmentation
from archwright.task.baseline import ResidualConv, ResidualMLP, fitted
from archwright.task.inputs import PlainInputs
from archwright.task.metrics import Direction, Metric
from archwright.task.preparation import Preparation
from archwright.task.splits import divide
from archwright.task.task import Augmentation, Part, Parts, Task

__all__ = ["CustomTask", "resident"]

MetricLike = Metric | Callable[[Tensor, Tensor], float] | tuple[Callable[[Tensor, Tensor], float], Direction]

_FAMILY = {1: ("mlp",), 2: ("sequence",), 3: ("convnet", "mobile")}


class CustomTask(Task):
    """A task of your own making: data in, outputs out, a loss between outputs and targets.

    Args:
        train: A `torch.utils.data.Dataset` of ``(input, target)`` pairs, a `DataLoader` of batches of them, or a pair
            ``(inputs, targets)`` of arrays or tensors. It is read once, into memory.
        validation: The same for validation; by default `validation_share` of `train`, stratified by integer targets.
        test: The same for the end; by default `test_share` of `train`.
        loss: ``loss(output, target)``, a scalar tensor; with a third argument `label_smoothing` if it can use it.
        metrics: By name: a function ``(output, target) -> number`` (larger is better), a pair of that and
            ``"maximize"`` or ``"minimize"``, or a `Metric`. The loss is always there as ``"loss"``.
        metric: The main one; the first of `metrics`, or the loss.
        n_outputs: Numbers that the network gives for each sample. Found out for class indices (the largest plus one)
            and for targets of floating-point numbers (their width).
        name: What the task is called.
        space: A function ``(input_shape, n_outputs) -> Space``; by default the one that fits inputs of this rank.
        baseline: A function ``() -> nn.Module``; by default a residual network that fits inputs of this rank.
        augmentation: ``augmentation(inputs, generator)`` on training batches; none by default.
        test_share: Of all samples, where `test` is not given.
        validation_share: Of the others, where `validation` is not given.
        split_seed: The same seed gives the same parts.
        source: Where the data came from, for people.

    Raises:
        DataError: samples of unequal shape, inputs that are not finite, or anything else wrong with the data.
    """

    def __init__(
        self,
        train: Any,
        validation: Any = None,
        test: Any = None,
        *,
        loss: Callable[..., Tensor],
        metrics: Mapping[str, MetricLike] | None = None,
        metric: str | None = None,
        n_outputs: int | None = None,
        name: str = "custom",
        space: Callable[[tuple[int, ...], int], Any] | None = None,
        baseline: Callable[[], nn.Module] | None = None,
        augmentation: Augmentation | None = None,
        test_share: float = 0.2,
        validation_share: float = 0.2,
        split_seed: int = 0,
        source: str = "your data",
    ):
        given = {"train": resident(train, "train")}
        for what, data in (("validation", validation), ("test", test)):
            if data is not None:
                given[what] = resident(data, what)
                _check_alike(given["train"], given[what], what)
        whole = given["train"]
        plain = PlainInputs(tuple(whole.inputs.shape[1:]), not whole.inputs.is_floating_point())
        own_loss = _Loss(loss)
        called = {"loss": Metric("loss", "minimize", own_loss.value)}
        made = {key: _metric(key, value) for key, value in (metrics or {}).items()}
        parts = _parts(given, split_seed, test_share, validation_share)
        super().__init__(
            name=name,
            parts=parts,
            preparation=Preparation(plain),
            loss=own_loss,
            metrics={**made, **called},
            metric=metric or next(iter(made), "loss"),
            n_outputs=n_outputs if n_outputs is not None else _n_outputs(given),
            augmentation=augmentation or NoAugmentation(),
            facts={"source": source, "split_seed": split_seed, "official_test": test is not None},
        )
        self.spaces = _FAMILY.get(len(self.input_shape), ()) if not plain.integers else ()
        self.default_space = self.spaces[0] if self.spaces else ""
        self._space = space
        self._baseline = baseline

    def space(self, name: str | None = None) -> Any:
        """The space given, or one of archwright's that fits inputs of this rank."""
        if name is None and self._space is not None:
            return self._space(self.input_shape, self.n_outputs)
        if not self.spaces:
            raise DataError(
                f"task {self.name!r} has inputs of shape {self.input_shape} ({self.train.inputs.dtype}), "
                f"for which there is no default space: give CustomTask(space=function of (input_shape, n_outputs)), "
                f"or search(space=...)"
            )
        return super().space(name)

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """The network given, or a residual one that fits inputs of this rank."""
        if self._baseline is not None:
            return self._baseline()
        rank = len(self.input_shape)
        if not self.spaces:
            raise DataError(
                f"task {self.name!r} has no default baseline for inputs of shape {self.input_shape}: give baseline="
            )

        def make(width: int) -> nn.Module:
            if rank == 1:
                return ResidualMLP(self.n_outputs, width=width)
            return ResidualConv(self.n_outputs, dimensions=rank - 1, width=width, kernel=5 if rank == 2 else 3)

        return make(width or 32) if max_params is None else fitted(make, self.input_shape, max_params)


def resident(data: Any, where: str) -> Part:
    """Read a data set once, into two tensors. Samples of unequal shape raise `DataError`, with their numbers."""
    if isinstance(data, Part):
        part = data
    elif isinstance(data, (tuple, list)) and len(data) == 2 and all(hasattr(a, "shape") for a in data):
        check_lengths(data[0], data[1], f"{where} inputs", f"{where} targets")
        part = Part(*(torch.as_tensor(np.asarray(a) if not isinstance(a, Tensor) else a.detach()) for a in data))
    elif isinstance(data, DataLoader):
        columns = _columns(_batches(data), f"the batches of {where}", batched=True)
        if any(len(a) != len(b) for a, b in zip(*columns, strict=True)):
            raise DataError(f"a batch of {where} has not as many targets as inputs")
        part = Part(*(torch.cat(column) for column in columns))
    else:
        part = Part(*(torch.stack(column) for column in _columns(data, where)))
    if len(part) == 0:
        raise DataError(f"{where} holds no sample")
    return Part(_plain(part.inputs, f"{where} inputs"), _plain(part.targets, f"{where} targets"))


def _batches(loader: DataLoader[Any]) -> list[Any]:
    """All batches of a loader, in the order of its data set where it would shuffle: the same each time."""
    if isinstance(loader.sampler, RandomSampler):
        loader = DataLoader(loader.dataset, loader.batch_size or 1, collate_fn=loader.collate_fn)
    return list(loader)


def _columns(data: Any, where: str, *, batched: bool = False) -> tuple[list[Tensor], list[Tensor]]:
    inputs: list[Tensor] = []
    targets: list[Tensor] = []
    samples: Iterable[Any] = (data[i] for i in range(len(data))) if hasattr(data, "__len__") else data
    for i, sample in enumerate(samples):
        if not isinstance(sample, (tuple, list)) or len(sample) != 2:
            raise DataError(
                f"sample {i} of {where} is of type {type(sample).__name__}: each sample must be a pair (input, target)"
            )
        for column, value, what in ((inputs, sample[0], "input"), (targets, sample[1], "target")):
            try:
                tensor = value.detach().cpu() if isinstance(value, Tensor) else torch.as_tensor(np.asarray(value))
            except TypeError:
                raise DataError(
                    f"the {what} of sample {i} of {where} is of type {type(value).__name__}: allowed are tensors, "
                    f"arrays and numbers; give the data set a transform that makes one"
                ) from None
            # Batches need not be equally long, only their samples alike.
            skip = 1 if batched else 0
            if column and tensor.shape[skip:] != column[0].shape[skip:]:
                raise DataError(
                    f"the samples of {where} differ in shape: the {what} of sample 0 has {tuple(column[0].shape)}, "
                    f"that of sample {i} has {tuple(tensor.shape)}. Resize, cut or pad them to one shape"
                )
            column.append(tensor)
    if not inputs:
        raise DataError(f"{where} holds no sample")
    return inputs, targets


def _plain(tensor: Tensor, where: str) -> Tensor:
    """Float32 or int64, finite."""
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        check_finite(tensor.float().numpy(), where)
        return tensor.float()
    if tensor.is_complex():
        raise DataError(f"{where} are complex numbers: give real and imaginary parts as channels")
    return tensor.float() if tensor.dtype == torch.uint8 and tensor.ndim > 2 else tensor.long()


def _check_alike(train: Part, other: Part, what: str) -> None:
    for mine, theirs, of in ((train.inputs, other.inputs, "inputs"), (train.targets, other.targets, "targets")):
        if mine.shape[1:] != theirs.shape[1:] or mine.dtype != theirs.dtype:
            raise DataError(
                f"{what} {of} have samples of shape {tuple(theirs.shape[1:])} and type {theirs.dtype}, those of train "
                f"{tuple(mine.shape[1:])} and {mine.dtype}: they must agree"
            )


def _parts(given: dict[str, Part], seed: int, test_share: float, validation_share: float) -> Parts:
    whole = given["train"]
    if "validation" in given and "test" in given:
        return Parts(whole, given["validation"], given["test"])
    y = whole.targets
    strata = y.numpy() if not y.is_floating_point() and y.ndim == 1 else np.zeros(len(y), dtype=np.int64)
    if "validation" in given:  # only a test part is to be taken: the rest all trains
        split = divide(strata, seed=seed, official_test=True, validation_share=test_share)
        return Parts(_rows(whole, split.train), given["validation"], _rows(whole, split.validation))
    split = divide(
        strata, seed=seed, official_test="test" in given, test_share=test_share, validation_share=validation_share
    )
    test = given["test"] if split.test is None else _rows(whole, split.test)
    return Parts(_rows(whole, split.train), _rows(whole, split.validation), test)


def _rows(part: Part, rows: np.ndarray) -> Part:
    index = torch.from_numpy(rows)
    return Part(part.inputs[index], part.targets[index])


def _n_outputs(given: dict[str, Part]) -> int:
    targets = given["train"].targets
    if targets.is_floating_point() and targets.ndim == 2:
        return targets.shape[1]
    if not targets.is_floating_point() and targets.ndim == 1:
        return int(max(part.targets.max().item() for part in given.values())) + 1
    raise DataError(
        f"n_outputs cannot be told from targets of shape (n, {', '.join(map(str, targets.shape[1:]))}) and type "
        f"{targets.dtype}: give n_outputs="
    )


class _Loss:
    """The user's loss, which may or may not know label smoothing."""

    def __init__(self, function: Callable[..., Tensor]):
        self.function = function
        try:
            self.smooths = "label_smoothing" in inspect.signature(function).parameters
        except (TypeError, ValueError):
            self.smooths = False

    def __call__(self, output: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
        if self.smooths:
            return self.function(output, target, label_smoothing=label_smoothing)
        return self.function(output, target)

    def value(self, output: Tensor, target: Tensor) -> float:
        return float(self.function(output, target))

    def to_json(self) -> dict[str, Any]:
        f = self.function
        return {"loss": f"{getattr(f, '__module__', '')}.{getattr(f, '__qualname__', type(f).__qualname__)}"}


def _metric(name: str, given: MetricLike) -> Metric:
    if isinstance(given, Metric):
        return given
    function, direction = given if isinstance(given, tuple) else (given, "maximize")
    if direction not in ("maximize", "minimize") or not callable(function):
        raise DataError(
            f"metric {name!r} is {given!r}: allowed is a function (output, target) -> number, or a pair of one and "
            f"'maximize' or 'minimize'"
        )
    return Metric(name, direction, function)
