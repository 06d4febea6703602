"""What is said, as token numbers and back, the loss that aligns it with frames, and how many words are wrong."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from archwright.errors import DataError, MissingExtraError
from archwright.task.metrics import Metric

__all__ = ["BLANK", "CTCLoss", "Transcripts", "speech_metrics"]

BLANK = 0
"""The number of the token that stands for none: between equal ones, in silence, and where short texts are filled up."""


@dataclass(frozen=True)
class Transcripts:
    """Texts to token numbers from 1 on, and scores (n, tokens, frames) to texts.

    Args:
        tokens: Characters, or words, in order: the first has number 1.
        level: Which of the two: ``"character"`` or ``"word"``.
        lowercase: Whether capitals are taken for small letters.

    >>> texts = Transcripts.of(["to be", "to do"], "word")
    >>> texts.tokens, texts.encode(["be to be"]).tolist(), texts.decode([[0, 3, 3, 0, 3]])
    (('be', 'do', 'to'), [[1, 3, 1]], ['to to'])
    """

    tokens: tuple[str, ...]
    level: str
    lowercase: bool = True

    @classmethod
    def of(cls, texts: Sequence[str], level: str, lowercase: bool = True) -> Transcripts:
        """The tokens of the training part's texts."""
        empty = cls((), level, lowercase)
        return cls(tuple(sorted({token for text in texts for token in empty.split(text)})), level, lowercase)

    def plain(self, text: str) -> str:
        """A text as it is compared: single spaces, and small letters where these are wanted."""
        text = " ".join(text.split())
        return text.lower() if self.lowercase else text

    def split(self, text: str) -> list[str]:
        """The tokens of a text."""
        plain = self.plain(text)
        return plain.split() if self.level == "word" else list(plain)

    def encode(self, texts: Sequence[str], where: str = "texts") -> Tensor:
        """Texts to (n, most) int64, filled up with 0 at their ends; a token that training never had is left out."""
        known = {token: i for i, token in enumerate(self.tokens, 1)}
        rows = [[known[t] for t in self.split(text) if t in known] for text in texts]
        out = torch.zeros(len(rows), max([1, *map(len, rows)]), dtype=torch.int64)
        for row, numbers in zip(out, rows, strict=True):
            row[: len(numbers)] = torch.tensor(numbers, dtype=torch.int64)
        return out

    def decode(self, frames: Any) -> list[str]:
        """The token of each frame, (n, frames), to texts: of equal neighbours one is kept, and no blank."""
        made = []
        for row in torch.as_tensor(frames).long():
            numbers = torch.unique_consecutive(row).tolist()
            found = [self.tokens[i - 1] for i in numbers if i != BLANK]
            made.append(" ".join(found) if self.level == "word" else " ".join("".join(found).split()))
        return made

    def answers(self, output: Tensor) -> list[str]:
        """A network's scores, (n, tokens, frames), to texts: the likeliest token of each frame (greedy decoding)."""
        return self.decode(output.argmax(1))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": "transcripts", "tokens": list(self.tokens), "level": self.level, "lowercase": self.lowercase}

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> Transcripts:
        """Read what `to_json` wrote."""
        return cls(tuple(d["tokens"]), d["level"], d["lowercase"])


@dataclass(frozen=True)
class CTCLoss:
    """Connectionist temporal classification: the likelihood of a text over all its alignments with the frames.

    Graves et al., *Connectionist Temporal Classification*, ICML 2006. Nats a token; `label_smoothing` is not used. What
    is filled up with silence counts as frames, for silence is what it is.
    """

    def __call__(self, output: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """A scalar, of scores (n, tokens, frames) and targets (n, 1 + most), whose first column is no token."""
        frames = output.shape[2]
        tokens = target[:, 1:]
        sizes = (tokens != BLANK).sum(1)
        likely = F.log_softmax(output.float().permute(2, 0, 1), 2)
        return F.ctc_loss(likely, tokens, torch.full_like(sizes, frames), sizes, blank=BLANK)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"loss": "connectionist temporal classification"}


@dataclass(frozen=True)
class _Errors:
    """Of each clip (n, 2) float64: jiwer's substitutions, deletions and insertions, and what the reference holds."""

    unit: str
    texts: Transcripts
    references: tuple[str, ...]

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        import jiwer

        count: Callable[..., Any] = jiwer.process_words if self.unit == "words" else jiwer.process_characters
        said = [self.references[i] for i in target[:, 0].tolist()]
        found = []
        for right, heard in zip(said, self.texts.answers(output), strict=True):
            counted = count(right, heard)
            errors = counted.substitutions + counted.deletions + counted.insertions
            found.append([errors, counted.hits + counted.substitutions + counted.deletions])
        return torch.tensor(found, dtype=torch.float64, device=output.device)


def _rate(mean: Tensor) -> float:
    return float(mean[0] / mean[1])


def speech_metrics(texts: Transcripts, references: tuple[str, ...]) -> Mapping[str, Metric]:
    """``wer`` and ``cer``: what is wrong, of the words and of the characters of a whole part, as jiwer counts it.

    Substitutions, deletions and insertions over what the references hold; so it may exceed 1.

    Args:
        texts: How tokens become texts.
        references: All right texts, plain.
    """
    if importlib.util.find_spec("jiwer") is None:
        raise MissingExtraError("jiwer", extra="audio", purpose="to count wrong words")
    made = [Metric.of_mean(name, "minimize", _Errors(unit, texts, references), _rate) for name, unit in UNITS.items()]
    return {metric.name: metric for metric in made}


UNITS = {"wer": "words", "cer": "characters"}


def needed_frames(tokens: Tensor) -> int:
    """How many frames the longest of (n, most) needs: one for each token, and a blank between two that are equal."""
    if not len(tokens):
        raise DataError("there are no texts")
    twice = (tokens[:, 1:] == tokens[:, :-1]) & (tokens[:, 1:] != BLANK)
    return int(((tokens != BLANK).sum(1) + twice.sum(1)).max())
