"""The contracts of archwright's parts as test classes, for its own tests and for everyone's parts.

Subclass one in a test file, say how to make yours, and pytest finds the rest. Needs pytest.
"""

from archwright.testing.fidelity import MultiFidelityContract
from archwright.testing.oneshot import OneShotContract
from archwright.testing.strategy import StrategyContract

__all__ = ["MultiFidelityContract", "OneShotContract", "StrategyContract"]
