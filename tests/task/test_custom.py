"""Tasks of the user's own making."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from archwright.errors import DataError
from archwright.task import CustomTask, Metric, Preparation
from archwright.task.custom import resident


class Squares(Dataset):
    """Inputs and their squares; counts how often it is read."""

    def __init__(self, n=40, odd=None):
        self.n, self.odd, self.reads = n, odd, 0

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        self.reads += 1
        x = np.full(3 if i != self.odd else 4, i / self.n, dtype=np.float64)
        return x, torch.tensor([i / self.n]) ** 2


def test_a_data_set_is_read_once_into_tensors():
    data = Squares()
    task = CustomTask(data, loss=nn.functional.mse_loss)
    assert data.reads == 40
    assert (task.input_shape, task.n_outputs, task.metric) == ((3,), 1, "loss")
    assert task.sizes == {"train": 26, "validation": 6, "test": 8}
    assert task.train.inputs.dtype == task.train.targets.dtype == torch.float32


def test_parts_that_are_given_are_kept():
    whole = CustomTask(Squares(20), Squares(7), Squares(5), loss=nn.functional.mse_loss)
    assert whole.sizes == {"train": 20, "validation": 7, "test": 5}
    assert CustomTask(Squares(20), Squares(7), loss=nn.functional.mse_loss).sizes == {
        "train": 16,
        "validation": 7,
        "test": 4,
    }
    assert CustomTask(Squares(20), test=Squares(7), loss=nn.functional.mse_loss).sizes == {
        "train": 16, "validation": 4, "test": 7,
    }  # fmt: skip


def test_class_indices_are_stratified_and_counted():
    x, y = torch.randn(90, 2, 16), torch.arange(90) % 3
    task = CustomTask(
        TensorDataset(x, y),
        loss=nn.functional.cross_entropy,
        metrics={"hits": lambda o, t: (o.argmax(1) == t).float().mean()},
    )
    assert task.n_outputs == 3
    assert task.metric == "hits"
    assert task.validation.targets.bincount().tolist() in ([5, 5, 4], [5, 4, 5], [4, 5, 5])
    assert set(task.score(torch.eye(3)[task.validation.targets], task.validation.targets)) == {"hits", "loss"}
    assert task.score(torch.eye(3)[task.validation.targets], task.validation.targets)["hits"] == 1.0


def test_a_loss_gets_label_smoothing_only_if_it_knows_it():
    x, y = torch.randn(30, 4), torch.arange(30) % 3
    output = torch.randn(30, 3)
    knows = CustomTask((x, y), loss=nn.functional.cross_entropy)
    assert knows.loss(output, y, 0.5) == nn.functional.cross_entropy(output, y, label_smoothing=0.5)
    ignores = CustomTask((x, y), loss=lambda o, t: nn.functional.cross_entropy(o, t))
    assert ignores.loss(output, y, 0.5) == nn.functional.cross_entropy(output, y)


def test_metrics_take_a_direction_in_three_ways():
    def far(output, target):
        return (output - target).abs().max().item()

    task = CustomTask(
        Squares(),
        loss=nn.functional.mse_loss,
        metrics={"far": (far, "minimize"), "m": Metric("m", "minimize", far), "up": far},
    )
    assert {n: m.direction for n, m in task.metrics.items()} == {
        "far": "minimize",
        "m": "minimize",
        "up": "maximize",
        "loss": "minimize",
    }
    with pytest.raises(DataError, match=r"metric 'far' is .*maximize"):
        CustomTask(Squares(), loss=nn.functional.mse_loss, metrics={"far": (far, "down")})
    with pytest.raises(DataError, match=r"no metric 'fra'.*Did you mean 'far'"):
        CustomTask(Squares(), loss=nn.functional.mse_loss, metrics={"far": far}, metric="fra")


def test_tokens_stay_integers_and_have_no_default_space():
    task = CustomTask((torch.randint(0, 50, (40, 12)), torch.arange(40) % 2), loss=nn.functional.cross_entropy)
    assert task.train.inputs.dtype == torch.int64
    with pytest.raises(DataError, match=r"there is no default space"):
        task.space()
    again = Preparation.from_json(json.loads(json.dumps(task.preparation.to_json())))
    assert again.inputs([[1] * 12]).dtype == torch.int64


def test_space_and_baseline_can_be_given():
    task = CustomTask(
        Squares(), loss=nn.functional.mse_loss, space=lambda shape, n: (shape, n), baseline=lambda: nn.Linear(3, 1)
    )
    assert task.space() == ((3,), 1)
    assert isinstance(task.baseline(), nn.Linear)
    assert CustomTask(Squares(), loss=nn.functional.mse_loss).baseline()(torch.zeros(2, 3)).shape == (2, 1)


def test_a_stream_is_read_too():
    class Stream(IterableDataset):
        def __iter__(self):
            return ((torch.ones(2), float(i)) for i in range(20))

    with pytest.raises(DataError, match=r"n_outputs cannot be told"):
        CustomTask(Stream(), loss=nn.functional.mse_loss)
    assert CustomTask(Stream(), loss=nn.functional.mse_loss, n_outputs=1).sizes["test"] == 4


def test_samples_that_differ_in_shape_are_named():
    with pytest.raises(DataError, match=r"the input of sample 0 has \(3,\), that of sample 13 has \(4,\)"):
        CustomTask(Squares(odd=13), loss=nn.functional.mse_loss)


def test_samples_that_are_no_pairs_or_no_numbers_are_told():
    with pytest.raises(DataError, match=r"sample 0 of train is of type int: each sample must be a pair"):
        CustomTask([1, 2, 3], loss=nn.functional.mse_loss)
    with pytest.raises(DataError, match=r"the input of sample 0 of train is of type str"):
        CustomTask([("a", 1)] * 9, loss=nn.functional.mse_loss)
    with pytest.raises(DataError, match=r"holds no sample"):
        CustomTask([], loss=nn.functional.mse_loss)


def test_other_bad_data_are_told():
    x = torch.zeros(20, 3)
    with pytest.raises(DataError, match=r"train inputs has 20 samples and train targets has 19"):
        CustomTask((x, torch.zeros(19, 1)), loss=nn.functional.mse_loss)
    x[4, 1] = torch.nan
    with pytest.raises(DataError, match=r"train inputs hold 1 NaN .* sample 4 at \(1,\)"):
        CustomTask((x, torch.zeros(20, 1)), loss=nn.functional.mse_loss)
    with pytest.raises(DataError, match=r"test inputs have samples of shape \(5,\).*those of train \(3,\)"):
        CustomTask(Squares(), test=(torch.zeros(4, 5), torch.zeros(4, 1)), loss=nn.functional.mse_loss)


def test_a_loader_is_read_as_its_data_set_is_and_in_the_same_order_each_time():
    data = TensorDataset(torch.arange(50.0)[:, None].repeat(1, 3), torch.arange(50.0)[:, None])
    whole = resident(data, "train")
    for loader in (DataLoader(data, batch_size=8), DataLoader(data, batch_size=8, shuffle=True, drop_last=True)):
        part = resident(loader, "train")
        assert torch.equal(part.inputs, whole.inputs)
        assert torch.equal(part.targets, whole.targets)
    some = DataLoader(data, batch_size=8, sampler=[3, 1, 4])
    assert resident(some, "train").targets.flatten().tolist() == [3, 1, 4]


def test_batches_of_unequal_samples_are_an_error_and_unequal_batches_are_not():
    samples = [(torch.zeros(3 + (i > 5)), torch.zeros(1)) for i in range(12)]
    with pytest.raises(DataError, match="the batches of train differ in shape"):
        resident(DataLoader(samples, batch_size=2), "train")
    assert len(resident(DataLoader(samples[:5], batch_size=2), "train")) == 5
