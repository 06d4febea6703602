"""Learning from a larger network's outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from archwright.oneshot.session import Session

__all__ = ["distilled"]


def distilled(session: Session, output: Tensor, teacher: Tensor, targets: Tensor) -> Tensor:
    """How far an output is from the teacher's: cross-entropy with its classes' probabilities, or squared distance.

    Classes are told by the targets' type: whole numbers, beside outputs of several numbers. Where the task's loss is of
    another kind (quantities, one output), the distance is squared.
    """
    if not targets.is_floating_point() and output.ndim == 2 and output.shape[1] > 1:
        return functional.cross_entropy(output, teacher.softmax(1))
    return functional.mse_loss(output, teacher)
