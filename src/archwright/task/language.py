"""Language modelling: which token comes next in a text?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archwright.errors import DataError, did_you_mean
from archwright.task.augment import NoAugmentation
from archwright.task.baseline import RecurrentLanguage, fitted
from archwright.task.loss import CrossEntropy
from archwright.task.metrics import Metric
from archwright.task.preparation import Preparation
from archwright.task.targets import NextTokens
from archwright.task.task import Part, Parts, Task
from archwright.task.tokens import TextInputs, tokenizer_of, train_tokenizer

__all__ = ["LanguageModelling", "python_manual", "read_text"]

VOCABULARY = {"character": 2_000, "subword": 512}
"""Most tokens where nothing is said. A score is made for each at every position, so that memory grows with them."""


class LanguageModelling(Task):
    """Which token comes next?

    The text is cut in three: the beginning trains, what follows chooses, the end is the test; so no part holds a piece
    of another. Each part is cut into windows side by side, whose targets are the tokens one further on.

    Args:
        text: The whole text.
        name: What the task is called.
        level: ``"character"``, or ``"subword"`` (byte-pair encoding). Trained on the training part; a character that
            only the other parts have is the unknown token there, and counts as one.
        vocabulary: Most tokens; by default 2,000 characters or 512 subwords.
        window: How many tokens are read at once.
        test_share: Of the text, its end.
        validation_share: Of what is before.
        metric: The main metric: ``"bits"`` by default.
        source: Where the text came from, for people.

    Metrics: ``bits`` and ``nats`` a character, of subwords too (those of a token, times the tokens a character of the
    training part), ``perplexity`` and ``accuracy`` a token. Shapes: inputs and targets (n, window) int64, outputs
    (n, tokens, window).

    Raises:
        DataError: a text too short for two windows in each part, or anything else wrong.
        MissingExtraError: the package ``tokenizers`` is not installed.
    """

    default_space = "language"
    spaces = ("language",)
    # An epoch is the whole text; and what is measured is the very loss, which smoothing would spoil.
    recipe: Mapping[str, Any] = {
        "epochs": 8, "lr": 4e-3, "weight_decay": 0.05, "label_smoothing": 0.0, "clip_norm": 1.0, "stretch": 3.0
    }  # fmt: skip

    def __init__(
        self,
        text: str,
        *,
        name: str = "text",
        level: str = "character",
        vocabulary: int | None = None,
        window: int = 128,
        test_share: float = 0.1,
        validation_share: float = 0.1,
        metric: str | None = None,
        source: str = "text",
    ):
        if not isinstance(text, str):
            raise DataError(f"text is a {type(text).__name__}: allowed is one text; join several with line breaks")
        if level not in VOCABULARY:
            raise DataError(f"level is {level!r}. {did_you_mean(level, VOCABULARY)}")
        for what, share in (("validation_share", validation_share), ("test_share", test_share)):
            if not 0.0 < share < 1.0:
                raise DataError(f"{what} is {share}: a share lies between 0 and 1, e.g. 0.1")
        if not isinstance(window, int) or window < 2:
            raise DataError(f"window is {window!r}: allowed are whole numbers of 2 or more")
        end = round(len(text) * (1 - test_share))
        middle = round(end * (1 - validation_share))
        pieces = {"training": text[:middle], "validation": text[middle:end], "test": text[end:]}
        if min(map(len, pieces.values())) <= 2 * window:
            least = min(pieces, key=lambda name: len(pieces[name]))
            raise DataError(
                f"the text has {len(text):,} characters, of which {len(pieces[least]):,} are the {least} part: more "
                f"than {2 * window} are needed in each for two windows of {window} tokens. Give a longer text, or "
                f"window="
            )
        tokenizer = train_tokenizer(
            pieces["training"].splitlines(keepends=True), level, vocabulary or VOCABULARY[level], lowercase=False
        )
        inputs = TextInputs(tokenizer, window, level)
        ids = {name: tokenizer_of(tokenizer).encode(piece).ids for name, piece in pieces.items()}
        made = {name: _windows(tokens, window, name) for name, tokens in ids.items()}
        per_character = len(ids["training"]) / len(pieces["training"])
        super().__init__(
            name=name,
            parts=Parts(made["training"], made["validation"], made["test"]),
            preparation=Preparation(inputs, NextTokens()),
            loss=CrossEntropy(),
            metrics=language_metrics(per_character),
            metric=metric or "bits",
            n_outputs=inputs.vocabulary,
            augmentation=NoAugmentation(),
            facts={
                "source": source,
                "level": level,
                "vocabulary": inputs.vocabulary,
                "characters": {name: len(piece) for name, piece in pieces.items()},
                "tokens_a_character": per_character,
                "official_test": False,
            },
        )
        self.space_options = {"vocabulary": inputs.vocabulary}

    @classmethod
    def from_file(cls, path: str | Path, **options: Any) -> LanguageModelling:
        """A text file in UTF-8."""
        return cls(read_text(path), **{"name": Path(path).stem, "source": str(path), **options})

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """A GRU of one layer (`archwright.task.baseline.RecurrentLanguage`), of width 128 where nothing is said."""

        def make(width: int) -> nn.Module:
            return RecurrentLanguage(self.n_outputs, width=width)

        if max_params is None:
            return make(width or 128)
        return fitted(make, self.input_shape, max_params, dtype=self.input_dtype)

    def references(self, train: Part, test: Part) -> dict[str, dict[str, float]]:
        """The frequencies of pairs of tokens, one count added to each: what one letter tells of the next."""
        n = self.n_outputs
        counts = torch.bincount((train.inputs * n + train.targets).flatten(), minlength=n * n).reshape(n, n) + 1.0
        scores = (counts / counts.sum(1, keepdim=True)).log()
        return {"pairs of tokens": self.score(scores[test.inputs].transpose(1, 2), test.targets)}


def _windows(tokens: list[int], window: int, name: str) -> Part:
    """Windows side by side; what is left at the end is dropped."""
    n = (len(tokens) - 1) // window
    if n < 2:
        raise DataError(
            f"the {name} part is {len(tokens)} tokens: at least {2 * window + 1} are needed, for two windows of "
            f"{window}. Give a longer text, or window="
        )
    flat = torch.tensor(tokens[: n * window + 1], dtype=torch.int64)
    return Part(flat[:-1].reshape(n, window).clone(), flat[1:].reshape(n, window).clone())


def read_text(path: str | Path) -> str:
    """What a text file in UTF-8 holds."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"text file {str(path)!r} does not exist: give the path of a text in UTF-8")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8: {error}") from None


