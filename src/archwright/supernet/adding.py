"""Sums of what candidates make, weighed by their gates."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import pad

from archwright.errors import EvaluationError

__all__ = ["changed_in_place", "version_of", "weighed_sum"]


def weighed_sum(
    where: str, names: Sequence[str], gates: Sequence[Tensor | None], terms: Sequence[Tensor], pads: bool
) -> Tensor:
    """``sum_i gates[i] * terms[i]``.

    Args:
        where: The place, for the error.
        names: What made each term, for the error.
        gates: A number each; None for a term that is weighed already.
        terms: Results, of one shape.
        pads: Fill fewer channels up with zeros to the most (Wan et al., *FBNetV2*, CVPR 2020,
            https://arxiv.org/abs/2004.05565, section 3.1).
    """
    shapes = [tuple(t.shape) for t in terms]
    if len(set(shapes)) > 1:
        if not pads or len({(len(s), s[0], *s[2:]) for s in shapes}) > 1:
            listed = ", ".join(f"{n}: {s}" for n, s in zip(names, shapes, strict=True))
            raise EvaluationError(
                f"{where}: results of different shapes cannot be added under soft gates ({listed}); let all keep the "
                "same " + ("positions" if pads else "shape") + ", or decide it with a code"
            )
        most = max(s[1] for s in shapes)
        terms = [t if t.shape[1] == most else pad(t, (0, 0) * (t.dim() - 2) + (0, most - t.shape[1])) for t in terms]
    total = None
    for gate, term in zip(gates, terms, strict=True):
        weighed = term if gate is None else gate.to(term.dtype) * term
        total = weighed if total is None else total + weighed
    assert total is not None
    return total


def version_of(x: Tensor) -> int:
    """How often a tensor has been changed in place; inference mode does not count."""
    return -1 if x.is_inference() else x._version


def changed_in_place(where: str, name: str, x: Tensor, version: int) -> None:
    """Raise if `x` is not as it was at `version`."""
    if version >= 0 and x._version != version:
        raise EvaluationError(
            f"{where}: {name} changes its input in place, but others read the same input; use inplace=False, or let it "
            "work on a copy"
        )
