"""Translation: a text in one language to a text in another, or any sequence of tokens to any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from archwright.errors import DataError, did_you_mean
from archwright.nn.recurrent import Recurrent
from archwright.nn.tokens import TokenEmbedding, TokenNetwork
from archwright.nn.translate import EncoderDecoder, RecurrentDecoder
from archwright.task.augment import NoAugmentation
from archwright.task.baseline import fitted
from archwright.task.bleu import COUNTS, DECODED, TokenLoss, told, translation_metrics
from archwright.task.classification import check_test_pair, check_validation_pair
from archwright.task.groups import Groups
from archwright.task.preparation import Preparation
from archwright.task.splits import parts_of
from archwright.task.table import as_frame, read_table
from archwright.task.task import Part, Parts, Task
from archwright.task.tokens import COVERED, LEVELS, TextInputs, text_list, tokenizer_of, train_tokenizer
from archwright.task.translations import SourceInputs, Translations, greedy

__all__ = ["Translation"]

VOCABULARY = 3_000
"""Most tokens where nothing is said: a score is made for each at every position, which is most of the work."""


class Translation(Task):
    """What is this text in the other language?

    A network reads the source and, shifted one on, the right translation, both in one tensor, and says at each position
    what comes next (teacher forcing). That is all that an output of a network is, so ``nats`` is cheap, and is what a
    search looks at. What a network writes by itself takes many passes: `observed` writes it, for the metrics ``bleu``
    and ``chrf`` alone, where they are asked for: at the end of each training and on the test part.

    Args:
        x: Texts of the source language.
        y: Their translations.
        x_validation: Official validation texts, where the data have them; else `validation_share` is taken from `x`.
        y_validation: Their translations.
        x_test: Official test texts; else `test_share` is taken from `x`.
        y_test: Their translations.
        name: What the task is called.
        level: What a token is: ``"subword"`` (byte-pair encoding), ``"word"`` or ``"character"``. Tokenizers are
            trained on the training part.
        vocabulary: Most tokens of a language, or of both where they are `joint`.
        joint: Whether one tokenizer is made for both, so that names and cognates are the same token, and vectors may
            be shared.
        max_length: Most tokens of a text. 99 % of the training texts are as short; longer pairs are left out of
            training, and cut elsewhere.
        lowercase: Whether capitals are taken for small letters. BLEU still counts them.
        bleu_words: sacrebleu's name of how BLEU splits texts into words: ``"13a"``, ``"zh"``, ``"char"``, ...
        metric: The main metric, measured after each epoch: ``"nats"`` by default.
        group: The group of each text: texts, integers or booleans. Every metric then has a ``gap_`` between groups
            beside it; see `archwright.task.Groups`.
        group_validation: The groups of the official validation texts.
        group_test: The groups of the official test texts.
        test_share: Of all pairs.
        validation_share: Of the pairs that are not test.
        split_seed: The same seed gives the same parts.
        source: Where the data came from, for people.
        column: Which column of a table the texts came from, so that new tables are read alike.

    Shapes: inputs (n, S + T) int64, targets (n, 1 + T) int64 with the number of the reference first, outputs
    (n, tokens, T).

    Raises:
        DataError: anything wrong with the data; the message says where, what was allowed and what to do.
        MissingExtraError: the package ``tokenizers`` or ``sacrebleu`` is not installed.
    """

    default_space = "translation"
    spaces = ("translation",)
    recipe: Mapping[str, Any] = {
        "epochs": 12, "batch_size": 64, "lr": 3e-3, "label_smoothing": 0.1, "clip_norm": 1.0, "stretch": 2.0
    }  # fmt: skip

    def __init__(
        self,
        x: Any,
        y: Any,
        *,
        x_validation: Any = None,
        y_validation: Any = None,
        x_test: Any = None,
        y_test: Any = None,
        name: str = "translation",
        level: str = "subword",
        vocabulary: int = VOCABULARY,
        joint: bool = True,
        max_length: int = 64,
        lowercase: bool = False,
        bleu_words: str = "13a",
        metric: str | None = None,
        group: Any = None,
        group_validation: Any = None,
        group_test: Any = None,
        test_share: float = 0.1,
        validation_share: float = 0.1,
        split_seed: int = 0,
        source: str = "texts",
        column: str | None = None,
    ):
        check_test_pair(x_test, y_test)
        check_validation_pair(x_validation, y_validation)
        if level not in LEVELS:
            raise DataError(f"level is {level!r}. {did_you_mean(level, LEVELS)}")
        for what, value, least in (("vocabulary", vocabulary, 10), ("max_length", max_length, 2)):
            if not isinstance(value, int) or value < least:
                raise DataError(f"{what} is {value!r}: allowed are whole numbers of {least} or more")
        given = {"train": (x, y), "validation": (x_validation, y_validation), "test": (x_test, y_test)}
        pairs = {part: _pairs(a, b, part) for part, (a, b) in given.items() if a is not None}
        all_pairs = np.array(pairs.pop("train"), dtype=object)
        rows = parts_of(len(all_pairs), split_seed, test_share, validation_share, set(pairs))
        pairs = {**{part: [tuple(p) for p in all_pairs[at]] for part, at in rows.items()}, **pairs}
        groups = None
        if group is not None:
            groups = Groups.of_parts(group, rows, {"validation": group_validation, "test": group_test})
        made = _tokenizers(pairs["train"], level, vocabulary, joint, lowercase)
        sizes = [[len(e.ids) for e in tokenizer_of(t).encode_batch_fast(side)] for t, side in made]
        lengths = [min(max_length, sorted(s)[min(len(s) - 1, int(COVERED * len(s)))]) for s in sizes]
        short = [i for i, (a, b) in enumerate(zip(*sizes, strict=True)) if a <= lengths[0] and b <= lengths[1]]
        left_out = len(pairs["train"]) - len(short)
        pairs["train"] = [pairs["train"][i] for i in short]
        if groups is not None:
            groups = replace(groups, train=groups.train[short])
        words = Translations(TextInputs(made[1][0], max(2, lengths[1] + 1), level))
        inputs = SourceInputs(TextInputs(made[0][0], max(1, lengths[0]), level, column), words)
        references: tuple[str, ...] = ()

        def part(which: str) -> Part:
            nonlocal references
            sources, targets = zip(*pairs[which], strict=True) if pairs[which] else ((), ())
            if not targets:
                return Part(torch.empty(0, 2, dtype=torch.int64), torch.empty(0, 2, dtype=torch.int64))
            numbers = torch.arange(len(targets)).unsqueeze(1) + len(references)
            references = references + targets
            tokens = words.encode(targets)
            return Part(inputs.prepare(sources, tokens), torch.cat([numbers, tokens], 1))

        parts = Parts(part("train"), part("validation"), part("test"))
        super().__init__(
            name=name,
            parts=parts,
            preparation=Preparation(inputs, words),
            loss=TokenLoss(),
            metrics=translation_metrics(words, references, bleu_words),
            metric=metric or "nats",
            n_outputs=words.end + 1,
            augmentation=NoAugmentation(),
            groups=groups,
            facts={
                "source": source,
                "level": level,
                "joint": joint,
                "vocabulary": [inputs.source.vocabulary, words.words.vocabulary],
                "lengths": lengths,
                "too_long_for_training": left_out,
                "bleu_words": bleu_words,
                "split_seed": split_seed,
                "official_test": x_test is not None,
            },
        )
        self.inputs, self.texts = inputs, words
        self.space_options = {
            "source_length": inputs.source.length,
            # One table for both needs as many rows for the source, which never uses the mark.
            "source_vocabulary": self.n_outputs if joint else inputs.source.vocabulary,
            "joint": joint,
        }

    @classmethod
    def from_table(
        cls,
        data: Any,
        *,
        text: str | None = None,
        target: str | None = None,
        validation: Any = None,
        test: Any = None,
        group: str | None = None,
        **options: Any,
    ) -> Translation:
        """A table with a column of texts and one of their translations.

        Args:
            data: A DataFrame, a CSV or Parquet file, or a list of dicts.
            text: The column of the source; by default the first that is not `target`.
            target: The column of translations; by default the next one.
            validation: Official validation data, with the same columns.
            test: Official test data.
            group: The column of groups to compare.
            options: As for the class.
        """
        tables = {"the table": data, "the validation table": validation, "the test table": test}
        frames = {
            where: as_frame(read_table(given, texts=True) if isinstance(given, (str, Path)) else given, where)
            for where, given in tables.items()
            if given is not None
        }
        columns = [str(c) for c in frames["the table"].columns if c != group]
        text = text or next((c for c in columns if c != target), None)
        target = target or next((c for c in columns if c != text), None)
        if text is None or target is None or text == target:
            raise DataError(
                f"the table has the columns {', '.join(map(repr, columns))}: two are needed, texts and their "
                f"translations, such as text='en', target='de'"
            )
        for where, frame in frames.items():
            there = [str(c) for c in frame.columns]
            for column in (text, target, *([group] if group else [])):
                if column not in there:
                    raise DataError(f"{where} has no column {column!r}. {did_you_mean(column, there)}")
        for where, which in (("the validation table", "validation"), ("the test table", "test")):
            if where in frames:
                held = {f"x_{which}": frames[where][text], f"y_{which}": frames[where][target]}
                held |= {f"group_{which}": frames[where][group]} if group else {}
                options = {**held, **options}
        options |= {"group": frames["the table"][group]} if group else {}
        if isinstance(data, (str, Path)):
            options = {"name": Path(data).stem, "source": str(data), **options}
        return cls(frames["the table"][text], frames["the table"][target], column=text, **options)

    @property
    def answer(self) -> str:
        """What it asks of a text."""
        return f"a text of at most {self.texts.length - 1} tokens ({self.n_outputs - 1:,} different ones)"

    def observed(
        self, network: nn.Module, inputs: Tensor, output: Tensor, names: Sequence[str] | None = None
    ) -> Tensor:
        """(n, 3 + T) float64: what the scores told of the right tokens, and tokens that the network wrote by itself.

        Nothing is written where no metric among `names` needs it.
        """
        source = self.inputs.source.length
        counts = told(output, self.texts.meant(inputs[:, source:]))
        if not DECODED & set(self.metrics if names is None else names):
            return counts
        wrote = greedy(network, inputs, source, self.texts.end)
        return torch.cat([counts, wrote.to(counts)], 1)

    def translations(self, observed: Tensor) -> list[str]:
        """The texts that were written, of what `observed` gave."""
        return self.texts.decode(observed[:, COUNTS:].long())

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """A bidirectional GRU, and a GRU that attends to it (Luong et al. 2015), of width 128 where nothing is said."""
        read = self.space_options["source_vocabulary"]

        def make(width: int) -> nn.Module:
            encoder = TokenNetwork(TokenEmbedding(read, width, 0.1), Recurrent(width, "gru", bidirectional=True))
            decoder = RecurrentDecoder("gru", "dot", dropout=0.1)
            source = self.inputs.source.length
            return EncoderDecoder(encoder, decoder, self.n_outputs, source, width, share="output", dropout=0.1)

        if max_params is None:
            return make(width or 128)
        return fitted(make, self.input_shape, max_params, dtype=self.input_dtype)

    def references(self, train: Part, test: Part) -> dict[str, dict[str, float]]:
        """A translation memory: the translation of the text in training that has most in common (TF-IDF of words)."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        sources = [part.inputs[:, : self.inputs.source.length].tolist() for part in (train, test)]
        known, new = ([" ".join(str(n) for n in row if n) for row in rows] for rows in sources)
        vectors = TfidfVectorizer(token_pattern=r"\S+", ngram_range=(1, 2), sublinear_tf=True, lowercase=False)
        nearest = np.asarray((vectors.fit_transform(known) @ vectors.transform(new).T).argmax(0)).ravel()
        wrote = train.targets[torch.from_numpy(nearest), 1:].double()
        said = torch.cat([wrote.new_zeros(len(wrote), COUNTS), wrote], 1)
        return {"translation memory": self.score(said, test.targets, sorted(DECODED))}


