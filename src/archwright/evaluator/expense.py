"""Costs of a network that is not trained yet, all under one name each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = ["expense"]


def expense(
    module: Any, input_shape: tuple[int, ...], names: Sequence[str], dtype: torch.dtype | None = None
) -> dict[str, float]:
    """The costs called `names`; ``"latency_ms"`` is measured on this machine, the others are counted.

    Args:
        module: The network.
        input_shape: Of one input, without the batch.
        names: Which costs.
        dtype: Of the inputs; by default that of the weights.
    """
    from archwright import cost

    counted = tuple(n for n in names if n != "latency_ms")
    found = dict(cost.measure(module, input_shape, counted, dtype=dtype)) if counted else {}
    if "latency_ms" in names:
        found["latency_ms"] = cost.latency(module, input_shape, dtype=dtype).median_ms
    return {name: found[name] for name in names}
