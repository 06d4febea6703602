"""Networks that say how a user and an item go together: vectors of both, how they meet, and layers behind."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.nn.check import at_least, fraction, one_of
from archwright.nn.inferred import Inferred

__all__ = ["MEETINGS", "UNKNOWN", "Recommender", "Table", "Vectors"]

UNKNOWN = 0
"""The number of every user and item that training never saw."""

MEETINGS = ("dot", "product", "concat", "all")


class Table(nn.Embedding):
    """A row a number, that of 0 without a gradient; `weight_decay` is what an optimizer decays the rows by."""

    def __init__(self, count: int, width: int, decay: float, std: float = 0.05):
        super().__init__(count, width, padding_idx=UNKNOWN)
        self.weight_decay = float(decay)
        nn.init.normal_(self.weight, std=std)
        nn.init.zeros_(self.weight[UNKNOWN].detach())


class Vectors(nn.Module):
    """A learned row of numbers for each thing that has a number.

    That of what is unknown (number 0) stays zero: what decay draws every row to, and so what is to be expected of one
    of which nothing is known. Features, where there are any, add a linear map of theirs (Chen et al., *SVDFeature*,
    JMLR 2012), so that an unknown thing with known features is no blank. Shapes: (B,) int64 and (B, features) ->
    (B, width).

    Args:
        count: How many numbers there are, 0 among them.
        width: Of a row.
        features: How many features come with a number.
        decay: Weight decay of the rows in place of the recipe's (`archwright.evaluator` reads it): what is good for
            layers is far too little here, where a user may have rated five items.
    """

    def __init__(self, count: int, width: int, features: int = 0, decay: float = 0.1):
        super().__init__()
        self.table = Table(count, width, decay)
        self.map = nn.Linear(features, width, bias=False) if features else None

    def forward(self, numbers: Tensor, features: Tensor) -> Tensor:
        """The rows of these numbers."""
        # Beyond the table is unknown too: costs are measured on inputs drawn at random.
        known = (numbers > 0) & (numbers < self.table.num_embeddings)
        found = self.table(torch.where(known, numbers, UNKNOWN))
        return found if self.map is None else found + self.map(features)


class Recommender(Inferred):
    """How well an item suits a user: one number. Shapes: (B, 2 + features) float32 -> (B, 1).

    An input holds the number of the user, that of the item (whole numbers as floats; 0 is unknown), the features of the
    user and those of the item. Either has a vector; how these meet is open:

    - ``dot``: their scalar product, and no layers: matrix factorisation (Koren et al., *Matrix Factorization Techniques
      for Recommender Systems*, 2009);
    - ``product``: their products number by number, for the layers behind (generalised matrix factorisation);
    - ``concat``: side by side, for layers;
    - ``all``: both of these side by side, after NeuMF, but with one vector for the two uses
      (He et al., *Neural Collaborative Filtering*, WWW 2017, https://arxiv.org/abs/1708.05031).

    Args:
        body: Layers from what met to (B, 1); not used with ``dot``.
        users: How many numbers of users there are, 0 among them.
        items: How many of items.
        user_features: How many features of the user an input holds; the rest are the item's.
        width: Numbers in a vector.
        meeting: One of `archwright.nn.MEETINGS`.
        biases: Whether a number for each user and each item is added: some rate high, some are liked.
        shortcut: Whether the scalar product is added to what layers say; with ``dot`` it always is.
        dropout: Share of the vectors' numbers dropped.
        decay: Weight decay of vectors and biases.
    """

    def __init__(
        self,
        body: nn.Module,
        users: int,
        items: int,
        user_features: int = 0,
        width: int = 16,
        meeting: str = "dot",
        biases: bool = True,
        shortcut: bool = False,
        dropout: float = 0.0,
        decay: float = 0.1,
    ):
        super().__init__()
        at_least("Recommender", 1, users=users, items=items, width=width)
        at_least("Recommender", 0, user_features=user_features)
        one_of("Recommender", "meeting", meeting, MEETINGS)
        fraction("Recommender", dropout=dropout)
        self.counts = users, items
        self.user_features, self.width, self.meeting, self.biases = user_features, width, meeting, biases
        self.shortcut, self.decay = shortcut or meeting == "dot", decay
        self.body = nn.Identity() if meeting == "dot" else body
        self.drop = nn.Dropout(dropout) if dropout else nn.Identity()
        self.level = nn.Parameter(torch.zeros(1))
        self.users: Vectors | None = None
        self.items: Vectors | None = None

    def forward(self, x: Tensor) -> Tensor:
        """One number for each pair of a user and an item."""
        if self.waiting:
            self._begin(x)
        assert self.users is not None
        assert self.items is not None
        split, width = 2 + self.user_features, self.width
        user = self.users(x[:, 0].long(), x[:, 2:split])
        item = self.items(x[:, 1].long(), x[:, split:])
        u, i = self.drop(user[:, :width]), self.drop(item[:, :width])
        product = u * i
        said = self.level.expand(x.shape[0], 1)
        if self.biases:
            said = said + user[:, width:] + item[:, width:]
        if self.shortcut:
            said = said + product.sum(1, keepdim=True)
        if self.meeting != "dot":
            met = {"product": (product,), "concat": (u, i), "all": (product, u, i)}[self.meeting]
            made = self.body(torch.cat(met, 1))
            if self.waiting and made.shape != said.shape:
                raise EvaluationError(f"Recommender: the body makes {tuple(made.shape)}: it must end in (batch, 1)")
            said = said + made
        self.waiting = False
        return said

    def _begin(self, x: Tensor) -> None:
        item_features = x.shape[1] - 2 - self.user_features if x.ndim == 2 else -1
        if item_features < 0:
            raise EvaluationError(
                f"Recommender: an input holds two numbers and {self.user_features} features of the user, and then "
                f"those of the item; got {tuple(x.shape)}"
            )
        features, wide = (self.user_features, item_features), self.width + self.biases
        made = [Vectors(n, wide, f, self.decay) for n, f in zip(self.counts, features, strict=True)]
        self.users, self.items = (m.to(x.device).train(self.training) for m in made)