def python_manual() -> str:
    """What Python's own ``help()`` knows of its topics: English text that every Python brings along."""
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))


def token_nats(output: Tensor, target: Tensor) -> Tensor:
    """The mean negative log-likelihood of the right tokens of each window, (n,), in nats a token."""
    pieces = zip(output.split(64), target.split(64), strict=True)  # all at once would need the memory twice
    return torch.cat([F.cross_entropy(o.float(), t, reduction="none").mean(1) for o, t in pieces])


def token_hits(output: Tensor, target: Tensor) -> Tensor:
    """The share of each window whose likeliest token is the right one, (n,)."""
    return (output.argmax(1) == target).double().mean(1)


@dataclass(frozen=True)
class _Times:
    """So many times the mean."""

    factor: float

    def __call__(self, mean: Tensor) -> float:
        return self.factor * float(mean)


def perplexity(nats: Tensor) -> float:
    """How many tokens, equally likely, would surprise as much; infinite where that is no number any more."""
    return math.exp(float(nats)) if nats < 700 else math.inf


def language_metrics(per_character: float) -> dict[str, Metric]:
    """The metrics of language models: outputs are scores (n, tokens, window), targets token numbers (n, window).

    Args:
        per_character: Tokens a character: what turns figures of a token into those of a character.
    """
    made = (
        Metric.of_mean("bits", "minimize", token_nats, _Times(per_character / math.log(2))),
        Metric.of_mean("nats", "minimize", token_nats, _Times(per_character)),
        Metric.of_mean("perplexity", "minimize", token_nats, perplexity),
        Metric.of_mean("accuracy", "maximize", token_hits, float),
    )
    return {metric.name: metric for metric in made}
