"""Real processes, real kill -9: nothing told is lost, and a resumed search is the same search."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from archwright.store import Store

SCRIPT = Path(__file__).with_name("crash_script.py")
KILLS = 20
TRIALS = 250
PATIENCE_S = 120

pytestmark = [pytest.mark.crash, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]


def start(store):
    with open(f"{store}.log", "ab") as log:
        return subprocess.Popen([sys.executable, str(SCRIPT), str(store)], stdout=log, stderr=log)


def trials(store):
    if not store.exists():
        return []
    with Store(store) as kept:
        return [r.trial for r in kept.trials(kept.runs()[0].id)] if kept.runs() else []


def count(store):
    """How many trials are stored, told quickly: the search must not get far between two looks."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as database:
            return database.execute("select count(*) from trials").fetchone()[0]
    except sqlite3.OperationalError:  # not there yet
        return 0


def workers_of(process):
    try:
        return [c for c in psutil.Process(process.pid).children(recursive=True) if c.status() != psutil.STATUS_ZOMBIE]
    except psutil.NoSuchProcess:
        return []


def allow(store, number):
    """Let a search evaluate trials with smaller numbers than this, and no others."""
    new = store.with_name("new")
    new.write_text(str(number))
    new.replace(f"{store}.upto")


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.timeout(280)
def test_a_search_killed_twenty_times_is_the_search_that_was_never_killed(tmp_path):
    whole = tmp_path / "whole.db"
    assert start(whole).wait(timeout=PATIENCE_S) == 0
    expected = trials(whole)
    assert len(expected) == TRIALS

    chance = random.Random(5)
    store = tmp_path / "killed.db"
    allow(store, 0)
    process = start(store)
    kills = {"main": 0, "worker": 0}
    known = 0
    everyone = set()
    while sum(kills.values()) < KILLS:
        # Let it get a little further, and kill it somewhere in there.
        more = known + chance.randint(2, 7)
        allow(store, more + 5)
        assert wait_until(lambda more=more: count(store) >= more or process.poll() is not None)
        assert process.poll() is None, Path(f"{store}.log").read_text()
        time.sleep(chance.random() * 0.05)
        children = workers_of(process)
        everyone |= {c.pid for c in children}
        if chance.random() < 0.5 and children:
            chance.choice(children).kill()
            kills["worker"] += 1
        else:
            told = trials(store)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            kills["main"] += 1
            assert wait_until(lambda pids=children: not any(map(_alive, pids))), "an orphan stays"
            assert trials(store)[: len(told)] == told
            process = start(store)
        known = count(store)
    assert min(kills.values()) >= 3
    allow(store, TRIALS)
    assert process.wait(timeout=PATIENCE_S) == 0, Path(f"{store}.log").read_text()
    assert trials(store) == expected
    with Store(store) as kept, kept.lock(kept.runs()[0].id):
        assert kept.runs()[0].status == "finished"
    assert not [pid for pid in everyone if psutil.pid_exists(pid) and _alive(psutil.Process(pid))]


def _alive(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_an_interrupt_keeps_all_and_resume_goes_on(tmp_path):
    store = tmp_path / "runs.db"
    allow(store, TRIALS // 2)
    process = start(store)
    assert wait_until(lambda: count(store) >= 5)
    children = workers_of(process)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE_S) == 0
    told = trials(store)
    assert 5 <= len(told) < TRIALS
    with Store(store) as kept:
        assert kept.runs()[0].status == "interrupted"
    assert wait_until(lambda: not any(map(_alive, children)))
    allow(store, TRIALS)
    assert start(store).wait(timeout=PATIENCE_S) == 0
    assert trials(store)[: len(told)] == told
    assert len(trials(store)) == TRIALS
