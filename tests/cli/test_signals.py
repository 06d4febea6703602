"""Ctrl-C and SIGTERM end a search well: real processes, real signals."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from archwright.errors import StoreError
from archwright.store import Store

PATIENCE_S = 120


def start(cwd, *arguments):
    """A command in a session of its own, as a terminal starts it."""
    code = f"import sys; sys.argv = ['archwright', *{arguments!r}]; from archwright.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def trials(store):
    with contextlib.suppress(StoreError), Store(store, create=False) as opened:
        return [r.trial for run in opened.runs() for r in opened.trials(run.id)]
    return []


def wait_for(condition, process):
    until = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_search_keeps_all_leaves_no_orphan_and_can_be_resumed(tmp_path, table, archwright, number):
    data = table(tmp_path / "sold.csv")
    command = ["search", data.name, "--budget", "1h", "--workers", "2", "--train-epochs", "1", "--out", "out"]
    store = tmp_path / "out" / "run.db"
    with start(tmp_path, *command) as process:
        wait_for(lambda: store.is_file() and store.stat().st_size and len(trials(store)) >= 2, process)
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) >= 2
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # the terminal's way: to all of the group
        else:
            process.send_signal(number)
        said, complained = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, (said, complained)
    assert "Traceback" not in complained
    assert "archwright resume out" in said
    assert (tmp_path / "out" / "report.html").exists()
    psutil.wait_procs(family, timeout=PATIENCE_S)
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    kept = trials(store)
    assert len(kept) >= 2
    shown = json.loads(archwright("show", tmp_path / "out", "--json").stdout)
    assert shown["status"] == "interrupted"
    if number == signal.SIGINT:
        resumed = archwright("resume", tmp_path / "out", "--trials", len(kept) + 2, "--workers", "1", "--quiet")
        assert resumed.exit_code == 0, (resumed.stdout, resumed.stderr)
        again = trials(store)
        assert again[: len(kept)] == kept
        assert len(again) >= len(kept) + 2
        assert (tmp_path / "out" / "model.py").exists()


def test_an_interrupt_before_the_first_trial_leaves_nothing_behind(tmp_path, table):
    data = table(tmp_path / "sold.csv")
    with start(tmp_path, "search", data.name, "--budget", "1h", "--workers", "1", "--out", "out") as process:
        wait_for((tmp_path / "out" / "run.db").exists, process)
        os.killpg(process.pid, signal.SIGINT)
        said, complained = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, (said, complained)
    assert "Traceback" not in complained
    assert not (tmp_path / "out").exists()
