"""What the differentiable methods learn: a number for each value of each decision."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Generator, Tensor, nn

from archwright.errors import EvaluationError
from archwright.evaluator.randomness import generator
from archwright.oneshot.gates import Gumbel, Maker
from archwright.supernet import Supernet
from archwright.supernet.elastic import Elastic

__all__ = ["Logits"]

START = 1e-3
"""Deviation of the first logits, as in DARTS' code: nearly even gates."""

TRIED = 3
"""Random values of the other decisions under which it is tried whether what a decision's values make can be added."""


class Logits(nn.Module):
    """The logits of a supernet's decisions, and the gates of a step.

    Decisions are of three kinds:

    - *soft*: the method's own gates.
    - *single*: relaxable, but what their values make cannot be added, for it differs in shape, or a layer whose sizes
      they decide would have to run for more than `combinations` combinations of their values in each forward. Their
      gates are drawn one-hot (`Gumbel`), and learn all the same.
    - *hard*: not relaxable (a real, more than 64 values). A code is drawn uniformly each step; nothing is learnt of
      them.

    Args:
        supernet: Whose decisions.
        seed: Of the first logits.
        combinations: See above.
    """

    def __init__(self, supernet: Supernet, seed: int, combinations: int):
        super().__init__()
        self.space = supernet.space
        decisions = self.space.decisions
        self.learnt = tuple(
            i for i, (d, soft) in enumerate(zip(decisions, supernet.relaxable, strict=True)) if soft and d.size > 1
        )
        self.single = _crowded(supernet, self.learnt, combinations)
        self.single |= _unlike(supernet, [i for i in self.learnt if i not in self.single], seed)
        self.hard = tuple(i for i, d in enumerate(decisions) if i not in self.learnt and d.size > 1)
        draws = generator("cpu", seed, 101)
        self.values = nn.ParameterList(
            nn.Parameter(START * torch.randn(decisions[i].size, generator=draws)) for i in self.learnt
        )

    def gates(self, maker: Maker, progress: float, draws: Generator) -> list[int | Tensor]:
        """An entry a decision, as the supernet takes them."""
        entries: list[int | Tensor] = [0] * len(self.space.decisions)
        one_hot = maker if isinstance(maker, Gumbel) else Gumbel()
        for i, logits in zip(self.learnt, self.values, strict=True):
            make = one_hot if i in self.single else maker
            entries[i] = make(logits, progress, draws)
        for i in self.hard:
            size = self.space.decisions[i].size
            entries[i] = int(torch.randint(size, (), generator=draws, device=draws.device))
        return entries

    def probabilities(self, maker: Maker) -> list[Tensor | None]:
        """How much of each value of each decision there is, with gradients; None where nothing is learnt."""
        found: list[Tensor | None] = [None] * len(self.space.decisions)
        for i, logits in zip(self.learnt, self.values, strict=True):
            found[i] = Gumbel().probabilities(logits) if i in self.single else maker.probabilities(logits)
        return found


def _crowded(supernet: Supernet, learnt: Sequence[int], combinations: int) -> frozenset[int]:
    """Decisions of layers that would have to run too often."""
    found: set[int] = set()
    for place in supernet.modules():
        if isinstance(place, Elastic):
            own = [i for i in place.own if i in learnt]
            if math.prod(supernet.space.decisions[i].size for i in own) > combinations:
                found.update(own)
    return frozenset(found)


def _unlike(supernet: Supernet, candidates: Sequence[int], seed: int) -> frozenset[int]:
    """Decisions whose values make what cannot be added, found by trying: all at once, or else one after the other."""
    decisions = supernet.space.decisions
    rng = np.random.default_rng([seed, 102])
    device = next(supernet.parameters()).device
    zeros = torch.zeros(2, *supernet.input_shape, dtype=supernet.input_dtype, device=device)

    def works(soft: Sequence[int], i: int | None) -> bool:
        for _ in range(TRIED):
            # The others are at random codes, such that decision i is live if that is not rare.
            drawn = supernet.space.sample_codes(rng, 32)
            row = next((r for r in drawn if i is None or r[i] >= 0), drawn[0]).tolist()
            entries: list[int | Tensor] = [
                c if c >= 0 else int(rng.integers(d.size)) for c, d in zip(row, decisions, strict=True)
            ]
            for j in soft:
                entries[j] = torch.full((decisions[j].size,), 1 / decisions[j].size, device=device)
            try:
                supernet(zeros, entries)
            except EvaluationError:
                return False
        return True

    mode = supernet.training
    supernet.eval()
    try:
        with torch.no_grad():
            if works(candidates, None):
                return frozenset()
            soft: list[int] = []
            for i in candidates:
                if works([*soft, i], i):
                    soft.append(i)
            return frozenset(candidates) - frozenset(soft)
    finally:
        supernet.train(mode)
