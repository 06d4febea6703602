"""How many epochs of a supernet fit into a time: found by training a little of one, which is then thrown away."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Pace", "pace"]

TRIED = 0.1
"""The share of the time that finding out may take; at least three steps, so that the first, which is slow, is few."""

FEWEST_STEPS = 3


class _KnownError(Exception):
    """Ends the training that only finds out; nobody else sees it."""


@dataclass(frozen=True)
class Pace:
    """What training a supernet takes.

    Args:
        making_s: Until its first step is done: it is made, and its costs are tabled.
        epoch_s: An epoch.
        took_s: Finding out.
    """

    making_s: float
    epoch_s: float
    took_s: float

    def fitting(self, seconds: float) -> int:
        """Epochs that fit into so many seconds, its making included; 0 where not one does.

        >>> Pace(making_s=2, epoch_s=0.5, took_s=1).fitting(12)
        20
        """
        return max(0, int((seconds - self.making_s) / self.epoch_s))


def pace(train: Callable[..., Any], seconds: float) -> Pace:
    """Train one epoch, or as much of it as a tenth of `seconds` allows, and read nothing out.

    Args:
        train: Called with ``epochs=1`` and ``stepped=`` as in `archwright.oneshot.Options`.
        seconds: All there is.
    """
    began, ends = time.monotonic(), list[float]()
    steps = 0

    def stepped(done: int, total: int) -> None:
        nonlocal steps
        steps = total
        ends.append(time.monotonic())
        if done == total or (done >= FEWEST_STEPS and ends[-1] - ends[0] > TRIED * seconds):
            raise _KnownError

    with contextlib.suppress(_KnownError):
        train(epochs=1, stepped=stepped)
    # An epoch of one step: the step is in what making took, and cannot be told from it.
    step_s = (ends[-1] - ends[0]) / (len(ends) - 1) if len(ends) > 1 else ends[0] - began
    return Pace(ends[0] - began, max(1e-6, steps * step_s), time.monotonic() - began)
