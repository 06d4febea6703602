"""Networks that say something of every pixel: a way down and up again, and a classifier of pixels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.nn.check import fraction, one_of, rank_of
from archwright.nn.connect import may_be_zero
from archwright.nn.inferred import Block, Inferred
from archwright.space import Flow

__all__ = ["SKIPS", "UPS", "Level", "PixelClassifier", "level_flow"]

SKIPS = ("concat", "sum", "none")
UPS = ("bilinear", "nearest", "transposed")


class Level(Inferred):
    """What `body` makes at a smaller size, brought back to the input's size and width, and joined with the input.

    Levels inside levels are a U-Net (Ronneberger et al., MICCAI 2015, https://arxiv.org/abs/1505.04597). Where the
    width changes, a pointwise convolution comes before the size is changed, which costs less and is the same.

    Shapes: (B, C, H, W) -> (B, 2 C, H, W) with ``concat``, else (B, C, H, W).

    Args:
        body: Makes the positions fewer by a whole number, and may change the width.
        skip: How the input joins: ``concat``, ``sum``, or ``none``.
        up: ``bilinear`` or ``nearest``, or ``transposed``: a transposed convolution of kernel 2 and step 2; bilinear
            where the size is not exactly twice as large.
    """

    def __init__(self, body: nn.Module, skip: str = "concat", up: str = "bilinear"):
        super().__init__()
        one_of("Level", "skip", skip, SKIPS)
        one_of("Level", "up", up, UPS)
        self.body, self.skip, self.kind = body, skip, up
        self.up: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor:
        """`body` at its smaller size, brought up, joined with `x`."""
        y = self.body(x)
        if self.waiting:
            self.up = _up(self.kind, tuple(x.shape), tuple(y.shape)).to(x.device).train(self.training)
            self.waiting = False
        assert self.up is not None
        y = self.up(y)
        if self.skip == "none":
            return y
        return x + y if self.skip == "sum" else torch.cat([x, y], 1)


def _up(kind: str, wanted: tuple[int, ...], shape: tuple[int, ...]) -> nn.Module:
    rank_of("Level", wanted, (4,))
    if len(shape) != 4 or any(small > large for small, large in zip(shape[2:], wanted[2:], strict=True)):
        raise EvaluationError(
            f"Level: the body turns {wanted} into {shape}; it must keep the axes and make no side longer"
        )
    channels, into = shape[1], wanted[1]
    if kind == "transposed" and all(2 * small == large for small, large in zip(shape[2:], wanted[2:], strict=True)):
        return nn.ConvTranspose2d(channels, into, 2, 2)
    parts: list[nn.Module] = [nn.Conv2d(channels, into, 1)] if channels != into else []
    if shape[2:] != wanted[2:]:
        parts.append(_resized(wanted[2:], "nearest" if kind == "nearest" else "bilinear"))
    return parts[0] if len(parts) == 1 else nn.Sequential(*parts)


def _resized(size: tuple[int, ...], mode: str) -> nn.Module:
    """Torch warns of `align_corners` where it means nothing, so that it is said for one mode alone."""
    return nn.Upsample(size, mode=mode) if mode == "nearest" else nn.Upsample(size, mode=mode, align_corners=False)


def level_flow(flow: Flow, x: Any, body: Any, skip: Any = "concat", up: Any = "bilinear") -> Any:
    """The body, brought up, joined with its input.

    How it is brought up depends on shapes, which a space does not know: an operation told apart by its kind. Where a
    body may be zero, the channels it takes up are still there: then it tells the parts apart.
    """

    def joined(how: str) -> Any:
        y = flow.op(("up", up), flow.apply(body, x))
        if how == "none":
            return y
        if how == "sum":
            return flow.sum([x, y])
        return flow.concat([flow.op(("part", body), z) for z in (x, y)] if may_be_zero(body) else [x, y])

    return flow.select(skip, joined)


class PixelClassifier(Block):
    """One score a class for every pixel: a pointwise convolution, then bilinear up to `size` where that is another.

    Shapes: (B, C, h, w) -> (B, n_outputs, H, W).

    Args:
        n_outputs: Classes.
        size: Height and width of the result; by default the input's.
        dropout: Share of channels dropped before (whole channels at once).
    """

    def __init__(self, n_outputs: int, size: tuple[int, int] | None = None, dropout: float = 0.0):
        super().__init__()
        fraction("PixelClassifier", dropout=dropout)
        self.n_outputs, self.size, self.dropout = n_outputs, size, dropout

    def _make(self, shape: tuple[int, ...]) -> nn.Module:
        rank_of("PixelClassifier", shape, (4,))
        parts: list[nn.Module] = [nn.Dropout2d(self.dropout)] if self.dropout else []
        parts.append(nn.Conv2d(shape[1], self.n_outputs, 1))
        if self.size is not None and tuple(self.size) != shape[2:]:
            parts.append(_resized(tuple(self.size), "bilinear"))
        return nn.Sequential(*parts)
