"""The sandwich rule: the largest, the smallest and some between in each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archwright.oneshot.distillation import distilled
from archwright.oneshot.options import Options
from archwright.oneshot.paths import Paths
from archwright.oneshot.reading import shared_of
from archwright.oneshot.result import Result
from archwright.oneshot.sampling import extreme
from archwright.oneshot.searching import found_by, searched
from archwright.oneshot.session import Session

if TYPE_CHECKING:
    from archwright.space import Space
    from archwright.task import Task

__all__ = ["sandwich"]


def sandwich(
    space: Space | Any, task: Task, *, between: int = 2, distil: bool = True, candidates: int = 100, **options: Any
) -> Result:
    """Each step trains the largest architecture on the targets, the smallest and some random ones on what it says.

    Yu and Huang, *Universally Slimmable Networks*, ICCV 2019 (https://arxiv.org/abs/1903.05134): the sandwich rule and
    in-place distillation; Yu et al., *BigNAS*, ECCV 2020 (https://arxiv.org/abs/2003.11142) for whole spaces.
    Gradients are added up before the one step of the weights. Departures: largest and smallest are found decision by
    decision, by multiply-accumulates (`archwright.oneshot.sampling.extreme`), for a space may hold more than widths;
    the gradient is the mean over networks; under ceilings the random ones meet them; no special initialisation of
    residual blocks.

    Args:
        space: What to search; None for the task's own.
        task: The learning problem.
        between: Random architectures a step, besides the largest and the smallest; the papers' 2.
        distil: Whether all but the largest learn from what it says, or from the targets.
        candidates: Architectures measured with shared weights at the end.
        options: Of `archwright.oneshot.Options`.
    """
    if between < 0:
        raise ValueError(f"between cannot be {between!r}: so many random architectures a step, 0 or more")
    told = {"between": between, "distil": distil, "candidates": candidates}
    session = Session("sandwich", space, task, Options(**options), told)
    costs = shared_of(session).costs
    largest, smallest = (extreme(session.space, costs, largest=which) for which in (True, False))
    networks, paths = between + 2, Paths(session)
    for step in session.steps():
        inputs, targets = session.batches.at(step)
        session.optimizer.zero_grad()
        output = session.forward(largest, inputs)
        loss = task.loss(output, targets, session.recipe.label_smoothing)
        (loss / networks).backward()
        session.note(loss=loss)
        teacher = output.detach()
        for architecture in (smallest, *(paths(step, i) for i in range(between))):
            output = session.forward(architecture, inputs)
            loss = distilled(session, output, teacher, targets) if distil else task.loss(output, targets)
            (loss / networks).backward()
            session.note(smaller_loss=loss)
        session.descend()
        if session.epoch_ends:
            session.record()
    return found_by(session, searched(session, candidates=candidates))
