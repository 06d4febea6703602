import math
import sys
from pathlib import Path

import numpy as np
import pytest

from archwright.errors import EvaluationError
from archwright.objective import Objectives, at_most, maximize, minimize
from archwright.space import Architecture
from archwright.trial import Measurement, Proposal
from archwright.worker import InProcess, Job, run

ACCURACY = Objectives.of(maximize("accuracy"))
SMALL = Objectives.of([maximize("accuracy"), at_most(params="50k")])


def job(number=3, seed=7, **fields):
    return Job(number, Proposal(Architecture({"width": 16}), epochs=2), seed, **fields)


class Counted:
    """An evaluator that knows its costs, and how often it was called."""

    def __init__(self, params):
        self.params, self.trained, self.asked = params, 0, []

    def costs(self, architecture, names):
        self.asked.append(tuple(names))
        return {name: {"params": self.params, "latency_ms": 1.5}[name] for name in names}

    def __call__(self, proposal, seed, context):
        self.trained += 1
        return Measurement({"accuracy": 0.9})


def test_a_measurement_comes_back_done_with_its_time():
    outcome = run(lambda proposal, seed, context: Measurement({"accuracy": 0.5}), ACCURACY, job())
    assert (outcome.number, outcome.status, outcome.reason) == (3, "done", "")
    assert outcome.measurement.metrics == {"accuracy": 0.5}
    assert outcome.measurement.seconds > 0


def test_the_evaluator_gets_what_the_job_says(tmp_path):
    seen = []

    def evaluate(proposal, seed, context):
        seen.append((proposal.epochs, seed, context.number, context.deadline, context.folder))
        context.report({"epoch": 1, "accuracy": 0.25})
        return Measurement({"accuracy": 0.5})

    points = []
    run(evaluate, ACCURACY, job(deadline=12.5, folder=tmp_path), points.append)
    assert seen == [(2, 7, 3, 12.5, tmp_path)]
    assert points == [{"epoch": 1, "accuracy": 0.25}]


def test_an_infeasible_architecture_is_never_trained():
    evaluator = Counted(params=75_000)
    outcome = run(evaluator, SMALL, job())
    assert (outcome.status, outcome.reason) == ("infeasible", "params 75k is above 50k")
    assert outcome.measurement == Measurement(costs={"params": 75_000})
    assert evaluator.trained == 0


def test_the_costs_that_were_measured_before_join_the_measurement():
    evaluator = Counted(params=40_000)
    outcome = run(evaluator, SMALL, job())
    assert outcome.status == "done"
    assert outcome.measurement.costs == {"params": 40_000}
    assert evaluator.asked == [("params",)]


def test_a_cost_that_is_a_goal_is_measured_when_the_evaluator_did_not():
    evaluator = Counted(params=40_000)
    objectives = Objectives.of([maximize("accuracy"), minimize("latency_ms"), at_most(params="50k")])
    outcome = run(evaluator, objectives, job())
    assert outcome.measurement.costs == {"params": 40_000, "latency_ms": 1.5}
    assert evaluator.asked == [("params",), ("latency_ms",)]


def test_a_ceiling_holds_for_costs_that_only_the_evaluation_tells():
    outcome = run(lambda *_: Measurement({"accuracy": 1.0}, {"params": 60_000}), SMALL, job())
    assert (outcome.status, outcome.reason) == ("infeasible", "params 60k is above 50k")


def test_a_ceiling_on_a_cost_that_nobody_knows_fails_and_says_so():
    outcome = run(lambda *_: Measurement({"accuracy": 1.0}), SMALL, job())
    assert outcome.status == "failed"
    assert "params at most 50k: its cost was not measured" in outcome.reason


def test_an_exception_becomes_one_line_with_the_place_in_the_users_code():
    def evaluate(proposal, seed, context):
        raise ValueError("kernel 7 is larger\n than the image 5x5")

    outcome = run(evaluate, ACCURACY, job())
    assert (outcome.status, outcome.measurement) == ("failed", None)
    line = evaluate.__code__.co_firstlineno + 1
    assert outcome.reason == f"ValueError: kernel 7 is larger than the image 5x5 ({Path(__file__).name}:{line})"


def test_the_place_is_the_users_even_where_a_library_raises():
    outcome = run(lambda *_: np.linalg.inv(np.zeros((2, 2))), ACCURACY, job())
    assert outcome.reason.startswith("LinAlgError: Singular matrix (test_run.py:")


def test_a_long_message_is_cut_and_keeps_the_place():
    def evaluate(proposal, seed, context):
        raise RuntimeError("x" * 10_000)

    reason = run(evaluate, ACCURACY, job()).reason
    assert len(reason) <= 240
    assert reason.endswith(f"... (test_run.py:{evaluate.__code__.co_firstlineno + 1})")


def test_our_own_errors_speak_for_themselves():
    def evaluate(proposal, seed, context):
        raise EvaluationError("non-finite loss at epoch 3")

    assert run(evaluate, ACCURACY, job()).reason.startswith("non-finite loss at epoch 3")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        MemoryError("Unable to allocate 7.28 TiB for an array with shape (1000000, 1000000)"),
    ],
)
def test_want_of_memory_is_called_so(error):
    def evaluate(proposal, seed, context):
        raise error

    assert run(evaluate, ACCURACY, job()).reason.startswith("out of memory")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_metric_that_is_no_finite_number_fails_and_is_kept(value):
    outcome = run(lambda *_: Measurement({"accuracy": value}), ACCURACY, job())
    assert outcome.status == "failed"
    assert f"'accuracy' was measured as {value!r}" in outcome.reason
    assert repr(outcome.measurement.metrics["accuracy"]) == repr(value)


def test_another_metric_may_be_infinite():
    outcome = run(lambda *_: Measurement({"accuracy": 0.5, "log_loss": math.inf}), ACCURACY, job())
    assert outcome.status == "done"


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (None, "the evaluator returned None, a NoneType: expected a Measurement"),
        ({"accuracy": 0.5}, "a dict: expected a Measurement"),
        (Measurement({"accuracy": "high"}), "metric 'accuracy' is 'high', a str: expected a number"),
        (Measurement({"loss": 0.5}), "'accuracy' was not measured"),
        (Measurement({"accuracy": 0.5}, {"params": None}), "cost 'params' is None"),
    ],
)
def test_what_is_no_measurement_fails_and_is_named(result, said):
    outcome = run(lambda *_: result, ACCURACY, job())
    assert outcome.status == "failed"
    assert said in outcome.reason


def test_numbers_of_other_libraries_become_pythons_own():
    measured = Measurement({"accuracy": np.float32(0.5)}, {"params": np.int64(3)}, ({"epoch": np.int32(1)},))
    outcome = run(lambda *_: measured, ACCURACY, job())
    assert type(outcome.measurement.metrics["accuracy"]) is float
    assert type(outcome.measurement.curve[0]["epoch"]) is float


def test_leaving_the_program_from_an_evaluation_is_a_failure():
    assert "called sys.exit(3)" in run(lambda *_: sys.exit(3), ACCURACY, job()).reason


def test_an_interrupt_passes_through_and_the_job_stays():
    def evaluate(proposal, seed, context):
        raise KeyboardInterrupt

    with InProcess(evaluate, ACCURACY) as workers:
        workers.submit(job())
        with pytest.raises(KeyboardInterrupt):
            workers.next()
        assert workers.pending == 1
