"""The contracts of archwright's parts as test classes, for its own tests and for everyone's parts.

Subclass one in a test file, say how to make yours, and pytest finds the rest. Needs pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archwright.testing.fidelity import MultiFidelityContract
from archwright.testing.strategy import StrategyContract

if TYPE_CHECKING:
    from archwright.testing.task import TaskContract as TaskContract

__all__ = ["MultiFidelityContract", "StrategyContract", "TaskContract"]


def __getattr__(name: str) -> Any:
    """The contract of tasks, which needs torch: whoever tests a strategy does not wait for it."""
    if name != "TaskContract":
        raise AttributeError(f"module 'archwright.testing' has no attribute {name!r}")
    from archwright.testing.task import TaskContract

    return TaskContract
