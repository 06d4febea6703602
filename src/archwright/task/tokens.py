"""From texts to token numbers: a tokenizer trained on the training part, which travels as JSON with the network."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from archwright.errors import DataError, MissingExtraError, did_you_mean

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["LEVELS", "Level", "TextInputs", "fitting_level", "text_list", "tokenizer_of", "train_tokenizer"]

Level = Literal["auto", "word", "subword", "character"]
LEVELS: dict[str, int] = {"word": 20_000, "subword": 4_000, "character": 2_000}
"""What a token is, and how many different ones there are at most where nothing is said."""

SPECIAL = ("[PAD]", "[UNK]")
"""Tokens 0 and 1: what fills up short texts, and what training never saw."""

COVERED = 0.99
"""Share of the training texts that are kept whole; a few long ones would make every batch as long."""


def text_list(raw: Any, where: str = "texts") -> list[str]:
    """Texts from a list, an array, a Series or a data set's column. What is no text raises `DataError` with its row."""
    if isinstance(raw, str):
        raise DataError(f"{where} is one text: give a list of texts, also for a single one: [{raw[:20]!r}]")
    try:
        found = list(raw)
    except TypeError:
        raise DataError(
            f"{where} is a {type(raw).__name__}: allowed is a list, an array or a column of texts"
        ) from None
    if not found:
        raise DataError(f"{where} are empty: at least one text is needed")
    for row, text in enumerate(found):
        if isinstance(text, str):
            continue
        missing = text is None or text != text
        what = "missing" if missing else f"a {type(text).__name__} ({text!r:.40})"
        raise DataError(
            f"{where}: the text in row {row} (counted from 0) is {what}: allowed are texts. "
            + ("Remove this sample, or put an empty text" if missing else "Turn it into a text, or name another column")
        )
    return [str(text) for text in found]


def fitting_level(texts: Sequence[str]) -> str:
    """``word``, or ``character`` for languages without spaces and for texts of one word, such as names.

    >>> [fitting_level(t) for t in (["how far is it ?", "who was she"], ["Anna", "Otto"], ["我们在北京大学的食堂吃饭"])]
    ['word', 'character', 'character']
    """
    words = [len(text.split()) for text in texts]
    letters = sum(map(len, texts))
    return "character" if np.median(words) <= 1 or letters > 20 * sum(words) else "word"


def train_tokenizer(texts: Iterable[str], level: str, vocabulary: int, *, lowercase: bool, rarest: int = 1) -> str:
    """A tokenizer for texts like these, as JSON of the ``tokenizers`` package. The same texts give the same one.

    Args:
        texts: Of the training part.
        level: ``word`` (words, single punctuation marks, single Chinese characters), ``subword`` (byte-pair
            encoding; Sennrich et al., *Neural Machine Translation of Rare Words with Subword Units*, ACL 2016,
            https://arxiv.org/abs/1508.07909), or ``character``.
        vocabulary: Most tokens, with padding and the unknown one; the most frequent are kept.
        lowercase: Whether capitals are no different.
        rarest: How often a token must occur to be one.
    """
    _need_tokenizers()
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    settings: dict[str, Any] = {
        "vocab_size": vocabulary, "min_frequency": rarest, "special_tokens": [*SPECIAL], "show_progress": False
    }  # fmt: skip
    unknown = SPECIAL[1]
    steps: list[Any] = [normalizers.NFC()]
    if lowercase:
        steps.append(normalizers.Lowercase())
    if level == "subword":
        made = Tokenizer(models.BPE(unk_token=unknown))
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.decoder = decoders.Metaspace()
        trainer: Any = trainers.BpeTrainer(**settings)
    else:
        made = Tokenizer(models.WordLevel(unk_token=unknown))
        trainer = trainers.WordLevelTrainer(**settings)
        if level == "word":
            chinese = normalizers.BertNormalizer(
                clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False
            )
            steps.append(chinese)
            made.pre_tokenizer = pre_tokenizers.Whitespace()
        else:
            made.pre_tokenizer = pre_tokenizers.Split("", "isolated")
            made.decoder = decoders.Fuse()
    made.normalizer = normalizers.Sequence(steps)
    made.train_from_iterator(texts, trainer)
    return str(made.to_str())


