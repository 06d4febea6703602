"""Clicks: negatives drawn anew for each batch, and the rank of what was held out among what was not clicked."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from archwright.errors import DataError
from archwright.task.metrics import Metric
from archwright.task.pairs import PairInputs

__all__ = ["ClickLoss", "Ranking", "Scores", "ranking_metrics", "ranking_of"]

CUT = 10
ROOM = 2**14
"""Pairs that are scored at a time."""

TRIES = 10
DENSE = 2**26
"""Pairs of a user and an item, up to which a table of all of them is kept."""

SAMPLED, ALL = 0, 1


@dataclass(frozen=True, eq=False)
class Ranking:
    """What rankings need beside the network.

    Args:
        seen: Pairs of training as numbers, ``user * (items + 1) + item``, in increasing order.
        items: How many items have a number, from 1 on.
        candidates: (users + 1, n) int64: for each user items that he never clicked, in any part; 0 fills up.
        features: (items + 1, f) float32 of the items.
        negatives: How many are drawn for each click of a batch.
    """

    seen: Tensor
    items: int
    candidates: Tensor
    features: Tensor
    negatives: int

    def drawn(self, inputs: Tensor, targets: Tensor, generator: Generator | None) -> tuple[Tensor, Tensor]:
        """A batch of clicks, and after them for each `negatives` items that its user has not clicked in training."""
        users = inputs[:, 0].long().repeat(self.negatives)
        size, device = users.shape, inputs.device
        items = torch.randint(1, self.items + 1, size, generator=generator, device=device)
        wrong = self.holds(users, items).nonzero().squeeze(1)
        for _ in range(TRIES):
            if not len(wrong):
                break
            items[wrong] = torch.randint(1, self.items + 1, wrong.shape, generator=generator, device=device)
            wrong = wrong[self.holds(users[wrong], items[wrong])]
        labels = targets.new_zeros(len(items), 1)
        labels[wrong] = 1.0  # who clicked nearly everything keeps a click as one
        return torch.cat([inputs, self.pairs(inputs.repeat(self.negatives, 1), items)]), torch.cat([targets, labels])

    def holds(self, users: Tensor, items: Tensor) -> Tensor:
        """Whether these pairs are in training."""
        codes = users * (self.items + 1) + items
        if self.mask is not None:
            return self.mask.to(users.device)[codes]
        seen = self.seen.to(users.device)
        at = torch.searchsorted(seen, codes).clamp(max=len(seen) - 1)
        return seen[at] == codes

    @functools.cached_property
    def mask(self) -> Tensor | None:
        """For each code whether it is in training, which is ten times as fast to ask; None where it would be large."""
        size = len(self.candidates) * (self.items + 1)
        if size > DENSE:
            return None
        return torch.zeros(size, dtype=torch.bool).index_fill_(0, self.seen, True)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "mask"}

    def pairs(self, inputs: Tensor, items: Tensor) -> Tensor:
        """Inputs (n, numbers) with other items (n,)."""
        width = self.features.shape[1]
        of_user = inputs[:, 2 : inputs.shape[1] - width]
        of_item = self.features.to(inputs.device)[items]
        return torch.cat([inputs[:, :1], items.unsqueeze(1).to(inputs), of_user, of_item], 1)

    def ranks(self, score: Callable[[Tensor], Tensor], inputs: Tensor, own: Tensor, *, full: bool) -> Tensor:
        """How many others have a score at least as high as the held-out item's: (n, 2) float64.

        Among the candidates, and with `full` among all items but those of the user's training; else NaN.

        Args:
            score: From pairs (n, numbers) to a number each, (n,).
            inputs: Of the held-out pairs.
            own: Their scores, (n,).
            full: Whether all items are asked for.
        """
        users = inputs[:, 0].long()
        found = [self._rank(score, inputs, own, self.candidates.to(inputs.device)[users])]
        if full:
            everything = torch.arange(1, self.items + 1, device=inputs.device)
            step = max(1, ROOM // self.items)
            rows = []
            for start in range(0, len(inputs), step):
                at = slice(start, start + step)
                who = users[at].unsqueeze(1).expand(-1, self.items)
                there = everything.expand(len(who), -1)
                held = there == inputs[at, 1:2].long()
                others = torch.where(self.holds(who, there) | held, 0, there)
                rows.append(self._rank(score, inputs[at], own[at], others))
            found.append(torch.cat(rows))
        else:
            found.append(torch.full_like(found[0], torch.nan))
        return torch.stack(found, 1)

    def _rank(self, score: Callable[[Tensor], Tensor], inputs: Tensor, own: Tensor, others: Tensor) -> Tensor:
        rows = self.pairs(inputs.repeat_interleave(others.shape[1], 0), others.flatten())
        scores = torch.cat([score(part) for part in rows.split(ROOM)]).unflatten(0, tuple(others.shape))
        return ((scores >= own.unsqueeze(1)) & (others > 0)).sum(1).double()


def _candidates(held: Mapping[int, set[int]], users: int, items: int, wanted: int, seed: int) -> Tensor:
    """For each user with a number up to `users` as many as `wanted` items he never clicked, drawn by (seed, user)."""
    found = np.zeros((users + 1, wanted), dtype=np.int64)
    for user, clicked in held.items():
        rng = np.random.default_rng([seed, user, 11])
        free = np.setdiff1d(np.arange(1, items + 1), np.fromiter(clicked, np.int64, len(clicked)))
        own = rng.permutation(free)[:wanted]
        found[user, : len(own)] = own
    return torch.from_numpy(found)


def ranking_of(
    read: Tensor, at: Mapping[str, np.ndarray], inputs: PairInputs, negatives: int, wanted: int, seed: int
) -> Ranking:
    """The ranking of a task's clicks.

    Args:
        read: All clicks as inputs.
        at: Which of them are which part.
        inputs: How they were read.
        negatives: How many are drawn for each click of a batch.
        wanted: How many candidates stand beside a held-out item.
        seed: Of these.

    Raises:
        DataError: users who clicked everything.
    """
    items = inputs.items.trained
    pairs = read[:, :2].long()
    train = pairs[torch.from_numpy(at["train"])]
    clicked: dict[int, set[int]] = {int(u): set() for u in pairs[torch.from_numpy(at["test"]), 0]}
    for user, item in pairs.tolist():
        if user in clicked:
            clicked[user].add(item)
    found = _candidates(clicked, inputs.users.trained, items, wanted, seed)
    short = sum(not found[user].any() for user in clicked)
    if short:
        raise DataError(
            f"{short} users clicked every item that training holds ({items}), so that nothing is left to rank: give "
            f"more items, or ratings"
        )
    features = torch.from_numpy(inputs.items.features[: items + 1])
    return Ranking(torch.unique(train[:, 0] * (items + 1) + train[:, 1]), items, found, features, negatives)


@dataclass(frozen=True)
class ClickLoss:
    """Binary cross entropy of scores (n, 1), 1 for clicks and 0 for the drawn (He et al. 2017, equation 7)."""

    def __call__(self, output: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """A scalar."""
        return F.binary_cross_entropy_with_logits(output, target)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"loss": "binary cross entropy of clicks and drawn items"}


@dataclass(frozen=True)
class _Hit:
    column: int

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return (output[:, self.column] < CUT).double()


@dataclass(frozen=True)
class _Gain:
    column: int

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        rank = output[:, self.column].double()
        return torch.where(rank < CUT, 1 / torch.log2(rank + 2), 0.0)


def ranking_metrics(full: bool) -> Mapping[str, Metric]:
    """The metrics of ranks (n, 2) as `Ranking.ranks` gives them; each user has one held-out item.

    ``hr10``, the share of them among the first ten; ``ndcg10``, the normalised discounted cumulative gain, 1 for the
    first place and 1 / log2(place + 1) up to the tenth. Both among candidates; with ``_all`` among all items.
    """
    columns = {"": SAMPLED, "_all": ALL} if full else {"": SAMPLED}
    made = [
        Metric.of_mean(f"{name}{CUT}{end}", "maximize", kind(column))
        for end, column in columns.items()
        for name, kind in (("ndcg", _Gain), ("hr", _Hit))
    ]
    return {m.name: m for m in made}


@dataclass(frozen=True)
class Scores:
    """A network's outputs (n, 1) as how likely a click is, beside as many drawn items as in training."""

    def encode(self, values: Any, where: str = "targets") -> Tensor:
        """Clicks are there, or not."""
        raise DataError(f"{where}: clicks have no targets beside their users and items")

    def decode(self, output: Any) -> list[float]:
        """Shares of 1; only their order is to be trusted."""
        return torch.sigmoid(torch.as_tensor(output, dtype=torch.float64)).reshape(-1).tolist()

    answers = decode

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kind": "scores"}
