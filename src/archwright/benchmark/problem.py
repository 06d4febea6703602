"""A problem whose answers are known: what strategies are compared on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from archwright.objective import Objectives
from archwright.space import Architecture, Space
from archwright.trial import Measurement

__all__ = ["Benchmark"]


@dataclass(frozen=True)
class Benchmark:
    """A space, an evaluator that answers at once, and what the best answer is.

    Args:
        name: What people write: ``"nasbench201-cifar10"``.
        space: What is searched.
        evaluator: ``(proposal, seed, context) -> Measurement``, a pure function of the first two. `Measurement.seconds`
            is the simulated time of the training; ``costs(architecture, names)`` gives what is known without training.
        objectives: What is searched on: validation metrics and costs.
        best: The best value of the first goal's metric that any architecture of the space has, in its own unit; None
            where it is not known.
        reported: The metric that the chosen architecture is reported on (a test metric), where it differs.
        max_epochs: A full training, for strategies of several fidelities; 0 where there is but one fidelity.
        title: For people, in a line.
        source: Where the numbers are from, and how to cite them.
        front: Where several goals are searched: ``scores``, the exact Pareto front (smaller is better), a row a point,
            and ``reference``, the reference point of its hypervolume; empty where it is not known.
    """

    name: str
    space: Space
    evaluator: Callable[..., Measurement]
    objectives: Objectives
    best: float | None = None
    reported: str = ""
    max_epochs: int = 0
    title: str = ""
    source: str = ""
    front: Mapping[str, Any] = field(default_factory=dict)

    def measure(self, architecture: Architecture, seed: int = 0, epochs: int | None = None) -> Measurement:
        """The measurement of one architecture."""
        from archwright.trial import Proposal

        return self.evaluator(Proposal(architecture, epochs), seed)
