"""Networks that recommend: factors alone, or layers over vectors of user and item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archwright import nn
from archwright.errors import SpaceError
from archwright.nn.spaces import kinds
from archwright.nn.spaces.stages import named, perhaps, usually
from archwright.space import Space, choice

__all__ = ["recommender"]

VECTORS = (2, 4, 6, 8, 12, 16, 24, 32, 48, 64)
WIDTHS = (8, 16, 32, 64, 128)
DECAYS = (0.03, 0.1, 0.3, 1.0)


def recommender(
    input_shape: Sequence[int],
    n_outputs: int = 1,
    *,
    users: int = 1000,
    items: int = 1000,
    user_features: int = 0,
    decay: float = 0.3,
    widths: Sequence[int] = WIDTHS,
    depth: int = 3,
) -> Space:
    """Networks for pairs of a user and an item, of two kinds; see `archwright.nn.Recommender`.

    ``factors``: matrix factorisation. ``layers``: products of the vectors, both side by side, or all of these under up
    to `depth` linear layers, with or without the scalar product beside them. Without layers the products are
    generalised matrix factorisation, and all with layers are what NeuMF is (He et al., WWW 2017). Open are also the
    width of vectors, biases, dropout, and how strongly vectors decay.

    Args:
        input_shape: Of one input: two numbers and the features, as a shape, ``(2,)``.
        n_outputs: One.
        users: How many numbers of users there are, 0 (unknown) among them.
        items: How many of items.
        user_features: How many of the features are the user's.
        decay: How strongly vectors decay to begin with.
        widths: Of layers.
        depth: Most layers.
    """
    shape = tuple(input_shape)
    if len(shape) != 1 or shape[0] < 2 + user_features or n_outputs != 1:
        raise SpaceError(
            f"recommender takes inputs (2 + features,) and gives one number; got inputs {shape}, {user_features} "
            f"features of users, and {n_outputs} outputs"
        )
    counts = {"users": users, "items": items, "user_features": user_features}
    settings: dict[str, Any] = {
        "width": usually(32, VECTORS, "vectors"),
        "biases": choice(True, False, name="biases"),
        "dropout": choice(0.0, 0.1, 0.2, 0.4, 0.6, name="dropout"),
        "decay": usually(decay, DECAYS, "decay"),
    }
    layer = nn.LinearBlock(
        usually(32, widths),
        activation=choice("relu", "silu", "tanh", name="activation", tied=True),
        norm=choice("none", "batch", "layer", name="norm", tied=True),
        dropout=choice(0.0, 0.1, 0.2, 0.4, name="dropout", tied=True),
    )
    body = nn.Sequential(perhaps(layer, depth, "layers"), named(nn.Regressor(1), "head"))
    over = nn.Recommender(
        body,
        meeting=choice("product", "concat", "all", name="meeting"),
        shortcut=choice(False, True, name="shortcut"),
        **counts,
        **settings,
    )
    factors = nn.Recommender(nn.Identity(), meeting="dot", **counts, **settings)
    return Space(choice(kinds.factors(factors), kinds.layers(named(over, "over")), name="kind"))
