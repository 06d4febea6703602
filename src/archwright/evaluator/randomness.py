"""Seeds: what torch draws is a function of a trial's seed, and nobody else's draws are disturbed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["derived", "generator", "reseed", "seeded"]


def derived(seed: int, *path: int) -> int:
    """A seed for one purpose, independent of those for others: a function of (seed, path)."""
    return int(np.random.SeedSequence((seed, *path)).generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(device: torch.device | str, seed: int, *path: int) -> torch.Generator:
    """A generator on `device` that starts from (seed, path)."""
    return torch.Generator(device=device).manual_seed(derived(seed, *path))


def reseed(seed: int, device: torch.device | str = "cpu") -> None:
    """Torch's global generators start from `seed`: inside `seeded`, at every step."""
    if torch.device(device).type == "cpu":
        torch.default_generator.manual_seed(seed)  # torch.manual_seed formats a stack trace, for a millisecond
    else:
        torch.manual_seed(seed)


@contextmanager
def seeded(seed: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Torch's global generators start from `seed` inside, and go on afterwards as if nothing had been drawn.

    Initial weights and dropout can be drawn in no other way: they take no generator.
    """
    device = torch.device(device)
    with torch.random.fork_rng(devices=[device] if device.type != "cpu" else [], device_type=_kind(device)):
        torch.manual_seed(seed)
        yield


def _kind(device: torch.device) -> str:
    return "cuda" if device.type == "cpu" else device.type
