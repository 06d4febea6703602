"""A choice between modules: all of them side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from archwright.errors import EvaluationError
from archwright.supernet.adding import changed_in_place, version_of, weighed_sum
from archwright.supernet.gates import SOFT, Gates, active, current

__all__ = ["Mixed"]


class Mixed(nn.Module):
    """The candidates of one choice. A code runs one of them; soft gates sum what they make, zeros left out.

    Equation 2 of Liu et al., *DARTS*, ICLR 2019 (https://arxiv.org/abs/1806.09055), less its softmax, which is the
    caller's.

    Args:
        options: A place each.
        decision: The number of the choice among the space's decisions.
        name: Of the choice.
        names: Of the options.
        partial: Under soft gates, only the first channel of so many goes through the candidates, the others pass by
            (Xu et al., *PC-DARTS*, ICLR 2020, https://arxiv.org/abs/1907.05737).
        checkpoint: Under soft gates, candidates keep no activations; backward computes them again.
    """

    def __init__(
        self,
        options: Sequence[nn.Module],
        decision: int,
        name: str,
        names: Sequence[str],
        partial: int,
        checkpoint: bool,
    ):
        super().__init__()
        self.options = nn.ModuleList(options)
        self.decision, self.name, self.names = decision, name, tuple(names)
        self.partial, self.checkpoint = partial, checkpoint

    def forward(self, x: Tensor) -> Tensor:
        """One candidate, or the sum of those whose gate is not zero."""
        gates = current()
        code = gates.codes[self.decision]
        if code != SOFT:
            return self._one(code, x)
        if self.partial == 1 or x.dim() < 3 or x.shape[1] < self.partial:
            return self._sum(x, gates)
        return self._partly(x, gates)

    def _one(self, code: int, x: Tensor) -> Tensor:
        version = version_of(x)
        y: Tensor = self.options[code](x)
        changed_in_place(f"choice {self.name!r}", self.names[code], x, version)
        return y

    def _sum(self, x: Tensor, gates: Gates) -> Tensor:
        support = gates.support[self.decision]
        weights = gates.weights[self.decision]
        names = [self.names[code] for code in support]
        where = f"choice {self.name!r}"
        if self.checkpoint and torch.is_grad_enabled():
            terms = [self._again(code, x, weights[code], gates) for code in support]
            return weighed_sum(where, names, [None] * len(terms), terms, pads=False)
        terms = [self._one(code, x) for code in support]
        return weighed_sum(where, names, [weights[code] for code in support], terms, pads=False)

    def _again(self, code: int, x: Tensor, weight: Tensor, gates: Gates) -> Tensor:
        """``weight * candidate(x)`` of which nothing is kept for backward but `x`."""
        runs = [0]

        # Backward runs this again after forward has returned, so the gates come along.
        def run(x: Tensor, weight: Tensor) -> Tensor:
            runs[0] += 1
            with active(gates if runs[0] == 1 else _again(gates)):
                y = self._one(code, x)
            return weight.to(y.dtype) * y

        y: Any = checkpoint(run, x, weight, use_reentrant=False)
        return y

    def _partly(self, x: Tensor, gates: Gates) -> Tensor:
        part = x.shape[1] // self.partial
        y = self._sum(x[:, :part], gates)
        rest = x[:, part:]
        if y.shape[1] != part:
            raise EvaluationError(
                f"choice {self.name!r}: with partial={self.partial} candidates see {part} of {x.shape[1]} channels and "
                f"must keep them, but the result has {y.shape[1]}; leave their width open (ConvBlock() keeps it), or "
                "use partial=1"
            )
        if y.shape[2:] != rest.shape[2:]:
            if len(y.shape) == 3:
                rest = functional.adaptive_max_pool1d(rest, y.shape[2])
            else:
                rest = functional.adaptive_max_pool2d(rest, list(y.shape[2:]))
        return _shuffled(torch.cat([y, rest], 1), self.partial)


def _again(gates: Gates) -> Gates:
    return replace(gates, survey=None, again=True)


def _shuffled(x: Tensor, groups: int) -> Tensor:
    """Channels of all groups in turn, so that others pass by next time; kept where they do not divide."""
    channels = x.shape[1]
    if channels % groups:
        return x
    return x.unflatten(1, (groups, channels // groups)).transpose(1, 2).flatten(1, 2)
