"""Jobs that behave well or badly, and the worker processes that do them."""

import os
import signal
import sys
import time
from pathlib import Path

import cloudpickle
import psutil

from archwright.objective import Objectives, maximize
from archwright.space import Architecture
from archwright.trial import Measurement, Proposal
from archwright.worker import Job

ACCURACY = Objectives.of(maximize("accuracy"))
MiB = 2**20
leaked: list[bytes] = []

# As functions of a user's script travel: workers cannot import this file.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


def job(number, behave="well", **fields):
    return Job(number, Proposal(Architecture({"behave": behave})), seed=number, **fields)


def evaluate(proposal, seed, context):
    behave = proposal.architecture["behave"]
    if behave == "hang":
        while True:
            time.sleep(60)
    if behave == "eat":
        eaten = []
        while True:
            eaten.append(bytearray(8 * MiB))
            time.sleep(0.01)
    if behave == "leak":
        leaked.append(b"x" * (60 * MiB))
    if behave == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if behave == "suicide":
        os.kill(os.getpid(), signal.SIGKILL)
    if behave == "leave":
        print("last words", file=sys.stderr)
        os._exit(3)
    if behave == "fork and die":
        if os.fork() == 0:
            time.sleep(600)
        os._exit(4)
    if behave == "raise":
        raise ValueError("no")
    if behave.startswith("meet in "):  # two of them end when both have begun
        folder = Path(behave.removeprefix("meet in "))
        (folder / str(seed)).touch()
        wait_until(lambda: len(list(folder.iterdir())) == 2)
    if behave == "slow":
        time.sleep(0.05)
    if behave == "report":
        for epoch in range(3):
            context.report({"epoch": epoch})
    return Measurement({"accuracy": seed / 1000}, extra={"pid": os.getpid(), "context": context.number})


def collect(workers):
    outcomes = {}
    while workers.pending:
        outcome = workers.next(timeout_s=120)
        assert outcome is not None
        assert outcome.number not in outcomes
        outcomes[outcome.number] = outcome
    return outcomes


def pids(workers):
    return [child.process.pid for child in workers._children]


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition, timeout_s=60):
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
