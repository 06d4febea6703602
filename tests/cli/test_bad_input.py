"""Bad input: one message that says what to do, exit code 2, and nothing lost or left behind."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def folder_of_images(place, per_class=8, size=(8, 8)):
    rng = np.random.default_rng(0)
    for label in ("cat", "dog"):
        (place / label).mkdir(parents=True)
        for i in range(per_class):
            pixels = rng.integers(0, 256, size=(*size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(place / label / f"{i}.png")
    return place


# Data


def test_an_unknown_data_name_is_told_the_nearest(refused):
    assert "Did you mean 'digits'?" in refused("search", "digit", "--trials", "3")


def test_a_missing_file(refused):
    assert "'nowhere/prices.csv' do not exist" in refused("search", "nowhere/prices.csv", "--trials", "3")


def test_an_empty_folder(refused, tmp_path):
    (tmp_path / "photos").mkdir()
    assert "holds no image" in refused("search", "photos", "--trials", "3")


def test_one_class_only(refused):
    np.savez("one.npz", x=np.random.default_rng(0).normal(size=(40, 1, 16)), y=np.zeros(40, int))
    assert "class" in refused("search", "one.npz", "--trials", "3")


def test_an_unreadable_image_stops_or_is_skipped_by_a_flag(archwright, refused, tmp_path):
    photos = folder_of_images(tmp_path / "photos")
    (photos / "cat" / "broken.png").write_bytes(b"no image at all")
    said = refused("search", "photos", "--trials", "3")
    assert "1 of 17 images cannot be read" in said
    assert "broken.png" in said
    assert "--on-bad-image skip" in said
    # With the flag its data are read, and the next mistake is the one that is told.
    said = archwright("search", "photos", "--trials", "3", "--on-bad-image", "skip", "--space", "nowhere")
    assert said.exit_code == 2
    assert "note: 1 of 17 images cannot be read" in said.stderr
    assert "no space 'nowhere'" in said.stderr
    assert "'keep': allowed are 'stop' and 'skip'" in refused("search", "photos", "--on-bad-image", "keep")


def test_images_of_different_sizes(archwright, refused, tmp_path):
    photos = folder_of_images(tmp_path / "photos")
    Image.new("RGB", (9, 12)).save(photos / "dog" / "tall.png")
    assert "--resize" in refused("search", "photos", "--trials", "3")
    assert "no space" in refused("search", "photos", "--resize", "8x8", "--space", "nowhere")
    assert "--resize: 'large' is not a size" in refused("search", "photos", "--resize", "large")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite(refused, bad):
    x = np.random.default_rng(0).normal(size=(40, 1, 16))
    x[3, 0, 5] = bad
    np.savez("bad.npz", x=x, y=np.arange(40) % 2)
    said = refused("search", "bad.npz", "--trials", "3")
    assert "in 1 of 40 samples; the first in sample 3" in said


def test_labels_that_do_not_match(refused):
    np.savez("odd.npz", x=np.zeros((40, 1, 16)), y=np.arange(39) % 2)
    said = refused("search", "odd.npz", "--trials", "3")
    assert "40" in said
    assert "39" in said


def test_text_in_a_column_of_numbers(refused, table):
    path = table(Path("sold.csv"))
    lines = path.read_text().splitlines()
    lines[7] = "wide" + lines[7][lines[7].index(",") :]
    path.write_text("\n".join(lines))
    assert "'width'" in refused("search", path, "--trials", "3")


def test_a_target_that_is_no_column(refused, table):
    assert "Did you mean 'sold'?" in refused("search", table(Path("sold.csv")), "--target", "solt", "--trials", "3")


# What is asked of the search


@pytest.mark.parametrize("budget", ["0", "-5m", "0 trials", "soon", "inf"])
def test_a_budget_that_makes_no_sense(refused, budget):
    assert budget.split()[0] in refused("search", "digits", "--budget", budget)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--workers", 0), ("--workers", -2), ("--train-epochs", 0), ("--trials", 0), ("--epochs", "-3")],
)
def test_numbers_below_one(refused, option, value):
    assert f"{value}" in refused("search", "digits", option, value)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--max-params", "lots"), ("--max-latency", "-5ms"), ("--max-bytes", "0"), ("--max-macs", "1.5")],
)
def test_a_ceiling_that_cannot_be_read_is_named_as_its_option(refused, option, value):
    assert refused("search", "digits", option, value).startswith(f"error: {option}: '{value}'")


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [
        (("--strategy", "evolve"), "evolution"),
        (("--space", "convnets"), "convnet"),
        (("--maximize", "acuracy"), "accuracy"),
        (("--timeout", "never"), "timeout"),
        (("--memory-limit", "much"), "memory_limit"),
    ],
)
def test_words_that_nothing_is_called(refused, arguments, nearest):
    assert nearest in refused("search", "digits", "--trials", "3", *arguments)


def test_a_ceiling_that_nothing_meets_and_nothing_is_left_behind(refused, table):
    said = refused("search", table(Path("sold.csv")), "--max-params", "5", "--trials", "3")
    assert "no architecture of the space meets the ceilings" in said
    assert not Path("runs").exists()


# Where it goes


def test_an_output_below_a_file(refused, table):
    data = table(Path("sold.csv"))
    assert "choose another --out" in refused("search", data, "--trials", "1", "--out", "sold.csv")
    assert "choose another --out" in refused("search", data, "--trials", "1", "--out", "sold.csv/run")
    assert data.read_text().startswith("width")


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write anywhere")
def test_a_read_only_output(refused, table, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    said = refused("search", table(Path("sold.csv")), "--trials", "1", "--out", "locked/run")
    assert "choose another --out" in said


# Runs


def test_a_run_that_is_not_there(refused, searched):
    assert "Did you mean 'out'?" in refused("resume", "outt")
    assert "no run" in refused("show", "nowhere")
    Path("empty").mkdir()
    assert "holds no run" in refused("resume", "empty")
    assert "no trial 99" in refused("show", searched, "--trial", "99")
    assert "no run 'other'" in refused("show", searched, "--run", "other")


def test_a_store_that_is_not_ours_is_left_alone(refused):
    with sqlite3.connect("music.db") as other:
        other.execute("CREATE TABLE songs (name TEXT)")
    before = Path("music.db").read_bytes()
    assert "not an archwright store" in refused("show", "music.db")
    assert "not an archwright store" in refused("resume", "music.db", "--trials", "5")
    Path("text.db").write_text("dear diary")
    assert "not an archwright store" in refused("show", "text.db")
    assert Path("music.db").read_bytes() == before


def test_a_store_from_a_newer_version(refused, searched):
    with sqlite3.connect(searched / "run.db") as store:
        store.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    for command in ("show", "resume", "report"):
        assert "newer" in refused(command, searched)


def test_a_store_that_another_search_writes_to(refused, searched):
    code = """
