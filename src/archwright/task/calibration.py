"""Whether a classifier's probabilities can be taken at their word."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from archwright.errors import DataError

__all__ = ["calibration", "misses"]

BINS = 15


def misses(output: Tensor, target: Tensor) -> Tensor:
    """For each sample and bin how much more right than sure it is, 0 in other bins: (n, bins).

    The expected calibration error is the sum over bins of the absolute value of the mean over samples.
    """
    sure, called = output.double().softmax(1).max(1)
    found = torch.zeros(len(output), BINS, dtype=torch.float64, device=output.device)
    return found.scatter_(1, _place(sure, BINS)[:, None], ((called == target).double() - sure)[:, None])


def _place(sure: Tensor, bins: int) -> Tensor:
    return (sure * bins).ceil().clamp(1, bins).long() - 1  # a bin holds its upper edge, as in the paper


def calibration(output: Tensor, target: Tensor, *, bins: int = BINS) -> dict[str, Any]:
    """The expected calibration error of top probabilities, and what a reliability diagram is drawn from.

    Guo et al., *On Calibration of Modern Neural Networks*, ICML 2017 (https://arxiv.org/abs/1706.04599), equation 3:
    samples are put into bins of equal width by the probability of the class that is called; the error is the mean over
    samples of ``|accuracy - confidence|`` of their bin.

    Args:
        output: Logits (n, classes).
        target: Class indices (n,).
        bins: How many.

    Returns:
        ``ece``; ``confidence`` and ``accuracy``, the means over all samples; and ``bins``, a list of ``{"confidence",
        "accuracy", "count"}`` of those that hold samples, in their order.

    Raises:
        DataError: there is no sample, or fewer than one bin.
    """
    if len(output) == 0 or bins < 1:
        raise DataError(f"calibration of {len(output)} samples in {bins} bins: at least one of each is needed")
    sure, called = output.double().softmax(1).max(1)
    right = (called == target).double()
    place = _place(sure, bins)
    found, error = [], 0.0
    for i in range(bins):
        here = place == i
        count = int(here.sum())
        if count:
            confidence, accuracy = sure[here].mean().item(), right[here].mean().item()
            error += count / len(output) * abs(accuracy - confidence)
            found.append({"confidence": confidence, "accuracy": accuracy, "count": count})
    return {
        "ece": error,
        "confidence": torch.mean(sure).item(),
        "accuracy": torch.mean(right).item(),
        "bins": found,
    }
