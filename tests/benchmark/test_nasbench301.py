"""NAS-Bench-301 with a stand-in of its package: it is asked as the package's own example asks it."""

import pickle
import sys
import types

import numpy as np
import pytest

from archwright.benchmark import load
from archwright.benchmark.nasbench301 import MODELS, OPERATIONS, darts_space
from archwright.errors import DataError, EvaluationError


class Ensemble:
    def __init__(self, folder):
        self.folder = folder

    def predict(self, config, representation, with_noise):
        assert (representation, with_noise) == ("genotype", False)
        for cell, concat in ((config.normal, config.normal_concat), (config.reduce, config.reduce_concat)):
            assert concat == [2, 3, 4, 5]
            assert len(cell) == 8
            for node in range(4):
                (first, a), (second, b) = cell[2 * node : 2 * node + 2]
                assert first in OPERATIONS
                assert second in OPERATIONS
                assert 0 <= a < b < node + 2
        score = sum(op == "sep_conv_3x3" for op, _ in (*config.normal, *config.reduce))
        return np.float64(1000.0 + score if "runtime" in self.folder else 90 + score / 10)


@pytest.fixture
def package(monkeypatch):
    module = types.ModuleType("nasbench301")
    module.load_ensemble = Ensemble
    monkeypatch.setitem(sys.modules, "nasbench301", module)


def test_it_asks_the_models(package, tmp_path):
    for model in MODELS:
        (tmp_path / model).mkdir(parents=True)
    problem = load("nasbench301", tmp_path)
    again = pickle.loads(pickle.dumps(problem))
    for architecture in problem.space.sample(np.random.default_rng(0), 20):
        score = sum(v == "sep_conv_3x3" for v in architecture.values())
        measured = problem.measure(architecture)
        assert measured == again.measure(architecture)
        assert measured.metrics == {"accuracy": 90 + score / 10}
        assert measured.seconds == 1000 + score
    with pytest.raises(EvaluationError, match="100 epochs alone, got 3"):
        problem.measure(architecture, epochs=3)


def test_models_that_are_absent(package, tmp_path):
    with pytest.raises(DataError, match=r"nb_models_1.0/xgb_v1.0 .*download_models"):
        load("nasbench301", tmp_path)


def test_a_package_that_is_absent(monkeypatch):
    monkeypatch.setitem(sys.modules, "nasbench301", None)
    with pytest.raises(DataError, match="pip install nasbench301"):
        load("nasbench301")


def test_the_space_is_that_of_darts():
    """Each node: pairs of earlier states times 49 operations; both cells: (1 * 3 * 6 * 10 * 49^4)^2."""
    space = darts_space()
    assert space.size == (180 * 49**4) ** 2
    architecture = space.sample(np.random.default_rng(0))
    assert "reads=" in str(architecture)
    labels = [d["label"] for _, d in space.graph(architecture).nodes(data=True)]
    assert sum(label in OPERATIONS for label in labels) >= 8
