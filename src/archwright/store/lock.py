"""The writer's lock of a run: one writer at a time, and never a stale lock.

A POSIX record lock (``fcntl``) on a file beside the store, ``runs.db-lock``: run 7 is one stretch of bytes
in it. The kernel drops such a lock when its process ends, however it ends (``kill -9`` too), so there is
nothing to clean up and no pid to guess about; and it is not inherited by a fork, so a data loader that
outlives the search does not keep the run locked (``flock`` would). The file itself may stay, and means
nothing. Two properties of POSIX locks need care, and get it here: they do not exclude the same process
(so held locks are listed per process), and closing *any* descriptor of the file drops them all (so each
process has one descriptor a file, closed with the last lock). The file is never deleted: a deleted and
re-made file could be locked twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path

from archwright.errors import StoreError, StoreLockedError

__all__ = ["RunLock"]

RECORD_BYTES = 128
"""The stretch of the lock file that stands for one run; it holds its writer's pid and host as text."""


@dataclass
class _LockFile:
    descriptor: int
    held: set[int] = field(default_factory=set)


_guard = threading.Lock()
_files: dict[Path, _LockFile] = {}


def _forget() -> None:
    """A forked child has inherited our list, but not our locks."""
    global _guard
    _guard = threading.Lock()
    for file in _files.values():
        os.close(file.descriptor)
    _files.clear()


os.register_at_fork(after_in_child=_forget)


class RunLock:
    """The lock of one run in one store file, taken at once.

    Args:
        store: Path of the store file.
        run_id: Which run.
        name: The run's name, for messages.

    Raises:
        StoreLockedError: Someone holds it; the message names the process and what to do.
    """

    def __init__(self, store: Path, run_id: int, name: str):
        self.path = store.with_name(store.name + "-lock").absolute()
        self.run_id = run_id
        where = f"run '{name}' in {store}"
        with _guard:
            file = _files.get(self.path)
            if file is None:
                file = _LockFile(_open(self.path))
            if run_id in file.held:
                raise StoreLockedError(
                    f"{where} is already being written to by this process ({os.getpid()}): close the other search "
                    f"or store first, or give this search another name"
                )
            at = run_id * RECORD_BYTES
            try:
                fcntl.lockf(file.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, RECORD_BYTES, at)
            except OSError as error:
                holder = _read(file.descriptor, at)
                if not file.held:
                    os.close(file.descriptor)
                if not isinstance(error, BlockingIOError | PermissionError):
                    raise StoreError(
                        f"{self.path} cannot be locked ({error.strerror}): put the store on a disk "
                        f"that supports file locks"
                    ) from error
                raise StoreLockedError(
                    f"{where} is being written to by {holder}: wait until it ends, stop it, or give this search "
                    f"another name"
                ) from None
            file.held.add(run_id)
            _files[self.path] = file
            _write(file.descriptor, at)

    def release(self) -> None:
        """Give the lock back. The end of the process does so too."""
        with _guard:
            file = _files.get(self.path)
            if file is None or self.run_id not in file.held:
                return
            file.held.discard(self.run_id)
            if file.held:
                fcntl.lockf(file.descriptor, fcntl.LOCK_UN, RECORD_BYTES, self.run_id * RECORD_BYTES)
            else:
                del _files[self.path]
                os.close(file.descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be made ({error.strerror}): a search needs a store in a folder that it may write to"
        ) from error


def _write(descriptor: int, at: int) -> None:
    text = f"{os.getpid()} {socket.gethostname()}".encode()[: RECORD_BYTES - 1]
    with contextlib.suppress(OSError):  # a full disk: the lock holds all the same, only its holder stays nameless
        os.pwrite(descriptor, text.ljust(RECORD_BYTES - 1) + b"\n", at)


def _read(descriptor: int, at: int) -> str:
    pid, _, host = os.pread(descriptor, RECORD_BYTES, at).decode(errors="replace").strip().partition(" ")
    if not pid.isdecimal():
        return "another process"
    return f"process {pid}" if host in ("", socket.gethostname()) else f"process {pid} on host {host}"
