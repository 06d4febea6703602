"""What is added to the loss of the gates: the second of the three things in which differentiable methods differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from archwright.oneshot.gates import Dirichlet, Maker
from archwright.oneshot.logits import Logits
from archwright.supernet import Supernet, Table

__all__ = ["Anchor", "BetaDecay", "Entropy", "ExpectedCost", "Moment", "Regulariser", "entropy"]


@dataclass(frozen=True)
class Moment:
    """What a term may look at in one step.

    Args:
        logits: As they are.
        maker: How gates are made of them.
        progress: How far the run is, 0..1.
        gates: Those of this step: what a term needs to know of decisions of which one value at a time is drawn.
    """

    logits: Logits
    maker: Maker
    progress: float
    gates: Sequence[int | Tensor]


class Regulariser(Protocol):
    """A term of the loss of the gates."""

    def __call__(self, now: Moment) -> Tensor:
        """The term as a scalar."""
        ...


@dataclass(frozen=True)
class BetaDecay:
    """Keep the gates from drifting apart by the size of their logits: ``weight * mean over decisions of logsumexp``.

    Ye et al., *beta-DARTS*, CVPR 2022 (https://arxiv.org/abs/2203.01665). The weight rises straight from 0, in the
    paper to 50.

    Args:
        weight: At the end. The term pushes the most probable value down, against a loss that on small data soon is
            near 0: with the paper's weight the order of the values comes out reversed there.
    """

    weight: float = 1.0

    def __call__(self, now: Moment) -> Tensor:
        return self.weight * now.progress * torch.stack([v.logsumexp(0) for v in now.logits.values]).mean()


@dataclass(frozen=True)
class Entropy:
    """Towards gates that are decided: ``weight * mean normalised entropy``, the weight rising straight from 0.

    The loss of Tian et al., *Discretization-Aware Architecture Search*, Pattern Recognition 2021
    (https://arxiv.org/abs/2007.03154): the nearer the gates are to one-hot, the less is lost when they are read out.

    Args:
        weight: At the end; below 0 it keeps gates undecided.
    """

    weight: float = 0.1

    def __call__(self, now: Moment) -> Tensor:
        return self.weight * now.progress * entropy(now.logits.probabilities(now.maker))


@dataclass(frozen=True)
class Anchor:
    """Keep Dirichlet concentrations near 1: ``weight * sum of squared distances``.

    Section 3.2 of Chen et al., *DrNAS*, ICLR 2021 (https://arxiv.org/abs/2006.10355): 0.001 times the squared distance.

    Args:
        weight: The paper's.
    """

    weight: float = 1e-3

    def __call__(self, now: Moment) -> Tensor:
        if not isinstance(now.maker, Dirichlet):
            raise ValueError(f"Anchor is for the concentrations of Dirichlet gates, not for {now.maker}")
        return self.weight * torch.stack([functional.elu(v).square().sum() for v in now.logits.values]).sum()


@dataclass(frozen=True, eq=False)
class ExpectedCost:
    """``weight * max(0, expected cost / limit - 1)``: a pull towards a ceiling, and nothing below it.

    As in ProxylessNAS (Cai et al., ICLR 2019, https://arxiv.org/abs/1812.00332) the expectation over gates is
    differentiable; the hinge is ours. It brings gates near the ceiling. That the architecture which is read out
    meets it, exactly, is seen to by `archwright.oneshot.fitting`.

    Args:
        supernet: Whose costs.
        table: Of one cost, by `Supernet.table`.
        limit: The ceiling.
        weight: Of the term.
    """

    supernet: Supernet
    table: Table
    limit: float
    weight: float = 1.0

    def __call__(self, now: Moment) -> Tensor:
        return self.weight * (self.expected(now) / self.limit - 1).clamp(min=0)

    def expected(self, now: Moment) -> Tensor:
        """The expected cost: over all gates where they are soft, of the drawn value where one at a time is drawn."""
        entries = list(now.gates)
        for i, p in enumerate(now.logits.probabilities(now.maker)):
            if p is not None and i not in now.logits.single:
                entries[i] = p
        return self.supernet.expected(entries, self.table)


def entropy(probabilities: Sequence[Tensor | None]) -> Tensor:
    """The mean over decisions of the entropy as a share of the largest possible: 1 undecided, 0 decided.

    >>> entropy([torch.tensor([0.5, 0.5]), None, torch.tensor([1.0, 0.0])]).item()
    0.5
    """
    shares = [
        -(p * p.clamp(min=torch.finfo(p.dtype).tiny).log()).sum() / torch.tensor(float(len(p))).log()
        for p in probabilities
        if p is not None
    ]
    return torch.stack(shares).mean() if shares else torch.zeros(())
