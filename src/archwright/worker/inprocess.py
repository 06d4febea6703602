"""Evaluations here, in this process, one at a time."""

from __future__ import annotations

import functools
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from archwright.errors import WorkerError
from archwright.evaluator import Evaluator
from archwright.objective import Objectives
from archwright.worker.job import Job, Outcome
from archwright.worker.run import run
from archwright.worker.workers import OnReport, Workers, unheard

__all__ = ["InProcess"]


class InProcess(Workers):
    """No other process: `next` itself runs the job. For evaluations of microseconds, and for debugging.

    A job's time-out is kept by an alarm signal, so only in the main thread, and only once Python code runs
    again: a call that never comes back from C cannot be ended here. Memory is not limited. `Processes` does both.

    Args:
        evaluator: What measures; None where `load` will tell.
        objectives: Whose ceilings are checked first.
        on_report: Told each point of a learning curve as it comes.
    """

    capacity = 1

    def __init__(
        self,
        evaluator: Evaluator | None = None,
        objectives: Objectives | None = None,
        *,
        on_report: OnReport = unheard,
    ):
        self.evaluator = evaluator
        self.objectives = objectives
        self.on_report = on_report
        self._jobs: deque[Job] = deque()
        self._closed = False

    def load(self, evaluator: Evaluator, objectives: Objectives) -> None:
        """Measure by another evaluator from now on."""
        self.evaluator, self.objectives = evaluator, objectives

    @property
    def pending(self) -> int:
        """Jobs submitted and not yet run."""
        return len(self._jobs)

    def submit(self, job: Job) -> None:
        """Keep a job until `next`."""
        if self._closed:
            raise WorkerError(f"job {job.number} came after the workers were closed: make new ones")
        if self.evaluator is None or self.objectives is None:
            raise WorkerError(f"job {job.number} came before an evaluator: call load first")
        self._jobs.append(job)

    def next(self, timeout_s: float | None = None) -> Outcome | None:
        """Run the oldest job to its end, however long that takes; None without one.

        An interrupt (Ctrl-C) leaves the job pending.
        """
        if not self._jobs:
            return None
        job = self._jobs[0]
        assert self.evaluator is not None  # `submit` saw to both
        assert self.objectives is not None
        report = functools.partial(self.on_report, job.number)
        try:
            with _alarm(job.timeout_s):
                outcome = run(self.evaluator, self.objectives, job, report)
        except _TimeOut:
            outcome = Outcome(job.number, "failed", reason=f"timed out after {job.timeout_s:g} s")
        self._jobs.popleft()
        return outcome

    def close(self) -> None:
        """Drop the jobs that wait."""
        self._closed = True
        self._jobs.clear()


class _TimeOut(BaseException):
    """No Exception, so that an evaluator's ``except Exception`` does not swallow it."""


def _raise(number: int, frame: FrameType | None) -> None:
    raise _TimeOut


@contextmanager
def _alarm(seconds: float | None) -> Iterator[None]:
    """Raise `_TimeOut` after so long; another's alarm (a test runner's, say) is put back afterwards."""
    if seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _raise)
    began = time.monotonic()
    remaining, interval = signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before if before is not None else signal.SIG_DFL)
        if remaining:
            signal.setitimer(signal.ITIMER_REAL, max(remaining - (time.monotonic() - began), 1e-3), interval)
