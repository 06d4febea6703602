"""What to try next: one file an algorithm. Strategies know nothing of networks, data, files or clocks."""

from archwright.strategy.evolution import RegularizedEvolution
from archwright.strategy.local import LocalSearch
from archwright.strategy.random import Random
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy

__all__ = ["LocalSearch", "Random", "RegularizedEvolution", "Seen", "Strategy"]
