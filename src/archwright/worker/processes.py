"""Evaluations in processes of this machine, which survive the death of any of them."""

from __future__ import annotations

import contextlib
import selectors
import signal
import tempfile
import time
import weakref
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from archwright.errors import BudgetError, WorkerError
from archwright.evaluator import Evaluator
from archwright.objective import Objectives
from archwright.worker.child import Child
from archwright.worker.job import Job, Outcome
from archwright.worker.luggage import Load, pack
from archwright.worker.watch import Watch
from archwright.worker.workers import OnReport, Workers, unheard

__all__ = ["Processes"]

FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM)
"""Signals that a process does not send itself: somebody, or the kernel, did."""


class Processes(Workers):
    """`n` worker processes, one job at a time each. To be used from one thread.

    A job that runs into its time-out or the memory limit dies alone and counts as failed, and so does one that
    crashes its worker; a new worker takes the place. A worker that somebody kills from outside is no fault of
    its job: the job runs again, with the same seed, up to `retries` times.

    Args:
        evaluator: What measures. Sent to each worker once; it may be a function or a class of the user's
            script, which needs no ``if __name__ == "__main__"``. None where `load` will tell: the processes start
            meanwhile.
        objectives: Whose ceilings are checked first.
        n: How many processes.
        memory_limit: Resident bytes that one worker may use, Python and torch (about 250 MiB) included; None for any.
        threads: Threads that numerical libraries use in each worker.
        on_report: Told each point of a learning curve as it comes, inside `next`.
        log_folder: Where the output of workers goes (``worker-0.log``); None keeps the end of it for messages alone.
        retries: How often a job whose worker was killed from outside runs again.
        starts: How often in a row a worker may die before it is ready.
        start_timeout_s: How long a worker may take to load the evaluator, imports and the sent data included.
        module: What a worker imports before it has an evaluator, so that loading that takes less time.

    Raises:
        BudgetError: A number makes no sense.
        WorkerError: The evaluator cannot be sent, or workers cannot be started.
    """

    def __init__(
        self,
        evaluator: Evaluator | None = None,
        objectives: Objectives | None = None,
        n: int = 1,
        *,
        memory_limit: int | None = None,
        threads: int = 1,
        on_report: OnReport = unheard,
        log_folder: Path | None = None,
        retries: int = 2,
        starts: int = 3,
        start_timeout_s: float = 120.0,
        module: str = "",
    ):
        for name, value in {"workers": n, "threads": threads}.items():
            if not isinstance(value, int) or value < 1:
                raise BudgetError(f"{name} cannot be {value!r}: give a whole number, 1 or more")
        if memory_limit is not None and memory_limit <= 0:
            raise BudgetError(f"memory_limit cannot be {memory_limit!r}: give bytes above 0, or None for no limit")
        self.capacity = n
        self.memory_limit = memory_limit
        self.threads = threads
        self.on_report = on_report
        self.retries = retries
        self.starts = starts
        self.start_timeout_s = start_timeout_s
        self.module = module
        self._luggage: IO[bytes] = _nameless()
        self._load: Load | None = None
        self._logs = [_log(log_folder, slot) for slot in range(n)]
        self._selector = selectors.DefaultSelector()
        self._children: list[Child] = []
        self._waiting: deque[Job] = deque()
        self._free: deque[Child] = deque()
        self._heard: deque[tuple[Child, str, Any]] = deque()
        self._outcomes: deque[Outcome] = deque()
        self._runs: Counter[int] = Counter()
        self._failed_starts = 0
        self._oom_kills = _kernel_oom_kills()
        self._closed = False
        # If nobody calls close: when this object goes, or the program ends.
        self._abandon = weakref.finalize(self, _end_all, self._children)
        self._watch = Watch(self._children, memory_limit)
        try:
            if evaluator is not None and objectives is not None:
                self._load = pack(self._luggage, evaluator, objectives)
            for log in self._logs:
                self._start(log)
        except BaseException:
            self.close()
            raise
        self._watch.start()

    def load(self, evaluator: Evaluator, objectives: Objectives) -> None:
        """Measure by another evaluator from now on.

        Raises:
            WorkerError: Jobs are pending, or the evaluator cannot be sent.
        """
        if self._closed or self.pending:
            raise WorkerError(f"no evaluator can be loaded with {self.pending} jobs pending, or after closing")
        self._load = pack(self._luggage, evaluator, objectives)
        self._free.clear()
        for child in self._children:
            child.load(self._load, self.start_timeout_s)

    @property
    def pending(self) -> int:
        """Jobs submitted whose outcome has not come back yet."""
        running = sum(child.job is not None for child in self._children)
        unread = sum(kind == "outcome" for _, kind, _ in self._heard)
        return len(self._waiting) + running + len(self._outcomes) + unread

    def submit(self, job: Job) -> None:
        """Give the job to the worker that has been free for longest, or let it wait for one."""
        if self._closed:
            raise WorkerError(f"job {job.number} came after the workers were closed: make new ones")
        if self._load is None:
            raise WorkerError(f"job {job.number} came before an evaluator: call load first")
        self._waiting.append(job)
        self._hand_out()

    def next(self, timeout_s: float | None = None) -> Outcome | None:
        """The next outcome; None when none came within `timeout_s`, or when no job is pending.

        Raises:
            WorkerError: Workers die before they are ready, again and again; with the end of what they printed.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            self._listen(0.0)
            if self._outcomes:
                return self._outcomes.popleft()
            remaining = None if until is None else until - time.monotonic()
            if not self.pending or (remaining is not None and remaining <= 0):
                return None
            self._listen(remaining)

    def close(self) -> None:
        """End every worker at once. Closing twice is fine."""
        if self._closed:
            return
        self._closed = True
        self._watch.stop()
        _end_all(self._children)
        self._abandon.detach()
        self._selector.close()
        self._luggage.close()
        for log in self._logs:
            log.close()
        self._waiting.clear()

    def _listen(self, timeout_s: float | None) -> None:
        """Take in what workers say, waiting for the first word at most so long."""
        for key, _ in self._selector.select(timeout_s):
            child: Child = key.data
            alive = child.inbox.arrived()
            self._heard.extend((child, *message) for message in child.inbox.messages())
            if not alive:
                self._selector.unregister(child.connection)
                self._heard.append((child, "end", None))
        while self._heard:
            child, kind, content = self._heard.popleft()
            if kind == "report":
                self.on_report(*content)
            elif kind == "ready":
                if content == self._load:  # else another evaluator was sent since
                    self._failed_starts = 0
                    self._release(child)
            elif kind == "outcome":
                self._outcomes.append(content)
                self._release(child)
            elif kind == "broken":
                raise WorkerError(
                    f"the evaluator cannot be loaded in a worker process:\n{content.rstrip()}\n"
                    f"Make what it uses importable there, or evaluate in this process (workers=0)"
                )
            else:
                self._replace(child)
        self._hand_out()

    def _release(self, child: Child) -> None:
        if child.job is not None:
            self._runs.pop(child.job.number, None)
        child.idle()
        if self._bloated(child):
            child.kill("its memory was not given back")
        else:
            self._free.append(child)

    def _bloated(self, child: Child) -> bool:
        """Whether past jobs left so much memory behind that the next one would be blamed for it."""
        if self.memory_limit is None:
            return False
        return child.rss - child.rss_at_start > (self.memory_limit - child.rss_at_start) / 2

    def _hand_out(self) -> None:
        while self._waiting and self._free:
            if self._free.popleft().give(self._waiting[0]):
                self._waiting.popleft()
            # else it is dead, and `_listen` will soon hear of its end

    def _replace(self, child: Child) -> None:
        """Settle what a dead worker leaves behind, and start another."""
        code = child.bury()
        self._children.remove(child)
        with contextlib.suppress(ValueError):
            self._free.remove(child)
        if not child.ready:
            self._failed_starts += 1
            if self._failed_starts >= self.starts:
                why = child.killed[1] if child.killed is not None else _how_it_ended(code, "")
                raise WorkerError(
                    f"worker processes die before they are ready, {self._failed_starts} times in a row ({why}). "
                    f"The last one printed:\n{child.said() or '(nothing)'}"
                )
        elif child.job is not None:
            self._settle(child, child.job, code)
        self._start(child.log)

    def _settle(self, child: Child, job: Job, code: int) -> None:
        """The job of a dead worker: failed, or to be run again."""
        if child.killed is not None:
            earned_by, reason = child.killed
            if earned_by is job:
                self._outcomes.append(Outcome(job.number, "failed", reason=reason))
            else:  # the kill was meant for the job before, whose outcome came at the same moment
                self._waiting.appendleft(job)
            return
        oom_kills = _kernel_oom_kills()
        starved, self._oom_kills = oom_kills > self._oom_kills, oom_kills
        if code == -signal.SIGKILL and starved:
            reason = "out of memory: the system had none left, and ended the worker (signal 9)"
        elif -code in FROM_OUTSIDE and self._runs[job.number] < self.retries:
            self._runs[job.number] += 1
            self._waiting.appendleft(job)
            return
        else:
            reason = _how_it_ended(code, child.said())
        self._runs.pop(job.number, None)
        self._outcomes.append(Outcome(job.number, "failed", reason=reason))

    def _start(self, log: IO[bytes]) -> None:
        child = Child(self._luggage, log, self.threads, self.module)
        if self._load is not None:
            child.load(self._load, self.start_timeout_s)
        self._children.append(child)
        self._selector.register(child.connection, selectors.EVENT_READ, child)


def _end_all(children: Sequence[Child]) -> None:
    for child in children:
        child.kill("the search ended")
    for child in children:
        child.bury()


def _nameless() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise WorkerError(
            f"no temporary file for worker processes can be made in {tempfile.gettempdir()} ({error.strerror}): free "
            f"some space there, or set TMPDIR to another folder"
        ) from error


def _log(folder: Path | None, slot: int) -> IO[bytes]:
    if folder is None:
        return tempfile.TemporaryFile()
    path = Path(folder) / f"worker-{slot}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "ab+")
    except OSError as error:
        raise WorkerError(f"{path} cannot be written ({error.strerror}): give another log_folder") from error


def _how_it_ended(code: int, said: str) -> str:
    if code < 0:
        return f"worker was killed (signal {-code})"
    last = said.splitlines()[-1][:160] if said else ""
    return f"worker exited with code {code}" + (f": {last}" if last else "")


def _kernel_oom_kills() -> int:
    """How many processes the kernel has ended for want of memory since it booted; 0 where it does not say."""
    with contextlib.suppress(OSError), open("/proc/vmstat") as counters:
        for line in counters:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
