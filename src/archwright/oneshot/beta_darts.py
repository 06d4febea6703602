"""Beta-DARTS: soft gates whose drifting apart is damped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from archwright.oneshot.darts import bilevel
from archwright.oneshot.gates import Softmax
from archwright.oneshot.regularise import BetaDecay, Regulariser
from archwright.oneshot.result import Result

if TYPE_CHECKING:
    from archwright.space import Space
    from archwright.task import Task

__all__ = ["beta_darts"]


def beta_darts(
    space: Space | Any, task: Task, *, decay: float = 1.0, regularise: Sequence[Regulariser] = (), **settings: Any
) -> Result:
    """`darts` with the beta decay of Ye et al. on the logits, and without the usual decay.

    Ye et al., *beta-DARTS: Beta-Decay Regularization for Differentiable Architecture Search*, CVPR 2022
    (https://arxiv.org/abs/2203.01665): it keeps skip connections from winning early.

    Args:
        space: What to search; None for the task's own.
        task: The learning problem.
        decay: Weight of the term at the end; it rises straight from 0. The paper's 50 is for 50 epochs of CIFAR-10: see
            `archwright.oneshot.BetaDecay`.
        regularise: As in `archwright.oneshot.bilevel`, besides the decay.
        settings: Of `archwright.oneshot.bilevel`, and of `archwright.oneshot.Options`.
    """
    settings.setdefault("gate_decay", 0.0)
    return bilevel("beta_darts", space, task, gates=Softmax(), regularise=(BetaDecay(decay), *regularise), **settings)
