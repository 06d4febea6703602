import os
import runpy
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from archwright.errors import StoreError
from archwright.space import Architecture
from archwright.store import Run, Store
from archwright.trial import Measurement, Proposal, Trial

TRIALS = runpy.run_path(str(Path(__file__).with_name("build_version_1.py")))["TRIALS"]


def trial(number, **fields):
    curve = ({"epoch": 1, "accuracy": 0.5}, {"epoch": 2, "accuracy": 0.75})
    return Trial(
        number, Proposal(Architecture({"k": number})), "done", Measurement({"accuracy": 0.75}, curve=curve), **fields
    )


def test_trials_come_back_in_the_order_in_which_they_were_told(tmp_path):
    order = [0, 2, 1, 4, 3]
    with Store(tmp_path / "runs.db") as store:
        run = store.create(Run("digits"))
        for told, number in enumerate(order):
            store.add(run.id, trial(number), told, asked_after=max(0, number - 2))
    with Store(tmp_path / "runs.db") as store:
        read = store.trials(store.run("digits").id)
    assert [r.trial.number for r in read] == order
    assert [r.told for r in read] == [0, 1, 2, 3, 4]
    assert [r.asked_after for r in read] == [0, 0, 0, 2, 1]


def test_learning_curves_are_read_when_asked_for():
    with Store(":memory:") as store:
        run = store.create(Run("digits"))
        written = trial(0)
        store.add(run.id, written, 0, 0)
        store.add(run.id, Trial(1, Proposal(Architecture({})), "failed", reason="NaN"), 1, 0)
        assert store.trials(run.id)[0].trial.measurement.curve == ()
        assert store.trials(run.id, curves=True)[0].trial == written
        assert store.trial(run.id, 0).trial == written
        assert store.curve(run.id, 0) == written.measurement.curve
        assert store.curve(run.id, 1) == ()


def test_only_what_was_told_since_is_read():
    with Store(":memory:") as store:
        run = store.create(Run("digits"))
        for n in range(5):
            store.add(run.id, trial(n), n, n)
        assert [r.told for r in store.trials(run.id, since=3)] == [3, 4]
        assert store.count(run.id) == 5


def test_several_searches_share_a_store_and_each_has_its_own_name():
    with Store(":memory:") as store:
        made = [store.create(Run(name)) for name in ("digits", "digits", "mnist1d", "digits")]
        assert [run.name for run in made] == ["digits", "digits-2", "mnist1d", "digits-3"]
        store.add(made[1].id, trial(0), 0, 0)
        assert [store.count(run.id) for run in made] == [0, 1, 0, 0]
        assert store.runs() == made
        assert store.run() == made[-1]
        assert store.run(made[2].id) == store.run("mnist1d") == made[2]


def test_a_run_keeps_what_it_says_of_itself():
    meta = {"space": {"fingerprint": "abc"}, "seed": 0, "goals": ["accuracy"], "share": 0.1}
    with Store(":memory:") as store:
        run = store.create(Run("digits", meta))
        assert store.run("digits").meta == meta
        store.update(run.id, status="finished")
        assert (store.run("digits").status, store.run("digits").meta) == ("finished", meta)
        store.update(run.id, meta={**meta, "seed": 1})
        assert store.run("digits").meta["seed"] == 1


def test_final_outcomes_and_events_are_appended():
    with Store(":memory:") as store:
        run = store.create(Run("digits"))
        assert store.finals(run.id) == []
        store.final(run.id, {"test": 0.9})
        store.event(run.id, "resumed", {"after": 3})
        store.final(run.id, {"test": 0.95})
        assert store.finals(run.id) == [{"test": 0.9}, {"test": 0.95}]
        assert [event.kind for event in store.events(run.id)] == ["final", "resumed", "final"]


def test_a_store_of_the_first_schema_version_opens(tmp_path):
    path = tmp_path / "old.db"
    database = sqlite3.connect(path)
    database.executescript((Path(__file__).parent / "assets" / "version_1.sql").read_text())
    database.close()
    with Store(path, create=False) as store:
        run = store.run("digits")
        assert (run.status, run.meta) == ("finished", {"seed": 0, "space": {"fingerprint": "abc"}})
        read = store.trials(run.id, curves=True)
        assert [r.trial for r in read] == list(TRIALS)
        assert [r.trial.finished for r in read] == [t.finished for t in TRIALS]
        assert store.finals(run.id) == [{"test": {"accuracy": 0.975}}]