import sys
from archwright.store import Store
with Store(sys.argv[1]) as store, store.lock(store.run("sold").id):
    print("locked", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(searched / "run.db")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline().strip() == "locked"
        said = refused("resume", searched, "--trials", "4")
        assert f"process {other.pid}" in said
        other.stdin.close()


def test_a_finished_run_is_not_resumed_without_a_larger_budget(refused, searched):
    assert "--budget '20 min'" in refused("resume", searched)


def test_changed_data_are_not_resumed(refused, searched, table, tmp_path):
    changed = table(tmp_path / "sold.csv", seed=1)
    before = (searched / "run.db").read_bytes()
    said = refused("resume", searched, "--trials", "4", "--data", changed)
    assert "the data have changed" in said
    assert (searched / "run.db").read_bytes() == before


def test_a_changed_space_is_not_resumed_and_the_difference_is_shown(refused, searched):
    with sqlite3.connect(searched / "run.db") as store:
        store.execute("""UPDATE runs SET meta = json_set(meta, '$.space.fingerprint', 'other', '$.space.text',
            replace(json_extract(meta, '$.space.text'), 'tanh', 'sigmoid'))""")
    said = refused("resume", searched, "--trials", "4")
    assert "the space has changed" in said
    assert "sigmoid" in said


def test_data_that_have_gone_are_asked_for(refused, searched):
    with sqlite3.connect(searched / "run.db") as store:
        store.execute("UPDATE runs SET meta = json_set(meta, '$.notes.data', '/gone/sold.csv')")
    assert "--data" in refused("resume", searched, "--trials", "4")


def test_a_run_begun_from_python_is_resumed_from_python(refused, searched):
    with sqlite3.connect(searched / "run.db") as store:
        store.execute("UPDATE runs SET meta = json_remove(meta, '$.notes')")
    assert "archwright.resume" in refused("resume", searched, "--trials", "4")


# Networks


def test_a_folder_without_a_network(refused, searched):
    (searched / "card.json").unlink()
    assert "no card.json" in refused("predict", searched, "new.csv")
    assert "archwright resume" in refused("export", searched)
    assert "does not exist" in refused("measure", "nowhere")


def test_new_data_that_do_not_fit(refused, searched):
    np.savez("images.npz", x=np.zeros((3, 8, 8)))
    refused("predict", searched, "images.npz")
    assert "do not exist" in refused("predict", searched, "nowhere.csv")
    Path("new.csv").write_text("width,colour\n1,red\n")
    assert "'height'" in refused("predict", searched, "new.csv")


def test_a_changed_network_is_not_run_unless_told_to(archwright, refused, searched):
    Path("new.csv").write_text("width,height,colour\n1,2,red\n")
    with (searched / "model.py").open("a") as source:
        source.write("\n# mine\n")
    assert "--no-verify" in refused("predict", searched, "new.csv")
    assert "changed since" in refused("measure", searched)
    assert archwright("predict", searched, "new.csv", "--no-verify").exit_code == 0


def test_forms_that_are_not_there(refused, searched):
    assert "Did you mean 'onnx'?" in refused("export", searched, "--forms", "onxx")
    assert "Did you mean 'onnx'?" in refused("predict", searched, "new.csv", "--form", "onxx")


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "no JSON"), ("[1]", "list"), ('{"no/such": 1}', "is missing"), ("@nowhere.json", "cannot be read")],
)
def test_architectures_that_make_no_sense(refused, text, said):
    assert said in refused("measure", "--data", "breast_cancer", "--architecture", text)


def test_nothing_to_measure(refused):
    assert "--data" in refused("measure")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_under_answers(refused, searched):
    Path("new.csv").write_text("width,height,colour\n1,2,red\n")
    assert "No space left" in refused("predict", searched, "new.csv", "--csv", "/dev/full")


def test_a_report_that_cannot_be_written(refused, searched):
    Path("file").touch()
    assert "cannot write the report" in refused("report", searched, "--to", "file/report.html")
