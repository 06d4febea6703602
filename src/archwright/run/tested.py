"""What the chosen networks do on the test part: every metric with its interval, by group, and their calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from archwright.evaluator.loop import observed
from archwright.evaluator.loop import outputs as outputs_of
from archwright.task.calibration import calibration
from archwright.task.groups import compared
from archwright.task.pictures import Pictures, grid, png
from archwright.task.targets import Classes

if TYPE_CHECKING:
    from archwright.task import Metric, Part, Task

__all__ = ["CONFIDENCE", "tested"]

CONFIDENCE = 0.95
RESAMPLES = 1000

BRIEF, WORK = 200, 2 * 10**6
"""Resamples of a metric that no goal is about; and how many outputs they may go through in all where the metric, such
as the area under a curve, is no function of a mean: with more there is no interval."""

CENTRED = frozenset({"frechet"})
"""Metrics that resamples shift by about the same, since they hold samples twice: the deviations from their own mean
are laid around the value (the basic bootstrap without its mirroring)."""

BIASED = frozenset({"ece"})
"""Metrics that resamples make worse, so that percentiles would lie beside the value: without an interval."""

SHOWN = 64
"""Images that a network made, for the report."""

ROOM = 2**22
"""Numbers of the table of resamples that is in memory at a time."""


def tested(task: Task, part: Part, networks: Sequence[nn.Module], wanted: frozenset[str], seed: int) -> dict[str, Any]:
    """What there is to say of networks on the test part, which was opened for this; figures are empty without one.

    Args:
        task: The learning problem.
        part: Its test part.
        networks: Of the same architecture, trained with other seeds; the first is given away.
        wanted: Metrics that get an interval however long that takes: those of goals and ceilings.
        seed: Of the resampling.

    Returns:
        ``test``, ``test_size``; ``calibration`` of a classifier, of the first network; and ``groups`` where the task
        tells groups apart; ``pictures`` where it makes images. See `archwright.report.RunRecord`.
    """
    if not len(part):
        return {"test": {}, "test_size": 0}
    outputs = [observed(network, task, part.inputs) for network in networks]
    figures: dict[str, dict[str, Any]] = {}
    for name, metric in task.metrics.items():
        per_seed = [task.score(out, part.targets, [name], part.groups)[name] for out in outputs]
        figures[name] = {"per_seed": per_seed, "mean": float(np.mean(per_seed)), "deviation": _deviation(per_seed)}
        figures[name] |= _interval(metric, outputs, part, seed, wanted=name in wanted)
    found: dict[str, Any] = {"test": figures, "test_size": len(part)}
    if isinstance(task.preparation.targets, Classes):
        found["calibration"] = calibration(outputs[0], part.targets)
    if isinstance(task.preparation.targets, Pictures):
        found["pictures"] = _pictures(task, part, networks[0])
    if task.groups is not None:
        found["groups"] = _by_group(task, part, outputs, seed)
    return found


def _pictures(task: Task, part: Part, network: nn.Module) -> dict[str, Any]:
    """What the network makes, and test images beside it, each in one picture: PNG in base64."""
    targets = task.preparation.targets
    assert isinstance(targets, Pictures)
    made = outputs_of(network, part.inputs[:SHOWN])
    both = {"made": made, "real": part.targets[:SHOWN]}
    return {"shown": len(made), **{name: png(grid(targets.decode(images))) for name, images in both.items()}}


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def _by_group(task: Task, part: Part, outputs: Sequence[Tensor], seed: int) -> dict[str, Any]:
    """Every metric in every group of the test part: the mean over networks, and for the main one an interval."""
    assert task.groups is not None
    assert part.groups is not None
    large = compared(part.groups)
    names = [name for name, metric in task.metrics.items() if not metric.grouped]
    rows = []
    for g, label in enumerate(task.groups.labels):
        here = part.groups == g
        if not here.any():
            continue
        own, said = part[here], [out[here] for out in outputs]
        scores = [task.score(out, own.targets, names) for out in said]
        rows.append(
            {
                "group": label,
                "count": len(own),
                "compared": g in large,
                "metrics": {name: float(np.mean([s[name] for s in scores])) for name in names},
                **_interval(task.metrics[task.metric], said, own, seed),
            }
        )
    return {"name": task.groups.name, "metric": task.metric, "values": rows}


def _interval(
    metric: Metric, outputs: Sequence[Tensor], part: Part, seed: int, *, wanted: bool = True
) -> dict[str, float]:
    """A percentile bootstrap over test samples of the mean over seeds (Efron & Tibshirani, 1993, chapter 13).

    Groups that are compared keep their sizes. Where an accuracy is 1 every resample is 1 too, which would claim
    certainty: the lower end is then the exact one of Clopper & Pearson (1934) for n successes in n.
    """
    base, times = metric.of or metric, RESAMPLES
    if base.name in BIASED:
        return {}
    if not wanted:
        times = BRIEF
        if metric.grouped or (metric.each is None and times * outputs[0].numel() > WORK):
            return {}
    generator = torch.Generator().manual_seed(seed)
    if metric.of is None:
        values = _resampled(base, outputs, part.targets, times, generator)
    else:
        assert part.groups is not None
        rows = [torch.nonzero(part.groups == g).flatten() for g in compared(part.groups)]
        groups = np.array([_resampled(base, [o[r] for o in outputs], part.targets[r], times, generator) for r in rows])
        values = groups.max(0) - groups.min(0)
    tail = (1 - CONFIDENCE) / 2
    means = values.mean(0)
    if base.name in CENTRED:
        means = means - means.mean() + np.mean([metric(out, part.targets, part.groups) for out in outputs])
    low, high = np.quantile(means, [tail, 1 - tail])
    if base.name in CENTRED:  # a distance is never below 0
        low = max(0.0, low)
    if metric.name == "accuracy" and low == high == 1.0:
        low = tail ** (1 / len(part))
    return {"low": float(low), "high": float(high)}


def _resampled(
    metric: Metric, outputs: Sequence[Tensor], targets: Tensor, times: int, generator: torch.Generator
) -> np.ndarray:
    """The metric of each network on `times` resamples of the samples: (networks, times)."""
    n = len(targets)
    if metric.each is None:
        draws = [torch.randint(n, (n,), generator=generator) for _ in range(times)]
        return np.array([[metric(out[rows], targets[rows]) for rows in draws] for out in outputs])
    # A metric of a mean over samples: the mean of a resample is a product with how often it holds each sample.
    each = [metric.each(out, targets).double() for out in outputs]
    found: list[list[float]] = [[] for _ in outputs]
    for _ in range(0, times, max(1, ROOM // n)):
        size = min(max(1, ROOM // n), times - len(found[0]))
        rows = torch.randint(n, (size, n), generator=generator)
        often = torch.zeros(size, n, dtype=torch.float64).scatter_add_(
            1, rows, torch.ones((), dtype=torch.float64).expand(size, n)
        )
        for values, own in zip(found, each, strict=True):
            means = (often @ own.reshape(n, -1) / n).reshape(size, *own.shape[1:])
            values += [metric.after(mean) for mean in means]
    return np.array(found)
