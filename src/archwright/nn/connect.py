"""Layers that connect others: residuals, parallel branches, repetition with shared weights, and nothing at all.

Each comes with its *flow rule*, by which a space recognises architectures that compute the same function; see
`archwright.space.Flow`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.nn.check import at_least, one_of
from archwright.nn.inferred import Inferred
from archwright.space import Flow

__all__ = [
    "Loop",
    "Parallel",
    "Residual",
    "Zero",
    "identity_flow",
    "loop_flow",
    "may_be_zero",
    "parallel_flow",
    "residual_flow",
    "sequential_flow",
    "zero_flow",
]

MERGES = ("sum", "concat")


def sequential_flow(flow: Flow, x: Any, *parts: Any) -> Any:
    """One after the other."""
    return flow.chain(parts, x)


def identity_flow(flow: Flow, x: Any, *args: Any, **kwargs: Any) -> Any:
    """What comes in goes out."""
    return x


class Zero(nn.Module):
    """Nothing: zeros shaped as the input. In a cell it is the edge that is not there."""

    def forward(self, x: Tensor) -> Tensor:
        """Zeros shaped as `x`."""
        return torch.zeros_like(x)


def zero_flow(flow: Flow, x: Any) -> Any:
    """No signal."""
    return flow.zero()


def may_be_zero(value: Any) -> bool:
    """Whether `Zero` stands anywhere inside a part of a space."""
    return "Zero(" in repr(value)


class Residual(Inferred):
    """``shortcut(x) + body(x)`` (He et al., CVPR 2016, https://arxiv.org/abs/1512.03385).

    The shortcut is the input itself where the body keeps the shape. Where it does not, it is brought to the body's
    shape when the network first sees an input: average pooling where the body takes larger steps (as in ResNet-D;
    He et al., *Bag of Tricks*, CVPR 2019), then a pointwise convolution or linear layer where the width changes.

    Args:
        body: Any module that keeps the rank. Its positions may be divided by a whole number.
        project: Whether the shortcut may differ from the input; if not, a changed shape is an error.
    """

    def __init__(self, body: nn.Module, project: bool = True):
        super().__init__()
        self.body = body
        self.project = project
        self.shortcut: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor:
        """``shortcut(x) + body(x)``."""
        y = self.body(x)
        if self.waiting:
            made = self._make_shortcut(tuple(x.shape), tuple(y.shape))
            self.shortcut = made.to(x.device).train(self.training)
            self.waiting = False
        assert self.shortcut is not None
        return self.shortcut(x) + y

    def _make_shortcut(self, shape: tuple[int, ...], after: tuple[int, ...]) -> nn.Module:
        if shape == after:
            return nn.Identity()
        place = f"Residual: the body turns {shape} into {after}"
        if not self.project:
            raise EvaluationError(f"{place}, which cannot be added to its input; keep the shape, or say project=True")
        if len(shape) != len(after) or not 2 <= len(shape) <= 4:
            raise EvaluationError(f"{place}; no shortcut joins these: the body must keep the number of axes")
        parts: list[nn.Module] = []
        if shape[2:] != after[2:]:
            parts.append(_shrink(place, shape[2:], after[2:]))
        if shape[1] != after[1]:
            if len(shape) == 2:
                parts.append(nn.Linear(shape[1], after[1], bias=False))
            else:
                parts.append((nn.Conv2d if len(shape) == 4 else nn.Conv1d)(shape[1], after[1], 1, bias=False))
        return parts[0] if len(parts) == 1 else nn.Sequential(*parts)


def _shrink(place: str, sizes: tuple[int, ...], after: tuple[int, ...]) -> nn.Module:
    """Average pooling from `sizes` to `after` positions, by windows of one size."""
    windows, steps = [], []
    for size, less in zip(sizes, after, strict=True):
        step = -(-size // less)
        window = size - step * (less - 1)
        if less > size or window < 1:
            raise EvaluationError(
                f"{place}; no shortcut joins these: {size} positions do not divide evenly into {less}"
            )
        windows.append(min(window, step))
        steps.append(step)
    if len(sizes) == 1:
        return nn.AvgPool1d(windows[0], steps[0])
    return nn.AvgPool2d(tuple(windows), tuple(steps))  # type: ignore[arg-type]


def residual_flow(flow: Flow, x: Any, body: Any, project: Any = True) -> Any:
    """The sum of shortcut and body.

    Whether the shortcut is the input itself depends on shapes, which a space does not know: so it is an operation of
    its own, and only with ``project=False`` the input. Where a body may be zero, its shape, and with it the shortcut,
    leaves no trace in the sum: then the body tells shortcuts apart.
    """
    label = ("shortcut", body) if may_be_zero(body) else "shortcut"

    def shortcut(may_project: bool) -> Any:
        return flow.op(label, x) if may_project else x

    return flow.sum([flow.select(project, shortcut), flow.apply(body, x)])


class Parallel(Inferred):
    """Every branch on the same input; the results are summed, or concatenated along the channels.

    Args:
        branches: Modules whose results have the same shape (``sum``), or the same but for the channels (``concat``).
        merge: ``sum`` or ``concat``.
    """

    def __init__(self, *branches: nn.Module, merge: str = "sum"):
        super().__init__()
        at_least("Parallel", 1, branches=len(branches))
        one_of("Parallel", "merge", merge, MERGES)
        self.branches = nn.ModuleList(branches)
        self.merge = merge

    def forward(self, x: Tensor) -> Tensor:
        """All branches, merged."""
        results = [branch(x) for branch in self.branches]
        if self.waiting:
            self._check([tuple(y.shape) for y in results])
            self.waiting = False
        if self.merge == "concat":
            return torch.cat(results, 1)
        total = results[0]
        for result in results[1:]:
            total = total + result
        return total

    def _check(self, shapes: list[tuple[int, ...]]) -> None:
        comparable = {s if self.merge == "sum" else (s[0], *s[2:]) for s in shapes}
        if len(comparable) > 1:
            verb = "added" if self.merge == "sum" else "concatenated"
            raise EvaluationError(
                f"Parallel: branches of shapes {', '.join(map(str, shapes))} cannot be {verb}; give them the same "
                + ("width and stride" if self.merge == "sum" else "stride")
            )


def parallel_flow(flow: Flow, x: Any, *branches: Any, merge: Any = "sum") -> Any:
    """Branches summed in any order, or concatenated in theirs.

    A concatenated zero is not nothing, for it takes up channels: where there may be one, the branches tell parts apart.
    """
    results = flow.each(branches, x)

    def merged(how: str) -> Any:
        if how == "sum":
            return flow.sum(results)
        return flow.concat([flow.op(("part", branches), y) for y in results] if may_be_zero(branches) else results)

    return flow.select(merge, merged)


class Loop(nn.Module):
    """The same body, with the same weights, several times: depth that costs no parameters.

    The body must keep the shape. Batch normalisation in it mixes the statistics of all turns; ``group`` and ``layer``
    norms do not. Savarese and Maire, *Learning Implicitly Recurrent CNNs*, ICLR 2019 (https://arxiv.org/abs/1902.09701).

    Args:
        body: Any module that keeps the shape.
        times: How often it is applied.
    """

    def __init__(self, body: nn.Module, times: int = 2):
        super().__init__()
        at_least("Loop", 1, times=times)
        self.body = body
        self.times = times

    def forward(self, x: Tensor) -> Tensor:
        """`body`, `times` times."""
        for _ in range(self.times):
            x = self.body(x)
        return x


def loop_flow(flow: Flow, x: Any, body: Any, times: Any = 2) -> Any:
    """Once is the body itself; more often is told apart from as many bodies with weights of their own."""

    def turns(n: int) -> Any:
        return flow.apply(body, x) if n == 1 else flow.op(("loop", n, body), x)

    return flow.select(times, turns)
