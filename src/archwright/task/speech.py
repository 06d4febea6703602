"""Speech recognition: from raw sound to what is said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from archwright.errors import DataError, did_you_mean
from archwright.nn.conv import ConvBlock
from archwright.nn.recurrent import Recurrent
from archwright.nn.sound import LogMel
from archwright.nn.spaces.speech import frames_left
from archwright.nn.tokens import NextToken
from archwright.task.audio import Skipped, check_settings, folder_of
from archwright.task.audio_augment import AudioAugmentation
from archwright.task.baseline import fitted
from archwright.task.classification import check_test_pair, check_validation_pair
from archwright.task.clips import AudioInputs, clips_at_one_rate, files_of
from archwright.task.groups import Groups
from archwright.task.preparation import Preparation
from archwright.task.problems import Problems
from archwright.task.sounds import BadClip, Clip, sound_column, sound_files, usual_rate
from archwright.task.splits import parts_of
from archwright.task.table import as_frame, read_table
from archwright.task.task import Augmentation, Part, Parts, Task
from archwright.task.tokens import text_list
from archwright.task.transcripts import CTCLoss, Transcripts, needed_frames, speech_metrics

__all__ = ["SpeechRecognition"]

LEVELS = ("character", "word")
FOLDER = "folder"


class SpeechRecognition(Task):
    """What is said in this clip?

    A network gives a score for each token at every frame, and learns which frames are which token by itself (CTC). What
    it hears is the likeliest token of each frame, repeated ones taken once.

    Args:
        x: Clips: (n, time) arrays or tensors, or a list of arrays of any length, of files, or of dicts with ``array``
            and ``sampling_rate``. Several channels are averaged.
        y: What is said in each: texts.
        x_validation: Official validation clips, where the data have them; else `validation_share` is taken from `x`.
        y_validation: Their texts.
        x_test: Official test clips; else `test_share` is taken from `x`.
        y_test: Their texts.
        name: What the task is called.
        level: What a token is: a ``"character"``, or a ``"word"`` where there are few different ones.
        lowercase: Whether capitals are taken for small letters, in what is learnt and in what is compared.
        sample_rate: Samples a second of arrays; files say so themselves.
        resample: Samples a second that all clips are brought to; by default the commonest rate, and 16,000 at most.
        seconds: Most length of a clip; by default that of the longest training clip. Shorter ones are followed by
            silence; longer ones are left out of training, and cut elsewhere.
        on_bad_clip: ``"stop"`` with an error where clips cannot be read, or ``"skip"`` them with a warning.
        metric: The main metric, ``"wer"`` by default.
        augmentation: What to do to training batches; by default loudness and hiss.
        group: The group of each clip, such as who speaks: texts, integers or booleans. Every metric then has a
            ``gap_`` between groups beside it; see `archwright.task.Groups`.
        group_validation: The groups of the official validation clips.
        group_test: The groups of the official test clips.
        test_share: Of all clips.
        validation_share: Of the clips that are not test.
        split_seed: The same seed gives the same parts.
        source: Where the data came from, for people.
        column: Which column of a table the files came from, so that new tables are read alike.

    Shapes: inputs (n, 1, samples) float32, full scale being 1; targets (n, 1 + most) int64, the number of the reference
    first and tokens filled up with 0; outputs (n, tokens, frames).

    Raises:
        DataError: anything wrong with the data; the message says where, what was allowed and what to do.
        MissingExtraError: the package ``jiwer`` is not installed.
    """

    default_space = "speech"
    spaces = ("speech",)
    recipe: Mapping[str, Any] = {"epochs": 30, "batch_size": 32, "lr": 3e-3, "clip_norm": 1.0, "stretch": 3.0}

    def __init__(
        self,
        x: Any,
        y: Any,
        *,
        x_validation: Any = None,
        y_validation: Any = None,
        x_test: Any = None,
        y_test: Any = None,
        name: str = "speech",
        level: str = "character",
        lowercase: bool = True,
        sample_rate: int | None = None,
        resample: int | None = None,
        seconds: float | None = None,
        on_bad_clip: BadClip = "stop",
        metric: str | None = None,
        augmentation: Augmentation | None = None,
        group: Any = None,
        group_validation: Any = None,
        group_test: Any = None,
        test_share: float = 0.1,
        validation_share: float = 0.1,
        split_seed: int = 0,
        source: str = "arrays",
        column: str | None = None,
    ):
        check_test_pair(x_test, y_test)
        check_validation_pair(x_validation, y_validation)
        if level not in LEVELS:
            raise DataError(f"level is {level!r}. {did_you_mean(level, LEVELS)}")
        check_settings(sample_rate, resample, seconds, on_bad_clip)
        problems, skipped = Problems(), Skipped(on_bad_clip)
        given = {
            "train": (x, y, group),
            "validation": (x_validation, y_validation, group_validation),
            "test": (x_test, y_test, group_test),
        }
        read: dict[str, tuple[list[Clip], list[str]]] = {}
        of_group: dict[str, Any] = {}
        for which, (clips, said_of_it, own) in given.items():
            if clips is not None:
                found, words, of_group[which] = _read(problems, skipped, clips, said_of_it, own, which, sample_rate)
                read[which] = found, words
        problems.check()
        rate = resample or usual_rate(read["train"][0])
        data = {which: (clips_at_one_rate(c, rate), np.array(t)) for which, (c, t) in read.items()}
        heard, said = data.pop("train")
        rows = parts_of(len(heard), split_seed, test_share, validation_share, set(data))
        data = {**{which: (heard[at], said[at]) for which, at in rows.items()}, **data}
        groups = None
        if group is not None:
            groups = Groups.of_parts(of_group.pop("train"), rows, of_group)
        heard, said = data["train"]
        if not len(heard):
            raise DataError(f"no clip is left for training, of {len(read['train'][0])}: give more, or smaller shares")
        length = round(seconds * rate) if seconds else max(map(len, heard))
        kept = np.array([len(clip) <= length for clip in heard])
        if not kept.any():
            raise DataError(f"seconds={seconds!r}: every training clip is longer, and would be cut: give more")
        data["train"] = heard[kept], said[kept]
        if groups is not None:
            groups = replace(groups, train=groups.train[torch.from_numpy(kept)])
        texts = Transcripts.of(said[kept].tolist(), level, lowercase)
        inputs = AudioInputs(rate, length, sample_rate, column, centred=False)
        tokens = {which: texts.encode(words.tolist()) for which, (_, words) in data.items()}
        most = max(numbers.shape[1] for numbers in tokens.values())
        references: tuple[str, ...] = ()

        def part(which: str) -> Part:
            nonlocal references
            clips, words = data[which]
            numbers = torch.arange(len(words)).unsqueeze(1) + len(references)
            references += tuple(texts.plain(text) for text in words.tolist())
            filled = F.pad(tokens[which], (0, most - tokens[which].shape[1]))  # as wide as those of the other parts
            return Part(inputs.prepare(list(clips)), torch.cat([numbers, filled], 1))

        parts = Parts(part("train"), part("validation"), part("test"), untested=test_share == 0 and x_test is None)
        super().__init__(
            name=name,
            parts=parts,
            preparation=Preparation(inputs, texts),
            loss=CTCLoss(),
            metrics=speech_metrics(texts, references),
            metric=metric or "wer",
            n_outputs=len(texts.tokens) + 1,
            augmentation=augmentation or AudioAugmentation(shift=0.0),
            groups=groups,
            facts={
                "source": source,
                "level": level,
                "tokens": len(texts.tokens),
                "sample_rate": rate,
                "seconds": length / rate,
                "too_long_for_training": int((~kept).sum()),
                "skipped_clips": skipped.names,
                "split_seed": split_seed,
                "official_test": x_test is not None,
            },
        )
        self.sample_rate, self.texts = rate, texts
        self.space_options = {"sample_rate": rate, "least_frames": needed_frames(tokens["train"])}
        if frames_left(length, rate, 1) < self.space_options["least_frames"]:
            raise DataError(
                f"clips of {length / rate:.2f} s hold fewer frames than the longest text has tokens "
                f"({self.space_options['least_frames']}): is each clip as long as its text takes? Or level='word'"
            )

    @classmethod
    def from_table(
        cls,
        data: Any,
        *,
        file: str | None = None,
        text: str | None = None,
        target: str | None = None,
        validation: Any = None,
        test: Any = None,
        group: str | None = None,
        **options: Any,
    ) -> SpeechRecognition:
        """A table with a column of sound files and one of what is said in them.

        Args:
            data: A DataFrame, a CSV or Parquet file, or a list of dicts. Files are looked for beside a file.
            file: The column of files; by default the first whose every text ends as a sound file does.
            text: The column of texts; by default the last of the others.
            target: The same by another name.
            validation: Official validation data, with the same columns.
            test: Official test data.
            group: The column of groups to compare, such as who speaks.
            options: As for the class.
        """
        text = text or target
        tables = {"": ("the table", data), "_validation": ("the validation table", validation)}
        tables["_test"] = ("the test table", test)
        parts: dict[str, Any] = {}
        for part, (where, given) in tables.items():
            if given is None:
                continue
            frame = as_frame(read_table(given, texts=True) if isinstance(given, (str, Path)) else given, where)
            for column in (file, text, group):
                if column is not None and column not in frame.columns:
                    raise DataError(f"{where} has no column {column!r}. {did_you_mean(column, frame.columns)}")
            file = file or sound_column(frame)
            text = text or next((c for c in reversed(frame.columns) if c not in (file, group)), None)
            files = files_of(frame, file, folder_of(given), where)
            if text is None:
                raise DataError(f"{where} has no column of texts beside the files in {file!r}: add one")
            parts |= {f"x{part}": files, f"y{part}": frame[text]}
            parts |= {f"group{part}": frame[group]} if group else {}
        if isinstance(data, (str, Path)):
            options = {"name": Path(data).stem, "source": str(data), **options}
        return cls(**{**parts, "column": file, **options})

    @classmethod
    def from_folder(
        cls, path: str | Path, *, name: str | None = None, group: str | None = None, **options: Any
    ) -> SpeechRecognition:
        """A folder of sound files, each with a ``.txt`` file of the same name beside it that holds what is said.

        Args:
            path: The folder; folders inside it are read too.
            name: What the task is called; by default the folder's name.
            group: ``"folder"`` to compare the folders right below `path`, such as one of each who speaks.
            options: As for the class.
        """
        path, problems = Path(path), Problems()
        if group not in (None, FOLDER):
            problems.add(f"group is {group!r}: allowed for a folder of sounds is {FOLDER!r}, to compare those within")
        if not path.is_dir():
            raise DataError(f"folder {str(path)!r} does not exist: give a folder of sound files with texts beside them")
        files, texts = sound_files(path), []
        if not files:
            problems.add(f"folder {str(path)!r} holds no sound file: give one with a.wav, a.txt, b.wav, b.txt, ...")
        for file in files:
            try:
                texts.append(file.with_suffix(".txt").read_text(encoding="utf-8-sig").strip())
            except (OSError, UnicodeDecodeError):
                problems.add(f"{str(file)!r} has no {file.with_suffix('.txt').name} in UTF-8 beside it: what is said?")
        if group == FOLDER and (loose := [file for file in files if file.parent == path]):
            problems.add(
                f"group={FOLDER!r}: {len(loose)} sound files, such as {str(loose[0])!r}, lie in no folder within "
                f"{str(path)!r}: put those of each group into one of its own"
            )
        problems.check()
        if group == FOLDER:
            import pandas as pd

            options["group"] = pd.Series([file.relative_to(path).parts[0] for file in files], name=FOLDER)
        return cls(files, texts, **{"name": name or path.resolve().name, "source": str(path), **options})

    @property
    def answer(self) -> str:
        """What it asks of a clip."""
        return f"a text of {self.n_outputs - 1:,} different {self.texts.level}s"

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """Two convolutions and a bidirectional GRU, as Deep Speech 2 in small; of width 64 where nothing is said."""
        samples, need = self.input_shape[1], self.space_options["least_frames"]
        reduction = next((r for r in (4, 2) if frames_left(samples, self.sample_rate, r) >= need), 1)
        strides = (2 if reduction >= 2 else 1, 2 if reduction == 4 else 1)

        def make(width: int) -> nn.Module:
            return nn.Sequential(
                LogMel(self.sample_rate, 40, 25, 10),
                *(ConvBlock(width, 5, stride) for stride in strides),
                Recurrent(width, "gru", bidirectional=True),
                NextToken(self.n_outputs, dropout=0.1),
            )

        return make(width or 64) if max_params is None else fitted(make, self.input_shape, max_params)


def _read(
    problems: Problems, skipped: Skipped, clips: Any, texts: Any, groups: Any, part: str, sample_rate: int | None
) -> tuple[list[Clip], list[str], Any]:
    """Clips, texts and groups of a part, without those that cannot be read; what is wrong with them is told."""
    where = ("x", "y") if part == "train" else (f"x_{part}", f"y_{part}")
    listed = problems.of(text_list, texts, where[1])
    found, (said, of_group) = skipped.read(problems, clips, where[0], sample_rate, listed, groups)
    empty = [row for row, text in enumerate(said or ()) if not text.strip()]
    if empty:
        problems.add(
            f"{where[1]}: {len(empty)} texts are empty, the first in row {empty[0]} (from 0): remove these clips"
        )
    return found, said, of_group
