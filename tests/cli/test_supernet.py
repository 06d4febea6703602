"""One-shot search from a shell: as a strategy, and a supernet that is trained once and searched often."""

import json

import pytest

from archwright.cli.oneshot import ONESHOT, decides, find_deciding
from archwright.errors import ArchwrightError
from archwright.run.oneshot import ALGORITHMS

TINY = ("--train-epochs", "1", "--workers", "1", "--supernet-epochs", "1", "--trials", "4")


@pytest.fixture(scope="module")
def net(tmp_path_factory, archwright, table):
    """A trained supernet's folder."""
    folder = tmp_path_factory.mktemp("net")
    data = table(folder / "sold.csv")
    done = archwright("supernet", "train", data, "--epochs", "2", "--out", folder / "net")
    assert done.exit_code == 0, done.stderr
    assert "archwright supernet rank" in done.stdout
    return folder / "net"


def test_every_algorithm_has_a_name_and_every_name_an_algorithm():
    assert {entry.algorithm for entry in ONESHOT.values()} == set(ALGORITHMS)


def test_a_one_shot_algorithm_may_name_what_goes_on_after_it():
    phase, after = find_deciding("drnas/evolution")
    assert (phase.algorithm, after.name) == ("drnas", "evolution")
    assert find_deciding("darts-2")[0].begin(5).settings == {"order": 2, "epochs": 5}
    assert find_deciding("evolution") == (None, find_deciding("spos/evolution")[1])
    with pytest.raises(ArchwrightError, match=r"no strategy called 'dart'.*'darts'"):
        find_deciding("dart")


def test_a_search_says_that_it_begins_with_a_supernet(archwright, table, tmp_path):
    data = table(tmp_path / "sold.csv")
    done = archwright("search", data, "--strategy", "darts-2/random", *TINY, "--out", "out")
    assert done.exit_code == 0, done.stderr
    assert "darts-2/random" in done.stdout
    assert "one-shot search by darts" in done.stderr
    assert "Kendall's tau" in done.stderr
    shown = json.loads(archwright("show", "out", "--json").stdout)
    assert "darts-2/random" in json.dumps(shown)
    assert (
        decides({"strategy": {"name": "Random"}, "oneshot": {"algorithm": "darts", "settings": {}}}) == "darts/random"
    )


def test_one_supernet_answers_many_budgets_without_training_again(archwright, net):
    few, many = (
        json.loads(archwright("supernet", "search", net, "--max-params", n, "--trials", "20", "--json").stdout)
        for n in ("300", "3k")
    )
    assert all(row["costs"]["params"] <= 300 for row in few["front"])
    assert few["trials"] >= 20
    assert many["front"]
    done = archwright("supernet", "search", net, "--maximize", "accuracy", "--trials", "8")
    assert done.exit_code == 0, done.stderr
    assert "none trained" in done.stdout


def test_the_order_of_shared_weights_is_compared_with_trainings_alone(archwright, net):
    done = archwright("supernet", "rank", net, "--sample", "4", "--train-epochs", "1")
    assert done.exit_code == 0, done.stderr
    assert "shared weights and 4 trainings alone: Kendall's tau" in done.stdout
    assert len(json.loads((net / "supernet.json").read_text())["trust"]["sample"]) == 4


def test_training_again_goes_on_and_other_arguments_are_refused(archwright, refused, net):
    data = net.parent / "sold.csv"
    before = (net / "checkpoint.pt").read_bytes()
    assert archwright("supernet", "train", data, "--epochs", "2", "--out", net, "--quiet").exit_code == 0
    assert "of another run" in refused("supernet", "train", data, "--epochs", "3", "--out", net, "--quiet")
    assert len(before)


def test_what_shares_weights_is_listed(archwright, table, tmp_path):
    table(tmp_path / "sold.csv")
    told = archwright("spaces", "--data", "sold.csv", "--supernet").stdout
    assert "largest single network" in told
    found = json.loads(archwright("spaces", "--data", "sold.csv", "--supernet", "--json").stdout)
    assert found["params"] >= found["largest_params"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("supernet", "search", "nowhere"), "holds no supernet"),
        (("supernet", "rank", "nowhere", "--sample", "2"), "--sample cannot be 2"),
        (("supernet", "train", "digits", "--algorithm", "dart"), "no one-shot algorithm called 'dart'"),
        (("supernet", "train", "digits", "--epochs", "0"), "--epochs cannot be 0"),
        (("search", "digits", "--strategy", "gp", "--supernet-epochs", "3"), "--supernet-epochs is for one-shot"),
        (("search", "digits", "--strategy", "darts/nonsense"), "no strategy called 'nonsense'"),
        (("compare", "--benchmark", "mini", "--strategies", "darts"), "darts"),
    ],
)
def test_bad_input_is_told(refused, arguments, said):
    assert said in refused(*arguments)
