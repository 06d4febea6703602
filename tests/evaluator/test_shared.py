"""Shared weights as an evaluator."""

import pickle

import pytest
import torch

import archwright as aw
from archwright.errors import EvaluationError
from archwright.evaluator import Shared
from archwright.evaluator.loop import outputs
from archwright.supernet import Supernet
from archwright.testing.oneshot import toy_space, toy_task
from archwright.trial import Proposal


@pytest.fixture(scope="module")
def supernet():
    """Some steps of uniform single paths."""
    task, space = toy_task(), toy_space()
    supernet = Supernet(space, task.input_shape, seed=1)
    optimizer = torch.optim.Adam(supernet.parameters(), lr=1e-2)
    for architecture in list(space)[::3]:
        optimizer.zero_grad()
        task.loss(supernet.train()(task.train.inputs, architecture), task.train.targets).backward()
        optimizer.step()
    return supernet


def test_it_measures_the_subnet_with_statistics_of_its_own(supernet):
    task, architecture = toy_task(), next(iter(toy_space()))
    shared = Shared(supernet, task)
    measured = shared(Proposal(architecture), 0)
    again = task.score(outputs(shared.subnet(architecture), task.validation.inputs), task.validation.targets)
    assert measured.metrics == again
    assert measured.costs["params"] == shared.costs(architecture, ["params"])["params"]
    kept = Shared(supernet, task, batches=0).subnet(architecture)
    assert not all(
        torch.equal(a, b) for a, b in zip(kept.buffers(), shared.subnet(architecture).buffers(), strict=True)
    )


def test_the_same_architecture_is_measured_the_same_and_the_supernet_is_left_alone(supernet):
    before = {name: t.clone() for name, t in supernet.state_dict().items()}
    shared, architecture = Shared(supernet, toy_task()), list(toy_space())[7]
    assert shared(Proposal(architecture), 0) == shared(Proposal(architecture), 1)
    assert all(torch.equal(t, before[name]) for name, t in supernet.state_dict().items())


def test_a_strategy_searches_it_under_a_ceiling(supernet):
    task, space = toy_task(), toy_space()
    shared = Shared(supernet, task)
    limit = sorted(shared.costs(a, ["params"])["params"] for a in space)[space.size // 2]
    result = aw.search(
        space=space,
        evaluate=shared,
        objectives=[aw.maximize("accuracy"), aw.at_most(params=int(limit))],
        strategy=aw.strategy.RegularizedEvolution,
        trials=20,
        progress=False,
    )
    done = [t for t in result.trials if t.status == "done"]
    assert len(done) == 20
    assert all(t.measurement.costs["params"] <= limit for t in done)
    best = max(t.measurement.metrics["accuracy"] for t in done)
    assert result.best.metrics["accuracy"] == best


def test_it_travels_to_another_process(supernet):
    shared, architecture = Shared(supernet, toy_task()), list(toy_space())[3]
    assert pickle.loads(pickle.dumps(shared))(Proposal(architecture), 0) == shared(Proposal(architecture), 0)


@pytest.mark.parametrize(("settings", "told"), [({"batches": -1}, "batches"), ({"batch_size": 1}, "batch_size")])
def test_settings_that_make_no_sense_are_errors(supernet, settings, told):
    with pytest.raises(EvaluationError, match=told):
        Shared(supernet, toy_task(), **settings)


def test_a_task_of_other_shape_is_an_error(supernet):
    with pytest.raises(EvaluationError, match="inputs of shape"):
        Shared(supernet, aw.task.load("digits"))
