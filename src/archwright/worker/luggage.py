"""What every worker process needs: the evaluator and the objectives, in an unnamed file that all share.

A file, not a message: it is written once however many workers start or start again, and starting one
never waits for another to read. What is loaded later is added to its end.
"""

from __future__ import annotations

import mmap
import os
import pickle
import struct
import sys
import tempfile
from dataclasses import dataclass
from typing import IO, Any

from archwright.errors import WorkerError

__all__ = ["PATH_VARIABLE", "Load", "pack", "unpack"]

PATH_VARIABLE = "PYTHONPATH"
_LENGTH = struct.Struct("!Q")


@dataclass(frozen=True)
class Load:
    """The message by which a worker is told where in the file its evaluator begins, in bytes."""

    start: int


def pack(file: IO[bytes], evaluator: Any, objectives: Any) -> Load:
    """Add them to the end of the file, for `unpack`.

    Raises:
        WorkerError: The evaluator cannot be pickled.
    """
    import cloudpickle  # functions and classes of the user's script travel by value: it needs no `__main__` guard

    try:
        payload = cloudpickle.dumps((evaluator, objectives), protocol=5)
    except Exception as error:
        raise WorkerError(
            f"the evaluator cannot be sent to worker processes ({type(error).__name__}: {error}): evaluate in this "
            f"process (workers=0), or keep out of it what cannot be pickled (open files, locks, generators)"
        ) from error
    # The worker finds the modules that we find; what it starts itself gets the environment that we have.
    head = pickle.dumps((list(sys.path), os.environ.get(PATH_VARIABLE)))
    try:
        start = file.seek(0, os.SEEK_END)
        file.write(_LENGTH.pack(len(head)) + head)
        file.write(payload)
        file.flush()
    except OSError as error:
        raise WorkerError(
            f"the evaluator ({len(payload):,} bytes) cannot be handed to worker processes through "
            f"{tempfile.gettempdir()} ({error.strerror}): free some space there, or set TMPDIR to another folder"
        ) from error
    return Load(start)


def unpack(descriptor: int, load: Load) -> tuple[Any, Any]:
    """The evaluator and the objectives, after making this process find modules as the search does."""
    # A mapping, for the file's position is shared by all workers.
    with mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ) as file, memoryview(file) as view:
        (length,) = _LENGTH.unpack_from(view, load.start)
        start = load.start + _LENGTH.size
        path, variable = pickle.loads(view[start : start + length])
        sys.path[:] = path
        if variable is None:
            os.environ.pop(PATH_VARIABLE, None)
        else:
            os.environ[PATH_VARIABLE] = variable
        with view[start + length :] as payload:
            evaluator, objectives = pickle.loads(payload)
    return evaluator, objectives
