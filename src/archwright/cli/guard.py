"""How a command ends: every error is one message and an exit code; a signal ends it well."""

from __future__ import annotations

import os
import re
import signal
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer

import archwright
from archwright.cli.console import complain, err, note
from archwright.errors import ArchwrightError

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["INTERRUPTED", "as_options", "guarded", "interruptible"]

FAULT, MISTAKE, INTERRUPTED = 1, 2, 130
DEBUG = "ARCHWRIGHT_DEBUG"
OURS = str(Path(archwright.__file__).parent) + os.sep


@contextmanager
def guarded(debug: bool = False) -> Iterator[None]:
    """Inside, errors of archwright end the program with their message alone, others with a request to report them.

    Warnings become notes: those that archwright gives on purpose; others are for developers.
    """
    debug = debug or os.environ.get(DEBUG, "") not in ("", "0")
    try:
        with _warnings_as_notes(debug):
            yield
    except ArchwrightError as error:
        _trace(debug)
        complain(as_options(str(error)))
        raise typer.Exit(MISTAKE) from None
    except KeyboardInterrupt:
        _trace(debug)
        err().print("[yellow]interrupted[/]")
        raise typer.Exit(INTERRUPTED) from None
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except Exception as error:
        if hasattr(error, "exit_code"):  # a mistake in the command line itself, which typer shows with its usage
            raise
        _trace(debug)
        said = " ".join(str(error).split())
        complain(
            f"unexpected {type(error).__name__}{': ' + said[:300] if said else ''}. This is a fault of archwright, not "
            f"yours: please report it" + ("." if debug else f", with what the same command prints under {DEBUG}=1.")
        )
        raise typer.Exit(FAULT) from None


ARGUMENT = re.compile(
    r"\b(give|with|such as|e\.g\.|pass) (budget|trials|epochs|on_bad_image|on_bad_box|on_bad_clip|resample|seconds|"
    r"kind|target|text|resize|memory|form)"
    r"=('[^']*'|\([^)]*\)|\w+)"
)


def as_options(message: str) -> str:
    """The message with the library's keyword arguments as the options that they are here.

    >>> as_options("give resize=(height, width), e.g. resize=(28, 28), or give on_bad_image='skip'")
    'give --resize HEIGHTxWIDTH, e.g. --resize 28x28, or give --on-bad-image skip'
    """

    def option(match: re.Match[str]) -> str:
        verb, name, value = match.groups()
        if value.startswith("("):
            value = "x".join(part.strip().upper() for part in value[1:-1].split(","))
        value = value.strip("'") if " " not in value else value
        return f"{verb} --{name.replace('_', '-')} {value}"

    return ARGUMENT.sub(option, message).replace("pass verify=False", "give --no-verify")


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, SIGTERM (what `kill` and job schedulers send) is Ctrl-C: the search ends well and keeps all."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _trace(debug: bool) -> None:
    if debug:
        traceback.print_exc()


@contextmanager
def _warnings_as_notes(debug: bool) -> Iterator[None]:
    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        ours = issubclass(category, UserWarning) and filename.startswith(OURS)
        if ours or debug:
            note(str(message) if ours else warnings.formatwarning(message, category, filename, lineno, line).strip())

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        before: Any = warnings.showwarning
        warnings.showwarning = show
        try:
            yield
        finally:
            warnings.showwarning = before
