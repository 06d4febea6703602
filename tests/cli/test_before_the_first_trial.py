"""A search that ends before its first trial leaves nothing behind, whatever the moment; one killed there goes on."""

import shutil
from pathlib import Path

import pytest

from archwright.cli import places
from archwright.run.loop import Loop
from archwright.space import Architecture
from archwright.store import Run, Store
from archwright.trial import Proposal, Trial


def interrupt(*_, **__):
    raise KeyboardInterrupt


@pytest.fixture
def search(archwright, table, tiny, tmp_path):
    """Begin a search of one trial into ``new/out``."""
    data = table(tmp_path / "sold.csv")
    return lambda *more: archwright("search", data, "--trials", "1", *tiny, "--out", "new/out", *more)


@pytest.mark.parametrize("trials_told", [0, 1])
def test_a_folder_stays_only_where_a_trial_was_stored(tmp_path, trials_told):
    with places.claimed(str(tmp_path / "new" / "out"), "digits") as (place, _), Store(place.store) as store:
        run = store.create(Run("digits", {}))
        for number in range(trials_told):
            trial = Trial(number, Proposal(Architecture({"a": 1})), "failed", reason="for a test")
            store.add(run.id, trial, told=number, asked_after=number)
    assert (tmp_path / "new").exists() == bool(trials_told)


@pytest.mark.parametrize("moment", ["archwright.cli.telling.introduce", "archwright.run.loop.Loop.run"])
def test_an_interrupt_after_the_run_was_stored_leaves_nothing_behind(search, monkeypatch, moment):
    monkeypatch.setattr(moment, interrupt)
    done = search()
    assert done.exit_code == 130, (done.stdout, done.stderr, done.exception)
    assert "kept" not in done.stderr or "nothing was kept" in done.stderr
    assert "archwright resume" not in done.stdout
    assert not Path("new").exists()


def test_a_budget_spent_before_the_first_trial_leaves_nothing_behind(search, monkeypatch):
    monkeypatch.setattr(Loop, "run", lambda *_, **__: "the time for searching is spent")
    done = search("--quiet")
    assert done.exit_code == 2, (done.stdout, done.stderr, done.exception)
    assert "the time for searching is spent" in done.stderr
    assert "nothing was kept" in done.stderr
    assert not done.stdout
    assert not Path("new").exists()


def test_a_search_killed_before_its_first_trial_can_be_resumed_also_after_an_interrupt(
    archwright, search, tmp_path, monkeypatch
):
    killed = tmp_path / "killed"

    def kill(*_):
        shutil.copytree("new/out", killed)  # what kill -9 would leave at this moment
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("archwright.cli.telling.introduce", kill)
        search()
    with monkeypatch.context() as patched:
        patched.setattr(Loop, "run", interrupt)
        again = archwright("resume", killed)
    assert again.exit_code == 130, (again.stdout, again.stderr, again.exception)
    assert "is as it was" in again.stderr
    resumed = archwright("resume", killed, "--quiet")
    assert resumed.exit_code == 0, (resumed.stdout, resumed.stderr, resumed.exception)
    with Store(killed / "run.db") as store:
        assert [store.count(run.id) for run in store.runs()] == [1]
