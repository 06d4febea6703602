"""What a network costs: parameters, multiply-accumulates, bytes, peak activations, measured latency."""

from archwright.cost.measuring import measure
from archwright.cost.timing import DRIFT_LIMIT, Latency, latency

__all__ = ["DRIFT_LIMIT", "Latency", "latency", "measure"]
