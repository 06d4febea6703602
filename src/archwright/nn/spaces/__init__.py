"""Default spaces: rich around networks that are good for their size, from some thousand parameters up."""

from archwright.nn.spaces.audio import audio
from archwright.nn.spaces.convnet import convnet
from archwright.nn.spaces.detector import detector
from archwright.nn.spaces.forecast import forecast
from archwright.nn.spaces.gan import gan
from archwright.nn.spaces.graph import graph
from archwright.nn.spaces.graphs import graphs
from archwright.nn.spaces.language import language
from archwright.nn.spaces.mlp import mlp
from archwright.nn.spaces.mobile import mobile
from archwright.nn.spaces.recommender import recommender
from archwright.nn.spaces.sequence import sequence
from archwright.nn.spaces.shared import shared
from archwright.nn.spaces.speech import speech
from archwright.nn.spaces.text import text
from archwright.nn.spaces.towers import towers
from archwright.nn.spaces.translation import translation
from archwright.nn.spaces.unet import unet

__all__ = [
    "audio",
    "convnet",
    "detector",
    "forecast",
    "gan",
    "graph",
    "graphs",
    "language",
    "mlp",
    "mobile",
    "recommender",
    "sequence",
    "shared",
    "speech",
    "text",
    "towers",
    "translation",
    "unet",
]
