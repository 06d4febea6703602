import signal
import threading
import time

import pytest

from archwright.errors import WorkerError
from archwright.objective import Objectives, maximize
from archwright.space import Architecture
from archwright.trial import Measurement, Proposal
from archwright.worker import InProcess, Job

ACCURACY = Objectives.of(maximize("accuracy"))


def job(number, **fields):
    return Job(number, Proposal(Architecture({"n": number})), number, **fields)


def evaluate(proposal, seed, context):
    context.report({"epoch": 1})
    return Measurement({"accuracy": seed / 10})


def spin(proposal, seed, context):
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            continue


def test_jobs_run_in_the_order_in_which_they_came():
    reports = []
    with InProcess(
        evaluate, ACCURACY, on_report=lambda number, point: reports.append((number, dict(point)))
    ) as workers:
        for n in range(3):
            workers.submit(job(n))
        assert workers.pending == 3
        outcomes = [workers.next() for _ in range(3)]
        assert workers.next() is None
    assert [o.number for o in outcomes] == [0, 1, 2]
    assert [o.measurement.metrics["accuracy"] for o in outcomes] == [0.0, 0.1, 0.2]
    assert reports == [(0, {"epoch": 1}), (1, {"epoch": 1}), (2, {"epoch": 1})]


def test_an_evaluation_that_never_ends_times_out_and_the_next_one_runs():
    jobs = iter([spin, evaluate])
    with InProcess(lambda *args: next(jobs)(*args), ACCURACY) as workers:
        workers.submit(job(0, timeout_s=0.1))
        workers.submit(job(1, timeout_s=60))
        outcome = workers.next()
        assert (outcome.status, outcome.reason) == ("failed", "timed out after 0.1 s")
        assert workers.next().status == "done"


def test_another_alarm_is_put_back():
    rung = threading.Event()
    before = signal.signal(signal.SIGALRM, lambda *_: rung.set())
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with InProcess(spin, ACCURACY) as workers:
            workers.submit(job(0, timeout_s=0.1))
            assert workers.next().reason == "timed out after 0.1 s"
        assert not rung.is_set()
        assert rung.wait(30)
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, remaining, interval)


def test_outside_the_main_thread_jobs_run_without_time_out():
    found = []

    def work():
        with InProcess(evaluate, ACCURACY) as workers:
            workers.submit(job(0, timeout_s=60))
            found.append(workers.next().status)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == ["done"]


def test_a_job_after_the_end_is_refused():
    workers = InProcess(evaluate, ACCURACY)
    workers.submit(job(0))
    workers.close()
    workers.close()
    assert workers.pending == 0
    with pytest.raises(WorkerError, match="job 1 came after the workers were closed"):
        workers.submit(job(1))


def test_another_evaluator_can_be_loaded():
    workers = InProcess()
    with pytest.raises(WorkerError, match="job 0 came before an evaluator"):
        workers.submit(job(0))
    workers.load(evaluate, ACCURACY)
    workers.submit(job(0))
    assert workers.next().status == "done"
