"""Clips of sound: read from files, made of one channel and one sample rate."""

from __future__ import annotations

import importlib.util
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor

from archwright.errors import DataError
from archwright.task.folders import files_below, folders_in, has_official_test
from archwright.task.problems import Problems

__all__ = [
    "BadClip",
    "Clip",
    "clip_list",
    "holds_sounds",
    "labelled_files",
    "resampled",
    "sound_column",
    "sound_files",
    "unreadable",
    "usual_rate",
]

BadClip = Literal["stop", "skip"]

SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".au")

MOST_SAMPLES_A_SECOND = 16_000
"""What clips are brought to at most where nothing is said: speech and most sounds are told apart by what it holds."""

NAMED = 5
"""Clips that cannot be read, of those that a message names; of more it says how many."""


@dataclass(frozen=True, eq=False)
class Clip:
    """One sound: float32 samples (time,), full scale being 1, and how many of them there are a second."""

    samples: np.ndarray
    sample_rate: int


def sound_files(folder: Path) -> list[Path]:
    """Sound files below a folder, sorted, without hidden ones."""
    return files_below(folder, SOUND_SUFFIXES)


def holds_sounds(folder: Path) -> bool:
    """Whether there is a sound file below a folder, in class folders or in those of ``train/`` and ``test/``."""
    return any(next(folder.glob(f"{deep}*{suffix}"), None) for deep in ("*/", "*/*/") for suffix in SOUND_SUFFIXES)


def labelled_files(folder: Path) -> tuple[list[tuple[Path, str]], list[tuple[Path, str]] | None]:
    """Files with their labels, the names of class folders: of training, and of the official test part or None.

    Raises:
        DataError: no such folder, no sound file, files outside class folders, or class folders without any.
    """
    if not folder.is_dir():
        raise DataError(f"folder {str(folder)!r} does not exist: give a folder with one folder of sound files a class")
    if has_official_test(folder):
        return _labelled(folder / "train"), _labelled(folder / "test")
    return _labelled(folder), None


def _labelled(folder: Path) -> list[tuple[Path, str]]:
    held = {d.name: sound_files(d) for d in folders_in(folder)}
    problems = Problems()
    for name in [n for n, files in held.items() if not files and any(held.values())]:
        problems.add(f"class folder {str(folder / name)!r} holds no sound file: remove it, or fill it ({_suffixes()})")
    if not any(held.values()):
        loose = len(sound_files(folder))
        problems.add(
            f"folder {str(folder)!r} holds {loose or 'no'} sound file{'s' * (loose != 1)} and no class folders of "
            f"them: put those of each class into a folder of its own, whose name is the label ({_suffixes()})"
        )
    problems.check()
    return [(file, name) for name, files in held.items() for file in files]


def _suffixes() -> str:
    return ", ".join(SOUND_SUFFIXES)


def sound_column(frame: Any) -> str | None:
    """The first column of a DataFrame whose every text is the name of a sound file, if there is one."""
    import pandas as pd

    for name in frame.columns:
        values = frame[name].dropna()
        if len(values) and pd.api.types.is_string_dtype(values):
            texts = values.astype(str).str.lower()
            if bool(texts.str.endswith(SOUND_SUFFIXES).all()):
                return str(name)
    return None


def clip_list(raw: Any, where: str, sample_rate: int | None = None) -> tuple[list[Clip | None], list[str]]:
    """One clip for each sample, None for those that cannot be read; and what is wrong with each of these.

    Args:
        raw: (n, time) or (n, 1, time) arrays or tensors; or a list of arrays of any length, of files, of `Clip`, of
            dicts with ``array`` and ``sampling_rate``, or with ``bytes`` or ``path`` of a file, as Hugging Face data
            sets give them, or of torchcodec's decoders. Several channels are averaged.
        where: What to call them in messages.
        sample_rate: Samples a second of arrays; files say so themselves.

    Raises:
        DataError: There are none, an array of them has axes that clips cannot have, or arrays have no rate.
    """
    if isinstance(raw, Tensor):
        raw = raw.detach().cpu().numpy()
    if not isinstance(raw, (list, tuple, np.ndarray)):
        raw = list(raw)
    if len(raw) == 0:
        raise DataError(f"{where} hold no clip: at least one is needed")
    if isinstance(raw, np.ndarray) and raw.dtype != object and raw.ndim not in (2, 3):
        raise DataError(
            f"{where} have shape {raw.shape}: allowed are (n, time) and (n, 1, time), or a list of clips of any length"
        )
    if sample_rate is None and any(_is_array(item) for item in raw):
        raise DataError(f"{where}: say how many samples a second arrays have, such as sample_rate=16000")
    found: list[Clip | None] = []
    bad: list[str] = []
    for i, item in enumerate(raw):
        try:
            found.append(_clip(item, sample_rate))
        except DataError as error:
            name = f"clip file {str(item)!r}" if isinstance(item, (str, Path)) else f"clip {i} of {where}"
            bad.append(f"{name} {error}")
            found.append(None)
    return found, bad


