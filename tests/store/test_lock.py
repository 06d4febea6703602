import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from archwright.errors import StoreLockedError
from archwright.space import Architecture
from archwright.store import Run, Store
from archwright.trial import Proposal, Trial

TRIAL = Trial(0, Proposal(Architecture({})), "failed")

HOLD = """
import sys, time
from archwright.store import Store
with Store(sys.argv[1]) as store, store.lock(int(sys.argv[2])):
    print("held", flush=True)
    time.sleep(600)
"""

FORK_AND_HOLD = """
import os, sys, time
from archwright.store import Store
store = Store(sys.argv[1])
store._locked(int(sys.argv[2]))
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(600)
"""


@pytest.fixture
def path(tmp_path):
    with Store(tmp_path / "runs.db") as store:
        store.create(Run("digits"))
        store.create(Run("other"))
    return tmp_path / "runs.db"


@pytest.fixture
def start():
    started = []

    def begin(script, *args):
        command = [sys.executable, "-c", script, *map(str, args)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        started.append(process)
        return process, process.stdout.readline().strip()

    yield begin
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def test_a_run_has_one_writer_and_the_error_names_its_process(path, start):
    process, _ = start(HOLD, path, 1)
    with Store(path) as store:
        with pytest.raises(StoreLockedError, match=rf"run 'digits' in .*runs.db is .* by process {process.pid}: wait"):
            store.lock(1).__enter__()
        for write in (
            lambda: store.add(1, TRIAL, 0, 0),
            lambda: store.update(1, status="x"),
            lambda: store.final(1, {}),
        ):
            with pytest.raises(StoreLockedError):
                write()
        assert store.trials(1) == []  # reading is free


def test_another_run_of_the_same_store_can_be_written_to(path, start):
    start(HOLD, path, 1)
    with Store(path) as store, store.lock(2):
        store.add(2, TRIAL, 0, 0)
        assert store.count(2) == 1


@pytest.mark.crash
def test_the_lock_vanishes_with_its_process(path, start):
    for _ in range(5):
        process, _ = start(HOLD, path, 1)
        process.kill()
        process.wait()
        with Store(path) as store, store.lock(1):
            pass


@pytest.mark.crash
def test_a_forked_child_that_outlives_the_search_holds_no_lock(path, start):
    process, child = start(FORK_AND_HOLD, path, 1)
    with Store(path) as store, pytest.raises(StoreLockedError):
        store.lock(1).__enter__()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    os.kill(int(child), 0)  # it lives
    with Store(path) as store, store.lock(1):
        pass


def test_two_stores_in_one_process_exclude_each_other(path):
    with Store(path) as one, Store(path) as two:
        with one.lock(1):
            with pytest.raises(StoreLockedError, match="by this process"):
                two.lock(1).__enter__()
            with two.lock(2):
                pass
        with two.lock(1):
            pass


def test_a_lock_survives_that_another_of_the_same_process_is_given_back(path, start):
    script = HOLD.replace("time.sleep", "store.add; time.sleep")
    with Store(path) as one, one.lock(1):
        with Store(path) as two, two.lock(2):
            pass
        process, said = start(script, path, 1)
        assert said == ""  # it could not have it
        assert process.wait() != 0


def test_the_first_write_takes_the_lock_until_the_store_closes(path):
    with Store(path) as two:
        with Store(path) as one:
            one.add(1, TRIAL, 0, 0)
            with pytest.raises(StoreLockedError):
                two.lock(1).__enter__()
        with two.lock(1):
            pass


def test_holding_twice_is_holding_once(path):
    with Store(path) as one, Store(path) as two, one.lock(1):
        with one.lock(1):
            pass
        with pytest.raises(StoreLockedError):
            two.lock(1).__enter__()


def test_a_reader_sees_each_trial_as_soon_as_it_is_stored(path):
    with Store(path) as writer, Store(path, create=False) as reader:
        for n in range(3):
            writer.add(1, Trial(n, TRIAL.proposal, "failed"), n, 0)
            assert reader.count(1) == n + 1


def test_the_lock_file_is_made_beside_a_relative_path_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Store("runs.db") as store, store.lock(store.create(Run("r")).id):
        assert Path("runs.db-lock").exists()
        assert str(os.getpid()) in Path("runs.db-lock").read_bytes().decode()
