"""Recommendation: what will this user rate that item, or what will he click next?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor, nn

from archwright.errors import DataError
from archwright.nn.recommend import Recommender
from archwright.task.augment import NoAugmentation
from archwright.task.baseline import fitted
from archwright.task.interactions import Columns, Interactions, features_of
from archwright.task.loss import SquaredError
from archwright.task.metrics import regression_metrics
from archwright.task.pairs import Known, PairInputs
from archwright.task.preparation import Preparation
from archwright.task.problems import Problems
from archwright.task.ranking import ClickLoss, Ranking, Scores, ranking_metrics, ranking_of
from archwright.task.splits import parts_of
from archwright.task.table import as_frame
from archwright.task.targets import Quantities
from archwright.task.task import Part, Parts, Task

__all__ = ["Recommendation"]

FULL = 2**22
"""Pairs of a user held out and an item, up to which rankings of all items are cheap."""

DAMPING = 10.0
"""Ratings of the mean that a user and an item have on top of their own, where their means are a simple method."""


class Recommendation(Task):
    """What will this user rate that item; or, of clicks, what will he click next?

    With ratings a random part of them is held out (or the latest, with ``split="time"``), and errors are counted. With
    clicks the last of each user is the test, the one before validation, and the question is how far up they stand among
    `candidates` items that the user never clicked (leave-one-out, He et al., *Neural Collaborative Filtering*, WWW
    2017, https://arxiv.org/abs/1708.05031) and, where that is cheap, among all. Each batch is shown `negatives` other
    items for each click, drawn anew. Users and items that training has not seen share a number.

    Args:
        data: A DataFrame, a CSV or Parquet file, or a list of dicts: a row for each rating or click.
        user: The column of users; by default one with a usual name, such as ``user_id``.
        item: The column of items; likewise.
        target: The column of ratings; likewise. Where there is none, rows are clicks.
        time: The column of times, numbers or dates; likewise. Without it, rows are in their order.
        clicks: Whether every row is a click, whatever its rating; by default where there are no ratings.
        users: A table of what is known of users, a row each, with the column `user`; all its columns are features.
        items: The same of items.
        features: Columns of `data` that are features: each must be the same in all rows of a user, or of an item. By
            default all that are; others are left out.
        split: Of ratings: ``"random"`` or ``"time"``.
        negatives: Of clicks: items drawn for each.
        candidates: Of clicks: items beside the one held out.
        full: Of clicks: whether rankings of all items are measured too; by default up to four million pairs.
        name: What the task is called.
        metric: The main metric: ``"rmse"`` of ratings, ``"ndcg10"`` of clicks.
        test_share: Of ratings.
        validation_share: Of the ratings that are not test.
        split_seed: The same seed gives the same parts and candidates.
        source: Where the data came from, for people.

    Shapes: inputs (n, 2 + features) float32, see `archwright.nn.Recommender`; outputs and targets (n, 1).

    Attributes:
        ranking: What rankings need; None of ratings.

    Raises:
        DataError: anything wrong with the data; the message says where, what was allowed and what to do.
    """

    default_space = "recommender"
    spaces = ("recommender",)
    recipe: Mapping[str, Any] = {"epochs": 20, "lr": 1e-2, "stretch": 1.0}

    def __init__(
        self,
        data: Any,
        *,
        user: str | None = None,
        item: str | None = None,
        target: str | None = None,
        time: str | None = None,
        clicks: bool | None = None,
        users: Any = None,
        items: Any = None,
        features: Sequence[str] | None = None,
        split: str = "random",
        negatives: int = 4,
        candidates: int = 99,
        full: bool | None = None,
        name: str = "recommendation",
        metric: str | None = None,
        test_share: float = 0.1,
        validation_share: float = 0.1,
        split_seed: int = 0,
        source: str | None = None,
    ):
        if split not in ("random", "time"):
            raise DataError(f"split is {split!r}: allowed are 'random' and 'time'")
        for what, count in (("negatives", negatives), ("candidates", candidates)):
            if not isinstance(count, int) or count < 1:
                raise DataError(f"{what} is {count!r}: allowed are whole numbers of 1 or more")
        frame = as_frame(data, "the table")
        columns = Columns.of(frame, user=user, item=item, target=target, time=time)
        clicks = columns.target is None if clicks is None else clicks
        if not clicks and columns.target is None:
            raise DataError("clicks=False, but no column holds ratings: say which does, with target=")
        rows = Interactions.read(frame, columns, clicks)
        tables = features_of(rows.frame, columns, features, users, items)
        if clicks:
            at = rows.last_ones()
        else:
            if split == "time" and rows.times is None:
                raise DataError("split='time' needs a column of times: say which it is, with time=")
            at = parts_of(len(rows), split_seed, test_share, validation_share)
            if split == "time":  # rows are in the order of their times: the parts are as large, and one after the other
                ends = np.cumsum([len(at[p]) for p in ("train", "validation", "test")])
                at = dict(zip(("train", "validation", "test"), np.split(np.arange(len(rows)), ends[:-1]), strict=True))
        ids = {"users": rows.users[at["train"]], "items": rows.items[at["train"]]}
        problems = Problems()
        known = {of: problems.of(Known.of, ids[of], *tables[of], of) for of in ("users", "items")}
        problems.check()
        assert known["users"] is not None
        assert known["items"] is not None
        inputs = PairInputs(columns.user, columns.item, known["users"], known["items"])
        read = inputs(rows.frame)
        self.ranking: Ranking | None = None
        if clicks:
            targets: Any = Scores()
            values = torch.ones(len(rows), 1)
            self.ranking = ranking_of(read, at, inputs, negatives, candidates, split_seed)
            held = len(at["test"])
            full = held * self.ranking.items <= FULL if full is None else full
            about: dict[str, Any] = {
                "loss": ClickLoss(),
                "metrics": ranking_metrics(full),
                "metric": metric or "ndcg10",
            }
        else:
            ratings = rows.ratings
            assert ratings is not None
            assert columns.target is not None
            targets = Quantities.of(ratings[at["train"]], [columns.target])
            values = targets.encode(ratings)
            about = {
                "loss": SquaredError(), "metrics": regression_metrics(targets.mean, targets.std),
                "metric": metric or "rmse",
            }  # fmt: skip
        places = [torch.from_numpy(at[part]) for part in ("train", "validation", "test")]
        train, validation, test = (Part(read[place], values[place]) for place in places)
        super().__init__(
            name=name,
            parts=Parts(train, validation, test),
            preparation=Preparation(inputs, targets),
            n_outputs=1,
            augmentation=NoAugmentation(),
            facts={
                "source": source or (str(data) if isinstance(data, (str, Path)) else "table"),
                "columns": {c: what for what, c in vars(columns).items() if c and not (clicks and what == "target")},
                "clicks": clicks,
                "users": inputs.users.trained,
                "items": inputs.items.trained,
                "features": {of: [c.name for c in getattr(inputs, of).columns] for of in ("users", "items")},
                "repeated_rows": rows.repeated,
                "split": "the last of each user" if clicks else split,
                "split_seed": split_seed,
                **({"negatives": negatives, "candidates": candidates} if clicks else {}),
                "official_test": False,
            },
            **about,
        )  # fmt: skip
        # Steps are cheap, so that batches may be large. An epoch of clicks has their drawn items too.
        batch = 2 ** min(10, max(5, round(math.log2(len(self.train) / 80))))
        self.recipe = {**self.recipe, "batch_size": batch, "epochs": 12 if clicks else 20}
        self.space_options = {
            "users": inputs.users.trained + 1,
            "items": inputs.items.trained + 1,
            "user_features": inputs.users.width,
            "decay": 0.1 if clicks else 1.0,
        }

    @classmethod
    def of_clicks(cls, data: Any, **options: Any) -> Recommendation:
        """Every row as a click, whatever its rating; options as for the class."""
        return cls(data, **{**options, "clicks": True})

    def drawn(self, inputs: Tensor, targets: Tensor, generator: Generator | None = None) -> tuple[Tensor, Tensor]:
        """Of clicks: the batch, and items that were not clicked."""
        return (inputs, targets) if self.ranking is None else self.ranking.drawn(inputs, targets, generator)

    def observed(
        self, network: nn.Module, inputs: Tensor, output: Tensor, names: Sequence[str] | None = None
    ) -> Tensor:
        """Of clicks, (n, 2) float64: the ranks of what was held out, see `archwright.task.ranking.Ranking.ranks`."""
        if self.ranking is None:
            return self.kept(output)
        full = any(name.endswith("_all") for name in (self.metrics if names is None else names))

        def score(pairs: Tensor) -> Tensor:
            return network(pairs).float().squeeze(1)

        return self.ranking.ranks(score, inputs, output.float().squeeze(1), full=full)

    @property
    def answer(self) -> str:
        """What it asks of a pair."""
        return "what is clicked next" if self.ranking is not None else "a rating"

    def baseline(self, width: int | None = None, max_params: int | None = None) -> nn.Module:
        """Matrix factorisation with biases (Koren et al. 2009), vectors of 32 numbers where nothing is said."""

        def make(width: int) -> nn.Module:
            return Recommender(nn.Identity(), **self.space_options, width=width, meeting="dot")

        return make(width or 32) if max_params is None else fitted(make, self.input_shape, max_params)

    def top(self, network: nn.Module, user: Any, n: int = 10, *, seen: bool = False) -> list[tuple[Any, float]]:
        """The items that suit a user best, and what the network says of them, the best first.

        Args:
            network: A trained one.
            user: An id; of one that training has not seen the best are what suits anyone.
            n: How many.
            seen: Whether items that the user rated or clicked in training and validation may be among them.
        """
        import pandas as pd

        inputs = self.preparation.features
        assert isinstance(inputs, PairInputs)
        items = inputs.items.ids[: inputs.items.trained]
        rows = inputs(pd.DataFrame({inputs.user: [user] * len(items), inputs.item: items}))
        network.eval()
        with torch.no_grad():
            said = network(rows)
        order = said.squeeze(1).argsort(descending=True, stable=True)
        if not seen and rows[0, 0] > 0:
            own = self.train_and_validation().inputs
            had = own[own[:, 0] == rows[0, 0], 1]
            order = order[~torch.isin(rows[order, 1], had)]
        answers = self.preparation.answers(said[order[:n]])
        return [(items[i], answer) for i, answer in zip(order[:n].tolist(), answers, strict=True)]

    def references(self, train: Part, test: Part) -> dict[str, dict[str, float]]:
        """Of ratings the mean, and what user and item are above it; of clicks the popularity of items."""
        if self.ranking is not None:
            counts = torch.bincount(train.inputs[:, 1].long(), minlength=self.ranking.items + 1).double()
            counts += torch.rand(len(counts), generator=torch.Generator().manual_seed(0), dtype=torch.float64)

            def score(pairs: Tensor) -> Tensor:
                return counts[pairs[:, 1].long()]

            full = any(name.endswith("_all") for name in self.metrics)
            ranks = self.ranking.ranks(score, test.inputs, score(test.inputs), full=full)
            return {"popularity": self.score(ranks, test.targets)}
        mean = train.targets.double().mean()
        left = train.targets.double() - mean
        said = mean.expand(len(test), 1)
        found = {"mean": self.score(said, test.targets)}
        for column in (1, 0):  # first the item, then what the user adds to that
            own, there = train.inputs[:, column].long(), test.inputs[:, column].long()
            size = int(max(own.max(), there.max())) + 1
            sums = torch.zeros(size, 1, dtype=torch.float64).index_add_(0, own, left)
            above = sums / (DAMPING + torch.bincount(own, minlength=size).unsqueeze(1))
            above[0] = 0.0
            left, said = left - above[own], said + above[there]
        return {**found, "user and item means": self.score(said, test.targets)}
