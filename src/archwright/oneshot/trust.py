"""Do shared weights rank architectures as training alone does? Measured on a few, before anything rests on it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from archwright.errors import ArchwrightError, EvaluationError
from archwright.evaluator import Recipe, Shared, Training
from archwright.evaluator.randomness import derived
from archwright.evaluator.zerocost.correlation import RankCorrelation, rank_correlation
from archwright.objective import Goal
from archwright.oneshot.ranking import ranking_goal
from archwright.space import Architecture
from archwright.trial import Proposal

if TYPE_CHECKING:
    from archwright.oneshot.result import Result

__all__ = ["Checked", "Trust", "judged", "trust"]

LEAST_TOP = 4
"""Fewer have too few pairs for a rank correlation to mean anything."""


@dataclass(frozen=True)
class Checked:
    """One architecture of the sample.

    Args:
        architecture: Which.
        shared: What shared weights are ranked by, on validation (`archwright.oneshot.ranking_goal`).
        alone: The goal's metric after training it alone.
        params: Its parameters.
    """

    architecture: Architecture
    shared: float
    alone: float
    params: float


@dataclass(frozen=True)
class Trust:
    """How well shared weights rank architectures.

    Args:
        metric: The goal's, by which they are ranked after training alone.
        by: The metric by which shared weights rank them.
        correlation: Kendall's tau-b of shared weights and training alone, with a bootstrap interval over architectures.
        top: The same among the best fifth after training alone, which a search is about; NaN for fewer than four.
        params: That of the parameter count and training alone: what a search could have had for nothing.
        sample: The architectures.
        warnings: What a reader must know, in whole sentences; empty where there is nothing.
        seconds: How long it took.
    """

    metric: str
    by: str
    correlation: RankCorrelation
    top: RankCorrelation
    params: RankCorrelation
    sample: tuple[Checked, ...]
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

    def __str__(self) -> str:
        c = self.correlation
        top = "" if math.isnan(self.top.tau) else f", among the best fifth {self.top.tau:.2f}"
        by = "" if self.by == self.metric else f" (by their {self.by.replace('_', ' ')})"
        lines = [
            f"shared weights{by} and {c.n} trainings alone: "
            f"Kendall's tau {c.tau:.2f} ({c.low:.2f} to {c.high:.2f}){top}; parameter count {self.params.tau:.2f}"
        ]
        return "\n".join([*lines, *self.warnings])


def trust(
    result: Result,
    *,
    n: int = 10,
    architectures: Sequence[Architecture] | None = None,
    recipe: Recipe | None = None,
    seed: int = 0,
    deadline_s: float | None = None,
) -> Trust:
    """Train a sample of architectures alone and compare the order with that of shared weights.

    Yu et al., *Evaluating the Search Phase of Neural Architecture Search*, ICLR 2020
    (https://arxiv.org/abs/1902.08142), and Zela et al., *NAS-Bench-1Shot1*, ICLR 2020
    (https://arxiv.org/abs/2001.10422), found such orders often near random.

    Args:
        result: Of any algorithm here.
        n: Random architectures of different function; 20 or more for a word about the best fifth.
        architectures: These instead, such as those of a search's trials.
        recipe: How they are trained alone; the default one of `archwright.evaluator.Training`.
        seed: Draws the sample, and trains.
        deadline_s: No further architecture is trained after so many seconds.

    Raises:
        EvaluationError: Fewer than three architectures could be measured both ways.
    """
    began = time.monotonic()
    shared = Shared(result.supernet, result.task)
    training = Training(result.space, result.task, recipe, device=str(next(result.supernet.parameters()).device))
    goal = Goal(result.metric, result.task.metrics[result.metric].direction)
    by = ranking_goal(result.task, result.metric)
    found: list[Checked] = []
    failures: list[str] = []
    for i, architecture in enumerate(architectures or _sample(result, n, seed)):
        if deadline_s is not None and time.monotonic() - began > deadline_s:
            break
        proposal = Proposal(architecture)
        try:
            alone = training(proposal, derived(seed, 41, i))
            measured = shared(proposal)
        except ArchwrightError as error:
            failures.append(str(error))
            continue
        params = alone.costs["params"]
        found.append(Checked(architecture, measured.metrics[by.metric], alone.metrics[goal.metric], params))
    return judged(found, goal, by, failures=failures, seed=seed, seconds=time.monotonic() - began)


def judged(
    sample: Sequence[Checked],
    goal: Goal,
    by: Goal,
    *,
    failures: Sequence[str] = (),
    seed: int = 0,
    seconds: float = 0.0,
) -> Trust:
    """What architectures that were measured both ways say of shared weights.

    Args:
        sample: At least three.
        goal: What they were measured by after training alone.
        by: What shared weights are ranked by.
        failures: Why others could not be.
        seed: Of the bootstrap.
        seconds: How long measuring took.

    Raises:
        EvaluationError: There are fewer than three.
    """
    found = tuple(sample)
    if len(found) < 3:
        reason = f": {failures[0]}" if failures else ""
        raise EvaluationError(f"{len(found)} architectures were measured both ways, and 3 are needed at least{reason}")
    shared_values, alone_values = [-by.score(c.shared) for c in found], [-goal.score(c.alone) for c in found]
    correlation = rank_correlation(shared_values, alone_values, seed=seed)
    params = rank_correlation([c.params for c in found], alone_values, seed=seed)
    best = np.argsort(alone_values, kind="stable")[::-1][: math.ceil(len(found) / 5)]
    top = RankCorrelation(math.nan, math.nan, math.nan, len(best))
    if len(best) >= LEAST_TOP:
        top = rank_correlation([shared_values[i] for i in best], [alone_values[i] for i in best], seed=seed)
    return Trust(
        goal.metric, by.metric, correlation, top, params, found, _warnings(correlation, params, failures), seconds
    )  # fmt: skip


def _sample(result: Result, n: int, seed: int) -> list[Architecture]:
    """Random architectures of different function, as many as there are."""
    space, rng = result.space, np.random.default_rng([seed, 40])
    found: dict[str, Architecture] = {}
    for _ in range(20 * n):
        architecture = space.sample(rng)
        found.setdefault(space.key(architecture), architecture)
        if len(found) == n:
            break
    return list(found.values())


def _warnings(shared: RankCorrelation, params: RankCorrelation, failures: Sequence[str]) -> tuple[str, ...]:
    told = []
    if not shared.tau > 0:
        told.append("Shared weights do not rank these architectures as training alone does: do not choose by them.")
    elif not shared.tau > params.tau:
        told.append(
            f"Shared weights rank these architectures no better than their parameter count does (tau {shared.tau:.2f} "
            f"against {params.tau:.2f}): train the supernet longer, or search by training."
        )
    elif not shared.low > 0:
        told.append(f"The interval of {shared.n} architectures includes 0: compare more of them before trusting it.")
    if failures:
        told.append(f"{len(failures)} architectures could not be measured, the first since: {failures[0]}")
    return tuple(told)
