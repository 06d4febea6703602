"""The gradient of the gates through a step of the weights: second-order DARTS."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

__all__ = ["unrolled_gradient"]


def unrolled_gradient(
    weights: Sequence[Tensor],
    values: Sequence[Tensor],
    train_loss: Callable[[], Tensor],
    held_loss: Callable[[], Tensor],
    optimizer: torch.optim.Optimizer,
) -> tuple[Tensor, list[Tensor | None]]:
    """The gradient of ``held_loss(w - rate * grad_w train_loss(w, a), a)`` in a: equations 6 to 8 of DARTS.

    The step of the weights is that of SGD with the optimizer's rate, decay and momentum, as in the paper's code (of
    AdamW that is only an approximation). The mixed second derivative is by finite differences, ``0.01 / |gradient|``
    to either side, so it costs two forwards and two backwards more. The weights are as they were afterwards.

    Args:
        weights: w.
        values: a, leaves.
        train_loss: A function of both, as they are when it is called.
        held_loss: Likewise.
        optimizer: Of the weights.

    Returns:
        The held-out loss after the step, and a gradient for each of `values`; None where it has none.
    """
    groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    kept = [w.detach().clone() for w in weights]
    gradients = torch.autograd.grad(train_loss(), weights, allow_unused=True)
    with torch.no_grad():
        for w, g in zip(weights, gradients, strict=True):
            if g is not None:
                group = groups[id(w)]
                step = g + group["weight_decay"] * w
                buffer = optimizer.state.get(w, {}).get("momentum_buffer")
                if buffer is not None:
                    step = step + group["momentum"] * buffer
                w -= group["lr"] * step
    loss = held_loss()
    both = torch.autograd.grad(loss, [*values, *weights], allow_unused=True)
    direct, vector = both[: len(values)], both[len(values) :]
    norm = torch.sqrt(sum((v.square().sum() for v in vector if v is not None), torch.zeros((), device=loss.device)))
    radius = 0.01 / norm.clamp(min=1e-12)
    sides = []
    for sign in (1.0, -1.0):
        with torch.no_grad():
            for w, before, v in zip(weights, kept, vector, strict=True):
                w.copy_(before if v is None else before + sign * radius * v)
        sides.append(torch.autograd.grad(train_loss(), values, allow_unused=True))
    with torch.no_grad():
        for w, before in zip(weights, kept, strict=True):
            w.copy_(before)
    rate = optimizer.param_groups[0]["lr"]
    found: list[Tensor | None] = []
    for d, up, down in zip(direct, *sides, strict=True):
        mixed = None if up is None or down is None else rate * (up - down) / (2 * radius)
        found.append(d if mixed is None else -mixed if d is None else d - mixed)
    return loss.detach(), found
