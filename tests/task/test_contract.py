"""Every kind of task keeps the contract."""

import numpy as np
import pandas as pd
import pytest

from archwright.errors import DataError
from archwright.task import ImageClassification, SequenceClassification, TabularClassification, TabularRegression
from archwright.task.task import Parts
from archwright.testing import TaskContract


class TestImages(TaskContract):
    def make(self):
        return self.make_of(60)

    def make_of(self, n):
        rng = np.random.default_rng(0)
        return ImageClassification(rng.integers(0, 200, (n, 8, 8), dtype=np.uint8), np.arange(n) % 3)


class TestSequences(TaskContract):
    def make(self):
        return self.make_of(60)

    def make_of(self, n):
        return SequenceClassification(np.random.default_rng(0).normal(size=(n, 2, 16)), np.arange(n) % 3)


def table(n):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.normal(40, 12, n),
            "rooms": rng.integers(1, 9, n),
            "town": rng.choice(["Bath", "York"], n),
            "kind": np.array(["flat", "house", "hut"])[np.arange(n) % 3],
            "price": rng.normal(200_000, 50_000, n),
        }
    )


class TestRowsOfClasses(TaskContract):
    def make(self):
        return self.make_of(60)

    def make_of(self, n):
        return TabularClassification(table(n), target="kind")


class TestRowsOfQuantities(TaskContract):
    def make(self):
        return self.make_of(60)

    def make_of(self, n):
        return TabularRegression(table(n))


@pytest.mark.parametrize("name", ["train", "validation", "test"])
@pytest.mark.parametrize("n", [0, 1])
def test_a_part_of_one_sample_or_none_is_refused_by_name(name, n):
    task = TestRowsOfQuantities().make()
    parts = {"train": task.train, "validation": task.validation, "test": task.open_test()}
    part = parts[name]
    parts[name] = type(part)(part.inputs[:n], part.targets[:n])
    with pytest.raises(DataError, match=name):
        Parts(**parts)
