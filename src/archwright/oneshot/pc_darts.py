"""PC-DARTS: soft gates on a part of the channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archwright.oneshot.darts import bilevel
from archwright.oneshot.gates import Softmax
from archwright.oneshot.result import Result

if TYPE_CHECKING:
    from archwright.space import Space
    from archwright.task import Task

__all__ = ["pc_darts"]


def pc_darts(space: Space | Any, task: Task, *, partial: int = 4, warmup: float = 0.3, **settings: Any) -> Result:
    """`darts` where one channel of `partial` goes through the candidates and the others pass by.

    Xu et al., *PC-DARTS*, ICLR 2020 (https://arxiv.org/abs/1907.05737): less memory and time, and less of an
    advantage for candidates without parameters. Departure: edge normalisation weighs the inputs of a node; here
    which inputs a node reads is a decision of its own where the space has it open (`archwright.subset`), with gates
    like any other.

    The candidates' weights are those of a part of the channels, so the subnets' metrics (and the gap) say nothing,
    and the supernet is of no use as an evaluator: only the gates are.

    Args:
        space: What to search; None for the task's own.
        task: The learning problem.
        partial: The paper's K.
        warmup: Share of the epochs in which gates do not learn yet; the paper's 15 of 50.
        settings: Of `archwright.oneshot.bilevel`, and of `archwright.oneshot.Options`.
    """
    return bilevel("pc_darts", space, task, gates=Softmax(), partial=partial, warmup=warmup, **settings)
