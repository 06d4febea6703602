import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from archwright.errors import StoreError, StoreLockedError, StoreVersionError
from archwright.space import Architecture
from archwright.store import Run, Store
from archwright.trial import Measurement, Proposal, Trial


def trial(number, text=""):
    return Trial(number, Proposal(Architecture({"k": number})), "done", Measurement({"a": 0.5}, extra={"text": text}))


@contextlib.contextmanager
def as_nobody():
    """File permissions do not hold for root."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield


@pytest.fixture
def folder():
    """One that anybody may enter, unlike pytest's own."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 100, b"x", b"\x00" * 4096, b"SQLite format 3\x00" + b"\xff" * 200]
)
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "notes.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"notes\.db (is not an archwright store: it is no SQLite file|is damaged)"):
        Store(path)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["notes.db"]


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE songs (title TEXT)")
        database.commit()
    before = path.read_bytes()
    with pytest.raises(StoreVersionError, match=r"other\.db is not an archwright store: .* with the tables songs"):
        Store(path)
    assert path.read_bytes() == before


def test_an_empty_database_marked_by_another_program_is_refused(tmp_path):
    path = tmp_path / "marked.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA application_id=12345")
        database.commit()
    with pytest.raises(StoreVersionError, match="an SQLite database of another program"):
        Store(path)


def test_a_table_named_as_ours_does_not_make_it_ours(tmp_path):
    path = tmp_path / "runs.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE meta (key TEXT, value TEXT)")
        database.execute("CREATE TABLE runs (distance_km REAL)")
        database.commit()
    with pytest.raises(StoreVersionError, match="with the tables meta, runs"):
        Store(path)


@pytest.mark.parametrize("version", ["2", "17", "next"])
def test_a_store_of_a_newer_version_is_refused_and_left_alone(tmp_path, version):
    path = tmp_path / "runs.db"
    Store(path).close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (version,))
        database.commit()
    before = path.read_bytes()
    with pytest.raises(StoreVersionError, match=rf"newer archwright \(schema version {version}; .* upgrade archwright"):
        Store(path)
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_store(tmp_path):
    path = tmp_path / "runs.db"
    path.touch()
    with Store(path) as store:
        assert store.runs() == []


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"is a folder: give a file in it, such as .*runs\.db"):
        Store(tmp_path)


def test_a_store_that_is_only_to_be_read_is_not_made(tmp_path):
    Store(tmp_path / "digits.db").close()
    with pytest.raises(StoreError, match=r"there is no store .*digit\.db.* Did you mean 'digits\.db'"):
        Store(tmp_path / "digit.db", create=False)
    assert not (tmp_path / "digit.db").exists()
    with pytest.raises(StoreError, match="there is no store"):
        Store(tmp_path / "nowhere" / "digits.db", create=False)


def test_the_folder_of_a_new_store_is_made(tmp_path):
    with Store(tmp_path / "a" / "b" / "runs.db") as store:
        assert store.runs() == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"the folder of .* cannot be made"):
        Store(tmp_path / "file" / "runs.db")


def test_a_read_only_folder_is_told(folder):
    folder.chmod(0o555)
    with as_nobody(), pytest.raises(StoreError, match=r"cannot be written to .* read-only; choose another place"):
        Store(folder / "runs.db")
    assert os.listdir(folder) == []


def test_a_store_in_a_folder_that_became_read_only_is_told(folder):
    Store(folder / "runs.db").close()
    (folder / "runs.db").chmod(0o444)
    folder.chmod(0o555)
    with as_nobody(), pytest.raises(StoreError, match="read-only"):
        Store(folder / "runs.db")


def test_a_run_that_is_not_there_is_told_with_the_nearest_name():
    with Store(":memory:") as store:
        with pytest.raises(StoreError, match="holds no run yet"):
            store.run()
        store.create(Run("digits"))
        store.create(Run("mnist1d"))
        with pytest.raises(StoreError, match=r"no run 'digts'\. Allowed: digits, mnist1d\. Did you mean 'digits'\?"):
            store.run("digts")
        with pytest.raises(StoreError, match="no run 7"):
            store.run(7)
        with pytest.raises(StoreError, match="no run 7"):
            store.add(7, trial(0), 0, 0)


