"""What every evaluator promises: a proposal and a seed in, a measurement out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from archwright.trial import Measurement, Proposal

__all__ = ["Context", "Evaluator", "StopTrial", "path_of"]


class StopTrial(Exception):
    """Raised by `Context.report`: this trial has been measured enough. Its measurement so far is kept; no error."""


def _unheard(point: Mapping[str, float]) -> None:
    """Where nobody listens to the learning curve."""


@dataclass(frozen=True)
class Context:
    """What surrounds one evaluation; all of it may be left out.

    Args:
        number: The trial's number.
        deadline: When to end, on the clock of `time.monotonic`; None for never. An evaluator that can looks at it
            often, and returns the best measurement that it has by then.
        folder: Where to keep what other trials may go on from (weights); None keeps nothing.
        report: Told each point of the learning curve as it comes. May raise `StopTrial`.
    """

    number: int = 0
    deadline: float | None = None
    folder: Path | None = None
    report: Callable[[Mapping[str, float]], None] = _unheard


@runtime_checkable
class Evaluator(Protocol):
    """Measures one architecture.

    A function of (proposal, seed): what `context` holds changes no number but by ending early.

    It may also offer ``costs(architecture, names) -> dict[str, float]``, the costs known without training
    (``"params"``, ``"macs"``, ``"latency_ms"``): ceilings on them are then checked before anything is trained.

    A failure is an exception, `archwright.errors.EvaluationError` where the reason is known.
    """

    def __call__(self, proposal: Proposal, seed: int, context: Context = ...) -> Measurement:
        """Measure `proposal`; all randomness is a function of `seed`."""
        ...


def path_of(folder: Path, number: int) -> Path:
    """Where in `Context.folder` the weights of trial `number` lie, for trials that continue it."""
    return Path(folder) / "weights" / f"{number}.pt"


def costs_of(evaluator: Any, architecture: Any, names: tuple[str, ...]) -> dict[str, float] | None:
    """What `evaluator` knows of the costs without training; None where it offers no ``costs``."""
    costs = getattr(evaluator, "costs", None)
    return None if costs is None else dict(costs(architecture, names))
