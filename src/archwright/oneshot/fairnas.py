"""FairNAS: every candidate takes part in every step of the weights."""

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

__all__ = ["fairnas"]


def fairnas(
    space: Space | Any, task: Task, *, paths: int | None = None, candidates: int = 100, **options: Any
) -> Result:
    """Accumulate the gradients of as many paths as a choice has candidates, each candidate in exactly one of them.

    Chu, Zhang and Xu, *FairNAS: Rethinking Evaluation Fairness of Weight Sharing Neural Architecture Search*, ICCV 2021
    (https://arxiv.org/abs/1907.01845), algorithm 1: strict fairness. Departures: the paper's choices all have as many
    candidates, m, and a step has m paths; here decisions differ, a step has as many paths as the largest choice between
    modules has options, and smaller decisions go through their values again and again
    (`archwright.oneshot.sampling.fair`), so that at any time no value has been taken more than once more than
    another. The gradient is the mean over paths, not the sum, so that the recipe's rate means the same. Under ceilings
    what exceeds them is not trained; values are then taken as equally often as the paths that fit allow
    (`archwright.oneshot.paths.Paths.fair`): what fits beside little else alone is taken less, and a step need not hold
    every candidate.

    Args:
        space: What to search; None for the task's own.
        task: The learning problem.
        paths: A step; by default as above, 8 at most.
        candidates: Architectures measured with shared weights at the end.
        options: Of `archwright.oneshot.Options`.
    """
    session = Session("fairnas", space, task, Options(**options), {"paths": paths, "candidates": candidates})
    if paths is None:
        paths = min(8, max((d.size for d in session.space.decisions if d.kind == "choice"), default=2))
    drawn = Paths(session)
    for step in session.steps():
        inputs, targets = session.batches.at(step)
        session.optimizer.zero_grad()
        for path in range(paths):
            loss = session.loss(drawn.fair(step * paths + path), inputs, targets)
            (loss / paths).backward()
            session.note(loss=loss)
        session.descend()
        if session.epoch_ends:
            session.record()
    return found_by(session, searched(session, candidates=candidates))
