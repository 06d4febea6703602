"""A worker process: ``python -m archwright.worker CONTROL LUGGAGE PARENT [MODULE]``, as `Processes` starts it.

It imports MODULE while the search is still being prepared. Then it takes evaluators and jobs from the socket with
descriptor CONTROL, one at a time, and sends back reports and outcomes. It ends with its parent: at once on Linux,
where the kernel sees to it, and within half a second elsewhere.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping

from archwright.worker import wire
from archwright.worker.job import Job, Outcome
from archwright.worker.luggage import Load, unpack
from archwright.worker.reason import reason_of
from archwright.worker.run import run

MOST_EXPENDABLE = "1000"


def main(control: int, luggage: int, parent: int, module: str = "") -> int:
    """Work until the search closes the connection; the exit code."""
    _end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # what Ctrl-C means is the search's to decide
    faulthandler.enable()
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write(MOST_EXPENDABLE)  # short of memory, the kernel ends a worker before the search or the desktop
    connection = socket.socket(fileno=control)
    os.set_inheritable(control, False)
    os.set_inheritable(luggage, False)
    if module:
        with contextlib.suppress(Exception):  # what cannot be imported fails where it is used, with its name
            importlib.import_module(module)
    evaluator = objectives = None
    while True:
        try:
            message: Load | Job = wire.receive(connection)
        except (EOFError, ConnectionError):
            return 0
        if isinstance(message, Load):
            evaluator = objectives = None  # what was loaded before is given back first
            try:
                evaluator, objectives = unpack(luggage, message)
            except BaseException:
                wire.send(connection, ("broken", traceback.format_exc()))
                return 1
            _one_thread()
            wire.send(connection, ("ready", message))
            continue

        def report(point: Mapping[str, float], number: int = message.number) -> None:
            wire.send(connection, ("report", (number, dict(point))))

        assert evaluator is not None  # the search loads before it hands out jobs
        assert objectives is not None
        _answer(connection, run(evaluator, objectives, message, report))


def _answer(connection: socket.socket, outcome: Outcome) -> None:
    try:
        wire.send(connection, ("outcome", outcome))
    except (ConnectionError, BrokenPipeError):
        os._exit(0)  # the search is gone
    except Exception as error:  # something in the measurement that cannot be pickled
        reason = f"the measurement cannot be sent back: {reason_of(error)}"
        wire.send(connection, ("outcome", Outcome(outcome.number, "failed", reason=reason)))


def _one_thread() -> None:
    """As many threads in torch as the environment says, if it is loaded already; OMP_NUM_THREADS sees to it if not."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        with contextlib.suppress(RuntimeError):  # cannot be set once used
            torch.set_num_interop_threads(1)


def _end_with(parent: int) -> None:
    """Leave no orphan, whatever way the parent ends."""
    if sys.platform == "linux":
        import ctypes

        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL, 0, 0, 0)
    else:

        def watch() -> None:
            while os.getppid() == parent:
                time.sleep(0.5)
            os.killpg(0, signal.SIGKILL)

        threading.Thread(target=watch, daemon=True).start()
    if os.getppid() != parent:  # it ended before we could say so
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:5]))
