"""How gates are made from logits: the first of the three things in which differentiable methods differ.

A maker is called with the logits of one decision, how far the run is (0..1) and a generator, and gives numbers of 0 or
more that sum to 1. What it says of the decision in the end are its `probabilities`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor
from torch.nn import functional

__all__ = ["Concrete", "Dirichlet", "Gumbel", "Maker", "Softmax"]


class Maker(Protocol):
    """Makes the gates of one decision. Shapes: `logits` is (size,), and so is the result."""

    def __call__(self, logits: Tensor, progress: float, generator: Generator) -> Tensor:
        """The gates of one step."""
        ...

    def probabilities(self, logits: Tensor) -> Tensor:
        """How much of each value there is: the mean of the gates, or near it."""
        ...


@dataclass(frozen=True)
class Softmax:
    """``softmax(logits)``: equation 2 of Liu et al., *DARTS*, ICLR 2019 (https://arxiv.org/abs/1806.09055).

    >>> Softmax().probabilities(torch.zeros(4)).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """

    def __call__(self, logits: Tensor, progress: float, generator: Generator) -> Tensor:
        return logits.softmax(0)

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(0)


@dataclass(frozen=True)
class Gumbel:
    """One-hot, drawn with probability ``softmax(logits)``; gradients are those of the concrete gates behind the draw.

    Equations 3 to 5 of Dong and Yang, *GDAS*, CVPR 2019 (https://arxiv.org/abs/1910.04465): only the drawn candidate is
    computed, and gradients reach the logits through its gate alone.

    Args:
        start: Temperature at first; the paper's 10.
        end: Temperature at last, straight down to it; the paper's 0.1.
    """

    start: float = 10.0
    end: float = 0.1

    def __post_init__(self) -> None:
        _check_temperatures(self)

    def __call__(self, logits: Tensor, progress: float, generator: Generator) -> Tensor:
        noisy = logits + _gumbel(logits, generator)
        soft = (noisy / (self.start + (self.end - self.start) * progress)).softmax(0)
        hard = functional.one_hot(noisy.argmax(), len(logits)).to(soft.dtype)
        return hard - soft.detach() + soft  # in this order the others are exactly 0, and are not computed

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(0)


@dataclass(frozen=True)
class Concrete:
    """A draw of the concrete distribution, ``softmax((logits + gumbel noise) / temperature)``.

    Equation 7 of Xie et al., *SNAS*, ICLR 2019 (https://arxiv.org/abs/1812.09926). Near temperature 0 it is one-hot.
    The temperature falls geometrically; the paper anneals it too, but does not say from where to where.

    Args:
        start: Temperature at first.
        end: Temperature at last.
    """

    start: float = 1.0
    end: float = 0.1

    def __post_init__(self) -> None:
        _check_temperatures(self)

    def __call__(self, logits: Tensor, progress: float, generator: Generator) -> Tensor:
        temperature = self.start * (self.end / self.start) ** progress
        return ((logits + _gumbel(logits, generator)) / temperature).softmax(0)

    def probabilities(self, logits: Tensor) -> Tensor:
        return logits.softmax(0)


@dataclass(frozen=True)
class Dirichlet:
    """A draw of a Dirichlet distribution with concentrations ``elu(logits) + 1``; gradients pass through the draw.

    Section 3.2 of Chen et al., *DrNAS*, ICLR 2021 (https://arxiv.org/abs/2006.10355). The probabilities are the mean.
    """

    def __call__(self, logits: Tensor, progress: float, generator: Generator) -> Tensor:
        # In double precision: gamma draws of small concentrations are tiny, and several zeros would have no sum.
        drawn = torch._standard_gamma(self.concentrations(logits).double(), generator)
        return (drawn / drawn.sum()).to(logits.dtype)

    def probabilities(self, logits: Tensor) -> Tensor:
        concentrations = self.concentrations(logits)
        return concentrations / concentrations.sum()

    def concentrations(self, logits: Tensor) -> Tensor:
        """What the distribution is given, above 0."""
        return functional.elu(logits) + 1 + 1e-3  # far below 0 the function itself is 0


def _gumbel(logits: Tensor, generator: Generator) -> Tensor:
    uniform = torch.rand(logits.shape, dtype=logits.dtype, device=logits.device, generator=generator)
    tiny = torch.finfo(logits.dtype).tiny
    return -(-uniform.clamp(min=tiny).log()).clamp(min=tiny).log()


def _check_temperatures(maker: Gumbel | Concrete) -> None:
    if not (maker.start > 0 and maker.end > 0):
        raise ValueError(f"{maker}: temperatures must be above 0")
