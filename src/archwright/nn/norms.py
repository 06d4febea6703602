"""Normalisations by name, for vectors, sequences and images alike."""

from __future__ import annotations

import math

from torch import nn

from archwright.errors import EvaluationError
from archwright.nn.check import one_of, rank_of
from archwright.nn.inferred import Block

__all__ = ["NORMS", "Norm", "group_count", "normalization"]

NORMS = ("batch", "layer", "group", "instance", "none")
MOST_GROUPS = 8


def group_count(channels: int, most: int = MOST_GROUPS) -> int:
    """The largest number of equal groups, at most `most`, with two channels or more in each.

    >>> [group_count(c) for c in (1, 6, 7, 12, 64)]
    [1, 3, 1, 6, 8]
    """
    return max((g for g in range(1, most + 1) if channels % g == 0 and channels // g >= 2), default=1)


def normalization(name: str, channels: int, rank: int, positions: int = 2) -> nn.Module:
    """A normalisation of `channels` channels.

    ``layer`` on sequences and images is over channels and positions of each example, that is a group norm
    of one group (Wu and He, *Group Normalization*, ECCV 2018), which needs no fixed size.

    Args:
        name: One of `NORMS`.
        channels: How many channels or features come in.
        rank: Position axes: 0 vectors, 1 sequences, 2 images.
        positions: How many positions there are; ``instance`` cannot normalise a single one.
    """
    one_of("norm", "norm", name, NORMS)
    if name == "none":
        return nn.Identity()
    if name == "batch":
        return (nn.BatchNorm2d if rank == 2 else nn.BatchNorm1d)(channels)
    if name == "layer":
        return nn.LayerNorm(channels) if rank == 0 else nn.GroupNorm(1, channels)
    if name == "group":
        return nn.GroupNorm(group_count(channels), channels)
    if rank == 0 or positions < 2:
        raise EvaluationError("norm 'instance' needs two positions or more: over a single one all would become zero")
    return (nn.InstanceNorm2d if rank == 2 else nn.InstanceNorm1d)(channels, affine=True)


class Norm(Block):
    """A normalisation by name, whatever comes in. Shapes: any of vectors, sequences and images, kept."""

    def __init__(self, name: str = "batch"):
        super().__init__()
        one_of("Norm", "norm", name, NORMS)
        self.name = name

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank = rank_of("Norm", shape, (2, 3, 4))
        positions = math.prod(shape[2:])
        return normalization(self.name, shape[1], rank, positions)
