import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cloudpickle
import psutil
import pytest

from archwright.errors import BudgetError, WorkerError
from archwright.objective import Objectives, at_most, maximize
from archwright.space import Architecture
from archwright.trial import Measurement, Proposal
from archwright.worker import Job, Processes

ACCURACY = Objectives.of(maximize("accuracy"))
MiB = 2**20
leaked: list[bytes] = []

# As functions of a user's script travel: workers cannot import this file.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


def job(number, behave="well", **fields):
    return Job(number, Proposal(Architecture({"behave": behave})), seed=number, **fields)


def evaluate(proposal, seed, context):
    behave = proposal.architecture["behave"]
    if behave == "hang":
        while True:
            time.sleep(60)
    if behave == "eat":
        eaten = []
        while True:
            eaten.append(bytearray(8 * MiB))
            time.sleep(0.01)
    if behave == "leak":
        leaked.append(b"x" * (60 * MiB))
    if behave == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if behave == "suicide":
        os.kill(os.getpid(), signal.SIGKILL)
    if behave == "leave":
        print("last words", file=sys.stderr)
        os._exit(3)
    if behave == "fork and die":
        if os.fork() == 0:
            time.sleep(600)
        os._exit(4)
    if behave == "raise":
        raise ValueError("no")
    if behave == "slow":
        time.sleep(0.05)
    if behave == "report":
        for epoch in range(3):
            context.report({"epoch": epoch})
    return Measurement({"accuracy": seed / 1000}, extra={"pid": os.getpid(), "context": context.number})


def collect(workers):
    outcomes = {}
    while workers.pending:
        outcome = workers.next(timeout_s=120)
        assert outcome is not None
        assert outcome.number not in outcomes
        outcomes[outcome.number] = outcome
    return outcomes


def pids(workers):
    return [child.process.pid for child in workers._children]


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition, timeout_s=60):
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def workers():
    with Processes(evaluate, ACCURACY, 2) as found:
        yield found
        ours = pids(found)
    assert all(map(gone, ours))


def test_every_job_comes_back_once_and_all_workers_work(workers):
    for n in range(30):
        workers.submit(job(n, "slow" if n < 4 else "well"))
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


@pytest.mark.crash
def test_whoever_misbehaves_dies_alone(workers):
    workers.memory_limit = workers._watch.memory_limit = 300 * MiB
    behaviours = ["hang", "eat", "segfault", "leave", "raise", "suicide", "fork and die", "well", "well", "well"]
    for n, behave in enumerate(behaviours):
        workers.submit(job(n, behave, timeout_s=0.5 if behave == "hang" else None))
    outcomes = collect(workers)
    reasons = {behave: outcomes[n].reason for n, behave in enumerate(behaviours)}
    assert reasons["hang"] == "timed out after 0.5 s"
    assert reasons["eat"] == "out of memory: used more than 0.3 GiB"
    assert reasons["segfault"] == "worker was killed (signal 11)"
    assert reasons["leave"] == "worker exited with code 3: last words"
    assert reasons["fork and die"].startswith("worker exited with code 4")
    assert reasons["raise"].startswith("ValueError: no (test_processes.py:")
    assert reasons["suicide"] == "worker was killed (signal 9)"
    assert [outcomes[n].status for n in (7, 8, 9)] == ["done"] * 3
    assert len(pids(workers)) == 2


@pytest.mark.crash
def test_workers_killed_at_random_moments_lose_no_job(workers):
    rng = random.Random(0)
    seen = set(pids(workers))
    killed = set()

    def murder():
        for _ in range(8):
            time.sleep(rng.uniform(0.0, 0.6))
            pid = rng.choice(pids(workers))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)

    workers.retries = workers.starts = 100
    murderer = threading.Thread(target=murder)
    murderer.start()
    outcomes = {}
    number = 0
    while murderer.is_alive() or workers.pending:
        while murderer.is_alive() and workers.pending < 3:
            workers.submit(job(number, "slow"))
            number += 1
        outcome = workers.next(timeout_s=60)
        if outcome is not None:
            assert outcome.number not in outcomes
            outcomes[outcome.number] = outcome
        seen.update(pids(workers))
    murderer.join()
    assert len(killed) > 3
    assert {n: o.status for n, o in outcomes.items()} == dict.fromkeys(range(number), "done")
    wait_until(lambda: workers.next(0.0) or not killed & set(pids(workers)))
    assert all(map(gone, seen - set(pids(workers))))


