"""Classification of sounds: spoken words, noises, who or what is heard."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from archwright.errors import DataError, did_you_mean
from archwright.nn.sound import AsImage, LogMel
from archwright.task.arrays import check_lengths
from archwright.task.audio_augment import AudioAugmentation
from archwright.task.baseline import ResidualConv, fitted
from archwright.task.classification import ClassWeight, Labelled, check_labels, check_test_pair
from archwright.task.clips import AudioInputs, clips_at_one_rate, files_of, usual_length
from archwright.task.groups import Groups
from archwright.task.preparation import Preparation
from archwright.task.problems import Problems
from archwright.task.sounds import BadClip, Clip, clip_list, sound_column, unreadable, usual_rate
from archwright.task.sounds import labelled_files as labelled_sounds
from archwright.task.table import as_frame
from archwright.task.task import Augmentation, Part, Task

__all__ = ["AudioClassification"]


class AudioClassification(Task):
    """Which class does this sound belong to?

    Networks read raw samples: the spectrogram is made inside them (`archwright.nn.LogMel`), and is searched too.

    Args:
        x: Clips: (n, time) arrays or tensors, or a list of arrays of any length, of files, or of dicts with ``array``
            and ``sampling_rate``. Several channels are averaged.
        y: One label a clip: integers, booleans or texts.
        x_test: Official test clips, where the data has them; else `test_share` is taken from `x`.
        y_test: Their labels.
        name: What the task is called.
        sample_rate: Samples a second of arrays; files say so themselves.
        resample: Samples a second that all clips are brought to; by default the commonest rate, and 16,000 at most.
        seconds: Length that all clips are padded or cut to; by default 95 % of the training clips are as short.
        on_bad_clip: ``"stop"`` with an error where clips cannot be read, or ``"skip"`` them with a warning.
        class_weight: ``"auto"``, ``"balanced"``, None or a weight a label; see `archwright.task.loss.class_weights`.
        metric: The main metric; accuracy, or balanced accuracy where classes are weighed.
        augmentation: What to do to training batches; by default `AudioAugmentation`.
        group: The group of each sample, such as who speaks: texts, integers or booleans. Every metric then has a
            ``gap_`` between groups beside it; see `archwright.task.Groups`.
        group_test: The groups of the official test samples.
        test_share: Of all samples; 0 for no test part.
        validation_share: Of the samples that are not test.
        split_seed: The same seed gives the same parts.
        source: Where the data came from, for people.
        column: Which column of a table the files came from, so that new tables are read alike.

    Shapes: inputs (n, 1, samples) float32, full scale being 1.

    Raises:
        DataError: anything wrong with the data; the message says where, what was allowed and what to do.
    """

    default_space = "audio"
    exchangeable = True
    spaces = ("audio",)
    recipe: Mapping[str, Any] = {"epochs": 30}

    def __init__(
        self,
        x: Any,
        y: Any,
        *,
        x_test: Any = None,
        y_test: Any = None,
        name: str = "sounds",
        sample_rate: int | None = None,
        resample: int | None = None,
        seconds: float | None = None,
        on_bad_clip: BadClip = "stop",
        class_weight: ClassWeight = "auto",
        metric: str | None = None,
        augmentation: Augmentation | None = None,
        group: Any = None,
        group_test: Any = None,
        test_share: float = 0.2,
        validation_share: float = 0.2,
        split_seed: int = 0,
        source: str = "arrays",
        column: str | None = None,
    ):
        check_test_pair(x_test, y_test)
        check_settings(sample_rate, resample, seconds, on_bad_clip)
        problems, skipped = Problems(), Skipped(on_bad_clip)
        clips, (y, group) = skipped.read(problems, x, "x", sample_rate, y, group)
        test: list[Clip] = []
        if x_test is not None:
            test, (y_test, group_test) = skipped.read(problems, x_test, "x_test", sample_rate, y_test, group_test)
        check_labels(problems, y, y_test)
        problems.check()
        rate = resample or usual_rate(clips)
        samples = clips_at_one_rate(clips, rate)
        held = None if x_test is None else clips_at_one_rate(test, rate)
        labelled = Labelled.of(samples, y, held, y_test, seed=split_seed, shares=(test_share, validation_share))
        length = round(seconds * rate) if seconds else usual_length(samples[labelled.split.train])
        inputs = AudioInputs(rate, length, sample_rate, column)
        super().__init__(
            name=name,
            parts=labelled.parts(samples, held, inputs.prepare),
            preparation=Preparation(inputs, labelled.classes),
            n_outputs=len(labelled.classes.labels),
            augmentation=augmentation or AudioAugmentation(),
            facts={
                **labelled.facts(source),
                "sample_rate": rate,
                "seconds": length / rate,
                "skipped_clips": skipped.names,
            },
            groups=None if group is None else Groups.of(group, labelled.split, group_test),
            **labelled.learning(class_weight, metric),
        )
        self.sample_rate = rate
        self.space_options = {"sample_rate": rate}

    @classmethod
    def from_folder(cls, path: str | Path, *, name: str | None = None, **options: Any) -> AudioClassification:
        """A folder with one folder of sound files a class; or with ``train/`` and ``test/`` folders of these.

        Args:
            path: The folder.
            name: What the task is called; by default the folder's name.
            options: As for the class.
        """
        train, test = labelled_sounds(Path(path))
        parts: dict[str, Any] = {"x": [f for f, _ in train], "y": [label for _, label in train]}
        if test is not None:
            parts |= {"x_test": [f for f, _ in test], "y_test": [label for _, label in test]}
        return cls(**{**parts, "name": name or Path(path).resolve().name, "source": str(path), **options})

    @classmethod
    def from_table(
        cls,
        data: Any,
        *,
        file: str | None = None,
        target: str | None = None,
        test: Any = None,
        group: str | None = None,
        **options: Any,
    ) -> AudioClassification:
        """A table with a column of sound files and one of labels.

        Args:
            data: A DataFrame, a CSV or Parquet file, or a list of dicts. Files are looked for beside a file.
            file: The column of files; by default the first whose every text ends as a sound file does.
            target: The column of labels; by default the last of the others.
            test: Official test data, with the same columns.
            group: The column of groups to compare.
            options: As for the class.
        """
        frame = as_frame(data)
        for column in (file, target, group):
            if column is not None and column not in frame.columns:
                raise DataError(f"the table has no column {column!r}. {did_you_mean(column, frame.columns)}")
        file = file or sound_column(frame)
        others = [c for c in frame.columns if c not in (file, group)]
        if file is not None and not others:
            raise DataError(f"the table has no column of labels beside the files in {file!r}: add one")
        target = target or (others[-1] if others else None)
        parts: dict[str, Any] = {"x": files_of(frame, file, folder_of(data)), "y": frame[target].to_numpy()}
        parts |= {"group": frame[group]} if group else {}
        if test is not None:
            held = as_frame(test, "the test table")
            for column in (file, target, *([group] if group else [])):
                if column not in held.columns:
                    raise DataError(f"the test table has no column {column!r}. {did_you_mean(str(column), held)}")
            files = files_of(held, file, folder_of(test), "the test table")
            parts |= {"x_test": files, "y_test": held[target].to_numpy()}
            parts |= {"group_test": held[group]} if group else {}
        if isinstance(data, (str, Path)):
            options = {"name": Path(data).stem, "source": str(data), **options}
        return cls(**{**parts, "column": file, **options})

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """A residual network (`archwright.task.baseline.ResidualConv`) on 40 bands, of width 24 by default."""

        def make(width: int) -> nn.Module:
            front = LogMel(self.sample_rate, 40, 25, 10)
            return nn.Sequential(front, AsImage(), ResidualConv(self.n_outputs, width=width, strides=(2, 1, 2, 2)))

        return make(width or 24) if max_params is None else fitted(make, self.input_shape, max_params)

    def references(self, train: Part, test: Part) -> dict[str, dict[str, float]]:
        """Mean and deviation of 40 log-mel bands with logistic regression: what is heard, whenever it is heard."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        weight = "balanced" if self.metric == "balanced_accuracy" else None
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, class_weight=weight))
        model.fit(self._statistics(train), train.targets.numpy())
        output = torch.from_numpy(model.predict_log_proba(self._statistics(test)))
        return {"log-mel statistics and logistic regression": self.score(output, test.targets)}

    def _statistics(self, part: Part) -> np.ndarray:
        front = LogMel(self.sample_rate, 40, 25, 10).eval()
        with torch.no_grad():
            bands = [front(batch) for batch in part.inputs.split(64)]
        return torch.cat([torch.cat([b.mean(2), b.std(2)], 1) for b in bands]).numpy()


