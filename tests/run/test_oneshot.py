"""A search that begins with a supernet: what it prefers is tried first, its order is judged, a kill costs little."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import archwright as aw
from archwright.errors import BudgetError, EvaluationError, ObjectiveError
from archwright.evaluator import Recipe
from archwright.report import supernet as figures
from archwright.run import OneShot
from archwright.run.oneshot import Phase
from archwright.run.pace import pace
from archwright.store import Store

SCRIPT = Path(__file__).with_name("oneshot_script.py")
spec = importlib.util.spec_from_file_location("oneshot_script", SCRIPT)
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)


def searched(algorithm="darts", **settings):
    return aw.search(
        script.table(),
        space=script.SPACE,
        oneshot=OneShot(algorithm, {"epochs": 3}, first=3, sample=2),
        trials=7,
        recipe=Recipe(epochs=1),
        progress=False,
        **settings,
    )


def searched_by_epochs(algorithm, epochs):
    return aw.search(
        script.table(),
        space=script.SPACE,
        oneshot=OneShot(algorithm, {"candidates": 4}, first=2, sample=2),
        epochs=epochs,
        recipe=Recipe(epochs=1),
        progress=False,
    )


@pytest.fixture(scope="module")
def result():
    return searched()


def test_what_the_supernet_prefers_comes_first_then_random_ones_then_the_strategy(result):
    kept = result.meta["oneshot"]
    preferred = [script.SPACE.key(script.SPACE.architecture(r["architecture"])) for r in kept["top"][:3]]
    assert [t.key for t in result.trials[:3]] == list(dict.fromkeys(preferred))
    assert [t.proposal.origin for t in result.trials[:5]] == ["given to begin with"] * 5
    assert all(t.proposal.origin != "given to begin with" for t in result.trials[5:])
    assert len({t.key for t in result.trials}) == 7


def test_history_gates_and_the_trust_in_its_order_are_kept_as_json(result):
    kept = json.loads(json.dumps(result.meta["oneshot"]))
    assert [p["epoch"] for p in kept["history"]] == [1, 2, 3]
    assert set(kept["history"][-1]["probabilities"]) == set(kept["values"])
    assert len(kept["trust"]["sample"]) == 7
    assert kept["trust"]["text"].startswith("shared weights (by their log loss) and 7 trainings alone: Kendall's tau")


def test_the_report_draws_it(result, tmp_path):
    record = result.record()
    assert figures.gates(record).data
    assert figures.losses(record).data
    assert figures.settling(record).data
    assert len(figures.trusted(record).data[0].x) == 7
    result.save(tmp_path)
    assert 'id="supernet-gates"' in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_run_without_a_supernet_has_no_such_figures(result):
    from dataclasses import replace

    record = replace(result.record(), meta={})
    drawn = (figures.gates, figures.losses, figures.settling, figures.trusted)
    assert [figure(record) for figure in drawn] == [None] * 4
    assert figures.summary(record) == []


def test_sampled_algorithms_meet_ceilings_from_the_first_trial_on():
    result = searched("spos", objectives=[aw.maximize("accuracy"), aw.at_most(params=250)])
    assert all(t.status == "done" for t in result.trials[:3])
    assert all(t.measurement.costs["params"] <= 250 for t in result.trials if t.status == "done")


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"oneshot": "dart"}, EvaluationError, "no one-shot algorithm 'dart'.*'darts'"),
        ({"oneshot": OneShot("spos", {"candidate": 3})}, EvaluationError, "spos takes no 'candidate'"),
        (
            {"oneshot": "darts", "objectives": [aw.maximize("accuracy"), aw.minimize("params")]},
            ObjectiveError,
            "one goal",
        ),
        ({"oneshot": "darts", "evaluate": lambda architecture: 1.0}, EvaluationError, "give a task"),
    ],
)
def test_what_no_supernet_can_be_trained_for_is_told_before_anything_starts(settings, error, said, tmp_path):
    store = tmp_path / "runs.db"
    with pytest.raises(error, match=said):
        aw.search(script.table(), space=script.SPACE, trials=3, store=store, progress=False, **settings)
    assert not store.exists() or not Store(store).runs()


def test_the_time_of_the_supernet_is_search_time(result):
    spent = result.meta["oneshot"]["spent_s"]
    assert spent >= result.meta["oneshot"]["seconds"] > 0
    assert all(t.finished > spent for t in result.trials)


def test_its_epochs_are_a_share_of_a_budget_of_epochs_and_count_in_it():
    found = searched_by_epochs("spos", epochs=20)
    trained = [t for t in found.trials if t.measurement and t.measurement.epochs]
    assert len(found.meta["oneshot"]["history"]) == 10
    assert sum(t.measurement.epochs for t in trained) == 10


def test_a_time_too_short_for_an_epoch_is_an_error_that_says_what_one_takes(tmp_path):
    store = tmp_path / "runs.db"
    with pytest.raises(BudgetError, match=r"making it and one epoch take about .* nothing is learnt"):
        aw.search(script.table(), space=script.SPACE, oneshot="darts", budget=0.2, store=store, progress=False)
    assert Store(store).runs()[0].status == "interrupted"


def test_epochs_that_fit_are_told_by_the_steps_of_a_part_of_one():
    ends = []

    def train(epochs, stepped):
        for step in range(1, 101):
            time.sleep(0.004)
            ends.append(step)
            stepped(step, 100)

    known = pace(train, seconds=0.5)
    assert 3 <= len(ends) < 100  # a tenth of the time is enough to know
    assert known.epoch_s >= 0.4
    assert known.fitting(known.making_s + 3.5 * known.epoch_s) == 3
    assert known.fitting(known.epoch_s / 2) == 0


def test_a_phase_that_ended_is_not_read_out_again_when_the_search_goes_on(tmp_path, monkeypatch):
    store = tmp_path / "runs.db"
    first = searched(store=store)
    shutil.rmtree(tmp_path / "runs-supernet-1")  # nor does it need its checkpoint
    monkeypatch.setattr(Phase, "train", lambda *args, **settings: pytest.fail("trained again"))
    again = aw.resume(store, task=script.table(), space=script.SPACE, trials=8, progress=False)
    assert [t.architecture for t in again.trials[:7]] == [t.architecture for t in first.trials]
    assert len(again.trials) == 8
    assert again.meta["oneshot"]["trust"] == first.meta["oneshot"]["trust"]


@pytest.mark.parametrize(("name", "value"), [("first", 0), ("sample", -1), ("share", 1.0)])
def test_settings_of_a_phase_are_checked(name, value):
    with pytest.raises(EvaluationError, match=f"OneShot\\({name}="):
        OneShot("darts", **{name: value})


def test_a_search_killed_while_its_supernet_trains_ends_as_if_it_had_not_been(tmp_path):
    whole = script.main(tmp_path / "whole.db")
    store = tmp_path / "killed.db"
    checkpoint = tmp_path / "killed-supernet-1" / "checkpoint.pt"
    for _ in range(2):
        process = subprocess.Popen([sys.executable, str(SCRIPT), str(store)], start_new_session=True)
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None
        give_up = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < give_up:
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns != before:
                break
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not Store(store).count(1), "killed too late to be a test"
    again = script.main(store)
    assert [t.architecture for t in again.trials] == [t.architecture for t in whole.trials]
    assert [t.measurement.metrics for t in again.trials] == [t.measurement.metrics for t in whole.trials]
    unlike = {"seconds", "trust", "spent_s"}
    first, second = ({k: v for k, v in r.meta["oneshot"].items() if k not in unlike} for r in (whole, again))
    assert first == second
