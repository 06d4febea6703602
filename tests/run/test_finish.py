"""The final choice under a short time: what can be trained in it, and by how many threads."""

import json
import time
from dataclasses import replace

import pytest
import torch

from archwright.errors import EvaluationError
from archwright.evaluator import Context, Recipe, Training
from archwright.objective import Objectives, maximize
from archwright.run.finish import Refit, _winner, choose, finish
from archwright.run.plan import FinalPlan
from archwright.testing.oneshot import toy_space, toy_task
from archwright.trial import Measurement, Proposal, Trial
from archwright.worker import Job, Processes

OBJECTIVES = Objectives.of(maximize("accuracy"))
SPACE = toy_space()
SOME = SPACE.architecture(
    {"0/width": 4, "operation": "ConvBlock", "operation/ConvBlock/kernel": 3, "2/depth": 0, "3/dropout": 0.0}
)


def test_of_equal_scores_the_surer_trial_is_chosen():
    def unsure(number, accuracy, log_loss):
        measured = Measurement({"accuracy": accuracy, "log_loss": log_loss}, {"params": 1.0}, seconds=1.0, epochs=4)
        return Trial(number, Proposal(SOME), "done", measured, (-accuracy,), key=str(number))

    everything = [unsure(0, 1.0, 0.3), unsure(1, 0.9, 0.01), unsure(2, 1.0, 0.1), unsure(3, 1.0, 0.2)]
    assert [t.number for t in choose(everything, OBJECTIVES, 3)] == [2, 3, 0]
    again = [[t.measurement] for t in everything]
    assert _winner(everything, again, OBJECTIVES).number == 2
    again[3] = [replace(everything[3].measurement, metrics={"accuracy": 1.0, "log_loss": 0.05})]
    assert _winner(everything, again, OBJECTIVES).number == 3  # by what it was measured to be in the end


def test_each_seed_of_a_candidate_is_validated_on_another_part(tmp_path, monkeypatch):
    task = toy_task()
    training = Training(SPACE, task, Recipe(epochs=1, precision="float32", layout="contiguous"))
    given = []

    def fit(architecture, seed, part, epochs, deadline, fold):
        given.append((part, fold))
        raise EvaluationError("enough")

    monkeypatch.setattr(training, "fit", fit)
    monkeypatch.setattr(type(task), "folds", 3)
    refit = Refit(training, tmp_path, finals_from=8, together=2)
    for number in range(9):
        with pytest.raises(EvaluationError, match="enough"):
            refit(Proposal(SOME, 1), 0, Context(number))
    assert given == [*(("train", fold) for fold in (0, 0, 1, 1, 2, 2, 0, 0)), ("train+validation", 0)]


@pytest.mark.parametrize(("finals", "workers", "threads"), [(1, 2, 2), (2, 2, 1), (1, 4, 4), (2, 5, 2), (1, 1, 1)])
def test_a_training_alone_has_the_threads_of_the_workers_that_are_idle(finals, workers, threads):
    plan = FinalPlan(0, 0, 30, finals, 30).fitted(60.0, workers, 3.0)
    assert plan.threads == threads
    assert plan.final_epochs >= 18
    assert FinalPlan(0, 0, 30, finals, 30).fitted(6000.0, workers, 0.1).threads == 1  # there is time enough


def test_the_final_training_runs_on_them_and_gives_them_back(tmp_path):
    training = Training(SPACE, toy_task(), Recipe(epochs=2, precision="float32", layout="contiguous"))
    seen = []
    fit = training.fit

    def watched(*args):
        seen.append(torch.get_num_threads())
        return fit(*args)

    training.fit = watched
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        refit = Refit(training, tmp_path, finals_from=1, threads=2)
        proposal = Proposal(SOME, 2)
        refit(proposal, 0)  # number 0: a candidate
        refit.finals_from = 0
        refit(proposal, 0)
        assert seen == [1, 2]
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_a_hurried_choice_ends_with_a_network_and_says_its_threads(tmp_path):
    training = Training(SPACE, toy_task(), Recipe(epochs=400, precision="float32", layout="contiguous"))
    measured = training(Proposal(SOME, 2), 0)
    done = Trial(0, Proposal(SOME), "done", measured, (-0.5,), key="a")
    plan = FinalPlan(0, 0, 400, 1, 400, stretch=50.0)
    with Processes(n=2, module="archwright.evaluator.training") as workers:
        workers.load(training, OBJECTIVES)
        for number in range(2):  # what a busy machine takes to start them is no part of the choice
            workers.submit(Job(number, Proposal(SOME, 1), number))
        assert all(workers.next(300.0) is not None for _ in range(2))
        began = time.monotonic()
        chosen = finish(training, [done], OBJECTIVES, plan, workers=workers, folder=tmp_path, until=began + 12.0)
        assert time.monotonic() - began < 60
    assert chosen is not None
    told = json.loads(json.dumps(chosen.outcome))
    assert told["plan"]["threads"] == 2
    assert 4 <= told["plan"]["final_epochs"] < 20_000
    assert told["test"]["accuracy"]["mean"] > 0.6
