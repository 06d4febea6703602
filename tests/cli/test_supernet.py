"""One-shot search from a shell: as a strategy, and a supernet that is trained once and searched often."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from archwright.cli.oneshot import ONESHOT, decides, find_deciding
from archwright.errors import ArchwrightError
from archwright.run.oneshot import ALGORITHMS
from archwright.store import Store

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


@pytest.fixture
def own_net(net, tmp_path):
    """A copy of that folder to do anything to; its data lie where they lay."""
    return shutil.copytree(net, tmp_path / "net")


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
    # Its supernet can be asked for other budgets.
    assert "archwright supernet search out/run-supernet-1" in done.stdout
    other = archwright("supernet", "search", "out/run-supernet-1", "--max-params", "500", "--trials", "10", "--json")
    assert other.exit_code == 0, other.stderr
    assert all(row["costs"]["params"] <= 500 for row in json.loads(other.stdout)["front"])
    about = json.loads((tmp_path / "out" / "run-supernet-1" / "supernet.json").read_text("utf-8"))
    assert about["algorithm"] == "darts-2"
    assert (
        decides({"strategy": {"name": "Random"}, "oneshot": {"algorithm": "darts", "settings": {}}}) == "darts/random"
    )


@pytest.mark.crash
@pytest.mark.slow
def test_a_search_killed_while_its_supernet_trains_goes_on_from_the_shell(archwright, table, tmp_path):
    data = table(tmp_path / "sold.csv")
    typed = (
        "search",
        data.name,
        "--strategy",
        "darts/random",
        "--workers",
        "1",
        "--train-epochs",
        "1",
        "--trials",
        "3",
    )
    typed = [*typed, "--supernet-epochs", "60", "--out", "out"]
    code = f"import sys; sys.argv = ['archwright', *{typed!r}]; from archwright.cli import main; main()"
    # Checkpoints come every so many seconds; here after each step, so that a kill falls behind one.
    code = "from archwright.run import oneshot; oneshot.SAVED = 1; " + code
    checkpoint = tmp_path / "out" / "run-supernet-1" / "checkpoint.pt"
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, start_new_session=True) as process:
        give_up = time.monotonic() + 300
        while not checkpoint.exists() and process.poll() is None and time.monotonic() < give_up:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    before = torch.load(checkpoint, weights_only=True)["step"]
    assert before >= 1
    with Store(tmp_path / "out" / "run.db") as store:
        assert not store.count(1), "killed too late to be a test"
    done = archwright("resume", "out", "--quiet")
    assert done.exit_code == 0, (done.stdout, done.stderr)
    assert torch.load(checkpoint, weights_only=True)["step"] > before
    with Store(tmp_path / "out" / "run.db") as store:
        assert [p["epoch"] for p in store.runs()[0].meta["oneshot"]["history"]] == list(range(1, 61))
    document = json.loads(archwright("show", "out", "--json").stdout)
    assert document["trials"]["done"] == 3


def test_one_supernet_answers_many_budgets_without_training_again(archwright, own_net):
    few, many = (
        json.loads(archwright("supernet", "search", own_net, "--max-params", n, "--trials", "20", "--json").stdout)
        for n in ("300", "3k")
    )
    assert all(row["costs"]["params"] <= 300 for row in few["front"])
    assert few["trials"] >= 20
    assert many["front"]
    done = archwright("supernet", "search", own_net, "--maximize", "accuracy", "--trials", "8")
    assert done.exit_code == 0, done.stderr
    assert "none trained" in done.stdout


def test_the_best_are_shown_and_saved_along_the_front(archwright, own_net, tmp_path):
    arguments = ("supernet", "search", own_net, "--trials", "20", "-n", "3", "--save", tmp_path / "best.json")
    done = archwright(*arguments)
    assert done.exit_code == 0, done.stderr
    saved = json.loads((tmp_path / "best.json").read_text("utf-8"))
    assert 1 <= len(saved) <= 3
    losses, params = ([row["goals"][name] for row in saved] for name in ("log_loss", "params"))
    assert losses == sorted(losses)
    assert params == sorted(params, reverse=True)  # a front: what is worse in one is better in the other
    assert f"archwright export {own_net} --trial {saved[0]['number']}" in done.stdout
    assert "accuracy" in done.stdout  # which people know, beside what ranks


def test_a_search_of_it_is_a_run_that_can_be_shown_and_begun_with(archwright, refused, own_net):
    found = json.loads(archwright("supernet", "search", own_net, "--trials", "12", "--json").stdout)
    best = found["front"][0]
    shown = json.loads(archwright("show", own_net, "--json").stdout)
    assert "with the shared weights of a supernet" in shown["outcome"]
    assert shown["strategy"] == "spos/nsga2"
    page = (own_net / "report.html").read_text("utf-8")
    assert 'id="growth"' in page
    assert 'id="leaderboard"' in page
    assert "measured a supernet's shared weights" in refused("resume", own_net, "--trials", "20")
    data = json.loads((own_net / "supernet.json").read_text("utf-8"))["data"]
    more = ("search", data, "--warm-start", own_net, "--strategy", "random", "--workers", "1")
    done = archwright(*more, "--trials", "2", "--train-epochs", "1", "--out", "out", "--json")
    assert done.exit_code == 0, done.stderr
    trials = {row["number"]: row for row in json.loads(done.stdout)["leaderboard"]}
    assert trials[0]["origin"] == "given to begin with"
    assert trials[0]["epochs"] == 1  # trained, not taken over
    # Of several that are equally good the front holds the smallest, and the new search begins with the first.
    equals = [
        row["architecture"] for row in shown["leaderboard"] if row["goals"]["log_loss"] == best["goals"]["log_loss"]
    ]
    assert best["architecture"] in equals
    assert trials[0]["architecture"] in equals


@pytest.mark.slow
def test_what_a_search_of_it_found_is_trained_alone_and_exported(archwright, own_net):
    found = json.loads(archwright("supernet", "search", own_net, "--trials", "6", "--json").stdout)
    number = found["front"][0]["number"]
    done = archwright("export", own_net, "--trial", number, "--forms", "source", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["architecture"] == found["front"][0]["architecture"]


def test_a_supernet_has_a_page_before_it_is_searched_and_one_with_its_trust(archwright, own_net):
    assert "A supernet, trained by spos for 2 epochs" in (own_net / "report.html").read_text("utf-8")
    done = archwright("supernet", "rank", own_net, "--sample", "3", "--train-epochs", "1", "--json")
    assert done.exit_code == 0, done.stderr
    page = (own_net / "report.html").read_text("utf-8")
    assert 'id="supernet-trust"' in page
    assert "3 trainings alone" in page


def test_other_data_than_it_was_trained_on_are_refused_with_the_difference(refused, own_net, table, tmp_path):
    other = table(tmp_path / "other.csv", n=90)
    assert "the data have changed" in refused("supernet", "search", own_net, "--data", other)


def test_a_training_that_has_not_ended_is_not_searched(refused, own_net):
    about = json.loads((own_net / "supernet.json").read_text("utf-8"))
    del about["result"]
    (own_net / "supernet.json").write_text(json.dumps(about), encoding="utf-8")
    assert "has not ended" in refused("supernet", "search", own_net)


def test_within_a_budget_the_epochs_are_those_that_fit_and_stay_so(archwright, table, tmp_path):
    data = table(tmp_path / "sold.csv")
    arguments = ("supernet", "train", data, "--budget", "8s", "--out", "net", "--json", "--quiet")
    first, again = (json.loads(archwright(*arguments).stdout) for _ in range(2))
    assert first["epochs"] >= 1
    assert again["epochs"] == first["epochs"]
    assert again["result"]["history"] == first["result"]["history"]


def test_a_supernet_whose_weights_fit_no_network_says_so(archwright, own_net):
    about = json.loads((own_net / "supernet.json").read_text("utf-8"))
    (own_net / "supernet.json").write_text(json.dumps({**about, "algorithm": "pc-darts"}), encoding="utf-8")
    assert "measured wrongly" in archwright("supernet", "search", own_net, "--trials", "3").stderr


def test_the_order_of_shared_weights_is_compared_with_trainings_alone(archwright, own_net):
    done = archwright("supernet", "rank", own_net, "--sample", "4", "--train-epochs", "1")
    assert done.exit_code == 0, done.stderr
    assert "shared weights (by their log loss) and 4 trainings alone: Kendall's tau" in done.stdout
    assert len(json.loads((own_net / "supernet.json").read_text())["trust"]["sample"]) == 4


def test_training_again_goes_on_and_other_arguments_are_refused(archwright, refused, net):
    data = net.parent / "sold.csv"
    before = (net / "checkpoint.pt").read_bytes()
    assert archwright("supernet", "train", data, "--epochs", "2", "--out", net, "--quiet").exit_code == 0
    assert "of another run" in refused("supernet", "train", data, "--epochs", "3", "--out", net, "--quiet")
    assert len(before)


def test_what_shares_weights_is_listed(archwright, table, tmp_path):
    table(tmp_path / "sold.csv")
    told = archwright("spaces", "mlp", "--supernet", "--data", "sold.csv").stdout
    assert "largest single network" in told
    assert "sliced" in told
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
