"""What the tests of evaluators share: digits, and a space of small networks over them."""

import pytest
import torch

from archwright import nn, task
from archwright.evaluator import Recipe, Training
from archwright.space import Architecture, Space, choice


@pytest.fixture(scope="session")
def digits():
    return task.load("digits")


@pytest.fixture(scope="session")
def space():
    return Space(
        nn.Sequential(
            nn.ConvBlock(width=choice(8, 16, name="width"), kernel=3),
            nn.MaxPool(2),
            nn.ConvBlock(width=16, kernel=3),
            nn.GlobalPool(),
            nn.Dropout(p=choice(0.0, 0.3, name="dropout")),
            nn.Classifier(10),
        )
    )


@pytest.fixture(scope="session")
def small():
    return Architecture({"0/width": 8, "4/dropout": 0.3})


@pytest.fixture(scope="session")
def training(space, digits):
    return Training(space, digits, Recipe(epochs=3, batch_size=64, precision="float32", layout="contiguous"))


@pytest.fixture(autouse=True)
def one_thread():
    """Equal results are promised for equal numbers of threads; here it is the number that workers have."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
