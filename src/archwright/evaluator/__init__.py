"""How good is an architecture: train it, ask a function of yours, or a proxy that trains nothing.

Needs torch only where a network is built.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from archwright.evaluator.evaluator import Context, Evaluator, StopTrial
from archwright.evaluator.function import Function
from archwright.evaluator.recipe import Recipe

if TYPE_CHECKING:
    from archwright.evaluator.training import Training
    from archwright.evaluator.zerocost import ZeroCost

__all__ = ["Context", "Evaluator", "Function", "Recipe", "StopTrial", "Training", "ZeroCost"]


def __getattr__(name: str) -> Any:
    if name == "Training":  # imports torch, which a search by one's own function may never need
        return importlib.import_module("archwright.evaluator.training").Training
    if name == "ZeroCost":  # likewise
        return importlib.import_module("archwright.evaluator.zerocost").ZeroCost
    raise AttributeError(f"module 'archwright.evaluator' has no attribute {name!r}")
