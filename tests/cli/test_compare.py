"""``archwright compare``: what it writes, what it keeps, and what it refuses."""

import json
from pathlib import Path

import pandas as pd
import pytest

from archwright.cli.compare import strategies_of
from archwright.cli.strategy import STRATEGIES
from archwright.errors import ArchwrightError

SMALL = ("--benchmark", "toy", "--seeds", "3", "--budget", "20", "--workers", "1")


@pytest.fixture(scope="module")
def small(archwright, tmp_path_factory):
    """A comparison that is there already."""
    out = tmp_path_factory.mktemp("small") / "out"
    done = archwright("compare", *SMALL, "--strategies", "local,small=evolution:population_size=5", "--out", out)
    assert done.exit_code == 0, (done.stdout, done.stderr, done.exception)
    return out, done


def test_it_writes_a_page_markdown_a_table_and_json(small):
    out, done = small
    assert "toy" in done.stdout
    assert "9 of 9 runs" in done.stderr
    assert {p.name for p in out.iterdir()} == {
        "compare.html", "compare.md", "compare.csv", "compare.json", "runs.jsonl",
    }  # fmt: skip
    table = pd.read_csv(out / "compare.csv")
    assert sorted(table.strategy.unique()) == ["local", "random", "small"]
    assert (table.groupby(["strategy", "seed"])["query"].max() == 20).all()
    assert "| small |" in (out / "compare.md").read_text()
    assert "RegularizedEvolution(population_size=5" in (out / "compare.md").read_text()
    assert "archwright compare" in (out / "compare.html").read_text()


def test_a_second_call_runs_nothing_anew_and_more_seeds_come_to_the_earlier(archwright, small, tmp_path):
    out, _ = small
    (tmp_path / "runs.jsonl").write_bytes((out / "runs.jsonl").read_bytes())
    more = ("--strategies", "local,small=evolution:population_size=5", "--out", tmp_path, "--json", "--quiet")
    again = json.loads(archwright("compare", *SMALL, *more).stdout)
    assert again["computed"] == 0
    first = json.loads((out / "compare.json").read_text())
    assert again["summary"] == first["summary"]
    assert json.loads(archwright("compare", *SMALL, *more, "--seeds", 4).stdout)["computed"] == 3


def test_json_alone_is_on_standard_output(archwright):
    done = archwright("compare", *SMALL, "--strategies", "random", "--json")
    found = json.loads(done.stdout)
    assert found["budget"] == {"amount": 20.0, "unit": "queries"}
    assert [row["strategy"] for row in found["summary"]] == ["random"]
    assert Path(found["files"]["compare.html"]).is_file()


def test_benchmarks_come_with_commas_or_one_by_one(archwright):
    small = ("--strategies", "local", "--seeds", 2, "--budget", "60 epochs", "--workers", 1, "--json")
    done = archwright("compare", "--benchmark", "toy,toy-params", "--benchmark", "toy-epochs", *small)
    assert list(json.loads(done.stdout)["benchmarks"]) == ["toy", "toy-params", "toy-epochs"]


def test_strategies_of_several_fidelities_and_around_others(archwright):
    small = ("--seeds", 2, "--budget", "200 epochs", "--parallel", 3, "--workers", 1, "--json")
    done = archwright("compare", "--benchmark", "toy-epochs", "--strategies", "asha/random,hyperband", *small)
    rows = {row["strategy"]: row for row in json.loads(done.stdout)["summary"]}
    assert rows["asha/random"]["queries"] > 1.5 * rows["random"]["queries"]


def test_every_strategy_that_needs_no_more_can_be_compared():
    assert list(strategies_of(",".join(STRATEGIES))) == list(STRATEGIES)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--benchmark", "toi"), "Did you mean 'toy'"),
        (("--strategies", "evolve"), "Did you mean 'evolution'?"),
        (("--strategies", "evolution:populaton_size=3"), "Did you mean 'population_size'?"),
        (("--strategies", "evolution:population_size"), "population_size=VALUE"),
        (("--strategies", "evolution:population_size=2"), "tournament_size"),
        (("--strategies", "evolution:population_size=many"), "'evolution:population_size=many'"),
        (("--strategies", ","), "no strategy"),
        (("--strategies", "local,local"), "LABEL=local"),
        (("--strategies", "random=local"), "another name"),
        (("--strategies", "asha"), "full training"),
        (("--seeds", 0), "seeds cannot be 0"),
        (("--seeds", -1), "seeds cannot be -1"),
        (("--budget", "0"), "'0'"),
        (("--budget", "-3"), "'-3'"),
        (("--budget", "soon"), "'soon'"),
        (("--parallel", 0), "parallel cannot be 0"),
        (("--workers", 0), "workers cannot be 0"),
        (("--control", "rando"), "Did you mean 'random'?"),
        (("--out", "file/below"), "--out"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_run(refused, arguments, said):
    Path("file").touch()
    assert said in refused("compare", *SMALL, *arguments)
    assert not list(Path().glob("**/runs.jsonl"))


def test_a_comparison_on_nothing_lists_what_there_is(refused):
    assert "nasbench201-cifar10" in refused("compare")


def test_a_folder_that_holds_something_else_is_left_alone(refused):
    Path("out").mkdir()
    Path("out/runs.jsonl").write_text("dear diary\n")
    assert "is no run of archwright compare" in refused("compare", *SMALL, "--out", "out")
    assert Path("out/runs.jsonl").read_text() == "dear diary\n"


def test_a_table_that_is_absent_is_named(refused, monkeypatch, tmp_path):
    monkeypatch.delenv("ARCHWRIGHT_DATA", raising=False)
    said = refused("compare", "--benchmark", "nasbench201-cifar10", "--tables", tmp_path)
    assert "nasbench201_cifar10" in said
    assert "--tables" in said


def test_settings_are_read_as_json_or_text():
    with pytest.raises(ArchwrightError, match="has no setting"):
        strategies_of("local:initials=2")
    made = strategies_of("few=local:initial=3")["few"]
    assert made.keywords == {"initial": 3}
