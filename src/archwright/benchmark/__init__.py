"""Problems with known answers, and honest comparison of strategies."""

from archwright.benchmark.named import load, names
from archwright.benchmark.problem import Benchmark

__all__ = ["Benchmark", "load", "names"]
