import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from archwright.cli.app import app

TINY = ("--train-epochs", "1", "--workers", "1")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("ARCHWRIGHT_DEBUG", raising=False)


@pytest.fixture(scope="session")
def archwright():
    """Run a command in this process: `archwright("show", "runs/x")` has exit_code, stdout, stderr."""

    def run(*arguments):
        return CliRunner().invoke(app, [str(a) for a in arguments], prog_name="archwright")

    return run


@pytest.fixture(scope="session")
def refused(archwright):
    """Run a command that must be refused: exit code 2, one message, no traceback, nothing on standard output."""

    def run(*arguments):
        done = archwright(*arguments)
        assert done.exit_code == 2, (done.exit_code, done.stdout, done.stderr, done.exception)
        assert done.stderr.startswith("error: "), done.stderr
        assert "Traceback" not in done.stderr
        assert not done.stdout
        return done.stderr

    return run


def write_table(path, n=120, seed=0):
    """A table that is easy to learn: two numbers, a category, and a class that they decide."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)).round(3)
    colour = rng.choice(["red", "blue"], size=n)
    y = np.where(x[:, 0] + (colour == "red") > 0.5, "yes", "no")
    rows = [f"{a},{b},{c},{label}" for (a, b), c, label in zip(x, colour, y, strict=True)]
    path.write_text("\n".join(["width,height,colour,sold", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def table():
    """Write a CSV file that can be searched on."""
    return write_table


@pytest.fixture(scope="session")
def tiny():
    """Options of the smallest search there is."""
    return TINY


@pytest.fixture(scope="session")
def first_search(archwright, tmp_path_factory):
    """A finished search on a table of one's own: the folder with ``sold.csv`` and ``out/``."""
    home = tmp_path_factory.mktemp("first")
    data = write_table(home / "sold.csv")
    done = archwright("search", data, "--trials", "2", "--baseline", *TINY, "--out", home / "out")
    assert done.exit_code == 0, (done.stdout, done.stderr, done.exception)
    return home


@pytest.fixture
def searched(first_search, tmp_path):
    """A copy of that search's folder to do anything to; its data lie where they lay."""
    shutil.copytree(first_search / "out", tmp_path / "out")
    return tmp_path / "out"
