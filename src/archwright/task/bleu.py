"""How good translations are: of the right words, how likely they were; of a network's own texts, BLEU and chrF."""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from archwright.errors import DataError, MissingExtraError, did_you_mean
from archwright.nn.tokens import PAD
from archwright.task.metrics import Metric
from archwright.task.translations import Translations

__all__ = ["DECODED", "TokenLoss", "told", "translation_metrics"]

DECODED = frozenset({"bleu", "chrf"})
"""Metrics of texts that the network wrote by itself."""

COUNTS = 3


@dataclass(frozen=True)
class TokenLoss:
    """Cross entropy of the tokens of translations, padding left out."""

    def __call__(self, output: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """A scalar, of scores (n, tokens, length) and of targets (n, 1 + length), whose first column is no token."""
        flat = output.transpose(1, 2).flatten(0, 1)
        return F.cross_entropy(flat, target[:, 1:].flatten(), ignore_index=PAD, label_smoothing=label_smoothing)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"loss": "cross entropy of tokens"}


def told(output: Tensor, tokens: Tensor) -> Tensor:
    """Of each translation, (n, 3) float64: nats of its tokens, how many were the likeliest, and how many there are."""
    found = []
    for o, t in zip(output.split(64), tokens.split(64), strict=True):  # all at once would need the memory twice
        there = t != PAD
        nats = F.cross_entropy(o.float(), t, ignore_index=PAD, reduction="none")
        found.append(torch.stack([nats.sum(1), ((o.argmax(1) == t) & there).sum(1), there.sum(1)], 1).double())
    return torch.cat(found)


def _counts(output: Tensor, target: Tensor) -> Tensor:
    """What is `told`: of a network's raw scores, or of what `Translation.observed` kept."""
    return told(output, target[:, 1:]) if output.ndim == 3 else output[:, :COUNTS]


def _nats(mean: Tensor) -> float:
    return float(mean[0] / mean[2].clamp_min(1e-9))


def _perplexity(mean: Tensor) -> float:
    nats = _nats(mean)
    return math.exp(nats) if nats < 700 else math.inf


def _accuracy(mean: Tensor) -> float:
    return float(mean[1] / mean[2].clamp_min(1e-9))


@functools.lru_cache(maxsize=8)
def _scorer(name: str, words: str) -> Any:
    from sacrebleu.metrics import BLEU, CHRF

    return BLEU(tokenize=words, force=True) if name == "bleu" else CHRF()


@dataclass(frozen=True)
class _Matches:
    """What sacrebleu counts in each text, times the number of texts, so that the mean is the count over all of them."""

    name: str
    words: str
    texts: Translations
    references: tuple[str, ...]

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        if output.ndim == 3:
            raise DataError(
                f"{self.name} is of texts that a network writes by itself, which its scores do not hold: give what "
                f"Translation.observed makes of the network and its output"
            )
        wrote = self.texts.decode(output[:, COUNTS:].long())
        right = [self.references[i] for i in target[:, 0].tolist()]
        counted = _scorer(self.name, self.words)._extract_corpus_statistics(wrote, [right])
        return torch.tensor(counted, dtype=torch.float64, device=output.device) * len(wrote)


@dataclass(frozen=True)
class _Score:
    name: str
    words: str

    def __call__(self, mean: Tensor) -> float:
        counted = [round(n) for n in mean.tolist()]
        return float(_scorer(self.name, self.words)._compute_score_from_stats(counted).score)


def translation_metrics(texts: Translations, references: tuple[str, ...], words: str = "13a") -> Mapping[str, Metric]:
    """The metrics of translation. Targets are (n, 1 + length): the number of the reference, and tokens.

    ``nats``, ``perplexity`` and ``accuracy`` are a token, given the right ones before it: cheap, measured after each
    epoch. ``bleu`` (Papineni et al., ACL 2002; as Post, WMT 2018, https://arxiv.org/abs/1804.08771, fixed it) and
    ``chrf`` (Popović, WMT 2015), 0 to 100, are of what the network writes by itself, beside the references as
    they were given, and are sacrebleu's: all counted over the whole part, never a mean over texts.

    Args:
        texts: How tokens become texts.
        references: All right translations.
        words: sacrebleu's name of how BLEU splits texts, such as ``"zh"`` for Chinese.
    """
    if importlib.util.find_spec("sacrebleu") is None:
        raise MissingExtraError("sacrebleu", extra="translation", purpose="to measure translations")
    from sacrebleu.metrics import BLEU

    if words not in BLEU.TOKENIZERS:
        raise DataError(f"bleu_words is {words!r}. {did_you_mean(words, BLEU.TOKENIZERS)}")
    made = [
        Metric.of_mean("nats", "minimize", _counts, _nats),
        Metric.of_mean("perplexity", "minimize", _counts, _perplexity),
        Metric.of_mean("accuracy", "maximize", _counts, _accuracy),
    ]
    made += [
        Metric.of_mean(name, "maximize", _Matches(name, words, texts, references), _Score(name, words))
        for name in ("bleu", "chrf")
    ]
    return {metric.name: metric for metric in made}
