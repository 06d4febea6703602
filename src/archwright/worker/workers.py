"""What a search asks of its workers, whoever they are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from archwright.evaluator import Evaluator
from archwright.objective import Objectives
from archwright.worker.job import Job, Outcome

__all__ = ["OnReport", "Workers"]

OnReport = Callable[[int, Mapping[str, float]], None]
"""Told a trial's number and each point of its learning curve as it comes, for showing progress."""


def unheard(number: int, point: Mapping[str, float]) -> None:
    """An `OnReport` where nobody listens."""


class Workers(ABC):
    """Takes jobs and gives back their outcomes, in whichever order they end. A context manager.

    Every job that was submitted comes back exactly once, unless the workers are closed before.
    """

    capacity: int
    """How many jobs run at the same time; more may be submitted, and wait their turn."""

    on_report: OnReport
    """Told each point of a learning curve as it comes, inside `next`."""

    @abstractmethod
    def load(self, evaluator: Evaluator, objectives: Objectives) -> None:
        """Measure by this evaluator from now on, and check the ceilings of these objectives; no job may be pending."""

    @property
    @abstractmethod
    def pending(self) -> int:
        """Jobs submitted whose outcome has not come back yet."""

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Hand in a job; it starts as soon as a worker is free, first come, first served."""

    @abstractmethod
    def next(self, timeout_s: float | None = None) -> Outcome | None:
        """The next outcome; None when none came within `timeout_s`, or when no job is pending."""

    @abstractmethod
    def close(self) -> None:
        """Stop at once, dropping jobs that still run. Closing twice is fine."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
