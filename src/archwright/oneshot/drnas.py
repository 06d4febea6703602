"""DrNAS: gates drawn from Dirichlet distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archwright.oneshot.darts import bilevel
from archwright.oneshot.gates import Dirichlet
from archwright.oneshot.regularise import Anchor, Regulariser
from archwright.oneshot.result import Result

if TYPE_CHECKING:
    from archwright.space import Space
    from archwright.task import Task

__all__ = ["drnas"]


def drnas(
    space: Space | Any, task: Task, *, anchor: float = 1e-3, regularise: Sequence[Regulariser] = (), **settings: Any
) -> Result:
    """`darts` with soft gates that are drawn: Dirichlet distributions are learnt, and their means read out.

    Chen et al., *DrNAS: Dirichlet Neural Architecture Search*, ICLR 2021 (https://arxiv.org/abs/2006.10355).
    Gradients pass through the draw. Departure: one stage with all channels; the paper's progressive one is
    ``partial=`` and a second call on a smaller space.

    Args:
        space: What to search; None for the task's own.
        task: The learning problem.
        anchor: Weight of the squared distance of the concentrations from 1.
        regularise: As in `archwright.oneshot.bilevel`, besides the anchor.
        settings: Of `archwright.oneshot.bilevel`, and of `archwright.oneshot.Options`.
    """
    return bilevel("drnas", space, task, gates=Dirichlet(), regularise=(Anchor(anchor), *regularise), **settings)