def _pairs(x: Any, y: Any, part: str) -> list[tuple[str, str]]:
    """Texts and their translations, one each; a text of nothing but space raises `DataError` with its row."""
    where = ("x", "y") if part == "train" else (f"x_{part}", f"y_{part}")
    sides = [text_list(a, w) for a, w in zip((x, y), where, strict=True)]
    if len(sides[0]) != len(sides[1]):
        raise DataError(
            f"{where[0]} holds {len(sides[0])} texts and {where[1]} {len(sides[1])}: each text needs its translation"
        )
    for side, w in zip(sides, where, strict=True):
        empty = [row for row, text in enumerate(side) if not text.strip()]
        if empty:
            raise DataError(f"{w}: {len(empty)} texts are empty, the first in row {empty[0]}: remove these pairs")
    return list(zip(*sides, strict=True))


def _tokenizers(
    pairs: Sequence[tuple[str, str]], level: str, vocabulary: int, joint: bool, lowercase: bool
) -> list[tuple[str, list[str]]]:
    """For either language its tokenizer, as JSON, and the training texts."""
    sides = [[pair[i] for pair in pairs] for i in (0, 1)]
    if joint:
        both = train_tokenizer([*sides[0], *sides[1]], level, vocabulary, lowercase=lowercase)
        return [(both, side) for side in sides]
    return [(train_tokenizer(side, level, vocabulary, lowercase=lowercase), side) for side in sides]
