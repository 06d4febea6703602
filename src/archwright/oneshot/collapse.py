"""Signs that gates collapse, and when to stop for them.

Differentiable methods may drift towards candidates without parameters, skip connections above all, which learn
nothing but let the others learn: Zela et al., *Understanding and Robustifying Differentiable Architecture Search*,
ICLR 2020 (https://arxiv.org/abs/1909.09656).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from archwright.oneshot.point import Point
from archwright.space import Space
from archwright.space.nodes import Call, Choice

__all__ = ["Eigenvalue", "Skips", "Stop", "largest_eigenvalue", "skip_codes", "skip_share"]


class Stop(Protocol):
    """A sign of collapse."""

    def __call__(self, history: Sequence[Point]) -> int | None:
        """The epoch whose gates to read, where training should end now; else None."""
        ...


@dataclass(frozen=True)
class Skips:
    """End where more than a share of the decisions prefer an identity.

    Liang et al., *DARTS+*, 2019 (https://arxiv.org/abs/1909.06035), criterion 1, which ends with two or more of the
    eight operations of a normal cell. The gates of the epoch before are read, which still met it.

    Args:
        share: Of the decisions that have an identity among their options.
    """

    share: float = 0.25

    def __call__(self, history: Sequence[Point]) -> int | None:
        last = history[-1]
        if last.skips is None or last.skips <= self.share:
            return None
        return max(1, last.epoch - 1)


@dataclass(frozen=True)
class Eigenvalue:
    """End where the largest eigenvalue of the Hessian of the held-out loss in the logits grows fast.

    Zela et al., *RobustDARTS*, section 5: with L(i) the mean over the last `window` epochs, end at epoch i where
    ``L(i - window) / L(i) < ratio``, and read the gates of epoch i - window.

    Args:
        ratio: The paper's 0.75.
        window: Epochs; the paper's 5, of 50.
    """

    ratio: float = 0.75
    window: int = 5

    def __call__(self, history: Sequence[Point]) -> int | None:
        values = [p.eigenvalue for p in history if p.eigenvalue is not None]
        if len(values) < 2 * self.window:
            return None
        now, before = (sum(v) / self.window for v in (values[-self.window :], values[-2 * self.window : -self.window]))
        return history[-1].epoch - self.window if now > 0 and before / now < self.ratio else None


def skip_codes(space: Space) -> dict[int, set[int]]:
    """For each decision with an identity among its options, the codes of it."""
    found: dict[int, set[int]] = {}
    for i, d in enumerate(space.decisions):
        if isinstance(d.node, Choice):
            codes = {code for code, option in enumerate(d.node.options) if _is_identity(option)}
            if codes and len(codes) < d.size:
                found[i] = codes
    return found


def skip_share(skips: dict[int, set[int]], probabilities: Sequence[Tensor | None]) -> float | None:
    """The share of these decisions whose most probable option is an identity; None where there are none."""
    chosen = [int(p.argmax()) in codes for i, codes in skips.items() if (p := probabilities[i]) is not None]
    return sum(chosen) / len(chosen) if chosen else None


def _is_identity(option: Any) -> bool:
    if isinstance(option, Call):
        return option.function.function is nn.Identity
    return isinstance(option, nn.Identity)


def largest_eigenvalue(
    loss: Callable[[], Tensor], values: Sequence[Tensor], *, draws: torch.Generator, steps: int = 20
) -> float:
    """The largest eigenvalue of the Hessian of a loss, by power iteration on Hessian-vector products.

    Power iteration finds the eigenvalue of largest size; where that is negative, the same on the Hessian less it
    finds the largest of all (a spectral shift).

    Args:
        loss: A function of `values`, twice differentiable in them.
        values: Leaves that require gradients.
        draws: Draws the first direction.
        steps: Of each iteration.
    """
    gradients = torch.autograd.grad(loss(), values, create_graph=True, allow_unused=True)
    used = [(v, g) for v, g in zip(values, gradients, strict=True) if g is not None and g.requires_grad]
    if not used:
        return 0.0
    leaves, flat = [v for v, _ in used], torch.cat([g.flatten() for _, g in used])

    def product(vector: Tensor) -> Tensor:
        found = torch.autograd.grad(flat, leaves, vector, retain_graph=True, materialize_grads=True)
        return torch.cat([f.flatten() for f in found])

    start = torch.randn(len(flat), generator=draws, device=flat.device, dtype=flat.dtype)

    def dominant(shift: float) -> float:
        vector = start / start.norm()
        value = 0.0
        for _ in range(steps):
            moved = product(vector) - shift * vector
            value = float(vector @ moved)
            if (norm := moved.norm()) == 0:
                break
            vector = moved / norm
        return value + shift

    first = dominant(0.0)
    return first if first >= 0 else dominant(first)
