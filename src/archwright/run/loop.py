"""The loop: ask, evaluate, tell, record; until a budget ends, and from where it was left."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from archwright.errors import SpaceExhaustedError
from archwright.evaluator.evaluator import path_of
from archwright.objective import Objectives
from archwright.run.budget import Budget
from archwright.space import Space
from archwright.store import Record
from archwright.strategy import Strategy
from archwright.trial import Measurement, Proposal, Trial
from archwright.worker import Job, Outcome, Workers

__all__ = ["CHOOSING", "Keep", "Loop", "Watcher", "evaluation_seed", "violation_of"]

Keep = Callable[[Trial, int, int], None]
"""Called with each trial, its place in the order of tells, and how many had been told when it was asked for."""

MOST_INFEASIBLE = 5_000
MOST_FAILED = 30
POLL_S = 0.25

SEARCHING, CHOOSING = 1, 2


class Watcher(Protocol):
    """Who is told how it goes: a `archwright.report.Progress`, or anything with these two."""

    def told(self, trial: Trial) -> None:
        """A trial has ended."""

    def note(self, text: str) -> None:
        """Something worth a line."""


@dataclass(frozen=True)
class _Asked:
    proposal: Proposal
    key: str
    seed: int
    asked_after: int


class Loop:
    """One search, as a state that is advanced by telling trials.

    Args:
        space: Where canonical keys come from.
        strategy: Decides; told nothing yet.
        objectives: Scores and ceilings.
        seed: All randomness is a function of it and of trial numbers.
        workers: How many proposals may be open at a time (`Workers.capacity` of the workers it will run on).
        deterministic: Tell trial n only after trial n - 1, and ask for it only after trial n - workers, so that
            the history does not depend on who finishes first.
        keep: Called with each trial before the strategy is told it.
        watcher: Told how it goes.
        timeout_s: A longer evaluation fails.
        folder: Where evaluators may keep what later trials continue from.
        earlier_s: Search time that went by before the first trial, such as for a supernet.
    """

    def __init__(
        self,
        space: Space,
        strategy: Strategy,
        objectives: Objectives,
        *,
        seed: int = 0,
        workers: int = 1,
        deterministic: bool = False,
        keep: Keep,
        watcher: Watcher,
        timeout_s: float | None = None,
        folder: Path | None = None,
        earlier_s: float = 0.0,
    ):
        self.space, self.strategy, self.objectives = space, strategy, objectives
        self.seed, self.workers, self.deterministic = seed, workers, deterministic
        self.keep, self.watcher, self.timeout_s, self.folder = keep, watcher, timeout_s, folder
        self.trials: list[Trial] = []  # in the order told
        self.why_it_ended = ""
        self._open: dict[int, _Asked] = {}  # asked for and not told
        self._next = 0
        self._stored: dict[int, Trial] = {}  # of an earlier session, and not told yet
        self._by_key: dict[tuple[str, int | None], Trial] = {}
        self.spent = 0  # trials that count against a budget of trials: all but infeasible ones
        self._epochs = 0
        self._barren = 0  # infeasible or failed trials in a row
        self._earlier_s = earlier_s
        self._began = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Search time so far, that of earlier sessions of a resumed run included."""
        return self._earlier_s + time.monotonic() - self._began

    def replay(self, records: Sequence[Record]) -> None:
        """Take up a stored history, given in the order in which it was told; call it before `run`.

        A deterministic search runs through it once more, with the stored trials in place of evaluations, so that what
        was being evaluated when it stopped is asked for again at the very point at which it had been asked for, and
        the same proposals come back. Otherwise the trials are told as they were told, and what was in flight gets
        its old numbers and seeds.
        """
        self._earlier_s = max((r.trial.finished for r in records), default=self._earlier_s)
        if self.deterministic:
            self._stored = {r.trial.number: r.trial for r in records}
            return
        for record in records:
            self._told(record.trial)
        told = {r.trial.number for r in records}
        self._next = max(told, default=-1) + 1
        for number in sorted(set(range(self._next)) - told):
            self._ask(number)

    def run(self, workers: Workers, budget: Budget, *, deadline: float | None = None) -> str:
        """Search until a budget ends, the space is exhausted or nothing more can come of it; say which.

        Args:
            workers: Who evaluates.
            budget: Trials and epochs; its seconds are kept here only where no `deadline` is given.
            deadline: When evaluations that still run shall end, on the clock of `time.monotonic`.
        """
        self.why_it_ended = ""
        waiting: dict[int, Outcome | Trial] = {}  # deterministic mode: outcomes that others must be told before
        for number, asked in sorted(self._open.items()):
            self._submit(workers, number, asked, waiting, deadline)
        while True:
            while not self.why_it_ended and len(self._open) < self.workers:
                self.why_it_ended = self._over(budget)
                if self.why_it_ended or not self._may_ask(budget) or not self._ask(self._next):
                    break
                number = self._next - 1
                self._submit(workers, number, self._open[number], waiting, deadline)
            ready = min(waiting, default=None)
            if ready is not None and (not self.deterministic or ready == min(self._open)):
                self._end(waiting.pop(ready))
                continue
            if not self._open:
                return self.why_it_ended
            outcome = workers.next(POLL_S)
            if outcome is not None:
                waiting[outcome.number] = outcome

    def _over(self, budget: Budget) -> str:
        """Why nothing more is to be asked for, or nothing."""
        if self._stored:  # what was stored had been within its budget
            return ""
        if budget.seconds is not None and self.elapsed_s >= budget.seconds:
            return "the time for searching is spent"
        if budget.trials is not None and self.spent >= budget.trials:
            return "the budget of trials is spent"
        if budget.epochs is not None and self._epochs >= budget.epochs:
            return "the budget of epochs is spent"
        if self._barren >= MOST_INFEASIBLE:
            return f"the last {self._barren:,} proposals were all above a ceiling"
        if self._barren >= MOST_FAILED and all(t.status == "failed" for t in self.trials):
            return f"the first {self._barren} trials all failed; the last one: {self.trials[-1].reason}"
        return ""

    def _may_ask(self, budget: Budget) -> bool:
        """Whether the budget has room for one more, should all that is open come to count against it."""
        return budget.trials is None or self.spent + len(self._open) < budget.trials

    def _ask(self, number: int) -> bool:
        """Ask for a trial, if the space has one left."""
        if number in self._stored:
            proposal = self._stored[number].proposal
        else:
            pending = tuple(a.proposal for _, a in sorted(self._open.items()))
            try:
                proposal = self.strategy.ask(np.random.default_rng([self.seed, number]), pending)
            except SpaceExhaustedError as error:
                self.why_it_ended = str(error)
                return False
        key = self.space.key(proposal.architecture)
        self._open[number] = _Asked(proposal, key, evaluation_seed(self.seed, number), len(self.trials))
        self._next = max(self._next, number + 1)
        return True

    def _submit(
        self, workers: Workers, number: int, asked: _Asked, waiting: dict[int, Outcome | Trial], deadline: float | None
    ) -> None:
        if number in self._stored:
            waiting[number] = self._stored.pop(number)
            return
        same = self._by_key.get((asked.key, asked.proposal.epochs)) if asked.proposal.continues is None else None
        if same is not None:  # the same function is never trained twice
            waiting[number] = Outcome(number, same.status, same.measurement, f"same function as trial {same.number}")
            return
        workers.submit(Job(number, asked.proposal, asked.seed, self.timeout_s, deadline, self.folder))

    def _end(self, outcome: Outcome | Trial) -> None:
        if isinstance(outcome, Trial):  # stored by an earlier session
            self._told(outcome)
            return
        asked = self._open[outcome.number]
        measured = outcome.measurement
        trial = Trial(
            outcome.number,
            asked.proposal,
            outcome.status,
            measured,
            self.objectives.scores(measured) if outcome.status == "done" and measured is not None else None,
            violation_of(self.objectives, measured),
            outcome.reason,
            asked.key,
            asked.seed,
            self.elapsed_s,
        )
        self.keep(trial, len(self.trials), asked.asked_after)
        self._told(trial)
        self._tidy(trial)
        self.watcher.told(trial)
        if measured is not None and "restarted" in measured.extra:
            self.watcher.note(f"trial {trial.number} was trained from the beginning: {measured.extra['restarted']}")

    def _tidy(self, trial: Trial) -> None:
        """Remove weights that no trial will go on from: those it went on from itself, and those of a full training."""
        if self.folder is None:
            return
        full = bool(self.strategy.rungs) and trial.proposal.epochs == self.strategy.rungs[-1]
        for number in (trial.proposal.continues, trial.number if full else None):
            if number is not None:
                with contextlib.suppress(OSError):
                    path_of(self.folder, number).unlink(missing_ok=True)

    def _told(self, trial: Trial) -> None:
        self._open.pop(trial.number, None)
        self.strategy.tell(trial)
        self.trials.append(trial)
        self.spent += trial.status != "infeasible"
        self._epochs += trial.measurement.epochs if trial.measurement is not None else 0
        self._barren = 0 if trial.status == "done" else self._barren + 1
        if trial.status != "failed" and trial.proposal.continues is None:
            self._by_key.setdefault((trial.key, trial.proposal.epochs), trial)


def violation_of(objectives: Objectives, measured: Measurement | None) -> float:
    """By how much a measurement exceeds ceilings, as far as its costs and metrics tell."""
    if measured is None or not objectives.needs <= measured.costs.keys():
        return 0.0
    return objectives.violation({**measured.metrics, **measured.costs})


def evaluation_seed(seed: int, number: int, stage: int = SEARCHING) -> int:
    """The seed of one evaluation: 31 bits, for those whose generators take no more.

    The search and the final choice number their evaluations from 0 alike; `stage` keeps their seeds apart.
    """
    return int(np.random.SeedSequence([seed, number, stage]).generate_state(1)[0]) & 0x7FFFFFFF