@functools.lru_cache(maxsize=8)
def tokenizer_of(text: str) -> Tokenizer:
    """The tokenizer of a JSON text, made once."""
    _need_tokenizers()
    from tokenizers import Tokenizer

    return Tokenizer.from_str(text)


def _need_tokenizers() -> None:
    if importlib.util.find_spec("tokenizers") is None:
        raise MissingExtraError("tokenizers", extra="text", purpose="to split texts into tokens")


@dataclass(frozen=True)
class TextInputs:
    """Texts to int64 (n, length): token numbers, cut at `length` and filled up with 0.

    Args:
        tokenizer: As JSON.
        length: How many tokens a network reads.
        level: What a token is.
        column: Which column of a table holds the texts.
    """

    tokenizer: str
    length: int
    level: str = "word"
    column: str | None = None

    @classmethod
    def of(
        cls,
        texts: Sequence[str],
        level: Level = "auto",
        vocabulary: int | None = None,
        max_length: int = 256,
        *,
        lowercase: bool = True,
        column: str | None = None,
    ) -> TextInputs:
        """Train a tokenizer on the training part, and measure how long texts are."""
        if level not in ("auto", *LEVELS):
            raise DataError(f"level is {level!r}. {did_you_mean(level, ['auto', *LEVELS])}")
        if not any(text.strip() for text in texts):
            raise DataError(f"the {len(texts)} training texts are all empty: there is nothing to learn from")
        chosen = fitting_level(texts) if level == "auto" else level
        for what, value, least in (("vocabulary", vocabulary, 10), ("max_length", max_length, 1)):
            if value is not None and (not isinstance(value, int) or value < least):
                raise DataError(f"{what} is {value!r}: allowed are whole numbers of {least} or more")
        tokenizer = train_tokenizer(texts, chosen, vocabulary or LEVELS[chosen], lowercase=lowercase)
        sizes = sorted(len(e.ids) for e in tokenizer_of(tokenizer).encode_batch_fast(list(texts)))
        length = sizes[min(len(sizes) - 1, int(COVERED * len(sizes)))]
        return cls(tokenizer, max(1, min(length, max_length)), chosen, column)

    @property
    def vocabulary(self) -> int:
        """How many tokens there are, padding and the unknown one among them."""
        return int(tokenizer_of(self.tokenizer).get_vocab_size())

    def __call__(self, raw: Any) -> Tensor:
        """Texts, or a table that holds them in the column the task was given, to a tensor."""
        return self.prepare(text_list(self.column_of(raw)))

    def prepare(self, texts: Any, where: str = "texts") -> Tensor:
        """A list or array of texts to a tensor."""
        found = np.zeros((len(texts), self.length), dtype=np.int64)
        for row, encoding in enumerate(tokenizer_of(self.tokenizer).encode_batch_fast(list(texts))):
            ids = encoding.ids[: self.length]
            found[row, : len(ids)] = ids
        return torch.from_numpy(found)

    def column_of(self, raw: Any) -> Any:
        """The texts of a table; anything else as it is."""
        columns = getattr(raw, "columns", None)
        if columns is None:
            return raw
        names = [str(c) for c in columns]
        if self.column in names:
            return raw.iloc[:, names.index(self.column)]
        if len(names) == 1:
            return raw.iloc[:, 0]
        wanted = self.column or "text"
        raise DataError(f"the table has no column {wanted!r} of texts. {did_you_mean(wanted, names)}")

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "kind": "texts", "tokenizer": self.tokenizer, "length": self.length, "level": self.level,
            "column": self.column,
        }  # fmt: skip

    @classmethod
    def from_json(cls, d: Mapping[str, Any]) -> TextInputs:
        """Read what `to_json` wrote."""
        return cls(d["tokenizer"], d["length"], d["level"], d["column"])
