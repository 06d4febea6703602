"""Faults of our own, and words of the library in the words of the command line."""

import warnings

import pytest

from archwright import task
from archwright.cli.guard import as_options


@pytest.fixture
def broken(monkeypatch):
    """Data that cannot be loaded for a reason that nobody thought of."""

    def load(*_, **__):
        warnings.warn("for developers alone", DeprecationWarning, stacklevel=1)
        raise ZeroDivisionError("parts of nothing")

    monkeypatch.setattr(task, "load", load, raising=False)


def test_an_unexpected_error_asks_to_be_reported_without_a_traceback(archwright, broken):
    done = archwright("search", "digits", "--trials", "1")
    assert done.exit_code == 1
    assert "unexpected ZeroDivisionError: parts of nothing" in done.stderr
    assert "please report it" in done.stderr
    assert "ARCHWRIGHT_DEBUG=1" in done.stderr
    assert "Traceback" not in done.stderr
    assert "for developers alone" not in done.stderr


def test_debugging_shows_the_traceback(archwright, broken, monkeypatch):
    assert "Traceback" in archwright("--debug", "search", "digits", "--trials", "1").stderr
    monkeypatch.setenv("ARCHWRIGHT_DEBUG", "1")
    done = archwright("search", "digits", "--trials", "1")
    assert done.exit_code == 1
    assert "Traceback" in done.stderr
    assert "for developers alone" in done.stderr


@pytest.mark.parametrize(
    ("library", "shell"),
    [
        ("give resize=(height, width), e.g. resize=(28, 28)", "give --resize HEIGHTxWIDTH, e.g. --resize 28x28"),
        ("or give on_bad_image='skip' to go on", "or give --on-bad-image skip to go on"),
        ("such as budget='20 min'", "such as --budget '20 min'"),
        ("- block = ConvBlock(kind=3)", "- block = ConvBlock(kind=3)"),
    ],
)
def test_arguments_of_the_library_are_told_as_options(library, shell):
    assert as_options(library) == shell