def test_a_trial_that_is_not_there_is_told():
    with Store(":memory:") as store:
        run = store.create(Run("digits"))
        with pytest.raises(StoreError, match="holds no trial 3: it holds 0 trials"):
            store.trial(run.id, 3)


def test_a_store_that_another_process_is_writing_to_waits_and_then_says_so(tmp_path):
    path = tmp_path / "runs.db"
    with Store(path, busy_timeout_s=0.2) as store:
        run = store.create(Run("digits"))
        store.add(run.id, trial(0), 0, 0)
        script = (
            "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('BEGIN IMMEDIATE')\n"
            "print('busy', flush=True); sys.stdin.read(); db.rollback()"
        )
        other = subprocess.Popen(
            [sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        other.stdout.readline()
        with pytest.raises(StoreLockedError, match="locked by another process, so trial 1 was not stored"):
            store.add(run.id, trial(1), 1, 0)
        assert store.count(run.id) == 1
        other.communicate("")
        store.add(run.id, trial(1), 1, 0)
        assert store.count(run.id) == 2


def fill_until_it_fails(store, run):
    for n in range(10_000):
        try:
            store.add(run.id, trial(n, "x" * 2000), n, 0)
        except StoreError as error:
            return n, str(error)
    raise AssertionError("it never became full")


def test_a_full_database_keeps_what_was_told_and_goes_on_when_there_is_room(tmp_path):
    path = tmp_path / "runs.db"
    with Store(path) as store:
        run = store.create(Run("digits"))
        store._connection.exec_driver_sql("PRAGMA max_page_count=60").close()
        store._connection.rollback()
        stored, said = fill_until_it_fails(store, run)
        assert f"no room is left on the disk of {path}, so trial {stored} was not stored: free some space" in said
        assert [r.trial.number for r in store.trials(run.id)] == list(range(stored))
        store._connection.exec_driver_sql("PRAGMA max_page_count=100000").close()
        store._connection.rollback()
        store.add(run.id, trial(stored), stored, 0)
    with Store(path) as store:
        assert store.count(run.id) == stored + 1


def mounted(folder):
    mount = shutil.which("mount")
    command = [mount, "-t", "tmpfs", "-o", "size=512k", "archwright-test", folder]
    return mount and os.geteuid() == 0 and subprocess.run(command, capture_output=True).returncode == 0


def test_a_full_disk_keeps_what_was_told_and_goes_on_when_there_is_room(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if not mounted(disk):
        pytest.skip("only root may mount a small disk")
    try:
        ballast = disk / "ballast"
        ballast.write_bytes(b"\0" * 100_000)
        with Store(disk / "runs.db") as store:
            run = store.create(Run("digits"))
            stored, said = fill_until_it_fails(store, run)
            assert f"so trial {stored} was not stored: free some space and resume; everything told" in said
            assert stored > 5
            assert [r.trial.number for r in store.trials(run.id)] == list(range(stored))
            ballast.unlink()
            store.add(run.id, trial(stored), stored, 0)
        with Store(disk / "runs.db") as store:
            assert store.trials(run.id)[-1].trial == trial(stored)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_new_store_on_a_full_disk_is_told(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if not mounted(disk):
        pytest.skip("only root may mount a small disk")
    try:
        with contextlib.suppress(OSError):
            (disk / "ballast").write_bytes(b"\0" * 600_000)
        with pytest.raises(StoreError, match=r"no room is left on the disk of .*, so it was not opened"):
            Store(disk / "runs.db")
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgres://user@host/name", "no such kind of database"),
        ("nosuch://x", "no such kind of database"),
        ("postgresql+pg8000://user@host/name", "the driver 'pg8000' is not installed: pip install pg8000"),
        ("://", "is no database URL"),
    ],
)
def test_a_url_that_leads_nowhere_is_told(url, said):
    with pytest.raises(StoreError, match=said):
        Store(url)


def test_a_url_of_a_file_is_the_file(tmp_path):
    with Store(f"sqlite:///{tmp_path}/runs.db") as store:
        run = store.create(Run("digits"))
    with Store(tmp_path / "runs.db") as store:
        assert store.run("digits") == run


def test_passwords_are_not_shown():
    with pytest.raises(StoreError) as caught:
        Store("postgresql+pg8000://user:secret@host/name")
    assert "secret" not in str(caught.value)
