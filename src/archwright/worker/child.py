"""One worker process, seen from the search."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import psutil

import archwright
from archwright.errors import WorkerError
from archwright.worker import wire
from archwright.worker.job import Job
from archwright.worker.luggage import PATH_VARIABLE, Load

__all__ = ["Child"]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


class Child:
    """A worker process and the job that it runs.

    The search's thread starts it, gives it jobs and buries it; the watching thread may kill it in between. What both
    touch is guarded, so that a kill is always laid to the job that earned it.

    Args:
        luggage: The file that `luggage.pack` writes to.
        log: Where its output goes.
        threads: Threads for numerical libraries.
        module: What it imports while it waits for an evaluator; "" for nothing.
    """

    def __init__(self, luggage: IO[bytes], log: IO[bytes], threads: int, module: str = ""):
        self.log = log
        self.log_start = log.seek(0, os.SEEK_END)
        self.ready = False
        self.job: Job | None = None
        self.expires: float | None = None
        self.expiry = ""
        self.killed: tuple[Job | None, str] | None = None
        self.rss = self.rss_at_start = 0
        self._guard = threading.Lock()
        self._buried = False
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-P", "-u", "-m", "archwright.worker"]
            command += [str(theirs.fileno()), str(luggage.fileno()), str(os.getpid())]
            command += [module] if module else []
            try:
                self.process = subprocess.Popen(
                    command,
                    pass_fds=(theirs.fileno(), luggage.fileno()),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=_environment(threads),
                    start_new_session=True,  # Ctrl-C in the terminal is not for it; its own children can be ended too
                )
            except OSError as error:
                ours.close()
                raise WorkerError(f"a worker process cannot be started ({error.strerror}): {sys.executable}") from error
        self.connection = ours
        self.inbox = wire.Inbox(ours)
        self._measured = psutil.Process(self.process.pid)

    def load(self, load: Load, start_timeout_s: float) -> None:
        """Have it load an evaluator; it is ready when it has."""
        with self._guard:
            self.ready = False
            self.expires = time.monotonic() + start_timeout_s
            self.expiry = f"did not start within {start_timeout_s:g} s"
            with contextlib.suppress(OSError):  # it is dead, and the search will soon hear of its end
                wire.send(self.connection, load)

    def give(self, job: Job) -> bool:
        """Start a job; False if the process is dead or dying, and the job still to be done."""
        with self._guard:
            if self.killed is not None:
                return False
            try:
                wire.send(self.connection, job)
            except OSError:
                return False
            self.job = job
            if job.timeout_s is not None:
                self.expires = time.monotonic() + job.timeout_s
                self.expiry = f"timed out after {job.timeout_s:g} s"
            return True

    def idle(self) -> None:
        """Its job, or its start, is over."""
        with self._guard:
            self.job = None
            self.expires = None
            if not self.ready:
                self.ready = True
                self.measure()
                self.rss_at_start = self.rss

    def kill(self, reason: str) -> None:
        """End it and everything that it started; `reason` becomes that of its job."""
        with self._guard:
            if self.killed is None and not self._buried:
                self.killed = (self.job, reason)
                self._end()

    def check(self, now: float, memory_limit: int | None) -> str | None:
        """Why it must be killed now, if it must."""
        if self.expires is not None and now > self.expires:
            return self.expiry
        if memory_limit is not None and (self.job is not None or not self.ready):
            self.measure()
            if self.rss > memory_limit:
                return f"out of memory: used more than {memory_limit / 2**30:.1f} GiB"
        return None

    def measure(self) -> None:
        """Look how much memory is resident now, in bytes."""
        with contextlib.suppress(psutil.Error):
            self.rss = self._measured.memory_info().rss

    def notice_end(self) -> None:
        """If it has ended, make the search hear of it, even where a process that it forked keeps its socket open."""
        with self._guard:
            if not self._buried and self.process.poll() is not None:
                self._end()
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)  # what has arrived can still be read

    def bury(self) -> int:
        """Make sure that it is dead and forgotten by the system; its exit code, negative for a signal."""
        with self._guard:
            # It may be alive still (it closed the connection) or on its way out: a moment for its own exit code.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.2 if self.killed is None else 0)
            self._end()
            code = self.process.wait()
            self._buried = True
            self.connection.close()
            return code

    def _end(self) -> None:
        """Kill its whole process group, which is named by its pid as long as any member lives."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def said(self, size: int = 2000) -> str:
        """The end of what this process printed."""
        descriptor = self.log.fileno()
        end = os.fstat(descriptor).st_size
        start = max(self.log_start, end - size)
        return os.pread(descriptor, end - start, start).decode(errors="replace").strip()


def _environment(threads: int) -> dict[str, str]:
    environment = dict(os.environ)
    environment.update({name: str(threads) for name in THREAD_VARIABLES})
    # Where this archwright itself was found, in case only `sys.path` knows; last, so that it hides nothing.
    home = str(Path(archwright.__path__[0]).resolve().parent)
    if home in sys.path and not home.endswith(("site-packages", "dist-packages")):
        environment[PATH_VARIABLE] = os.pathsep.join(filter(None, [environment.get(PATH_VARIABLE), home]))
    return environment
