"""The winner leaves: weights, source, ONNX and ``.pt2``, each run and compared with the original, and a card."""

from archwright.export.agreement import Agreement
from archwright.export.card import Card, File, read_card, write_card
from archwright.export.exporting import FORMS, export
from archwright.export.flat import plain
from archwright.export.predicting import Prediction, predict, save_grid

__all__ = [
    "FORMS",
    "Agreement",
    "Card",
    "File",
    "Prediction",
    "export",
    "plain",
    "predict",
    "read_card",
    "save_grid",
    "write_card",
]
