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

__all__ = ["Anchor", "BetaDecay", "Entropy", "Regulariser", "entropy"]


class Regulariser(Protocol):
    """A term of the loss of the gates."""

    def __call__(self, logits: Logits, maker: Maker, progress: float) -> Tensor:
        """The term as a scalar; `progress` is how far the run is, 0..1."""
        ...


@dataclass(frozen=True)
class BetaDecay:
    """Keep the gates from drifting apart by the size of their logits: ``weight * mean over decisions of logsumexp``.

    Ye et al., *beta-DARTS*, CVPR 2022 (https://arxiv.org/abs/2203.01665). The weight rises straight from 0, in the paper to 50.

    Args:
        weight: At the end.
    """

    weight: float = 50.0

    def __call__(self, logits: Logits, maker: Maker, progress: float) -> Tensor:
        return self.weight * progress * torch.stack([v.logsumexp(0) for v in logits.values]).mean()


@dataclass(frozen=True)
class Entropy:
    """Towards gates that are decided: ``weight * mean normalised entropy``, the weight rising straight from 0.

    The loss of Tian et al., *Discretization-Aware Architecture Search*, Pattern Recognition 2021
    (https://arxiv.org/abs/2007.03154): the nearer the gates are to one-hot, the less is lost when they are read out.

    Args:
        weight: At the end; below 0 it keeps gates undecided.
    """

    weight: float = 0.1

    def __call__(self, logits: Logits, maker: Maker, progress: float) -> Tensor:
        return self.weight * progress * entropy(logits.probabilities(maker))


@dataclass(frozen=True)
class Anchor:
    """Keep Dirichlet concentrations near 1: ``weight * sum of squared distances``.

    Section 3.2 of Chen et al., *DrNAS*, ICLR 2021 (https://arxiv.org/abs/2006.10355): 0.001 times the squared distance.

    Args:
        weight: The paper's.
    """

    weight: float = 1e-3

    def __call__(self, logits: Logits, maker: Maker, progress: float) -> Tensor:
        if not isinstance(maker, Dirichlet):
            raise ValueError(f"Anchor is for the concentrations of Dirichlet gates, not for {maker}")
        return self.weight * torch.stack([functional.elu(v).square().sum() for v in logits.values]).sum()


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
