"""Several inputs in one: a tower for each, and what joins them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.nn.check import at_least, one_of
from archwright.nn.inferred import Inferred

__all__ = ["Towers"]

FUSIONS = ("concat", "sum", "product")


class Towers(Inferred):
    """A flat input taken apart: each piece goes, in its own shape, through its tower, and the results are fused.

    ``concat`` lays the results side by side; ``sum`` adds their linear images of one width; ``product`` multiplies the
    hyperbolic tangents of these, so that what one tower sees decides what another's counts (Kim et al., *Hadamard
    Product for Low-rank Bilinear Pooling*, ICLR 2017, https://arxiv.org/abs/1610.04325). Shapes: (B, sum of the pieces'
    sizes) to (B, features).

    Args:
        towers: A module a piece: from (B, *shape) to (B, features).
        shapes: The shape of each piece, without the batch.
        tokens: Whether a piece holds token numbers, as whole floats; none does by default. What is below 0 counts as 0.
        fusion: ``"concat"``, or ``("sum", width)`` or ``("product", width)``, with how many features come out.
    """

    def __init__(
        self,
        *towers: nn.Module,
        shapes: Sequence[Sequence[int]],
        tokens: Sequence[bool] = (),
        fusion: str | tuple[str, int] = "concat",
    ):
        super().__init__()
        kind, *width = (fusion,) if isinstance(fusion, str) else fusion
        one_of("Towers", "fusion", kind, FUSIONS)
        if len(width) != (kind != "concat"):
            raise EvaluationError(
                f"Towers: fusion={fusion!r}: allowed are 'concat', which has no width, ('sum', width) and ('product', "
                f"width)"
            )
        at_least("Towers", 1, towers=len(towers), **({"width": width[0]} if width else {}))
        tokens = tuple(tokens) or (False,) * len(towers)
        if not len(towers) == len(shapes) == len(tokens):
            raise EvaluationError(
                f"Towers: {len(towers)} towers, {len(shapes)} shapes and {len(tokens)} marks of tokens: as many of each"
            )
        self.towers = nn.ModuleList(towers)
        self.shapes = tuple(tuple(int(n) for n in shape) for shape in shapes)
        self.tokens = tokens
        self.fusion, self.width = kind, width[0] if width else None
        self.images: nn.ModuleList | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Every tower on its piece, fused."""
        sizes = [math.prod(shape) for shape in self.shapes]
        if self.waiting and (x.ndim != 2 or x.shape[1] != sum(sizes)):
            raise EvaluationError(
                f"Towers: pieces of {sizes} numbers need inputs of {sum(sizes)}; got {tuple(x.shape)}"
            )
        results, at = [], 0
        for tower, shape, tokens, size in zip(self.towers, self.shapes, self.tokens, sizes, strict=True):
            piece = x[:, at : at + size]
            piece = piece.unflatten(1, shape) if len(shape) > 1 else piece
            results.append(tower(piece.long().clamp(min=0) if tokens else piece))
            at += size
        if self.waiting:
            self._complete(results)
        if self.images is None:
            return torch.cat(results, 1)
        seen = [image(result) for image, result in zip(self.images, results, strict=True)]
        if self.fusion == "product":
            seen = [torch.tanh(s) for s in seen]
        total = seen[0]
        for s in seen[1:]:
            total = total * s if self.fusion == "product" else total + s
        return total

    def _complete(self, results: Sequence[Tensor]) -> None:
        for i, result in enumerate(results):
            if result.ndim != 2:
                raise EvaluationError(
                    f"Towers: tower {i} gives {tuple(result.shape)}: each must end in (batch, features); pool it"
                )
        if self.width is not None:
            made = (nn.Linear(result.shape[1], self.width, device=result.device) for result in results)
            self.images = nn.ModuleList(made).train(self.training)
        self.waiting = False
