"""NAS-Bench-Graph: the space and its canonical form agree with the package, the numbers are the package's."""

import numpy as np
import pytest

from archwright.benchmark import load
from archwright.benchmark.nasbenchgraph import DATASETS, DECISIONS, graph_space
from archwright.errors import DataError
from archwright.space import Architecture

package = pytest.importorskip("nas_bench_graph")


def network(link, *operations):
    return Architecture(dict(zip(DECISIONS, (link, *operations), strict=True)))


@pytest.mark.parametrize(("dataset", "distinct"), [("cora", 26206), ("proteins", 2021)])
def test_a_key_is_a_row(dataset, distinct):
    problem = load(f"nasbenchgraph-{dataset}")
    codes = problem.space.all_codes()
    rows = np.array([problem.evaluator.row(problem.space.architecture(c)) for c in codes.tolist()])
    keys = np.unique(problem.space.keys(codes), return_inverse=True)[1]
    assert len(set(zip(keys.tolist(), rows.tolist(), strict=True))) == len(set(rows)) == len(set(keys)) == distinct


def test_isomorphic_networks_share_a_key():
    space = graph_space()
    key = space.key(network("0011", "gcn", "gat", "gin", "fc"))
    assert space.key(network("0011", "gcn", "gat", "fc", "gin")) == key
    assert space.key(network("0011", "gat", "gcn", "fc", "gin")) != key
    assert space.key(network("0123", "gcn", "skip", "skip", "gat")) == space.key(
        network("0123", "skip", "skip", "gcn", "gat")
    )
    shared, apart = network("0122", "skip", "gcn", "gat", "gat"), network("0012", "gcn", "gcn", "gat", "gat")
    assert space.key(shared) != space.key(apart), "two nodes with weights of their own are not one that two read"


def test_the_numbers_are_those_of_the_package():
    problem = load("nasbenchgraph-cora-params")
    bench = package.light_read("cora")
    found = bench[package.Arch([0, 1, 2, 1], ["gcn", "gat", "fc", "cheb"]).valid_hash()]
    measured = problem.measure(network("0112", "gcn", "gat", "cheb", "fc"))
    assert measured.metrics == {"accuracy": found["valid_perf"], "test_accuracy": found["perf"]}
    assert measured.costs["params"] == pytest.approx(found["para"] * 1e6)
    assert measured.costs["latency_ms"] == pytest.approx(found["latency"] * 1e3)
    assert problem.best == max(f["valid_perf"] for f in bench.values())
    assert problem.space.build(network("0012", "gcn", "gat", "fc", "gin")) == (
        (0, 0, 1, 2),
        ("gcn", "gat", "fc", "gin"),
    )


def test_every_data_set_loads():
    for dataset in DATASETS:
        assert 0.4 < load(f"nasbenchgraph-{dataset}").best < 1


def test_unknown_data_set():
    with pytest.raises(DataError, match="Did you mean 'nasbenchgraph-cora'"):
        load("nasbenchgraph-coro")
