"""What was done to raw data before a network saw it, so that it can be done again to new data, and undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from archwright.errors import DataError
from archwright.task.boxes import Boxes
from archwright.task.clips import AudioInputs
from archwright.task.forecasts import Forecasts
from archwright.task.graphsets import GraphSetInputs
from archwright.task.inputs import ImageInputs, PlainInputs, SequenceInputs
from archwright.task.neighbourhoods import GraphInputs
from archwright.task.pairs import PairInputs
from archwright.task.pictures import Latents, Pictures
from archwright.task.pieces import JoinedInputs
from archwright.task.pixels import Pixels
from archwright.task.ranking import Scores
from archwright.task.several import Several
from archwright.task.table import TableInputs
from archwright.task.targets import Classes, NextTokens, Quantities
from archwright.task.tokens import TextInputs
from archwright.task.transcripts import Transcripts
from archwright.task.translations import SourceInputs, Translations
from archwright.task.windows import WindowInputs

__all__ = ["Preparation"]

Inputs = (
    ImageInputs
    | SequenceInputs
    | AudioInputs
    | TableInputs
    | TextInputs
    | SourceInputs
    | WindowInputs
    | PairInputs
    | PlainInputs
    | JoinedInputs
    | Latents
    | GraphInputs
    | GraphSetInputs
)
Targets = (
    Classes
    | Quantities
    | NextTokens
    | Translations
    | Transcripts
    | Forecasts
    | Pixels
    | Boxes
    | Pictures
    | Several
    | Scores
)

_INPUTS: dict[str, Any] = {
    "images": ImageInputs,
    "sequences": SequenceInputs,
    "audio": AudioInputs,
    "table": TableInputs,
    "texts": TextInputs,
    "sources": SourceInputs,
    "windows": WindowInputs,
    "pairs": PairInputs,
    "plain": PlainInputs,
    "joined": JoinedInputs,
    "latents": Latents,
    "graph": GraphInputs,
    "graphs": GraphSetInputs,
}
_TARGETS: dict[str, Callable[[Mapping[str, Any]], Targets]] = {
    "classes": lambda t: Classes(tuple(t["labels"])),
    "quantities": lambda t: Quantities(tuple(t["mean"]), tuple(t["std"]), tuple(t["names"])),
    "next tokens": lambda t: NextTokens(),
    "translations": Translations.from_json,
    "scores": lambda t: Scores(),
    "transcripts": Transcripts.from_json,
    "boxes": Boxes.from_json,
    "pictures": Pictures.from_json,
    "pixels": lambda t: Pixels(tuple(t["values"]), tuple(t["labels"]), t["void"], t["colours"]),
    "several": lambda t: Several(tuple((d["name"], _target(d)) for d in t["targets"])),
    "forecasts": lambda t: Forecasts(tuple(t["mean"]), tuple(t["std"]), tuple(t["names"]), t["horizon"]),
}
_VERSION = 1


def _target(d: Mapping[str, Any]) -> Any:
    return _TARGETS[d["kind"]](d)


@dataclass(frozen=True)
class Preparation:
    """Raw user input to a tensor, and a network's outputs to answers; self-contained, JSON both ways.

    Every statistic in it was measured on the training part alone.

    Args:
        features: How raw inputs become a tensor.
        targets: The classes or the units of the targets; None for a user's own task, whose outputs are left alone.

    >>> again = Preparation.from_json({"version": 1, "inputs": {"kind": "plain", "shape": [2], "integers": False},
    ...                                "targets": {"kind": "classes", "labels": ["cat", "dog"]}})
    >>> again.inputs([[1.0, 2.0]]).shape, again.labels([1, 0])
    (torch.Size([1, 2]), ['dog', 'cat'])
    """

    features: Inputs
    targets: Targets | None = None

    def inputs(self, raw: Any) -> Tensor:
        """New data, raw as the task was given them, to the tensor that the network takes: (n, *input_shape)."""
        return self.features(raw)

    def indices(self, labels: Any) -> Tensor:
        """Labels to class indices, or quantities to standardised targets."""
        return self._targets().encode(labels)

    def labels(self, indices: Any) -> list[Any]:
        """Class indices to labels, or standardised targets to quantities in their units."""
        return self._targets().decode(indices)

    def answers(self, output: Tensor) -> list[Any]:
        """A network's outputs, (n, n_outputs), to one label or quantity a sample; plain lists for a user's own task."""
        return output.tolist() if self.targets is None else self.targets.answers(output)

    def _targets(self) -> Targets:
        if self.targets is None:
            raise DataError("this task has targets of its own making: archwright has no labels for them")
        return self.targets

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        targets = self.targets.to_json() if self.targets is not None else None
        return {"version": _VERSION, "inputs": self.features.to_json(), "targets": targets}

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> Preparation:
        """Read what `to_json` wrote. Anything else raises `DataError`."""
        try:
            if d["version"] > _VERSION:
                raise DataError(
                    f"a preparation of version {d['version']} is newer than this archwright's {_VERSION}: update it"
                )
            features = _INPUTS[d["inputs"]["kind"]].from_json(d["inputs"])
            t = d["targets"]
            targets = None if t is None else _TARGETS[t["kind"]](t)
        except (KeyError, TypeError) as error:
            raise DataError(f"this is not a preparation that archwright wrote: {error!r} is missing or wrong") from None
        return cls(features, targets)
