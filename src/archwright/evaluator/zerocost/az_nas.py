"""AZ-NAS: four views of a network at its start, and one rank from all of them.

Lee and Ham, *AZ-NAS: Assembling Zero-Cost Proxies for Network Architecture Search*, CVPR 2024
(https://arxiv.org/abs/2403.19232). As there, weights are drawn after He et al. (normal, fan in) and inputs from a
normal distribution. Its fourth view, complexity, is the multiply-accumulates, the proxy ``macs``.

Departures:

- The paper's *primary blocks* are named by hand in each of its spaces. Here they are the trainable modules that stand
  directly in the network, in its nested ``nn.Sequential`` and ``nn.ModuleList``, in the order in which they run; the
  last, which answers, is left out.
- Where positions do not divide evenly, gradients are padded with zeros before they are folded into channels.
- A network of one block has no progressivity and no trainability, and says so; the rank takes that for the worst.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from archwright.errors import EvaluationError
from archwright.evaluator.randomness import generator
from archwright.evaluator.zerocost.probe import Probe, redraw

__all__ = ["VIEWS", "aggregate", "expressivity", "progressivity", "rank_among", "trainability"]

VIEWS = ("expressivity", "progressivity", "trainability", "macs")
"""The proxies that the rank is made of."""


def expressivity(probe: Probe) -> float:
    """How evenly features use their directions, summed over blocks: the entropy of the shares of variance.

    ``sum_l -sum_i p_i log p_i``, where ``p`` are the eigenvalues of the covariance of a block's channels,
    over inputs and positions, divided by their sum.
    """
    return sum(_entropies(probe))


def progressivity(probe: Probe) -> float:
    """By how much a block adds to the expressivity of the one before it, at the least."""
    found = _entropies(probe)
    if len(found) < 2:
        raise EvaluationError("the network has one block before its head: nothing can grow from block to block")
    return min(b - a for a, b in pairwise(found))


def trainability(probe: Probe) -> float:
    """How little blocks stretch or shrink gradients, on average: ``-s - 1/s + 2``, 0 at best.

    ``s`` is the largest singular value of the mean of ``g_in g_out'`` over inputs and positions, an estimate of a
    block's Jacobian from random signs ``g_out`` that are sent back through it.
    """
    features = _features(probe)
    if len(features) < 2:
        raise EvaluationError("the network has one block before its head: no gradient passes from block to block")
    source = generator("cpu", probe.seed, 3, 2)
    scores = []
    for before, after in pairwise(features):
        signs = torch.randint(0, 2, after.shape, generator=source).to(after.dtype) * 2 - 1
        (back,) = torch.autograd.grad(
            after, before, signs, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        if torch.equal(back, signs):
            raise EvaluationError("a block gives gradients back as they came: it does nothing")
        left, right = _folded(back, after.shape), _rows(signs)
        matrix = left.T @ right / len(right)
        small = matrix.T @ matrix if matrix.shape[0] > matrix.shape[1] else matrix @ matrix.T
        largest = float(torch.linalg.eigvalsh(small.double())[-1].clamp(min=0).sqrt())
        scores.append(-largest - 1 / (largest + 1e-6) + 2)
    return sum(scores) / len(scores)


def aggregate(columns: Mapping[str, Sequence[float]]) -> list[float]:
    """One number an architecture from the ranks of all views: ``sum_k log(rank_k / n)``, 0 for the best of all.

    The paper's non-linear aggregation: the logarithm makes a low rank in one view weigh more than high ones in
    others. NaN ranks lowest, and equal values share the mean of their ranks.

    >>> [round(v, 3) for v in aggregate({"a": [1.0, 2.0, 3.0], "b": [5.0, 9.0, 7.0]})]
    [-2.197, -0.405, -0.405]
    """
    from scipy.stats import rankdata

    table = _ordered(np.array([list(column) for column in columns.values()], dtype=float))
    if table.ndim != 2 or not table.size:
        raise EvaluationError("aggregate needs at least one view of at least one architecture")
    return np.log(rankdata(table, axis=1) / table.shape[1]).sum(0).tolist()


def rank_among(reference: Mapping[str, Sequence[float]], values: Mapping[str, float]) -> float:
    """What `aggregate` would give for one architecture that joins those of `reference`.

    >>> views = {"a": [1.0, 2.0], "b": [5.0, 9.0]}
    >>> rank_among(views, {"a": 3.0, "b": 7.0}) == aggregate({"a": [1.0, 2.0, 3.0], "b": [5.0, 9.0, 7.0]})[-1]
    True
    """
    total = 0.0
    for name, column in reference.items():
        others = _ordered(np.array(list(column), dtype=float))
        own = _ordered(np.array([values.get(name, math.nan)], dtype=float))[0]
        rank = 1 + np.sum(others < own) + np.sum(others == own) / 2
        total += math.log(rank / (len(others) + 1))
    return total


def _ordered(values: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(values), -np.inf, values)


def _entropies(probe: Probe) -> list[float]:
    with torch.no_grad():
        found = []
        for feature in _features(probe):
            rows = _rows(feature)
            rows = rows - rows.mean(0)
            values = torch.linalg.eigvalsh((rows.T @ rows / len(rows)).double()).clamp(min=0)
            shares = values / values.sum().clamp(min=torch.finfo(torch.float64).tiny)
            found.append(float(-(shares * (shares + 1e-8).log()).sum()))
        return found


def _features(probe: Probe) -> list[Tensor]:
    """What each block but the last gives, in the order in which they run."""
    network = probe.network()
    redraw(network, lambda weight: math.sqrt(2 * len(weight) / weight.numel()), probe.seed, 3, 0)
    found: list[Tensor] = []

    def see(block: nn.Module, _: Any, result: Any) -> Any:
        first = result[0] if isinstance(result, tuple) else result
        if not isinstance(first, Tensor) or first.dim() < 2 or first.shape[0] != len(probe.inputs):
            raise EvaluationError(f"the block {type(block).__name__} gives no features (batch, channels, ...)")
        found.append(first)
        # What follows gets a copy: it may work in place.
        return (first.clone(), *result[1:]) if isinstance(result, tuple) else first.clone()

    for block in _blocks(network):
        block.register_forward_hook(see)
    output = probe.answer(network, probe.noise(3, 1))
    if found and found[-1].shape == output.shape:
        found.pop()
    if not found:
        raise EvaluationError("the network has no block before its head")
    return found


def _blocks(module: nn.Module, top: bool = True) -> Iterator[nn.Module]:
    """The modules with weights that stand in the network itself or in its sequences."""
    for child in module.children():
        holds_others = isinstance(child, (nn.Sequential, nn.ModuleList)) or (top and len(list(module.children())) == 1)
        if holds_others and any(True for _ in child.children()):
            yield from _blocks(child, top)
        elif any(p.requires_grad for p in child.parameters()):
            yield child


def _rows(feature: Tensor) -> Tensor:
    """(batch, channels, ...) as (batch and positions, channels)."""
    return feature.movedim(1, -1).reshape(-1, feature.shape[1])


def _folded(gradient: Tensor, after: torch.Size) -> Tensor:
    """The gradient of a block's input as rows, one for each position of the block's result.

    Each window of positions that becomes one position is laid into the channels (the paper's pixel-unshuffle).
    """
    if len(after) != gradient.dim():
        gradient = gradient.flatten(1)
        if len(after) > 2:
            raise EvaluationError("a block changes the number of axes in a way that cannot be followed")
        return gradient
    for axis in range(2, gradient.dim()):
        size, less = gradient.shape[axis], after[axis]
        step = -(-size // less)
        if step * less != size:
            padding = [0, 0] * (gradient.dim() - 1 - axis) + [0, step * less - size]
            gradient = nn.functional.pad(gradient, padding)
        shape = gradient.shape
        split = gradient.reshape(*shape[:axis], less, step, *shape[axis + 1 :])
        split = split.movedim(axis + 1, 2)  # (batch, channels, step, ...)
        gradient = split.reshape(shape[0], shape[1] * step, *shape[2:axis], less, *shape[axis + 1 :])
    return _rows(gradient)
