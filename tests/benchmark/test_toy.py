"""Toys, and through them what every evaluator of a table promises."""

import pickle

import numpy as np
import pytest

from archwright.benchmark import load, names
from archwright.benchmark.toy import EPOCHS, TOYS, toy
from archwright.errors import DataError, EvaluationError
from archwright.evaluator import Context, Evaluator, StopTrial
from archwright.objective import hypervolume
from archwright.trial import Measurement, Proposal


@pytest.mark.parametrize("name", TOYS)
def test_the_evaluator_is_pure(name):
    problem = toy(name)
    again = pickle.loads(pickle.dumps(problem.evaluator))
    assert isinstance(problem.evaluator, Evaluator)
    best = []
    for architecture in problem.space:
        try:
            measured = problem.measure(architecture)
        except EvaluationError:
            continue
        assert measured == again(Proposal(architecture), 0) == problem.evaluator(Proposal(architecture), 0)
        assert measured.seconds == again(Proposal(architecture), 0).seconds > 0
        best.append(measured.metrics["accuracy"])
    assert max(best) == problem.best
    assert 0 < problem.space.size - len(best) < 20, "a few trainings fail"


def test_fewer_epochs_read_the_curve():
    problem = toy("toy-epochs")
    assert problem.max_epochs == EPOCHS
    architecture = problem.space.sample(np.random.default_rng(0))
    whole = problem.measure(architecture)
    part = problem.measure(architecture, epochs=9)
    assert (whole.epochs, part.epochs, len(part.curve)) == (EPOCHS, 9, 9)
    assert part.curve == whole.curve[:9]
    assert part.metrics == {"accuracy": whole.curve[8]["accuracy"]}, "a test metric is measured at the end alone"
    assert "test_accuracy" in whole.metrics
    assert part.seconds == pytest.approx(whole.seconds * 9 / EPOCHS)
    assert whole.metrics["accuracy"] == pytest.approx(whole.curve[-1]["accuracy"])
    for epochs in (0, EPOCHS + 1):
        with pytest.raises(EvaluationError, match=f"1 to {EPOCHS} epochs, got {epochs}"):
            problem.measure(architecture, epochs=epochs)


def test_a_training_can_be_stopped():
    def report(point):
        if point["epoch"] == 4:
            raise StopTrial

    problem = toy("toy-epochs")
    architecture = problem.space.sample(np.random.default_rng(0))
    stopped = problem.evaluator(Proposal(architecture), 0, Context(report=report))
    assert stopped == problem.measure(architecture, epochs=4)


def test_a_ranking_after_few_epochs_misleads():
    problem = toy("toy-epochs")

    def accuracy(epochs):
        found = []
        for a in problem.space:
            try:
                found.append(problem.measure(a, epochs=epochs).metrics["accuracy"])
            except EvaluationError:
                found.append(-1.0)
        return np.array(found)

    early, late = accuracy(1), accuracy(EPOCHS)
    assert late[early.argmax()] < late.max()


def test_the_front_of_two_goals():
    problem = toy("toy-params")
    front, reference = np.array(problem.front["scores"]), problem.front["reference"]
    assert (front <= reference).all()
    assert hypervolume(front, reference) > hypervolume(front[:-1], reference) > 0
    assert toy("toy").front == {}


def test_the_search_itself_runs_on_it():
    """Ceilings are held before training, goals found, failures passed by."""
    import archwright

    problem = toy("toy-params")
    objectives = [*problem.objectives.goals, archwright.at_most(params=10_000)]
    given = {"space": problem.space, "evaluate": problem.evaluator, "objectives": objectives, "progress": False}
    found = archwright.search(**given, strategy=archwright.strategy.Random, trials=60)
    done = [t for t in found.trials if t.status == "done"]
    assert all(t.measurement.costs["params"] <= 10_000 for t in done)
    assert all("accuracy" in t.measurement.metrics for t in done)
    assert {t.status for t in found.trials} >= {"done", "infeasible"}
    # The default asks for the costs before it proposes.
    assert all(t.status != "infeasible" for t in archwright.search(**given, trials=20).trials)


def test_names():
    assert len(set(names())) == len(names())
    for name in ("mini", "nasbench201-cifar10-12", "nasbench201-cifar10-latency-raspi4", "nasbenchgraph-cora", "toy"):
        assert name in names()
    for name in TOYS:
        assert load(name).name == name
    with pytest.raises(DataError, match="Did you mean 'toy-params'"):
        load("toy-param")
    with pytest.raises(DataError, match="There are mini, "):
        load("zzz")
    assert isinstance(load("toy").measure(next(iter(load("toy").space))), Measurement)
