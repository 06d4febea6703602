"""The head of a network that finds things in images: scores of centres, and how far a thing reaches from there."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archwright.nn.activations import ACTIVATIONS
from archwright.nn.check import at_least, one_of, rank_of
from archwright.nn.conv import ConvBlock
from archwright.nn.inferred import Block

__all__ = ["CentreHead"]

RARE = -2.19
"""Where training begins: a score that is 0.1 by the logistic function, for most places are no centre."""


class _SideBySide(nn.Module):
    def __init__(self, scores: nn.Module, reach: nn.Module):
        super().__init__()
        self.scores, self.reach = scores, reach

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.scores(x), self.reach(x)], 1)


class CentreHead(Block):
    """At each place a score for each class (is it the centre of one?), and four numbers: how far the thing reaches.

    Things as points (Zhou et al., *Objects as Points*, 2019, https://arxiv.org/abs/1904.07850), boxes as distances to
    the left, top, right and bottom (Tian et al., *FCOS*, ICCV 2019, https://arxiv.org/abs/1904.01355), as logarithms
    in steps of the grid: see `archwright.task.boxes.decode`. There are no anchors.

    Shapes: (B, C, h, w) -> (B, n_classes + 4, h, w).

    Args:
        n_classes: How many classes.
        width: Channels of a 3x3 convolution before either; 0 for none.
        activation: After it.
    """

    def __init__(self, n_classes: int, width: int = 32, activation: str = "relu"):
        super().__init__()
        at_least("CentreHead", 1, n_classes=n_classes)
        at_least("CentreHead", 0, width=width)
        one_of("CentreHead", "activation", activation, ACTIVATIONS)
        self.n_classes, self.width, self.activation = n_classes, width, activation

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank_of("CentreHead", shape, (4,))

        def branch(outputs: int) -> nn.Sequential:
            before = [ConvBlock(self.width, 3, activation=self.activation)] if self.width else []
            return nn.Sequential(*before, nn.Conv2d(self.width or shape[1], outputs, 1))

        made = _SideBySide(branch(self.n_classes), branch(4))
        last = made.scores[-1]  # type: ignore[index]
        nn.init.constant_(last.bias, RARE)
        made.eval()(torch.zeros(shape))  # the convolutions learn their input here
        return made
