"""Connected digits, made of single ones: clips of one speaker of the Free Spoken Digit Dataset, joined by silence.

The data set has no sentences of its own. What is made here is harder than single digits, since nobody says where one
ends, and easier than speech, since each digit was spoken alone and nothing else is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["SAMPLE_RATE", "WORDS", "Recipe", "connected", "made_parts"]

SAMPLE_RATE = 8000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Recipe:
    """How many clips, and what they are made of.

    Args:
        clips: How many are made.
        takes: Which takes of each speaker and digit they may hold, from the first up to below the second.
        seed: All randomness is a function of it.
        digits: Fewest and most digits of a clip.
        silence: Shortest and longest silence before, between and behind them, in seconds.
        longest: Single clips that are longer, in seconds, are left out: 2 % of them, which hold much silence.
    """

    clips: int
    takes: tuple[int, int]
    seed: int
    digits: tuple[int, int] = (3, 6)
    silence: tuple[float, float] = (0.02, 0.1)
    longest: float = 0.8


# Takes 0 to 4 are the official test part; validation has takes of its own too, or its clips would be those of training.
RECIPES = {"train": Recipe(2000, (10, 50), 0), "validation": Recipe(300, (5, 10), 1), "test": Recipe(300, (0, 5), 2)}


def connected(data: Mapping[str, np.ndarray], recipe: Recipe) -> tuple[list[np.ndarray], list[str]]:
    """Clips, int16 at 8,000 samples a second, and what is said in each.

    Args:
        data: ``signal``, ``offset``, ``digit``, ``speaker`` and ``take`` of the data set, decompressed.
        recipe: What to make.
    """
    rng = np.random.default_rng(recipe.seed)
    short = np.diff(data["offset"]) <= recipe.longest * SAMPLE_RATE
    allowed = short & (data["take"] >= recipe.takes[0]) & (data["take"] < recipe.takes[1])
    of_speaker = [np.flatnonzero(allowed & (data["speaker"] == s)) for s in np.unique(data["speaker"])]

    def quiet() -> np.ndarray:
        return np.zeros(int(SAMPLE_RATE * rng.uniform(*recipe.silence)), np.int16)

    clips, texts = [], []
    for _ in range(recipe.clips):
        own = of_speaker[rng.integers(len(of_speaker))]
        chosen = rng.choice(own, rng.integers(recipe.digits[0], recipe.digits[1] + 1))
        pieces = [quiet()]
        for i in chosen:
            pieces += [data["signal"][data["offset"][i] : data["offset"][i + 1]], quiet()]
        clips.append(np.concatenate(pieces))
        texts.append(" ".join(WORDS[data["digit"][i]] for i in chosen))
    return clips, texts


def made_parts(data: Mapping[str, np.ndarray]) -> dict[str, tuple[list[np.ndarray], list[str]]]:
    """Training, validation and test: no take of a digit is in two of them."""
    return {name: connected(data, recipe) for name, recipe in RECIPES.items()}
