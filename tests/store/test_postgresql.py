"""The same store on a real PostgreSQL server.

ARCHWRIGHT_POSTGRESQL=postgresql+psycopg://user@host/name pytest tests/store/test_postgresql.py
"""

import os
import runpy
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from archwright.errors import StoreError, StoreLockedError
from archwright.store import Run, Store
from archwright.trial import Trial

SERVER = os.environ.get("ARCHWRIGHT_POSTGRESQL")
TRIALS = runpy.run_path(str(Path(__file__).with_name("build_version_1.py")))["TRIALS"]
pytestmark = pytest.mark.skipif(SERVER is None, reason="ARCHWRIGHT_POSTGRESQL names no server to test on")


@pytest.fixture
def url():
    """An empty schema of its own."""
    schema = f"archwright_{uuid.uuid4().hex[:12]}"
    engine = create_engine(SERVER)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    yield f"{SERVER}{'&' if '?' in SERVER else '?'}options=-csearch_path%3D{schema}"
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


def plain(number):
    return Trial(number, TRIALS[1].proposal, "failed")


def test_what_was_stored_comes_back(url):
    with Store(url) as store:
        run = store.create(Run("digits", {"seed": 0}))
        assert store.create(Run("digits")).name == "digits-2"
        for told, trial in enumerate(TRIALS):
            store.add(run.id, trial, told, told)
        store.final(run.id, {"test": 0.9})
        store.update(run.id, status="finished")
    with Store(url, create=False) as store:
        run = store.run("digits")
        assert (run.status, run.meta) == ("finished", {"seed": 0})
        assert [r.trial for r in store.trials(run.id, curves=True)] == list(TRIALS)
        assert store.curve(run.id, 0) == TRIALS[0].measurement.curve
        assert store.finals(run.id) == [{"test": 0.9}]


def test_an_empty_schema_is_no_store_unless_made(url):
    with pytest.raises(StoreError, match="not an archwright store: it is an empty database"):
        Store(url, create=False)


def test_other_tables_may_stand_beside_ours_but_not_under_our_names(url):
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE songs (title TEXT)"))
    with Store(url) as store:
        store.create(Run("digits"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE meta SET value = 'jukebox' WHERE key = 'application'"))
    with pytest.raises(StoreError, match="holds tables named curves, events, meta, runs, trials that are not"):
        Store(url)
    engine.dispose()


def test_the_lock_excludes_others_and_vanishes_with_its_process(url):
    with Store(url) as store:
        run = store.create(Run("digits"))
        script = (
            "import sys, time; from archwright.store import Store\n"
            "with Store(sys.argv[1]) as store, store.lock(int(sys.argv[2])): print('held', flush=True); time.sleep(600)"
        )
        command = [sys.executable, "-c", script, url, str(run.id)]
        other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert other.stdout.readline() == "held\n"
        with pytest.raises(StoreLockedError, match=r"run 'digits' in .* is being written to by another process"):
            store.add(run.id, plain(0), 0, 0)
        other.kill()
        other.wait()
        other.stdout.close()
        until = time.monotonic() + 30
        while True:
            try:
                store.add(run.id, plain(0), 0, 0)
                break
            except StoreLockedError:  # the server takes a moment to notice
                assert time.monotonic() < until
                time.sleep(0.05)


def test_a_lost_connection_loses_the_lock_and_the_next_write_takes_it_anew(url):
    with Store(url) as store, Store(url) as other:
        run = store.create(Run("digits"))
        store.add(run.id, plain(0), 0, 0)
        with other._transaction("a session was not ended") as connection:
            session = store._connection.connection.driver_connection.info.backend_pid
            connection.execute(text(f"SELECT pg_terminate_backend({session})"))
        with pytest.raises(StoreError, match="trial 1 was not stored"):
            store.add(run.id, plain(1), 1, 0)
        store.add(run.id, plain(1), 1, 0)
        assert store.count(run.id) == 2
        with pytest.raises(StoreLockedError):
            other.add(run.id, plain(2), 2, 0)
