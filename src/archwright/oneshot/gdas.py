"""GDAS: one path at a time, drawn from the gates, with gradients to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archwright.oneshot.darts import bilevel
from archwright.oneshot.gates import Gumbel
from archwright.oneshot.result import Result

if TYPE_CHECKING:
    from archwright.space import Space
    from archwright.task import Task

__all__ = ["gdas"]


def gdas(space: Space | Any, task: Task, *, start: float = 10.0, end: float = 0.1, **settings: Any) -> Result:
    """`darts` with one-hot gates that are drawn: each step computes a single architecture.

    Dong and Yang, *Searching for a Robust Neural Architecture in Four GPU Hours*, CVPR 2019
    (https://arxiv.org/abs/1910.04465). So a step costs what a step of one network costs, and wide spaces fit into
    memory. Departure: all cells of a kind are searched, none is fixed; the temperature falls straight, as in the
    paper's code.

    Args:
        space: What to search; None for the task's own.
        task: The learning problem.
        start: Temperature at first.
        end: Temperature at last.
        settings: Of `archwright.oneshot.bilevel`, and of `archwright.oneshot.Options`.
    """
    return bilevel("gdas", space, task, gates=Gumbel(start, end), **settings)
