"""How good is an architecture: train it, ask a function of yours, shared weights, or a proxy that trains nothing.

Needs torch only where a network is built.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from archwright.evaluator.evaluator import Context, Evaluator, StopTrial
from archwright.evaluator.function import Function
from archwright.evaluator.recipe import Recipe

if TYPE_CHECKING:
    from archwright.evaluator.shared import Shared
    from archwright.evaluator.training import Training
    from archwright.evaluator.zerocost import ZeroCost

__all__ = ["Context", "Evaluator", "Function", "Recipe", "Shared", "StopTrial", "Training", "ZeroCost"]

_WITH_TORCH = ("Shared", "Training", "ZeroCost")  # a search by one's own function may never need it


def __getattr__(name: str) -> Any:
    if name in _WITH_TORCH:
        return getattr(importlib.import_module(f"archwright.evaluator.{name.lower()}"), name)
    raise AttributeError(f"module 'archwright.evaluator' has no attribute {name!r}")
