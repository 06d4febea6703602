"""Why an evaluation failed, in one line."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

import archwright
from archwright.errors import ArchwrightError

__all__ = ["OUT_OF_MEMORY", "reason_of"]

LONGEST = 240
OUT_OF_MEMORY = "out of memory"

# How torch, numpy and the system say it.
_MEMORY_PHRASES = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory",
                   "unable to allocate")  # fmt: skip

_NOT_THE_USERS = tuple(
    str(Path(folder).resolve())
    for folder in (*(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")), *archwright.__path__)
)


def reason_of(error: BaseException) -> str:
    """The error's type and message in one line, and the line of the user's own code that it passed through.

    >>> reason_of(ValueError("kernel larger than\\n the image"))
    'ValueError: kernel larger than the image'
    """
    said = " ".join(str(error).split())
    if isinstance(error, MemoryError) or any(phrase in said.lower() for phrase in _MEMORY_PHRASES):
        text = f"{OUT_OF_MEMORY}: {said}" if said else OUT_OF_MEMORY
    elif isinstance(error, SystemExit):
        text = f"the evaluation called sys.exit({error.code!r})"
    elif isinstance(error, ArchwrightError):
        text = said or type(error).__name__
    else:
        text = f"{type(error).__name__}: {said}" if said else type(error).__name__
    place = _place(error)
    room = LONGEST - len(place)
    return (text if len(text) <= room else text[: room - 3] + "...") + place


def _place(error: BaseException) -> str:
    """`` (train.py:12)``: the innermost line that is neither ours, nor Python's, nor an installed package's."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_absolute() and not str(path.resolve()).startswith(_NOT_THE_USERS):
            return f" ({path.name}:{frame.lineno})"
    return ""
