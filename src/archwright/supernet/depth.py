"""One place after the other, on tokens too, and depth that is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from torch import Tensor, nn

from archwright.nn.tokens import PAD
from archwright.supernet.adding import changed_in_place, version_of, weighed_sum
from archwright.supernet.gates import SOFT, active, current

__all__ = ["Chain", "Depth", "TokenChain"]


class Chain(nn.Module):
    """Places in order."""

    def __init__(self, parts: Sequence[nn.Module]):
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: Tensor) -> Tensor:
        """All of them."""
        for part in self.parts:
            x = part(x)
        return x


class TokenChain(Chain):
    """Places in order on token numbers (B, T), as `archwright.nn.TokenNetwork` has its layers.

    Each layer beneath learns from the gates where there is padding, however deep choices and repeats go.
    """

    def forward(self, tokens: Tensor) -> Tensor:
        """All of them."""
        with active(replace(current(), there=tokens != PAD)):
            return super().forward(tokens)


class Depth(nn.Module):
    """The copies of a repeat: the first so many of them. Smaller depths are a beginning of larger ones.

    With soft gates ``sum_t P(times = t) * (the first t copies)(x)``, each copy computed once.

    Args:
        copies: A place each.
        decision: The number of the decision on how many; None if it is fixed.
        times: For each code how many.
        name: Of the decision.
    """

    def __init__(self, copies: Sequence[nn.Module], decision: int | None, times: Sequence[int], name: str):
        super().__init__()
        self.copies = nn.ModuleList(copies)
        self.decision, self.times, self.name = decision, tuple(times), name

    def forward(self, x: Tensor) -> Tensor:
        """The first so many copies, or the sum over how many."""
        code = None
        if self.decision is not None:
            gates = current()
            code = gates.codes[self.decision]
        if code != SOFT:
            for copy in islice(self.copies, None if code is None else self.times[code]):
                x = copy(x)
            return x
        where = f"repeat {self.name!r}"
        assert self.decision is not None
        weights, support = gates.weights[self.decision], gates.support[self.decision]
        most = max(self.times[code] for code in support)
        exits = [x]
        for i in range(most):
            version = version_of(exits[-1])
            exits.append(self.copies[i](exits[-1]))
            changed_in_place(where, f"copy {i}", exits[-2], version)
        times = [self.times[code] for code in support]
        return weighed_sum(
            where, [f"{t} times" for t in times], [weights[c] for c in support], [exits[t] for t in times], pads=True
        )
