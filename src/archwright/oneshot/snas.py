"""SNAS: concrete gates, learnt from the same loss as the weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archwright.oneshot.darts import bilevel
from archwright.oneshot.gates import Concrete
from archwright.oneshot.result import Result

if TYPE_CHECKING:
    from archwright.space import Space
    from archwright.task import Task

__all__ = ["snas"]


def snas(space: Space | Any, task: Task, *, start: float = 1.0, end: float = 0.1, **settings: Any) -> Result:
    """Gates drawn from concrete distributions that come down to one-hot; one loss trains weights and gates together.

    Xie et al., *SNAS: Stochastic Neural Architecture Search*, ICLR 2019 (https://arxiv.org/abs/1812.09926). Nothing
    is held out from the weights: the expected loss over architectures is minimised in both at once. Departure: costs
    are limited by ceilings (``objectives=at_most(...)``), not by the paper's penalty on delay.

    Args:
        space: What to search; None for the task's own.
        task: The learning problem.
        start: Temperature at first.
        end: Temperature at last.
        settings: Of `archwright.oneshot.bilevel`, and of `archwright.oneshot.Options`.
    """
    return bilevel("snas", space, task, gates=Concrete(start, end), joint=True, **settings)
