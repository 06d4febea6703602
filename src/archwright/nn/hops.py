"""What stands around a node of a graph, brought into one vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.nn.check import at_least, one_of
from archwright.nn.inferred import Inferred

__all__ = ["HOPS", "Hops"]

HOPS = ("last", "mean", "weighted", "concat")


class Hops(Inferred):
    """The features of a node and of its neighbourhoods, hop by hop, to one vector.

    - ``last``: those of the widest neighbourhood alone (Wu et al., *Simplifying Graph Convolutional Networks*, ICML
      2019, https://arxiv.org/abs/1902.07153);
    - ``mean``: of all, the node itself included (Zhu & Koniusz, *Simple Spectral Graph Convolution*, ICLR 2021);
    - ``weighted``: a learned mean (after Chien et al., *GPR-GNN*, ICLR 2021, https://arxiv.org/abs/2006.07988);
    - ``concat``: side by side (Frasca et al., *SIGN*, 2020, https://arxiv.org/abs/2004.11198): nothing is lost, as
      with jumping knowledge.

    Shapes: (B, 1 + averages * most, features) to (B, features), or (B, (1 + hops) * features) with ``concat``.

    Args:
        hops: How many are read; 0 for the node alone.
        average: Which of the averages of neighbours: the number of its block in the input.
        join: One of `archwright.nn.HOPS`.
        most: Hops of an average that an input holds.
    """

    def __init__(self, hops: int = 2, average: int = 0, join: str = "mean", most: int = 8):
        super().__init__()
        at_least("Hops", 0, hops=hops, average=average)
        one_of("Hops", "join", join, HOPS)
        if hops > most:
            raise EvaluationError(f"Hops: hops={hops} are more than the {most} that an input holds")
        self.hops, self.average, self.join, self.most = hops, average, join, most
        self.weights: nn.Parameter | None = nn.Parameter(torch.zeros(1 + hops)) if join == "weighted" else None

    def forward(self, x: Tensor) -> Tensor:
        """One vector a node."""
        first = 1 + self.average * self.most
        if self.waiting and (x.ndim != 3 or x.shape[1] < first + self.most):
            raise EvaluationError(
                f"Hops: average {self.average} of {self.most} hops needs inputs (batch, {first + self.most} or more, "
                f"features); got {tuple(x.shape)}"
            )
        self.waiting = False
        if self.join == "last":
            return x[:, first + self.hops - 1] if self.hops else x[:, 0]
        seen = torch.cat([x[:, :1], x[:, first : first + self.hops]], 1)
        if self.weights is not None:
            return (seen * self.weights.softmax(0).view(1, -1, 1)).sum(1)
        return seen.flatten(1) if self.join == "concat" else seen.mean(1)
