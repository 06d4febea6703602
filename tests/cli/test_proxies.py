"""``archwright proxies``: which proxies rank the networks of a finished search as its trainings did."""

import json
import re

import pytest

from archwright.cli import names


@pytest.fixture(scope="session")
def searched_ten(archwright, table, tiny, tmp_path_factory):
    """A finished search of eleven trials, for judgements need ten."""
    home = tmp_path_factory.mktemp("eleven")
    data = table(home / "sold.csv")
    done = archwright("search", data, "--trials", "11", "--no-baseline", *tiny, "--out", home / "out")
    assert done.exit_code == 0, (done.stdout, done.stderr, done.exception)
    return home / "out"


def test_it_prints_every_proxy_with_its_correlation_time_and_verdict(archwright, searched_ten):
    done = archwright("proxies", searched_ten)
    assert done.exit_code == 0, (done.stdout, done.stderr, done.exception)
    assert "over 11 trained architectures" in done.stdout
    for name in names.PROXIES:
        (line,) = [line for line in done.stdout.splitlines() if line.split()[:1] == [name]]
        assert re.search(r"(kept|dropped)$", line.strip()), line
        assert re.search(r"[+-]\d\.\d\d +[+-]\d\.\d\d to [+-]\d\.\d\d", line) or "none" in line


def test_as_json_it_says_the_same_and_keeps_what_is_positive(archwright, searched_ten):
    done = archwright("proxies", searched_ten, "--proxy", "params", "--proxy", "snip", "--json")
    found = json.loads(done.stdout)
    assert [row["proxy"] for row in found["proxies"]] == ["params", "snip"]
    assert found["architectures"] == 11
    for row in found["proxies"]:
        assert row["verdict"] == ("kept" if (row["tau"] or -1) > 0 else "dropped")
        assert row["ms"] > 0
        assert row["n"] + sum(row["not_computed"].values()) == 11


def test_it_says_the_same_again(archwright, searched_ten):
    once, again = (
        json.loads(archwright("proxies", searched_ten, "-n", "6", "--proxy", "naswot", "--json").stdout)["proxies"][0]
        for _ in range(2)
    )
    assert {**once, "ms": 0} == {**again, "ms": 0}


def test_before_ten_trainings_nothing_is_dropped(archwright, searched):
    done = archwright("proxies", searched, "--proxy", "params")
    assert done.exit_code == 0, (done.stdout, done.stderr, done.exception)
    assert "undecided" in done.stdout
    assert "10 trained architectures decide" in done.stderr


def test_an_unknown_proxy_is_refused_with_the_nearest(refused, searched):
    assert "Did you mean 'naswot'?" in refused("proxies", searched, "--proxy", "nasswot")


def test_where_there_is_no_run_it_says_so(refused):
    assert "there is no run" in refused("proxies", "runs/nothing")
