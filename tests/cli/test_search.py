"""From data to a network and on: what a user does in one afternoon, in a minute."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def digits(archwright, tmp_path_factory, tiny):
    """A search on digits as people run it: the folder, and what it said."""
    home = tmp_path_factory.mktemp("digits")
    out = home / "runs" / "digits"
    done = archwright("search", "digits", "--budget", "2 trials", "--max-params", "3k", *tiny, "--out", out)
    assert done.exit_code == 0, (done.stdout, done.stderr, done.exception)
    return out, done


def test_a_search_says_what_it_does_what_came_of_it_and_where_that_lies(digits):
    out, done = digits
    said = done.stdout
    assert "1,797 samples of 1x8x8, 10 classes" in said
    assert "params at most 3k" in said
    assert re.search(r"\d+% of \d+ sampled architectures meet every ceiling", said)
    assert re.search(r"reaches 0\.\d+ test accuracy", " ".join(said.replace("│", " ").split()))
    for file in ("weights.safetensors", "model.py", "model.onnx", "model.pt2", "card.json", "report.html", "run.db"):
        assert file in said
        assert (out / file).stat().st_size > 0
    assert f"archwright show {out}" in said
    assert "search ended" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_network_answers_for_new_data(archwright, digits):
    from sklearn.datasets import load_digits

    out, _ = digits
    images, labels = load_digits().images, load_digits().target
    np.savez("new.npz", x=images[:50])
    for form in ("source", "pt2", "onnx"):
        done = archwright("predict", out, "new.npz", "--form", form, "--json")
        assert done.exit_code == 0, done.stderr
        answers = [p["label"] for p in json.loads(done.stdout)["predictions"]]
        assert np.mean(np.array(answers) == labels[:50]) > 0.3
    assert archwright("predict", out, "new.npz", "--csv", "answers.csv").exit_code == 0
    with open("answers.csv") as file:
        rows = list(csv.DictReader(file))
    assert [int(r["label"]) for r in rows] == answers
    assert "and 30 more" in archwright("predict", out, "new.npz").stdout
    assert archwright("predict", out, "new.npz", "--csv", "-").stdout.startswith("sample,label,probability\n0,")


def test_a_run_is_shown_in_words_and_in_json(archwright, digits):
    out, _ = digits
    said = archwright("show", out).stdout
    assert "finished" in said
    assert "test accuracy" in said
    document = json.loads(archwright("show", out, "--json").stdout)
    assert document["task"]["name"] == "digits"
    assert document["test"]["metric"] == "accuracy"
    assert [f["form"] for f in document["files"]] == ["weights", "source", "onnx", "pt2"]
    assert document["costs"]["params"] <= 3000
    number = document["leaderboard"][0]["number"]
    trial = json.loads(archwright("show", out, "--trial", number, "--json").stdout)
    assert len(trial["curve"]) == 1
    assert "Learning curve" in archwright("show", out, "--trial", number).stdout
    # The architecture of a trial can be measured as it is written.
    Path("trial.json").write_text(json.dumps(trial))
    measured = archwright("measure", "--data", "digits", "--architecture", "@trial.json", "--repeats", 30, "--json")
    assert json.loads(measured.stdout)["costs"]["params"] == trial["costs"]["params"]


def test_a_network_is_measured_under_conditions(archwright, digits):
    out, _ = digits
    found = json.loads(archwright("measure", out, "--repeats", 30, "--json").stdout)
    latency = found["latency"]
    assert latency["low_ms"] <= latency["median_ms"] <= latency["high_ms"]
    assert latency["conditions"]["threads"] == 1
    card = json.loads((out / "card.json").read_text())
    assert found["costs"]["params"] == card["costs"]["params"]
    said = archwright("measure", out, "--repeats", 30).stdout
    assert "95% interval" in said
    assert "Conditions" in said


def test_the_report_is_written_again_with_its_drawing(archwright, digits, tmp_path):
    out, _ = digits
    done = archwright("report", out, "--to", tmp_path / "again.html")
    assert done.exit_code == 0, done.stderr
    page = (tmp_path / "again.html").read_text()
    assert '<svg class="network"' in page
    assert "archwright search digits" in page
    assert done.stdout.strip() == str(tmp_path / "again.html")


def test_a_search_resumed_with_more_trials_keeps_the_old_ones(archwright, digits, tmp_path):
    out = shutil.copytree(digits[0], tmp_path / "digits")
    before = json.loads(archwright("show", out, "-n", "99", "--json").stdout)
    done = archwright("resume", out, "--trials", "3", "--json")
    assert done.exit_code == 0, (done.stdout, done.stderr)
    after = json.loads(done.stdout)
    assert after["trials"]["done"] == 3
    seen = {row["number"]: row["architecture"] for row in after["leaderboard"]}
    assert all(seen[row["number"]] == row["architecture"] for row in before["leaderboard"])
    assert (out / "model.py").stat().st_mtime > (digits[0] / "model.py").stat().st_mtime


def test_forms_are_exported_again_and_another_trials_network_is_trained_anew(archwright, first_search, searched):
    assert archwright("export", searched, "--forms", "source,pt2", "--to", "again").exit_code == 0
    assert {p.name for p in Path("again").iterdir()} == {"weights.safetensors", "model.py", "model.pt2", "card.json"}
    first, again = (json.loads((p / "card.json").read_text()) for p in (searched, Path("again")))
    assert again["metrics"] == first["metrics"]
    done = archwright("export", searched, "--trial", "1", "--forms", "source", "--json")
    assert done.exit_code == 0, done.stderr
    card = json.loads(done.stdout)
    assert card["notes"]["trial"] == 1
    assert "test" not in card["metrics"]
    Path("new.csv").write_text("width,height,colour\n2,2,red\n-2,0,blue\n")
    answered = archwright("predict", searched / "trial-1", "new.csv", "--json")
    assert len(json.loads(answered.stdout)["predictions"]) == 2


def test_json_is_all_that_standard_output_holds(table, tiny):
    table(Path("sold.csv"))
    command = ["search", "sold.csv", "--trials", "1", *tiny, "--json", "--maximize", "accuracy", "--minimize", "params"]
    code = f"import sys; sys.argv = ['archwright', *{command!r}]; from archwright.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["out"] == "runs/sold"
    assert document["best"]["goals"].keys() == {"accuracy", "params"}
    assert document["command"].startswith("archwright search sold.csv --trials 1")
    assert "search ended" in done.stderr
    assert Path("runs/sold/report.html").exists()
    assert Path("sold.csv").exists()


def test_an_earlier_search_is_never_written_over(archwright, first_search, tiny, tmp_path):
    out = shutil.copytree(first_search / "out", tmp_path / "out")
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    done = archwright(
        "search", first_search / "sold.csv", "--trials", "1", *tiny, "--strategy", "random", "--quiet", "--out", out
    )
    assert done.exit_code == 0, done.stderr
    assert "out-2" in done.stderr
    assert "search ended" not in done.stderr
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert (tmp_path / "out-2" / "model.py").exists()
    listed = json.loads(archwright("show", "--json").stdout)["runs"]
    assert [(r["where"], r["strategy"]) for r in listed] == [("out", "gp"), ("out-2", "random")]
    assert "out-2" in archwright("show").stdout


def test_random_search_beside_a_search_is_a_run_that_is_shown_when_named(archwright, searched):
    shown = json.loads(archwright("show", searched, "--json").stdout)
    assert (shown["name"], shown["other_runs"]) == ("sold", ["sold-random"])
    beside = json.loads(archwright("show", searched, "--run", "sold-random", "--json").stdout)
    assert beside["strategy"] == "random"
    assert beside["trials"]["done"] == 2
    assert [r["name"] for r in json.loads(archwright("show", "--json").stdout)["runs"]] == ["sold"]
