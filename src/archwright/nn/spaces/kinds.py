"""Sequences of layers by the name of what they are, so that a choice between them reads well in architectures."""

from __future__ import annotations

from torch import nn

from archwright.nn.connect import sequential_flow
from archwright.space import searchable

__all__ = [
    "attention",
    "causal",
    "classic",
    "conv",
    "convolution",
    "inverted",
    "pooled",
    "recurrent",
    "separable",
    "stage",
    "staged",
]


def _attention(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(*parts)


def _causal(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(*parts)


def _classic(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(*parts)


def _conv(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(*parts)


def _convolution(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(*parts)


def _inverted(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(*parts)


def _pooled(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(*parts)


def _recurrent(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(*parts)


def _separable(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(*parts)


def _stage(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(*parts)


def _staged(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(*parts)


attention = searchable(_attention, flow=sequential_flow)
causal = searchable(_causal, flow=sequential_flow)
classic = searchable(_classic, flow=sequential_flow)
conv = searchable(_conv, flow=sequential_flow)
convolution = searchable(_convolution, flow=sequential_flow)
inverted = searchable(_inverted, flow=sequential_flow)
pooled = searchable(_pooled, flow=sequential_flow)
recurrent = searchable(_recurrent, flow=sequential_flow)
separable = searchable(_separable, flow=sequential_flow)
stage = searchable(_stage, flow=sequential_flow)
staged = searchable(_staged, flow=sequential_flow)
for _kind in (attention, causal, classic, conv, convolution, inverted, pooled, recurrent, separable, stage, staged):
    _kind.__name__ = _kind.__name__.lstrip("_")
