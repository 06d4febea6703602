"""Classification of texts in any language."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from archwright.errors import DataError, did_you_mean
from archwright.task.augment import TokenAugmentation
from archwright.task.baseline import KimCNN, fitted
from archwright.task.classification import ClassWeight, Labelled, check_labels, check_test_pair
from archwright.task.groups import Groups
from archwright.task.preparation import Preparation
from archwright.task.problems import Problems
from archwright.task.table import as_frame, read_table
from archwright.task.task import Augmentation, Part, Task
from archwright.task.tokens import Level, TextInputs, text_list

__all__ = ["TextClassification", "is_of_texts", "text_column"]


class TextClassification(Task):
    """Which class does this text belong to?

    Args:
        x: Texts: a list, an array, a Series, or a column of a Hugging Face data set.
        y: One label a text: integers, booleans or texts.
        x_test: Official test texts, where the data has them; else `test_share` is taken from `x`.
        y_test: Their labels.
        name: What the task is called.
        level: What a token is: ``"word"``, ``"subword"``, ``"character"``, or ``"auto"``: words where there are
            spaces between them. The tokenizer is trained on the training part.
        vocabulary: Most different tokens; by default 20,000 words, 4,000 subwords or 2,000 characters.
        max_length: Longer texts are cut after so many tokens. A network reads as many as 99 % of the training texts
            have, and no more than this.
        lowercase: Whether capitals are taken for small letters.
        class_weight: ``"auto"``, ``"balanced"``, None or a weight a label; see `archwright.task.loss.class_weights`.
        metric: The main metric; accuracy, or balanced accuracy where classes are weighed.
        augmentation: What to do to training batches; by default a tenth of the tokens becomes the unknown one.
        group: The group of each sample, such as who made it: texts, integers or booleans. Every metric then has a
            ``gap_`` between groups beside it; see `archwright.task.Groups`.
        group_test: The groups of the official test samples.
        test_share: Of all samples.
        validation_share: Of the samples that are not test.
        split_seed: The same seed gives the same parts.
        source: Where the data came from, for people.
        column: Which column of a table the texts came from, so that new tables are read alike.

    Raises:
        DataError: anything wrong with the data; the message says where, what was allowed and what to do.
        MissingExtraError: the package ``tokenizers`` is not installed.
    """

    default_space = "text"
    exchangeable = True
    spaces = ("text",)
    # What texts teach is soon learnt, and then learnt by heart: a small rate, few epochs, and the best of them.
    recipe: Mapping[str, Any] = {"epochs": 12, "lr": 3e-3, "weight_decay": 0.1, "stretch": 1.0}

    def __init__(
        self,
        x: Any,
        y: Any,
        *,
        x_test: Any = None,
        y_test: Any = None,
        name: str = "texts",
        level: Level = "auto",
        vocabulary: int | None = None,
        max_length: int = 256,
        lowercase: bool = True,
        class_weight: ClassWeight = "auto",
        metric: str | None = None,
        augmentation: Augmentation | None = None,
        group: Any = None,
        group_test: Any = None,
        test_share: float = 0.2,
        validation_share: float = 0.2,
        split_seed: int = 0,
        source: str = "texts",
        column: str | None = None,
    ):
        check_test_pair(x_test, y_test)
        problems = Problems()
        texts = np.array(problems.of(text_list, x, "x"), dtype=object)
        test = None if x_test is None else np.array(problems.of(text_list, x_test, "x_test"), dtype=object)
        check_labels(problems, y, y_test)
        problems.check()
        labelled = Labelled.of(texts, y, test, y_test, seed=split_seed, shares=(test_share, validation_share))
        train = texts[labelled.split.train].tolist()
        inputs = TextInputs.of(train, level, vocabulary, max_length, lowercase=lowercase, column=column)
        super().__init__(
            name=name,
            parts=labelled.parts(texts, test, inputs.prepare),
            preparation=Preparation(inputs, labelled.classes),
            n_outputs=len(labelled.classes.labels),
            augmentation=augmentation or TokenAugmentation(),
            facts={
                **labelled.facts(source),
                "level": inputs.level,
                "vocabulary": inputs.vocabulary,
                "lowercase": lowercase,
            },
            groups=None if group is None else Groups.of(group, labelled.split, group_test),
            **labelled.learning(class_weight, metric),
        )
        self.vocabulary = inputs.vocabulary
        self.space_options = {"vocabulary": self.vocabulary}

    @classmethod
    def from_table(
        cls,
        data: Any,
        *,
        text: str | None = None,
        target: str | None = None,
        test: Any = None,
        group: str | None = None,
        **options: Any,
    ) -> TextClassification:
        """A table with a column of texts and one of labels.

        Args:
            data: A DataFrame, a CSV or Parquet file, or a list of dicts.
            text: The column of texts; by default the one with the longest, the target left aside.
            target: The column of labels; by default the last that is not `text`.
            test: Official test data, with the same columns.
            group: The column of groups to compare.
            options: As for the class.
        """
        frame = as_frame(read_table(data, texts=True) if isinstance(data, (str, Path)) else data)
        for name in (text, target, group):
            if name is not None and name not in frame.columns:
                raise DataError(f"the table has no column {name!r}. {did_you_mean(name, frame.columns)}")
        if target is None:
            others = [c for c in frame.columns if c not in (text or text_column(frame), group)]
            if not others:
                raise DataError(
                    f"the table has the column {frame.columns[0]!r} alone: labels are needed beside the texts"
                )
            target = others[-1]
        text = text or text_column(frame.drop(columns=[target] if group is None else [target, group]))
        if text is None:
            raise DataError(
                f"the table has no column of texts beside the target {target!r}: its columns are "
                f"{', '.join(map(repr, frame.columns))}; name one, such as text='review'"
            )
        if test is not None:
            held = as_frame(read_table(test, texts=True) if isinstance(test, (str, Path)) else test, "the test table")
            for name in (text, target, *([group] if group else [])):
                if name not in held.columns:
                    raise DataError(f"the test table has no column {name!r}. {did_you_mean(name, held.columns)}")
            options = {"x_test": held[text], "y_test": held[target], **options}
            options |= {"group_test": held[group]} if group else {}
        options |= {"group": frame[group]} if group else {}
        if isinstance(data, (str, Path)):
            options = {"name": Path(data).stem, "source": str(data), **options}
        return cls(frame[text], frame[target].to_numpy(), column=text, **options)

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """Kim's convolutional network (`archwright.task.baseline.KimCNN`), with 100 filters of each size by default."""

        def make(width: int) -> nn.Module:
            return KimCNN(self.n_outputs, self.vocabulary, width=width)

        if max_params is None:
            return make(width or 100)
        return fitted(make, self.input_shape, max_params, dtype=self.input_dtype)

    def references(self, train: Part, test: Part) -> dict[str, dict[str, float]]:
        """TF-IDF of single tokens and pairs with logistic regression: what texts give without any network."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        vectors = TfidfVectorizer(token_pattern=r"\S+", ngram_range=(1, 2), sublinear_tf=True, lowercase=False)
        weight = "balanced" if self.metric == "balanced_accuracy" else None
        model = make_pipeline(vectors, LogisticRegression(C=10, max_iter=1000, class_weight=weight))
        model.fit(_as_words(train.inputs), train.targets.numpy())
        output = torch.from_numpy(model.predict_log_proba(_as_words(test.inputs)))
        return {"TF-IDF and logistic regression": self.score(output, test.targets)}


def _as_words(tokens: Tensor) -> list[str]:
    """Token numbers as words of a text, padding left out."""
    return [" ".join(str(n) for n in row if n) for row in tokens.tolist()]


def text_column(frame: Any) -> str | None:
    """The column of a DataFrame that holds the longest texts, if any holds texts."""
    import pandas as pd

    found = {}
    for name in frame.columns:
        values = frame[name].dropna()
        if pd.api.types.is_string_dtype(values) and len(values):
            found[str(name)] = float(values.str.len().mean())
    return max(found, key=lambda name: found[name], default=None)


def is_of_texts(frame: Any, target: str | None) -> bool:
    """Whether a table is one column of texts of several words, hardly one twice, and one of labels."""
    if frame.shape[1] != 2:
        return False
    label = str(target) if target is not None else str(frame.columns[-1])
    others = [c for c in frame.columns if str(c) != label]
    if len(others) != 1 or text_column(frame[others]) is None:
        return False
    texts = frame[others[0]].dropna()
    return bool(texts.str.split().str.len().mean() >= 3 and texts.nunique() > len(texts) / 2)
