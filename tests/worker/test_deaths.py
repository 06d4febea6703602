"""Workers that die, are killed, or must be: each dies alone, no job is lost, and nobody outlives the search."""

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
import pytest

from archwright.errors import WorkerError
from archwright.space import Architecture
from archwright.trial import Proposal
from archwright.worker import Job, Processes

sys.path.insert(0, str(Path(__file__).parent))
from jobs import ACCURACY, MiB, collect, evaluate, gone, job, pids, wait_until

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # worker processes cannot import tests


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
    assert reasons["raise"].startswith("ValueError: no (jobs.py:")
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
            while not (alive := [pid for pid in pids(workers) if pid not in killed]):
                time.sleep(0.01)
            pid = rng.choice(alive)
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
    assert len(killed) == 8
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


def test_workers_that_die_at_their_start_are_not_started_for_ever():
    class Deadly:
        def __reduce__(self):
            return eval, ("print('going down', flush=True) or __import__('os')._exit(9)",)

    with Processes(Deadly(), ACCURACY, 1) as workers:
        workers.submit(job(0))
        with pytest.raises(WorkerError, match=r"(?s)3 times in a row \(worker exited with code 9\).*going down"):
            workers.next(120)
