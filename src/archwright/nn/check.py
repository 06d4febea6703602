"""Checks of constructor arguments: each says where, what came, and what was allowed."""

from __future__ import annotations

from collections.abc import Iterable

from archwright.errors import EvaluationError, SpaceError, did_you_mean

__all__ = ["at_least", "fraction", "one_of", "rank_of"]

KINDS = {
    2: "vectors (batch, features)",
    3: "sequences (batch, channels, time)",
    4: "images (batch, channels, height, width)",
}


def one_of(where: str, what: str, name: str, allowed: Iterable[str]) -> None:
    """Raise `SpaceError` unless `name` is one of `allowed`.

    >>> one_of("ConvBlock", "activation", "rellu", ["relu", "silu"])
    Traceback (most recent call last):
    ...
    archwright.errors.SpaceError: ConvBlock: unknown activation 'rellu'. Allowed: relu, silu. Did you mean 'relu'?
    """
    allowed = list(allowed)
    if name not in allowed:
        raise SpaceError(f"{where}: unknown {what} {name!r}. {did_you_mean(name, allowed)}")


def at_least(where: str, least: int, **values: int | None) -> None:
    """Raise `SpaceError` unless every value is None or a whole number of `least` or more."""
    for name, value in values.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise SpaceError(f"{where}: {name} must be a whole number, {least} or more; got {value!r}")


def fraction(where: str, **values: float) -> None:
    """Raise `SpaceError` unless every value lies in 0..1, 1 excluded."""
    for name, value in values.items():
        if not 0 <= value < 1:
            raise SpaceError(f"{where}: {name} must lie in 0..1 (1 excluded); got {value!r}")


def rank_of(where: str, shape: tuple[int, ...], allowed: tuple[int, ...] = (3, 4)) -> int:
    """The number of position axes: 0 for vectors, 1 for sequences, 2 for images."""
    if len(shape) not in allowed:
        raise EvaluationError(
            f"{where} takes {' or '.join(KINDS[n] for n in allowed)}; got an input of shape {tuple(shape)}"
        )
    return len(shape) - 2