def _is_array(item: Any) -> bool:
    return not (isinstance(item, (Clip, str, Path, Mapping)) or hasattr(item, "get_all_samples"))


def unreadable(bad: Sequence[str], n: int) -> str:
    """One sentence of what `clip_list` found wrong with some of `n` clips: the first ones are named."""
    named = "; ".join(bad[:NAMED]) + (f"; and {len(bad) - NAMED} more" if len(bad) > NAMED else "")
    return f"{len(bad)} of {n} clips cannot be read: {named}"


def _clip(item: Any, sample_rate: int | None) -> Clip:
    """A clip, checked. What a `DataError` says goes on after the name of the clip."""
    if isinstance(item, Clip):
        return item
    if isinstance(item, (str, Path)):
        samples, rate = _read(Path(item))
    elif isinstance(item, Mapping):
        samples, rate = _of_dict(item)
    elif hasattr(item, "get_all_samples"):
        decoded = item.get_all_samples()
        samples, rate = decoded.data.numpy(), int(decoded.sample_rate)
    else:
        assert sample_rate is not None
        samples, rate = (item.detach().cpu().numpy() if isinstance(item, Tensor) else np.asarray(item)), sample_rate
    if samples.size == 0:
        raise DataError("holds no sample")
    samples = _mono(samples)
    if not np.isfinite(samples).all():
        raise DataError("holds NaN or infinite samples")
    return Clip(samples, rate)


def _of_dict(item: Mapping[str, Any]) -> tuple[np.ndarray, int]:
    if item.get("bytes") is not None:
        return _decoded(io.BytesIO(item["bytes"]), Path(str(item.get("path") or ".wav")).suffix)
    if item.get("path") is not None and item.get("array") is None:
        return _read(Path(item["path"]))
    for key in ("array", "sampling_rate"):
        if key not in item:
            raise DataError(f"is a dict without {key!r}: allowed are 'array' and 'sampling_rate', 'bytes', or 'path'")
    return np.asarray(item["array"]), int(item["sampling_rate"])


def _read(path: Path) -> tuple[np.ndarray, int]:
    if not path.is_file():
        raise DataError("does not exist")
    if path.stat().st_size == 0:
        raise DataError("is an empty file")
    return _decoded(path, path.suffix)


def _decoded(file: Path | io.BytesIO, suffix: str) -> tuple[np.ndarray, int]:
    """What a file holds, and its rate. `suffix` is the ending of its name."""
    if importlib.util.find_spec("soundfile") is not None:
        import soundfile

        try:
            samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise DataError(f"is no sound: {str(error).split(': ')[-1].rstrip('.')}") from None
        return samples, int(rate)
    if suffix.lower() not in (".wav", ""):
        raise DataError("needs the package soundfile: pip install archwright[audio], or give .wav")
    from scipy.io import wavfile

    try:
        rate, samples = wavfile.read(file)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"is no sound: {error}") from None
    return samples, int(rate)


def _mono(samples: np.ndarray) -> np.ndarray:
    """Numbers of any kind, (time,) or with channels along the shorter axis, as float32 (time,), full scale being 1."""
    if samples.dtype.kind not in "iuf" or samples.ndim not in (1, 2):
        raise DataError(f"has type {samples.dtype} and shape {samples.shape}: allowed are numbers, (time,)")
    if samples.dtype.kind == "u":
        half = 2.0 ** (8 * samples.dtype.itemsize - 1)
        samples = (samples.astype(np.float32) - half) / half
    elif samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / 2.0 ** (8 * samples.dtype.itemsize - 1)
    if samples.ndim == 2:
        samples = samples.mean(int(samples.shape[0] > samples.shape[1]))
    return np.ascontiguousarray(samples, dtype=np.float32)


def usual_rate(clips: Sequence[Clip]) -> int:
    """The commonest sample rate, and 16,000 at most."""
    (rate, _), *_ = Counter(clip.sample_rate for clip in clips).most_common(1)
    return min(rate, MOST_SAMPLES_A_SECOND)


def resampled(clip: Clip, sample_rate: int) -> np.ndarray:
    """The samples at another rate (`scipy.signal.resample_poly`, which lets nothing above half of it through)."""
    if clip.sample_rate == sample_rate:
        return clip.samples
    from scipy.signal import resample_poly

    common = math.gcd(clip.sample_rate, sample_rate)
    made = resample_poly(clip.samples, sample_rate // common, clip.sample_rate // common)
    return np.ascontiguousarray(made, dtype=np.float32)
