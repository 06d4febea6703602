"""Learning problems: data and their splits, losses, metrics, default spaces and baselines.

Everything here needs torch; what it exports is loaded when first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archwright.task.audio import AudioClassification as AudioClassification
    from archwright.task.audio_augment import AudioAugmentation as AudioAugmentation
    from archwright.task.augment import (
        ImageAugmentation as ImageAugmentation,
    )
    from archwright.task.augment import (
        NoAugmentation as NoAugmentation,
    )
    from archwright.task.augment import (
        PixelAugmentation as PixelAugmentation,
    )
    from archwright.task.augment import (
        SequenceAugmentation as SequenceAugmentation,
    )
    from archwright.task.augment import (
        TableAugmentation as TableAugmentation,
    )
    from archwright.task.augment import (
        TokenAugmentation as TokenAugmentation,
    )
    from archwright.task.box_augment import BoxAugmentation as BoxAugmentation
    from archwright.task.custom import CustomTask as CustomTask
    from archwright.task.detection import Detection as Detection
    from archwright.task.forecasting import Forecasting as Forecasting
    from archwright.task.generation import ImageGeneration as ImageGeneration
    from archwright.task.graphs import GraphClassification as GraphClassification
    from archwright.task.groups import Groups as Groups
    from archwright.task.image import ImageClassification as ImageClassification
    from archwright.task.language import LanguageModelling as LanguageModelling
    from archwright.task.metrics import Metric as Metric
    from archwright.task.multi import MultiTask as MultiTask
    from archwright.task.multimodal import Multimodal as Multimodal
    from archwright.task.named import NamedData as NamedData
    from archwright.task.named import load as load
    from archwright.task.named import names as names
    from archwright.task.neighbourhoods import GraphInputs as GraphInputs
    from archwright.task.nodes import NodeClassification as NodeClassification
    from archwright.task.preparation import Preparation as Preparation
    from archwright.task.reading import read_raw as read_raw
    from archwright.task.recommendation import Recommendation as Recommendation
    from archwright.task.segmentation import Segmentation as Segmentation
    from archwright.task.sequence import SequenceClassification as SequenceClassification
    from archwright.task.speech import SpeechRecognition as SpeechRecognition
    from archwright.task.tabular import (
        TabularClassification as TabularClassification,
    )
    from archwright.task.tabular import (
        TabularRegression as TabularRegression,
    )
    from archwright.task.task import Part as Part
    from archwright.task.task import Task as Task
    from archwright.task.text import TextClassification as TextClassification
    from archwright.task.translation import Translation as Translation

_WHERE = {
    "AudioAugmentation": "audio_augment",
    "AudioClassification": "audio",
    "BoxAugmentation": "box_augment",
    "CustomTask": "custom",
    "Detection": "detection",
    "Forecasting": "forecasting",
    "GraphClassification": "graphs",
    "GraphInputs": "neighbourhoods",
    "Groups": "groups",
    "ImageAugmentation": "augment",
    "ImageClassification": "image",
    "ImageGeneration": "generation",
    "LanguageModelling": "language",
    "Metric": "metrics",
    "MultiTask": "multi",
    "Multimodal": "multimodal",
    "NamedData": "named",
    "NoAugmentation": "augment",
    "NodeClassification": "nodes",
    "Part": "task",
    "PixelAugmentation": "augment",
    "Preparation": "preparation",
    "Recommendation": "recommendation",
    "Segmentation": "segmentation",
    "SequenceAugmentation": "augment",
    "SequenceClassification": "sequence",
    "SpeechRecognition": "speech",
    "TableAugmentation": "augment",
    "TabularClassification": "tabular",
    "TabularRegression": "tabular",
    "Task": "task",
    "TextClassification": "text",
    "TokenAugmentation": "augment",
    "Translation": "translation",
    "load": "named",
    "names": "named",
    "read_raw": "reading",
}

__all__ = [*_WHERE]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'archwright.task' has no attribute {name!r}")
    return getattr(importlib.import_module(f"archwright.task.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_WHERE)
