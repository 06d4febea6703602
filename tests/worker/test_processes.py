import os
import signal
import sys
import threading
from pathlib import Path

import cloudpickle
import pytest

from archwright.errors import BudgetError, WorkerError
from archwright.objective import Objectives, at_most, maximize
from archwright.trial import Measurement
from archwright.worker import Processes

sys.path.insert(0, str(Path(__file__).parent))
from jobs import ACCURACY, collect, evaluate, job, pids

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # worker processes cannot import tests


def test_every_job_comes_back_once_and_all_workers_work(workers, tmp_path):
    for n in range(30):
        workers.submit(job(n, f"meet in {tmp_path}" if n < 2 else "well"))
    outcomes = collect(workers)
    assert sorted(outcomes) == list(range(30))
    assert {o.status for o in outcomes.values()} == {"done"}
    assert [outcomes[n].measurement.metrics["accuracy"] for n in range(30)] == [n / 1000 for n in range(30)]
    assert {o.measurement.extra["pid"] for o in outcomes.values()} == set(pids(workers))


def test_waiting_for_an_outcome_ends_in_time_and_when_there_is_nothing_to_wait_for(workers):
    assert workers.next() is None
    workers.submit(job(0, "hang"))
    assert workers.next(timeout_s=0.05) is None
    assert workers.pending == 1


def test_reports_arrive_before_the_outcome():
    heard = []
    with Processes(evaluate, ACCURACY, 1, on_report=lambda number, point: heard.append((number, point))) as workers:
        workers.submit(job(5, "report"))
        assert workers.next(120).status == "done"
    assert heard == [(5, {"epoch": 0}), (5, {"epoch": 1}), (5, {"epoch": 2})]


def test_failures_and_ceilings_are_the_same_as_in_this_process():
    class Costly:
        def costs(self, architecture, names):
            return {"params": 75_000}

    with Processes(Costly(), Objectives.of([maximize("accuracy"), at_most(params="50k")]), 1) as workers:
        workers.submit(job(0))
        outcome = workers.next(120)
    assert (outcome.status, outcome.reason) == ("infeasible", "params 75k is above 50k")


def test_ctrl_c_is_the_searchs_to_decide(workers):
    for n in range(4):
        workers.submit(job(n, "slow"))
    for pid in pids(workers):
        assert os.getpgid(pid) != os.getpgid(0)
    first = workers.next(120)
    for pid in pids(workers):
        os.kill(pid, signal.SIGINT)
    assert {first.status, *(o.status for o in collect(workers).values())} == {"done"}


def test_output_of_workers_goes_to_their_logs(tmp_path, capfd):
    def chatter(proposal, seed, context):
        print("hello from", seed)
        print("careful", file=sys.stderr)
        return Measurement({"accuracy": 1.0})

    with Processes(chatter, ACCURACY, 1, log_folder=tmp_path / "logs") as workers:
        workers.submit(job(41))
        assert workers.next(120).status == "done"
    assert (tmp_path / "logs" / "worker-0.log").read_text() == "hello from 41\ncareful\n"
    assert capfd.readouterr() == ("", "")


def test_numerical_libraries_use_one_thread():
    def threads(proposal, seed, context):
        return Measurement({"accuracy": float(os.environ["OMP_NUM_THREADS"])}, extra={"path": sys.path})

    with Processes(threads, ACCURACY, 1) as workers:
        workers.submit(job(0))
        measurement = workers.next(120).measurement
    assert measurement.metrics["accuracy"] == 1.0
    assert measurement.extra["path"] == sys.path


def test_an_evaluator_that_cannot_be_sent_is_told_at_once():
    lock = threading.Lock()
    with pytest.raises(WorkerError, match=r"cannot be sent to worker processes \(TypeError: cannot pickle"):
        Processes(lambda *_: lock, ACCURACY, 1)


def test_an_evaluator_that_cannot_be_loaded_is_told_with_its_error():
    class Broken:
        def __reduce__(self):
            return __import__, ("no_such_module",)

    with Processes(Broken(), ACCURACY, 1) as workers:
        workers.submit(job(0))
        with pytest.raises(
            WorkerError, match=r"(?s)cannot be loaded in a worker process.*No module named 'no_such_module'"
        ):
            workers.next(120)


def test_a_start_that_takes_for_ever_is_given_up():
    class Slow:
        def __reduce__(self):
            return eval, ("__import__('time').sleep(600)",)

    with Processes(Slow(), ACCURACY, 1, start_timeout_s=0.3, starts=1) as workers:
        workers.submit(job(0))
        with pytest.raises(WorkerError, match=r"did not start within 0\.3 s"):
            workers.next(120)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"n": 0}, "workers cannot be 0"),
        ({"n": 1.5}, "workers cannot be 1.5"),
        ({"n": 1, "memory_limit": 0}, "bytes above 0"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(given, said):
    with pytest.raises(BudgetError, match=said):
        Processes(evaluate, ACCURACY, **given)


def test_a_job_after_the_end_is_refused():
    workers = Processes(evaluate, ACCURACY, 1)
    workers.submit(job(0, "hang"))
    workers.close()
    workers.close()
    with pytest.raises(WorkerError, match="job 1 came after"):
        workers.submit(job(1))


def constant(value):
    return lambda proposal, seed, context: Measurement({"accuracy": value}, extra={"pid": os.getpid()})


def test_processes_stand_by_until_an_evaluator_comes_and_take_another_after_it():
    with Processes(n=2, module="archwright.evaluator.function") as workers:
        with pytest.raises(WorkerError, match="job 0 came before an evaluator"):
            workers.submit(job(0))
        before = set(pids(workers))
        # A worker that is still loading when the next evaluator comes must not be taken for ready.
        for value in (0.1, 0.2, 0.3):
            workers.load(constant(value), ACCURACY)
        found = set()
        for n in range(8):
            workers.submit(job(n))
        with pytest.raises(WorkerError, match="8 jobs pending"):
            workers.load(constant(0.4), ACCURACY)
        for outcome in collect(workers).values():
            assert outcome.measurement.metrics["accuracy"] == 0.3
            found.add(outcome.measurement.extra["pid"])
        assert found <= before
        os.kill(next(iter(before)), signal.SIGKILL)
        workers.load(constant(0.5), ACCURACY)  # which the one that takes its place gets too
        for n in range(4):
            workers.submit(job(n))
        assert {o.measurement.metrics["accuracy"] for o in collect(workers).values()} == {0.5}


def test_a_module_that_cannot_be_imported_beforehand_stops_nobody():
    with Processes(evaluate, ACCURACY, 1, module="no.such.module") as workers:
        workers.submit(job(0))
        assert workers.next(120).status == "done"
