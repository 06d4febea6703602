"""The contracts of archwright's parts as test classes, for its own tests and for everyone's parts.

Subclass one in a test file, say how to make yours, and pytest finds the rest. Needs pytest.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from archwright.testing.fidelity import MultiFidelityContract
from archwright.testing.strategy import StrategyContract

if TYPE_CHECKING:
    from archwright.testing.oneshot import OneShotContract as OneShotContract
    from archwright.testing.task import TaskContract as TaskContract

__all__ = ["MultiFidelityContract", "OneShotContract", "StrategyContract", "TaskContract"]

_WITH_TORCH = {"OneShotContract": "oneshot", "TaskContract": "task"}


def __getattr__(name: str) -> Any:
    """The contracts that need torch: whoever tests a strategy does not wait for it."""
    if name not in _WITH_TORCH:
        raise AttributeError(f"module 'archwright.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"archwright.testing.{_WITH_TORCH[name]}"), name)