class Skipped:
    """Reads clips, and leaves out those that cannot be read, with all that belongs to them, where that is wanted."""

    def __init__(self, on_bad_clip: BadClip):
        self.on_bad_clip = on_bad_clip
        self.names: list[str] = []

    def read(
        self, problems: Problems, x: Any, where: str, sample_rate: int | None, *beside: Any
    ) -> tuple[list[Clip], list[Any]]:
        """The clips, and of what stands beside them (one a clip, or None) what is left."""
        x = list(x) if not hasattr(x, "ndim") else x
        read = problems.of(clip_list, x, where, sample_rate)
        if read is None:
            return [], list(beside)
        clips, bad = read
        if beside and beside[0] is not None:
            problems.of(check_lengths, clips, beside[0], where)
        kept = [i for i, clip in enumerate(clips) if clip is not None]
        found = [clip for clip in clips if clip is not None]
        if not bad:
            return found, list(beside)
        what = unreadable(bad, len(clips))
        if self.on_bad_clip == "stop" or not found:
            skip = ", or give on_bad_clip='skip' to go on without them" if found else ""
            problems.add(f"{what}. Repair or remove them{skip}")
            return found, list(beside)
        left = [str(x[i]) if isinstance(x[i], (str, Path)) else f"{i}" for i, c in enumerate(clips) if c is None]
        self.names += left
        warnings.warn(f"{what}. They are left out", UserWarning, stacklevel=4)
        return found, [_rows(values, kept) for values in beside]


def _rows(values: Any, kept: list[int]) -> Any:
    """Some of a list, an array or a series."""
    if values is None:
        return None
    if hasattr(values, "iloc"):
        return values.iloc[kept].reset_index(drop=True)
    return values[kept] if hasattr(values, "ndim") else [values[i] for i in kept]


def check_settings(sample_rate: int | None, resample: int | None, seconds: float | None, on_bad_clip: str) -> None:
    """Raise `DataError` for settings that make no sense."""
    for what, rate in (("sample_rate", sample_rate), ("resample", resample)):
        if rate is not None and (not isinstance(rate, (int, np.integer)) or rate < 1000):
            raise DataError(f"{what} is {rate!r}: allowed are whole numbers of samples a second, 1000 or more")
    if seconds is not None and not 0 < seconds < float("inf"):
        raise DataError(f"seconds is {seconds!r}: allowed are lengths above 0")
    if on_bad_clip not in ("stop", "skip"):
        raise DataError(f"on_bad_clip is {on_bad_clip!r}: allowed are 'stop' and 'skip'")


def folder_of(data: Any) -> Path | None:
    """Where the files of a table are looked for: beside it, if it is a file."""
    return Path(data).parent if isinstance(data, (str, Path)) else None
