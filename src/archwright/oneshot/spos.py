"""Single path one-shot: one random architecture a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archwright.oneshot.options import Options
from archwright.oneshot.paths import Paths
from archwright.oneshot.result import Result
from archwright.oneshot.searching import found_by, searched
from archwright.oneshot.session import Session

if TYPE_CHECKING:
    from archwright.space import Space
    from archwright.task import Task

__all__ = ["spos"]


def spos(space: Space | Any, task: Task, *, candidates: int = 100, **options: Any) -> Result:
    """Train shared weights one randomly drawn architecture a step, then search them by evolution.

    Guo et al., *Single Path One-Shot Neural Architecture Search with Uniform Sampling*, ECCV 2020
    (https://arxiv.org/abs/1904.00420). Departures: decisions are drawn one by one, so in a conditional space
    architectures are not equally likely; under ceilings what exceeds them is not trained either
    (`archwright.oneshot.paths.Paths`); the evolution that searches is `archwright.strategy.RegularizedEvolution`.

    Args:
        space: What to search; None for the task's own.
        task: The learning problem.
        candidates: Architectures measured with shared weights at the end; the paper's 1,000.
        options: Of `archwright.oneshot.Options`.
    """
    session = Session("spos", space, task, Options(**options), {"candidates": candidates})
    paths = Paths(session)
    for step in session.steps():
        inputs, targets = session.batches.at(step)
        loss = session.loss(paths(step), inputs, targets)
        session.optimizer.zero_grad()
        loss.backward()
        session.descend()
        session.note(loss=loss)
        if session.epoch_ends:
            session.record()
    return found_by(session, searched(session, candidates=candidates))
