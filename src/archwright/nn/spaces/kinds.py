"""Sequences of layers by the name of what they are, so that a choice between them reads well in architectures."""

from __future__ import annotations

from torch import nn

from archwright.nn.connect import sequential_flow
from archwright.space import searchable

__all__ = [
    "all_frames",
    "attention",
    "average",
    "causal",
    "classic",
    "coarse",
    "conv",
    "convolution",
    "decoder",
    "early",
    "eighth",
    "factors",
    "fine",
    "half",
    "inverted",
    "late",
    "layers",
    "level",
    "linear",
    "mixer",
    "pooled",
    "quarter",
    "recurrent",
    "separable",
    "stage",
    "staged",
    "temporal",
]


def _in_order(*parts: nn.Module) -> nn.Module:
    return nn.Sequential(*parts)


attention = searchable(_in_order, flow=sequential_flow, name="attention")
average = searchable(_in_order, flow=sequential_flow, name="average")
causal = searchable(_in_order, flow=sequential_flow, name="causal")
classic = searchable(_in_order, flow=sequential_flow, name="classic")
coarse = searchable(_in_order, flow=sequential_flow, name="coarse")
factors = searchable(_in_order, flow=sequential_flow, name="factors")
fine = searchable(_in_order, flow=sequential_flow, name="fine")
conv = searchable(_in_order, flow=sequential_flow, name="conv")
convolution = searchable(_in_order, flow=sequential_flow, name="convolution")
early = searchable(_in_order, flow=sequential_flow, name="early")
late = searchable(_in_order, flow=sequential_flow, name="late")
decoder = searchable(_in_order, flow=sequential_flow, name="decoder")
inverted = searchable(_in_order, flow=sequential_flow, name="inverted")
layers = searchable(_in_order, flow=sequential_flow, name="layers")
level = searchable(_in_order, flow=sequential_flow, name="level")
linear = searchable(_in_order, flow=sequential_flow, name="linear")
mixer = searchable(_in_order, flow=sequential_flow, name="mixer")
pooled = searchable(_in_order, flow=sequential_flow, name="pooled")
recurrent = searchable(_in_order, flow=sequential_flow, name="recurrent")
separable = searchable(_in_order, flow=sequential_flow, name="separable")
stage = searchable(_in_order, flow=sequential_flow, name="stage")
staged = searchable(_in_order, flow=sequential_flow, name="staged")
temporal = searchable(_in_order, flow=sequential_flow, name="temporal")
all_frames = searchable(_in_order, flow=sequential_flow, name="all_frames")
half = searchable(_in_order, flow=sequential_flow, name="half")
quarter = searchable(_in_order, flow=sequential_flow, name="quarter")
eighth = searchable(_in_order, flow=sequential_flow, name="eighth")
