"""Networks for several inputs at once: a tower for each kind of input, their fusion, and layers behind it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from archwright import nn
from archwright.errors import SpaceError
from archwright.nn.spaces.stages import ACTIVATIONS, allowed_kernels, named, usually
from archwright.space import Space, choice, repeat, searchable

__all__ = ["towers"]

WIDTHS = (8, 12, 16, 24, 32, 48, 64)


def towers(
    input_shape: Sequence[int],
    n_outputs: int,
    *,
    pieces: Sequence[dict[str, Any]] = (),
    widths: Sequence[int] = WIDTHS,
    depth: int = 2,
    head: Any = nn.Classifier,
) -> Space:
    """A tower an input, after Ngiam et al., *Multimodal Deep Learning*, ICML 2011: late fusion whose kind is open.

    A tower of images or sequences is convolutions and pooling, one of a table linear layers or nothing at all, one of
    texts vectors of words under a window or their mean. See `archwright.nn.Towers` for how they are joined.

    Args:
        input_shape: Of the flat input: ``(n,)``.
        n_outputs: Classes, or values with ``head=nn.Regressor``.
        pieces: For each input, in their order: ``{"name", "shape"}``, and ``"vocabulary"`` where it is of tokens. By
            default one of as many numbers as the input has.
        widths: Of layers.
        depth: Most layers of a tower after its first, and of those behind the fusion.
        head: `archwright.nn.Classifier` or `archwright.nn.Regressor`.
    """
    given = list(pieces) or [{"name": "all", "shape": list(input_shape)}]
    act = choice(*ACTIVATIONS, name="activation", tied=True)
    made = [named(_tower(piece, widths, depth, act), str(piece["name"])) for piece in given]
    joined = nn.Towers(
        *made,
        shapes=[list(piece["shape"]) for piece in given],
        tokens=["vocabulary" in piece for piece in given],
        fusion=_fusion(widths) if len(given) > 1 else "concat",
    )
    layer = nn.LinearBlock(usually(32, widths), activation=act, dropout=choice(0.0, 0.2, name="dropout"))
    behind = named(repeat(layer, (0, depth), name="depth"), "layers")
    return Space(nn.Sequential(named(joined, "towers"), behind, named(head(n_outputs), "head")))


def _fusion(widths: Sequence[int]) -> Any:
    """How towers are joined; only where their results are made equally wide, a width is open."""
    width = usually(32, widths)
    return choice("concat", _sum(width), _product(width), name="fusion")


@functools.partial(searchable, name="sum")
def _sum(width: int) -> tuple[str, int]:
    return "sum", width


@functools.partial(searchable, name="product")
def _product(width: int) -> tuple[str, int]:
    return "product", width


def _tower(piece: dict[str, Any], widths: Sequence[int], depth: int, act: Any) -> Any:
    shape = tuple(piece["shape"])
    width = usually(32, widths)
    if "vocabulary" in piece:
        embedding = nn.TokenEmbedding(piece["vocabulary"], width, dropout=choice(0.1, 0.3, name="dropout"))
        window = nn.Windows(usually(32, widths, "filters"), windows=choice("1", "2+3", "3", name="windows"))
        pooled = nn.Classifier(usually(32, widths, "features"), pool=choice("avg", "max", name="pool"))
        return nn.TokenNetwork(embedding, choice(nn.Identity(), window, name="window"), pooled)
    if len(shape) == 1:
        layer = nn.LinearBlock(width, activation=act, norm=choice("none", "batch", name="norm"))
        return nn.Sequential(repeat(layer, (0, depth), name="depth"))
    if len(shape) not in (2, 3):
        raise SpaceError(f"towers: input {piece['name']!r} has shape {shape}: allowed are vectors, sequences, images")
    kernels = allowed_kernels(shape, (3, 5, 7) if len(shape) == 2 else (3, 5))
    first = nn.ConvBlock(width, kernel=choice(*kernels, name="kernel"), activation=act)
    step = nn.ConvBlock(usually(32, widths), kernel=3, stride=2, activation=act)
    pool = nn.GlobalPool(choice("avg", "max", name="pool"), grid=choice(1, 2, name="grid"))
    return nn.Sequential(first, repeat(step, (0, depth), name="depth"), pool)
