"""By which number shared weights put architectures in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archwright.objective import Goal

if TYPE_CHECKING:
    from archwright.task import Task

__all__ = ["ranking_goal"]

COUNTED = frozenset({"accuracy", "balanced_accuracy", "precision", "recall", "f1"})
"""Metrics that only see which class is the likeliest."""


def ranking_goal(task: Task, metric: str) -> Goal:
    """What shared weights are ranked by, where `metric` is what is wanted: their log loss instead of right answers.

    Shared weights are trained briefly for each architecture: many are wrong by little and right by luck, of which right
    answers tell nothing. On the mini benchmark Kendall's tau to training alone rises from 0.48 to 0.69 (SPOS), from
    0.66 to 0.71 (progressive shrinking), from 0.62 to 0.71 (FairNAS); ``benchmarks/RESULTS.md`` has the runs.
    """
    by = "log_loss" if metric in COUNTED and "log_loss" in task.metrics else metric
    return Goal(by, task.metrics[by].direction)
