"""Progressive shrinking: the largest network first, then smaller and smaller ones within it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from archwright.oneshot.distillation import distilled
from archwright.oneshot.options import Options
from archwright.oneshot.paths import Paths
from archwright.oneshot.reading import shared_of
from archwright.oneshot.result import Result
from archwright.oneshot.sampling import extreme, within
from archwright.oneshot.searching import found_by, searched
from archwright.oneshot.session import Session
from archwright.space import Architecture, Space

if TYPE_CHECKING:
    from archwright.task import Task

__all__ = ["progressive", "stages"]

Draw = Callable[[np.random.Generator], Architecture]

KINDS = ("kernel", "depth", "width")


def progressive(
    space: Space | Any,
    task: Task,
    *,
    largest_share: float = 0.3,
    paths: int = 2,
    distil: float = 1.0,
    candidates: int = 100,
    **options: Any,
) -> Result:
    """Train the largest network, then let kernels, depths and widths become smaller, stage by stage, learning from it.

    Cai et al., *Once-for-All: Train One Network and Specialize it for Efficient Deployment*, ICLR 2020
    (https://arxiv.org/abs/1908.09791), section 3.3. Departures:

    - What shrinks are the space's decisions among numbers: those called kernel, then the lengths of repeats, then all
      others (widths, expansions, ...), each stage letting all of one kind take one smaller value more. Choices between
      modules have no order: they are drawn uniformly from the first stage of shrinking on, and of them the largest
      network has those that make it largest.
    - Smaller kernels are the middle of larger ones, without the paper's learnt transformation; smaller widths the first
      channels, which are not sorted by importance beforehand.
    - Epochs are divided evenly among the stages of shrinking, and the learning rate comes down once over all of them.
    - Under ceilings the largest network is the largest of those that meet them, a stage draws such alone, and one that
      has no more of them than the stage before it is left out.

    Args:
        space: What to search; None for the task's own.
        task: The learning problem.
        largest_share: Of the epochs, for the largest network alone.
        paths: Architectures a step while shrinking; the paper's 2 to 4.
        distil: Weight of the distance from what the largest network says, beside the loss on the targets; the
            paper's 1.
        candidates: Architectures measured with shared weights at the end.
        options: Of `archwright.oneshot.Options`.
    """
    if not 0 < largest_share < 1 or paths < 1 or distil < 0:
        raise ValueError(
            f"largest_share must lie between 0 and 1, paths be 1 or more, distil 0 or more; got {largest_share=}, "
            f"{paths=}, {distil=}"
        )
    told = {"largest_share": largest_share, "paths": paths, "distil": distil, "candidates": candidates}
    session = Session("progressive", space, task, Options(**options), told)
    limits = Paths(session)
    fits = limits.fits if limits.pool else None
    largest = extreme(session.space, shared_of(session).costs, largest=True, begin=limits.pool, fits=fits)
    drawn = _draws(session, limits, largest)
    first = max(1, round(largest_share * session.total))
    teacher = session.keep("teacher", session.supernet.subnet(largest))
    for step in session.steps():
        inputs, targets = session.batches.at(step)
        session.optimizer.zero_grad()
        if step < first:
            loss = session.loss(largest, inputs, targets)
            loss.backward()
            session.note(loss=loss)
        else:
            if step == first:
                teacher.load_state_dict(session.supernet.subnet(largest).state_dict())
            with torch.no_grad():
                says = teacher.eval()(inputs)
            draw = drawn[min(len(drawn) - 1, (step - first) * len(drawn) // (session.total - first))]
            for path in range(paths):
                output = session.forward(draw(session.random(path, step)), inputs)
                loss = task.loss(output, targets, session.recipe.label_smoothing)
                session.note(smaller_loss=loss)
                (loss / paths + distil / paths * distilled(session, output, says, targets)).backward()
        session.descend()
        if session.epoch_ends:
            session.record()
    return found_by(session, searched(session, candidates=candidates))


def _draws(session: Session, limits: Paths, largest: Architecture) -> list[Draw]:
    """For each stage of shrinking how to draw an architecture of it; with ceilings, one of those that meet them."""
    space = session.space
    allowed = stages(space, space.codes([largest])[0].tolist())
    if not limits.pool:
        return [functools.partial(within, space, stage) for stage in allowed]
    pools: list[tuple[Architecture, ...]] = []
    known: tuple[Architecture, ...] = (largest,)
    for stage in allowed[:-1]:
        found = limits.within(stage, (*known, *limits.pool))
        if len(found) > len(known):
            pools.append(found)
            known = found
    last = tuple(dict.fromkeys((*known, *limits.pool)))
    if len(last) > len(known) or not pools:
        pools.append(last)
    return [functools.partial(_one_of, pool) for pool in pools]


def _one_of(pool: Sequence[Architecture], rng: np.random.Generator) -> Architecture:
    return pool[int(rng.integers(len(pool)))]


def stages(space: Space, largest: Sequence[int]) -> list[dict[int, list[int]]]:
    """For each stage of shrinking the codes that decisions among numbers may take; the last allows all.

    Args:
        space: Where.
        largest: Codes of the largest architecture: of each decision there, the value that shrinking starts from (the
            largest number, where it is not live).
    """
    orders = {i: order for i, d in enumerate(space.decisions) if (order := _downwards(d, largest[i]))}
    kinds = {i: _kind(space, i) for i in orders}
    allowed = {i: order[:1] for i, order in orders.items()}
    found = []
    for kind in KINDS:
        of_kind = {i: order for i, order in orders.items() if kinds[i] == kind}
        for count in range(2, max(map(len, of_kind.values()), default=0) + 1):
            allowed = {**allowed, **{i: order[:count] for i, order in of_kind.items()}}
            found.append(allowed)
    return found or [{}]


def _downwards(d: Any, start: int) -> list[int]:
    """Codes in the order in which they join: the one to start from, then the nearest number; [] without numbers."""
    if d.kind == "real" or d.size > 16 or d.size < 2:
        return []  # drawn uniformly: too many to let in one by one
    values = [d.value(code) for code in range(d.size)]
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
        return []
    first = values[start] if start >= 0 else max(values)
    return sorted(range(d.size), key=lambda code: (abs(values[code] - first), code))


def _kind(space: Space, i: int) -> str:
    name = space.decisions[i].name.rsplit("/", 1)[-1]
    if "kernel" in name:
        return "kernel"
    parents = {parent for d in space.decisions for parent, _ in d.conditions}
    return "depth" if i in parents or name in ("times", "depth") else "width"
