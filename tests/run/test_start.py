"""What a search does before its first trial, and what it need not wait for."""

import subprocess
import sys

import pytest

from archwright import search, task
from archwright.evaluator import Recipe, precision
from archwright.run import Budget
from archwright.run.problem import make_problem, settled

LONG_TO_IMPORT = ("torch._dynamo", "sympy", "sklearn", "pandas", "networkx")


def test_neither_a_search_nor_a_training_waits_for_what_takes_long_to_import():
    code = f"""
import sys
import archwright as aw
from archwright.evaluator import Recipe, Training
def there():
    return [m for m in {LONG_TO_IMPORT} if m in sys.modules]
data = aw.task.load("digits")
aw.search(data, objectives=[aw.maximize("accuracy"), aw.at_most(params=20_000)], trials=1, budget="1 s",
          progress=False, recipe=Recipe(epochs=1), begun=lambda run: print("begun", there(), flush=True))
"""
    training = f"""
import pickle, sys
import numpy as np
import archwright as aw
from archwright.evaluator import Recipe, Training
data = aw.task.load("digits")
for optimizer in ("adamw", "sgd"):
    evaluator = Training(data.space(), data, Recipe(epochs=1, optimizer=optimizer))
    evaluator.fit(evaluator.space.sample(np.random.default_rng(0)), 0)
print([m for m in {LONG_TO_IMPORT} if m in sys.modules])
"""
    assert "begun []" in _said(code)
    assert _said(training) == "[]\n"


def _said(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(("seconds", "length", "epochs"), [(10, 1.5575, 4), (600, 15.0, 38), (6000, 150.0, 60)])
def test_a_short_budget_shortens_the_trainings_of_the_search(monkeypatch, seconds, length, epochs):
    monkeypatch.setattr(precision, "fastest", lambda *_, **__: precision.Way("float32", "contiguous", step_ms=10.0))
    problem = make_problem(task.load("digits"), None, None, None, None, "cpu", None)
    shorter = settled(problem, (), workers=2, budget=Budget(seconds=seconds)).training.recipe
    assert (shorter.epochs, shorter.seconds) == (60, pytest.approx(length, rel=0.01))
    again = settled(problem, (), 2, Budget(seconds=seconds), deterministic=True)
    assert again.training.recipe == Recipe(epochs=epochs, precision="float32", layout="contiguous")
    assert again.full_epochs == 60
    assert settled(problem, (), workers=2).training.recipe == Recipe(precision="float32", layout="contiguous")


def test_what_a_final_training_cannot_use_is_for_trials(monkeypatch):
    monkeypatch.setattr(precision, "fastest", lambda *_, **__: precision.Way("float32", "contiguous", step_ms=100.0))
    digits = task.load("digits")

    def share(seconds, **recipe):
        monkeypatch.setattr(type(digits), "recipe", recipe)
        problem = make_problem(digits, None, None, None, None, "cpu", None)
        return settled(problem, (), 1, Budget(seconds=seconds)).search_share

    assert share(150) < 0.4  # long ones help
    assert share(150, epochs=12, stretch=1.0) == pytest.approx(0.58, abs=0.02)
    assert share(600, epochs=12, stretch=1.0) == pytest.approx(0.5, abs=0.02)  # candidates are trained again


def test_where_few_samples_validate_and_there_is_time_trials_are_cross_validated(monkeypatch):
    monkeypatch.setattr(precision, "fastest", lambda *_, **__: precision.Way("float32", "contiguous", step_ms=1.0))
    digits = task.load("digits")
    few = make_problem(digits, None, None, None, None, "cpu", None)
    monkeypatch.setattr(digits, "validation", digits.validation[:20])
    assert settled(few, (), 2, Budget(seconds=600)).training.recipe.folds == 5
    assert settled(few, (), 2, Budget(seconds=20)).training.recipe.folds == 1, "no time for two full trainings"
    assert settled(few, (), 2).training.recipe.folds == 1


@pytest.mark.parametrize(("step_ms", "share"), [(10, 0.5), (100, 0.33), (10_000, 0.25)])
def test_where_few_trainings_fit_the_final_one_gets_more_time(monkeypatch, step_ms, share):
    monkeypatch.setattr(precision, "fastest", lambda *_, **__: precision.Way("float32", "contiguous", step_ms=step_ms))
    problem = make_problem(task.load("digits"), None, None, None, None, "cpu", None)
    assert settled(problem, (), 2, Budget(seconds=100)).search_share == pytest.approx(share, abs=0.01)
    assert settled(problem, (), 2).search_share == 0.5


def test_where_even_brief_trainings_would_not_end_an_epoch_is_one_of_some_samples(monkeypatch):
    monkeypatch.setattr(precision, "fastest", lambda *_, **__: precision.Way("float32", "contiguous", step_ms=150))
    data = task.load("digits")
    problem = make_problem(data, None, None, None, None, "cpu", None)
    made = settled(problem, (), 2, Budget(seconds=100))
    assert 640 <= made.training.recipe.samples < len(data.train)
    cost = (made.training.recipe.samples + len(data.validation) / 3) / 32 * 0.15
    assert made.training.recipe.seconds == pytest.approx(4 * cost)
    assert 6 * 4 * cost == pytest.approx(0.5 * 100 * 2, rel=0.1)
    assert settled(problem, (), 2, Budget(seconds=1000)).training.recipe.samples is None
    said = make_problem(data, None, None, None, Recipe(samples=500), "cpu", None)
    assert settled(said, (), 2, Budget(seconds=100)).training.recipe.samples == 500


def test_a_search_whose_epochs_are_of_some_samples_ends_with_a_network_and_says_so(monkeypatch):
    slow = precision.Way("float32", "contiguous", step_ms=1e6)
    monkeypatch.setattr(precision, "fastest", lambda *_, **__: slow)
    result = search(task.load("digits"), budget="6 s", progress=False)
    assert result.meta["recipe"]["samples"] == 640
    assert any(t.status == "done" for t in result.trials)
    assert 0 < result.test["accuracy"]["mean"] <= 1
