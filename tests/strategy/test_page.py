"""The page on strategies and the command line know the same strategies, and say the same of them."""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from archwright import strategy as strategies
from archwright.cli.app import app
from archwright.cli.strategy import STRATEGIES
from archwright.errors import MissingExtraError
from archwright.testing.fidelity import learning
from archwright.testing.strategy import TOY, run

PAGE = Path(__file__).parents[2] / "docs" / "strategies.md"
FAMILY = re.compile(r"^\*\*(?P<family>.+?)\*\*")
ROW = re.compile(r"^\| `(?P<name>[\w-]+)` `(?P<made>\w+)(\(sampler=\"(?P<sampler>[\w-]+)\"\))?` (?P<rest>\[.*) \|$")


@dataclass(frozen=True)
class Row:
    name: str
    made: str
    sampler: str | None
    family: str
    cells: list[str]


def rows():
    """Every strategy of the page's tables."""
    family = ""
    for line in PAGE.read_text("utf-8").splitlines():
        if found := FAMILY.match(line):
            family = found["family"]
        elif found := ROW.match(line):
            yield Row(found["name"], found["made"], found["sampler"], family, found["rest"].split(" | "))


LISTED = {row.name: row for row in rows()}


def test_the_page_has_every_strategy_that_can_be_named_and_no_other_in_the_same_order():
    assert list(LISTED) == list(STRATEGIES)


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_page_and_the_list_say_the_same(name):
    row, entry = LISTED[name], STRATEGIES[name]
    assert entry.where.endswith(f":{row.made}")
    assert hasattr(strategies, row.made)
    assert entry.settings.get("sampler") == row.sampler
    assert row.family.lower() == entry.family
    paper, does, purpose, weakness, cost = row.cells
    assert "https://" in paper
    assert all((does, purpose, weakness))
    assert cost == entry.cost


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_of_the_page_runs_on_a_conditional_space(name):
    made = STRATEGIES[name].make(TOY, max_epochs=27)
    trials = run(made, TOY, n=16, workers=2, measure=learning if made.rungs else None)
    assert len(trials) == 16
    for trial in trials:
        TOY.check(trial.architecture)
    started = [TOY.key(t.architecture) for t in trials if t.proposal.continues is None]
    assert len(set(started)) == len(started)
    assert {t.proposal.epochs for t in trials} <= ({*made.rungs} if made.rungs else {None})


@pytest.mark.parametrize("columns", [80, 120])
def test_the_list_tells_what_each_is_for_when_not_to_use_it_its_paper_and_its_cost(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    done = CliRunner().invoke(app, ["strategies"])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= columns
    parts = re.split(r"^(\S+) {2,}", done.stdout, flags=re.MULTILINE)
    said = {name: " ".join(text.split()) for name, text in zip(parts[1::2], parts[2::2], strict=True)}
    for name, entry in STRATEGIES.items():
        assert said[name].startswith(entry.purpose)
        for text in (f"not for {entry.weakness}", f"{entry.cost} ms", entry.paper, entry.extra):
            assert text in said[name]
    assert all(entry.family.capitalize() in lines for entry in STRATEGIES.values())


def test_programs_are_told_the_same():
    found = json.loads(CliRunner().invoke(app, ["strategies", "--json"]).stdout)["strategies"]
    for entry, told in zip(STRATEGIES.values(), found, strict=True):
        assert (told["name"], told["purpose"], told["weakness"]) == (entry.name, entry.purpose, entry.weakness)
        assert (told["paper"], told["cost_ms"]) == (entry.paper, list(entry.cost_ms))


def ask_once(name):
    STRATEGIES[name].make(TOY, max_epochs=27).ask(np.random.default_rng(0))


@pytest.mark.parametrize("name", [name for name, entry in STRATEGIES.items() if entry.extra])
def test_the_extra_that_the_list_names_is_the_one_that_is_missing(name, monkeypatch):
    for package in ("optuna", "deap"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=re.escape(f"archwright[{STRATEGIES[name].extra}]")):
        ask_once(name)
