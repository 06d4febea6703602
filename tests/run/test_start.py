"""What a search does before its first trial, and what it need not wait for."""

import subprocess
import sys

import pytest

from archwright import task
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


@pytest.mark.parametrize(("seconds", "epochs"), [(10, 4), (600, 38), (6000, 60)])
def test_a_short_budget_shortens_the_trainings_of_the_search(monkeypatch, seconds, epochs):
    monkeypatch.setattr(precision, "fastest", lambda *_, **__: precision.Way("float32", "contiguous", step_ms=10.0))
    problem = make_problem(task.load("digits"), None, None, None, None, "cpu", None)
    shorter = settled(problem, (), workers=2, budget=Budget(seconds=seconds))
    assert shorter.training.recipe == Recipe(epochs=epochs, precision="float32", layout="contiguous")
    assert shorter.full_epochs == 60
    assert settled(problem, (), workers=2).training.recipe.epochs == 60


@pytest.mark.parametrize(("step_ms", "share"), [(10, 0.5), (100, 0.33), (10_000, 0.25)])
def test_where_few_trainings_fit_the_final_one_gets_more_time(monkeypatch, step_ms, share):
    monkeypatch.setattr(precision, "fastest", lambda *_, **__: precision.Way("float32", "contiguous", step_ms=step_ms))
    problem = make_problem(task.load("digits"), None, None, None, None, "cpu", None)
    assert settled(problem, (), 2, Budget(seconds=100)).search_share == pytest.approx(share, abs=0.01)
    assert settled(problem, (), 2).search_share == 0.5
