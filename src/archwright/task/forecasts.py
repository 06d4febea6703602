"""Forecasts: what a network's numbers mean, the loss they are trained by, and the metrics of the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from archwright.errors import DataError
from archwright.task.metrics import Metric

__all__ = ["Forecasts", "ScaledError", "forecast_metrics", "packed"]

TRUTH, NAIVE, SCALE = range(3)


def packed(truth: Tensor, naive: Tensor, scale: Tensor) -> Tensor:
    """Targets (n, 3, numbers): what came, what the seasonal naive forecast says, and what is a usual step.

    All standardised as the target column is. So every metric is a function of outputs and targets alone.
    """
    return torch.stack([truth, naive, scale], 1)


@dataclass(frozen=True)
class Forecasts:
    """A network's outputs (n, targets * horizon) as forecasts in units.

    Args:
        mean: Of each target over the training period.
        std: Deviation likewise.
        names: Of the targets.
        horizon: How many rows are forecast.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    names: tuple[str, ...]
    horizon: int

    def encode(self, values: Any, where: str = "targets") -> Tensor:
        """A series holds its own targets."""
        raise DataError(f"{where}: a forecast has no targets beside its series: they are the rows that follow")

    def decode(self, standardised: Any) -> list[dict[str, list[float]]]:
        """For each window the horizon of each target, by name."""
        values = torch.as_tensor(standardised, dtype=torch.float64).reshape(-1, len(self.names), self.horizon)
        mean, std = (torch.tensor(v, dtype=torch.float64).view(1, -1, 1) for v in (self.mean, self.std))
        return [dict(zip(self.names, row, strict=True)) for row in (values * std + mean).tolist()]

    answers = decode

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "kind": "forecasts", "mean": list(self.mean), "std": list(self.std), "names": list(self.names),
            "horizon": self.horizon,
        }  # fmt: skip


@dataclass(frozen=True)
class ScaledError:
    """Huber's loss of errors counted in usual steps of their series, so that all series weigh alike.

    Beyond one usual step an error counts in proportion, as it does in MASE; smaller ones by their square.
    """

    def __call__(self, output: Tensor, target: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """A scalar; `target` is as `packed` makes it."""
        scale = target[:, SCALE]
        return F.huber_loss(output / scale, target[:, TRUTH] / scale)

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"loss": "Huber loss of scaled errors"}


@dataclass(frozen=True)
class _Units:
    """Mean and deviation of every output, for errors in units."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def error(self, output: Tensor, target: Tensor) -> Tensor:
        return (output.double() - target[:, TRUTH].double()) * self._row(self.std, output)

    def values(self, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        std, mean = self._row(self.std, output), self._row(self.mean, output)
        return output.double() * std + mean, target[:, TRUTH].double() * std + mean

    @staticmethod
    def _row(numbers: tuple[float, ...], like: Tensor) -> Tensor:
        row = torch.tensor(numbers, dtype=torch.float64, device=like.device)
        return row.repeat_interleave(like.shape[1] // len(numbers))


@dataclass(frozen=True)
class _Absolute:
    units: _Units

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return self.units.error(output, target).abs().mean(1)


@dataclass(frozen=True)
class _Squared:
    units: _Units

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return self.units.error(output, target).square().mean(1)


@dataclass(frozen=True)
class _Symmetric:
    units: _Units

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        made, true = self.units.values(output, target)
        return (200 * (made - true).abs() / (made.abs() + true.abs()).clamp_min(1e-12)).mean(1)


def scaled_error(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error of each window, in usual steps of its series: (n,)."""
    return ((output.double() - target[:, TRUTH]).abs() / target[:, SCALE]).mean(1)


def beaten(output: Tensor, target: Tensor) -> Tensor:
    """1 for each window where the forecast errs less than the seasonal naive one, else 0: (n,)."""
    return (scaled_error(output, target) < scaled_error(target[:, NAIVE], target)).double()


def root(mean: Tensor) -> float:
    """The square root."""
    return float(mean.sqrt())


def forecast_metrics(mean: Sequence[float], std: Sequence[float]) -> Mapping[str, Metric]:
    """The metrics of forecasts, in the original units of targets that were standardised by `mean` and `std`.

    ``mae``, ``rmse``; ``smape``, 0 to 200 %, as in the M4 competition (Makridakis et al., 2020); ``mase``, the absolute
    error in units of what the seasonal naive forecast errs within the training period (Hyndman & Koehler, *Another look
    at measures of forecast accuracy*, 2006): below 1 is better; ``beats_naive``, the share of windows with a smaller
    error than the seasonal naive forecast of the same window.
    """
    units = _Units(tuple(mean), tuple(std))
    return {
        m.name: m
        for m in (
            Metric.of_mean("mase", "minimize", scaled_error),
            Metric.of_mean("mae", "minimize", _Absolute(units)),
            Metric.of_mean("rmse", "minimize", _Squared(units), root),
            Metric.of_mean("smape", "minimize", _Symmetric(units)),
            Metric.of_mean("beats_naive", "maximize", beaten),
        )
    }
