"""The searchable vocabulary: layers, blocks, cells and heads whose arguments may stay open.

Each is a plain `torch.nn.Module` class in a file of this folder; here they are wrapped by `searchable`, so that
calling one with an open argument waits, and with none makes the module. Input sizes are never said: see `materialize`.
Any other ``torch.nn`` class is here by its own name (``archwright.nn.MaxPool2d``).
"""

from __future__ import annotations

import functools
from typing import Any

import torch

from archwright.errors import did_you_mean
from archwright.nn import (
    adversarial,
    attention,
    causal,
    cell,
    connect,
    conv,
    dense,
    detect,
    forecast,
    heads,
    hops,
    messages,
    mobile,
    norms,
    pool,
    recommend,
    recurrent,
    sound,
    tokens,
    towers,
    translate,
)
from archwright.nn.activations import ACTIVATIONS, activation
from archwright.nn.adversarial import GAMES, deployed
from archwright.nn.cell import edges
from archwright.nn.dense import SKIPS, UPS
from archwright.nn.forecast import LEVELS
from archwright.nn.heads import HEAD_POOLS
from archwright.nn.hops import HOPS
from archwright.nn.inferred import Block, Inferred, is_materialized, materialize
from archwright.nn.init import INITS, initialize
from archwright.nn.messages import GRAPH_JOINS, GRAPH_NORMS, MESSAGES, READOUTS
from archwright.nn.norms import NORMS
from archwright.nn.recommend import MEETINGS
from archwright.nn.recurrent import CELLS
from archwright.nn.tokens import PAD
from archwright.nn.translate import ATTENTIONS, SHARES
from archwright.space import searchable

Sequential = searchable(torch.nn.Sequential, flow=connect.sequential_flow)
Identity = searchable(torch.nn.Identity, flow=connect.identity_flow)
Zero = searchable(connect.Zero, flow=connect.zero_flow)
Residual = searchable(connect.Residual, flow=connect.residual_flow)
Parallel = searchable(connect.Parallel, flow=connect.parallel_flow)
Loop = searchable(connect.Loop, flow=connect.loop_flow)
Cell = searchable(cell.Cell, flow=cell.cell_flow)
StateCell = searchable(cell.StateCell, flow=cell.state_cell_flow)

ConvBlock = searchable(conv.ConvBlock)
SeparableBlock = searchable(conv.SeparableBlock)
DenseBlock = searchable(conv.DenseBlock)
InvertedResidual = searchable(mobile.InvertedResidual)
SqueezeExcite = searchable(mobile.SqueezeExcite)
Windows = searchable(conv.Windows)
CausalBlock = searchable(causal.CausalBlock)
Pool = searchable(pool.Pool)
MaxPool = searchable(pool.MaxPool)
AvgPool = searchable(pool.AvgPool)
GlobalPool = searchable(pool.GlobalPool)
Hops = searchable(hops.Hops)
MessageBlock = searchable(messages.MessageBlock)
GraphNetwork = searchable(messages.GraphNetwork)
Recommender = searchable(recommend.Recommender)
Recurrent = searchable(recurrent.Recurrent)
SelfAttention = searchable(attention.SelfAttention)
TransformerBlock = searchable(attention.TransformerBlock)
PositionalEncoding = searchable(attention.PositionalEncoding)
TokenEmbedding = searchable(tokens.TokenEmbedding)
TokenNetwork = searchable(tokens.TokenNetwork, flow=tokens.token_flow)
NextToken = searchable(tokens.NextToken)
EncoderDecoder = searchable(translate.EncoderDecoder)
RecurrentDecoder = searchable(translate.RecurrentDecoder)
TransformerDecoder = searchable(translate.TransformerDecoder)
DecoderPositions = searchable(translate.DecoderPositions)
LogMel = searchable(sound.LogMel)
AsImage = searchable(sound.AsImage)
Towers = searchable(towers.Towers)
Level = searchable(dense.Level, flow=dense.level_flow)
CentreHead = searchable(detect.CentreHead)
PixelClassifier = searchable(dense.PixelClassifier)
Forecaster = searchable(forecast.Forecaster, flow=forecast.forecaster_flow)
MixerBlock = searchable(forecast.MixerBlock)
Adversarial = searchable(adversarial.Adversarial)
Discriminator = searchable(adversarial.Discriminator)
LatentGrid = searchable(adversarial.LatentGrid)
UpCell = searchable(adversarial.UpCell)
ImageHead = searchable(adversarial.ImageHead)
Norm = searchable(norms.Norm)
Activation = searchable(activation)
LinearBlock = searchable(heads.LinearBlock)
Classifier = searchable(heads.Classifier)
Regressor = searchable(heads.Regressor)

__all__ = [
    "ACTIVATIONS",
    "ATTENTIONS",
    "CELLS",
    "GAMES",
    "GRAPH_JOINS",
    "GRAPH_NORMS",
    "HEAD_POOLS",
    "HOPS",
    "INITS",
    "LEVELS",
    "MEETINGS",
    "MESSAGES",
    "NORMS",
    "PAD",
    "READOUTS",
    "SHARES",
    "SKIPS",
    "UPS",
    "Activation",
    "Adversarial",
    "AsImage",
    "AvgPool",
    "Block",
    "CausalBlock",
    "Cell",
    "CentreHead",
    "Classifier",
    "ConvBlock",
    "DecoderPositions",
    "DenseBlock",
    "Discriminator",
    "EncoderDecoder",
    "Forecaster",
    "GlobalPool",
    "GraphNetwork",
    "Hops",
    "Identity",
    "ImageHead",
    "Inferred",
    "InvertedResidual",
    "LatentGrid",
    "Level",
    "LinearBlock",
    "LogMel",
    "Loop",
    "MaxPool",
    "MessageBlock",
    "MixerBlock",
    "NextToken",
    "Norm",
    "Parallel",
    "PixelClassifier",
    "Pool",
    "PositionalEncoding",
    "Recommender",
    "Recurrent",
    "RecurrentDecoder",
    "Regressor",
    "Residual",
    "SelfAttention",
    "SeparableBlock",
    "Sequential",
    "SqueezeExcite",
    "StateCell",
    "TokenEmbedding",
    "TokenNetwork",
    "Towers",
    "TransformerBlock",
    "TransformerDecoder",
    "UpCell",
    "Windows",
    "Zero",
    "deployed",
    "edges",
    "initialize",
    "is_materialized",
    "materialize",
    "spaces",
]


@functools.cache
def _of_torch(name: str) -> Any:
    return searchable(getattr(torch.nn, name))


def __getattr__(name: str) -> Any:
    """Any class of ``torch.nn``, ready to take open arguments."""
    if name == "spaces":
        import importlib

        return importlib.import_module("archwright.nn.spaces")
    found = getattr(torch.nn, name, None)
    if isinstance(found, type) and issubclass(found, torch.nn.Module):
        return _of_torch(name)
    raise AttributeError(f"archwright.nn has no {name!r}, and neither has torch.nn. {did_you_mean(name, __all__)}")
