"""What to try next: one file an algorithm. Strategies know nothing of networks, data, files or clocks."""

from archwright.strategy.evolution import RegularizedEvolution
from archwright.strategy.local import LocalSearch
from archwright.strategy.making import Known, make
from archwright.strategy.random import Random
from archwright.strategy.reward import Reward
from archwright.strategy.seen import Seen
from archwright.strategy.strategy import Strategy

__all__ = ["Known", "LocalSearch", "Random", "RegularizedEvolution", "Reward", "Seen", "Strategy", "make"]