@pytest.mark.crash
def test_a_job_whose_worker_was_killed_from_outside_runs_again_but_not_for_ever():
    with Processes(evaluate, ACCURACY, 1, retries=1) as workers:
        workers.submit(job(0, "hang"))
        for _ in range(2):
            wait_until(lambda: workers.next(0.01) or workers._children[0].job is not None)
            os.kill(pids(workers)[0], signal.SIGKILL)
            if workers._runs[0] == 0:
                assert workers.next(0.3) is None
        outcome = workers.next(120)
        assert (outcome.status, outcome.reason) == ("failed", "worker was killed (signal 9)")


def test_memory_that_a_job_leaves_behind_is_not_blamed_on_the_next_one():
    with Processes(evaluate, ACCURACY, 1, memory_limit=300 * MiB) as workers:
        for n in range(12):
            workers.submit(job(n, "leak"))
        outcomes = collect(workers)
    # The kernel counts the memory at its own pace, but twelve times 60 MiB cannot fit.
    assert [outcomes[n].status for n in range(12)] == ["done"] * 12
    assert len({o.measurement.extra["pid"] for o in outcomes.values()}) > 1


PARENT = """
import os, sys, time
from archwright.objective import Objectives, maximize
from archwright.space import Architecture
from archwright.trial import Measurement, Proposal
from archwright.worker import Job, Processes

def evaluate(proposal, seed, context):
    print("garble", flush=True)
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:      # busy: it reads no socket
        pass

workers = Processes(evaluate, Objectives.of(maximize("accuracy")), 2)
for n in range(2):
    workers.submit(Job(n, Proposal(Architecture({})), n))
if sys.argv[1] == "busy":
    while sum(child.job is not None for child in workers._children) < 2:
        workers.next(0.05)
print(*[child.process.pid for child in workers._children], flush=True)
if sys.argv[1] == "exit":
    sys.exit()
if sys.argv[1] == "error":
    raise RuntimeError("forgot to close")
time.sleep(600)
"""


@pytest.mark.crash
@pytest.mark.parametrize("moment", ["starting", "busy", "exit", "error"])
def test_workers_die_with_the_search_whatever_way_it_ends(tmp_path, moment):
    script = tmp_path / "search.py"  # a script without a __main__ guard
    script.write_text(PARENT)
    search = subprocess.Popen(
        [sys.executable, script, moment], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    orphans = [int(pid) for pid in search.stdout.readline().split()]
    assert len(orphans) == 2
    if moment in ("starting", "busy"):
        search.kill()
    rest = search.stdout.read()
    search.stdout.close()
    search.wait()
    wait_until(lambda: all(map(gone, orphans)))
    assert rest == ""


@pytest.mark.crash
def test_what_a_worker_started_ends_with_it(workers, tmp_path):
    def spawn(proposal, seed, context):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path(proposal.architecture["file"]).write_text(str(child.pid))
        time.sleep(600)

    file = tmp_path / "pid"
    with Processes(spawn, ACCURACY, 1) as others:
        others.submit(Job(0, Proposal(Architecture({"file": str(file)})), 0, timeout_s=2.0))
        assert others.next(120).reason == "timed out after 2 s"
    wait_until(lambda: gone(int(file.read_text())))


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


def test_workers_that_die_at_their_start_are_not_started_for_ever():
    class Deadly:
        def __reduce__(self):
            return eval, ("print('going down', flush=True) or __import__('os')._exit(9)",)

    with Processes(Deadly(), ACCURACY, 1) as workers:
        workers.submit(job(0))
        with pytest.raises(WorkerError, match=r"(?s)3 times in a row \(worker exited with code 9\).*going down"):
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
