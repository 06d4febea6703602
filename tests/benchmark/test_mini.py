"""The mini benchmark: the shipped numbers, what the loader makes of them, and that its script gives them again."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from archwright.benchmark import load
from archwright.benchmark.mini import EDGES, EPOCHS, OPERATIONS, mini, mini_facts, mini_space
from archwright.errors import DataError
from archwright.space import Architecture

ROOT = Path(__file__).parents[2]


def cell(*operations):
    return Architecture(dict(zip(EDGES, operations, strict=True)))


def test_every_cell_has_its_function_s_numbers():
    problem = load("mini")
    codes = problem.space.all_codes()
    rows = [problem.evaluator.row(a) for a in map(problem.space.architecture, codes)]
    assert (len(codes), len(set(rows))) == (625, 475)
    keys = problem.space.keys(codes).tolist()
    assert len(set(zip(keys, rows, strict=True))) == 475
    swapped = cell("skip", "conv_3", "conv_1", "pool_3"), cell("skip", "conv_1", "conv_3", "pool_3")
    assert problem.measure(swapped[0]) == problem.measure(swapped[1]), "the order of a sum does not matter"


def test_accuracies_are_those_of_real_trainings():
    """Learnt, not saturated: the best cells stand clear of the middle, and test agrees with validation."""
    problem = load("mini")
    found = [problem.measure(a).metrics for a in problem.space]
    accuracy, tested = (np.array([f[m] for f in found]) for m in ("accuracy", "test_accuracy"))
    assert accuracy.max() == problem.best
    assert 0.9 < problem.best < 0.99
    assert np.median(accuracy) < problem.best - 0.05
    assert accuracy.min() > 0.2
    assert np.corrcoef(accuracy, tested)[0, 1] > 0.95
    without = problem.measure(cell("skip", "skip", "skip", "skip")).metrics["accuracy"]
    assert without < np.quantile(accuracy, 0.1), "a cell without an operation is among the worst"


def test_parameters_are_counted():
    """A convolution of 12 channels has 144 weights a position and a norm of 24; the rest is stem and classifier."""
    problem = load("mini-params")
    bare = problem.measure(cell("skip", "skip", "skip", "skip")).costs
    taps = {"skip": 0, "pool_3": 0, "conv_1": 1, "conv_3": 3, "conv_5": 5}
    for architecture in problem.space.sample(np.random.default_rng(0), 50):
        costs = problem.measure(architecture).costs
        positions = sum(taps[o] for o in architecture.values())
        assert costs["params"] - bare["params"] == 144 * positions + 24 * sum(
            taps[o] > 0 for o in architecture.values()
        )
        assert costs["latency_ms"] > 0
        assert costs["macs"] >= bare["macs"]
    assert len(problem.front["scores"]) > 3


def test_it_has_curves():
    problem = load("mini")
    assert problem.max_epochs == EPOCHS
    best = max(problem.space, key=lambda a: problem.measure(a).metrics["accuracy"])
    curve = [point["accuracy"] for point in problem.measure(best).curve]
    assert len(curve) == EPOCHS
    assert curve[0] < curve[5] < curve[-1]
    part = problem.measure(best, epochs=4)
    assert part.metrics == {"accuracy": curve[3]}
    assert part.seconds == pytest.approx(problem.measure(best).seconds / 3)


def test_seeds_may_be_drawn():
    drawn, mean = load("mini-drawn"), load("mini")
    architecture = cell("conv_3", "conv_5", "conv_1", "conv_3")
    values = [drawn.measure(architecture, seed).metrics["accuracy"] for seed in range(40)]
    assert values == [drawn.measure(architecture, seed).metrics["accuracy"] for seed in range(40)]
    assert np.mean(sorted(set(values))) == pytest.approx(mean.measure(architecture).metrics["accuracy"], abs=1e-6)
    first = drawn.measure(architecture, 3)
    assert first.metrics["accuracy"] == first.curve[-1]["accuracy"], "curve and end are of one training"
    assert drawn.best == mean.best


def test_what_it_has_not():
    with pytest.raises(DataError, match="no cost 'bytes'"):
        mini(goals=("bytes",))
    with pytest.raises(DataError, match=r"mini\(seeds='all'\) is unknown"):
        mini("all")


def test_the_conditions_are_recorded():
    facts = mini_facts()
    assert tuple(facts["operations"]) == OPERATIONS
    assert tuple(facts["edges"]) == EDGES
    assert facts["recipe"]["epochs"] == EPOCHS
    assert facts["latency"]["threads"] == 1
    assert {"machine", "versions", "date"} <= set(facts["machine"])


def test_it_is_small():
    path = ROOT / "src/archwright/benchmark/data/mini.npz"
    assert path.stat().st_size < 2_000_000


@pytest.fixture
def make_mini(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield importlib.import_module("make_mini")
    sys.modules.pop("make_mini", None)
    sys.modules.pop("machine", None)


def test_the_script_s_networks_are_the_space_s_cells(make_mini):
    """Two cells have one key as networks exactly when they have one as cells; codes mean the same in both."""
    networks, cells = make_mini.network_space(), mini_space()
    codes = cells.all_codes()
    pairs = set(zip(networks.keys(codes).tolist(), cells.keys(codes).tolist(), strict=True))
    assert len(pairs) == len(make_mini.representatives()) == 475
    module = networks.build(networks.architecture([3, 0, 1, 4]))
    assert "ConvBlock" in type(module[1].edges[0]).__name__
    assert module[1].edges[0].kernel == 3
    assert module[1].edges[5].kernel == 5


def test_lines_that_were_cut_off_are_left_out(make_mini, tmp_path, capsys):
    path = tmp_path / "mini.jsonl"
    path.write_text('{"codes": [0, 0, 0, 0], "seed": 0}\n{"codes": [0, 0, 0, 1], "se')
    assert list(make_mini.of(make_mini.read(path), "seed")) == [(0, 0, 0, 0, 0)]
    assert "is not whole" in capsys.readouterr().out


@pytest.mark.slow
def test_a_cell_trained_again_is_as_good(make_mini):
    """The same seed on another machine gives not the same bits, but an accuracy within the seeds' own spread."""
    codes = [3, 2, 3, 3]
    again = make_mini.trained((codes, 0))
    drawn = mini("drawn")
    architecture = drawn.space.architecture(codes)
    shipped = [drawn.measure(architecture, seed) for seed in range(20)]
    accuracies = [m.metrics["accuracy"] for m in shipped]
    assert min(accuracies) - 0.03 < again["accuracy"][-1] < max(accuracies) + 0.03
    assert again["test_accuracy"] == pytest.approx(np.mean([m.metrics["test_accuracy"] for m in shipped]), abs=0.04)
    assert (again["params"], again["macs"]) == (shipped[0].costs["params"], shipped[0].costs["macs"])
