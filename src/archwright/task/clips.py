"""From raw clips of sound to tensors of one length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from archwright.errors import DataError
from archwright.task.reading import read_raw
from archwright.task.sounds import Clip, clip_list, resampled, sound_column, sound_files, unreadable
from archwright.task.table import as_frame, read_table

__all__ = ["AudioInputs", "clips_at_one_rate", "files_of", "usual_length"]

COVERED = 0.95
"""The share of the training clips that are as short as all are made, where nothing is said."""


@dataclass(frozen=True)
class AudioInputs:
    """Clips to float32 (n, 1, length): one sample rate, and silence around short ones; of long ones the middle is kept.

    Args:
        sample_rate: Samples a second of what comes out.
        length: Samples of each clip that comes out.
        array_rate: Samples a second of raw arrays, which do not say so themselves; None where there were none.
        column: Which column of a table the names of files came from.
        centred: Whether short clips stand in the middle, and not at the beginning; and long ones lose both ends.
    """

    sample_rate: int
    length: int
    array_rate: int | None = None
    column: str | None = None
    centred: bool = True

    def __call__(self, raw: Any) -> Tensor:
        """Raw clips, as the task was given them, to a tensor; see `archwright.task.sounds.clip_list`."""
        raw = raw if not hasattr(raw, "columns") else files_of(raw, self.column)
        clips, bad = clip_list(raw, "the clips", self.array_rate)
        if bad:
            raise DataError(f"{unreadable(bad, len(clips))}. Repair or remove them")
        return self.prepare([resampled(clip, self.sample_rate) for clip in clips if clip is not None])

    def prepare(self, samples: Sequence[np.ndarray], where: str = "clips") -> Tensor:
        """Samples at the task's rate to a tensor."""
        out = np.zeros((len(samples), 1, self.length), dtype=np.float32)
        for row, clip in zip(out[:, 0], samples, strict=True):
            spare = self.length - len(clip)
            start = abs(spare) // 2 if self.centred else 0
            if spare >= 0:
                row[start : start + len(clip)] = clip
            else:
                row[:] = clip[start : start + self.length]
        return torch.from_numpy(out)

    def read(self, path: Path) -> tuple[list[Any], list[str]]:
        """Clips by a path: a sound file, a folder of them, or a table of their names; and what each is called."""
        if not path.exists():
            raise DataError(
                f"data {str(path)!r} do not exist: give a sound file, a folder of them, or a table of names"
            )
        if path.suffix.lower() in (".npy", ".npz"):
            return read_raw(path)
        if path.is_dir():
            files = sound_files(path)
            if not files:
                raise DataError(f"folder {str(path)!r} holds no sound file: give one with .wav files, for example")
            return files, [str(f.relative_to(path)) for f in files]
        if path.suffix.lower() in (".csv", ".tsv", ".parquet"):
            found = files_of(read_table(path), self.column, path.parent)
            return found, [str(i) for i in range(len(found))]
        return [path], [path.name]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "kind": "audio", "sample_rate": self.sample_rate, "length": self.length, "array_rate": self.array_rate,
            "column": self.column, "centred": self.centred,
        }  # fmt: skip

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> AudioInputs:
        """Read what `to_json` wrote."""
        return cls(d["sample_rate"], d["length"], d["array_rate"], d["column"], d["centred"])


def files_of(table: Any, column: str | None, folder: Path | None = None, where: str = "the table") -> list[Any]:
    """The files, or clips, of a column of a table; names that are no whole paths are looked for in `folder`."""
    frame = as_frame(table, where)
    column = column if column in frame.columns else sound_column(frame)
    if column is None:
        raise DataError(
            f"{where} has no column of sound files: its columns are {', '.join(map(repr, frame.columns))}; name the "
            f"one with their paths, such as file='path'"
        )
    missing = np.flatnonzero(frame[column].isna())
    if len(missing):
        raise DataError(f"{where}: column {column!r} names no file in row {missing[0]} (counted from 0)")
    items = frame[column].tolist()
    return items if folder is None else [folder / item if isinstance(item, str) else item for item in items]


def clips_at_one_rate(clips: Sequence[Clip], sample_rate: int) -> np.ndarray:
    """Samples of each clip at one rate, as an array of arrays, so that parts of it are taken by their numbers."""
    out = np.empty(len(clips), dtype=object)
    for i, clip in enumerate(clips):
        out[i] = resampled(clip, sample_rate)
    return out


def usual_length(samples: Sequence[np.ndarray]) -> int:
    """So many samples that `COVERED` of the clips are as short."""
    sizes = sorted(map(len, samples))
    return sizes[min(len(sizes) - 1, int(COVERED * len(sizes)))]
