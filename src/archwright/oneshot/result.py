"""What a run gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import nn

from archwright.oneshot.point import Point
from archwright.space import Architecture, Space

if TYPE_CHECKING:
    from archwright.evaluator import Shared
    from archwright.supernet import Supernet
    from archwright.task import Task

__all__ = ["Ranked", "Result"]


@dataclass(frozen=True)
class Ranked:
    """An architecture that was read out.

    Args:
        architecture: Which.
        metrics: On validation, with its shared weights and its own batch-norm statistics.
        costs: Its parameters, and every cost with a ceiling.
        regret: How much the gates prefer the unconstrained choice (`archwright.oneshot.fitting.Fit`); None where
            nothing was learnt of it.
    """

    architecture: Architecture
    metrics: Mapping[str, float]
    costs: Mapping[str, float]
    regret: float | None = None


@dataclass(frozen=True, eq=False)
class Result:
    """A trained supernet, and the architecture that was read out of it.

    What is read out has shared weights: it is a choice, to be trained alone before it is used. How far its order of
    architectures can be trusted tells `archwright.oneshot.trust`.

    Args:
        algorithm: Which.
        task: What was learnt.
        supernet: Trained, on the device where it was trained.
        top: What was read out, best first; the first is `architecture`. All meet the ceilings.
        history: A point an epoch.
        logits: For each decision that was learnt by name, its logits.
        soft: The goal's metric on validation under the gates that training ended with; None where there were none.
        read_from: The epoch whose gates were read; earlier than the last where a sign of collapse was heeded.
        stopped: Why training ended early; empty where it did not.
        settings: What the algorithm was told.
        metric: The goal's metric.
        seconds: All of it, earlier runs of the same folder included.
    """

    algorithm: str
    task: Task
    supernet: Supernet
    top: tuple[Ranked, ...]
    history: tuple[Point, ...]
    logits: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    soft: float | None = None
    read_from: int = 0
    stopped: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    metric: str = ""
    seconds: float = 0.0

    @property
    def architecture(self) -> Architecture:
        """The one to take."""
        return self.top[0].architecture

    @property
    def metrics(self) -> Mapping[str, float]:
        """Its metrics on validation with shared weights."""
        return self.top[0].metrics

    @property
    def costs(self) -> Mapping[str, float]:
        """Its costs."""
        return self.top[0].costs

    @property
    def space(self) -> Space:
        """What was searched."""
        return self.supernet.space

    @property
    def probabilities(self) -> Mapping[str, list[float]]:
        """For each decision that was learnt, how much of each value there was when it was read out."""
        return next((p.probabilities for p in self.history if p.epoch == self.read_from), {})

    @property
    def gap(self) -> float | None:
        """The discretisation gap: by how much what was read out is worse than the gates, in the metric."""
        if self.soft is None:
            return None
        lost = self.soft - self.metrics[self.metric]
        return lost if self.task.metrics[self.metric].direction == "maximize" else -lost

    def evaluator(self, **settings: Any) -> Shared:
        """An evaluator that measures any architecture of the space with these weights, for `archwright.search`."""
        from archwright.evaluator import Shared

        return Shared(self.supernet, self.task, **settings)

    def subnet(self, architecture: Architecture | None = None) -> nn.Module:
        """An architecture (by default the one to take) as a plain module with its shared weights, ready to be tuned."""
        return self.evaluator().subnet(self.architecture if architecture is None else architecture)

    def __repr__(self) -> str:
        gap = "" if self.gap is None else f", gap {self.gap:+.4g}"
        return (
            f"<{self.algorithm} on {self.task.name!r}: {self.metric} {self.metrics[self.metric]:.4g} with shared "
            f"weights{gap}; {len(self.history)} epochs, {self.seconds:.1f} s>"
        )