def test_the_same_place_told_twice_is_refused_and_nothing_is_lost():
    with Store(":memory:") as store:
        run = store.create(Run("digits"))
        store.add(run.id, trial(0), 0, 0)
        with pytest.raises(StoreError, match="holds this already, so trial 1 was not stored"):
            store.add(run.id, trial(1), 0, 0)
        with pytest.raises(StoreError, match="trial 0 was not stored"):
            store.add(run.id, trial(0), 1, 0)
        store.add(run.id, trial(1), 1, 0)
        assert store.count(run.id) == 2
        assert len(store.curve(run.id, 1)) == 2


def test_threads_may_share_a_store(tmp_path):
    with Store(tmp_path / "runs.db") as store:
        runs = [store.create(Run("r")) for _ in range(4)]

        def fill(run):
            for n in range(50):
                store.add(run.id, trial(n), n, n)
                assert store.count(run.id) == n + 1

        threads = [threading.Thread(target=fill, args=(run,)) for run in runs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [store.count(run.id) for run in runs] == [50] * 4


def test_processes_may_make_the_same_new_store_at_once(tmp_path):
    script = (
        "import sys; from archwright.store import *\n"
        "from tests.store.test_store import trial\n"
        "with Store(sys.argv[1]) as store:\n"
        "    run = store.create(Run('r'))\n"
        "    for n in range(20): store.add(run.id, trial(n), n, n)\n"
    )
    path = tmp_path / "runs.db"
    command = [sys.executable, "-c", script, path]
    root = Path(__file__).parents[2]
    at_once = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=root) for _ in range(3)]
    assert [(p.communicate()[1], p.returncode) for p in at_once] == [("", 0)] * 3
    with Store(path) as store:
        assert sorted(run.name for run in store.runs()) == ["r", "r-2", "r-3"]
        assert [store.count(run.id) for run in store.runs()] == [20] * 3


@pytest.mark.crash
@pytest.mark.parametrize("patience_s", [0.05, 0.2, 0.4])
def test_whatever_add_returned_from_survives_kill_9(tmp_path, patience_s):
    script = (
        "import sys; from archwright.store import *\n"
        "from tests.store.test_store import trial\n"
        "store = Store(sys.argv[1]); run = store.create(Run('r'))\n"
        "for n in range(10**9):\n"
        "    store.add(run.id, trial(n), n, n); print(n, flush=True)\n"
    )
    path = tmp_path / "runs.db"
    process = subprocess.Popen(
        [sys.executable, "-c", script, path], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    said = [process.stdout.readline()]
    threading.Timer(patience_s, process.kill).start()
    said += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    last = [int(line) for line in said if line.endswith("\n")][-1]
    with Store(path) as store:
        run = store.run("r")
        read = store.trials(run.id, curves=True)
        assert len(read) in (last + 1, last + 2)  # one may have been stored, and not yet been said
        assert [r.trial for r in read] == [trial(n) for n in range(len(read))]
        with store.lock(run.id):  # the dead process holds nothing
            store.add(run.id, trial(len(read)), len(read), 0)


def test_the_schema_can_be_made_on_postgresql():
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.schema import CreateTable

    from archwright.store import schema

    made = "".join(str(CreateTable(t).compile(dialect=postgresql.dialect())) for t in schema.tables.sorted_tables)
    assert "id SERIAL NOT NULL" in made
    assert "WITHOUT ROWID" not in made


def test_a_closed_store_says_so(tmp_path):
    store = Store(tmp_path / "runs.db")
    store.close()
    store.close()
    with pytest.raises(StoreError, match="is closed, so its runs were not read"):
        store.runs()


def test_nothing_but_the_lock_file_stays_beside_a_closed_store(tmp_path):
    with Store(tmp_path / "runs.db") as store:
        store.add(store.create(Run("r")).id, trial(0), 0, 0)
    assert sorted(os.listdir(tmp_path)) == ["runs.db", "runs.db-lock"]
