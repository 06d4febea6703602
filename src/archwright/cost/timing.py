"""Latency: how long one inference takes on this machine, with its uncertainty and its conditions."""

from __future__ import annotations

import gc
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from archwright.cost.twin import checked_shape, own_device, own_dtype, run, twin, untouched_rng
from archwright.errors import BudgetError

__all__ = ["DRIFT_LIMIT", "Latency", "latency", "median_interval"]

DRIFT_LIMIT = 0.1
"""A reference network that changes its speed by more than this share says that the machine was not steady."""

FEWEST_REPEATS = 30
BLOCKS = 5
REFERENCE_RUNS = 7


@dataclass(frozen=True)
class Latency:
    """A measured latency; milliseconds for one forward of the whole batch.

    Args:
        median_ms: The median of the repeats.
        low_ms: Lower end of a 95% confidence interval of the median.
        high_ms: Its upper end.
        repeats: Timed runs.
        drift: By what share a reference network, timed in between, changed its speed: the largest change from
            its first time, positive when it became slower.
        conditions: Under which the number holds: device, processor, threads, batch, dtype, input_shape, torch,
            date, and reference_ms, the reference network's own median, to compare machines and days with.
    """

    median_ms: float
    low_ms: float
    high_ms: float
    repeats: int
    drift: float
    conditions: dict[str, Any] = field(default_factory=dict)

    @property
    def drifted(self) -> bool:
        """Whether the machine was too unsteady to trust the number; measure again."""
        return abs(self.drift) > DRIFT_LIMIT

    def to_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {**asdict(self), "drifted": self.drifted}

    def __str__(self) -> str:
        return (
            f"{self.median_ms:.3g} ms (95% interval {self.low_ms:.3g} to {self.high_ms:.3g}, {self.repeats} repeats"
            + (f", unsteady: the reference drifted by {self.drift:+.0%})" if self.drifted else ")")
        )


def latency(
    module: nn.Module,
    input_shape: Iterable[int] | int,
    batch: int = 1,
    threads: int = 1,
    repeats: int = 30,
    *,
    warmup: int = 10,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Latency:
    """Time forwards of a copy of `module` in eval and inference mode.

    After `warmup` runs, the repeats are timed in blocks; before, between and after the blocks a small
    fixed convolutional network is timed as a reference, whose change of speed is the machine's. The number of
    torch threads is put back afterwards, and the module is never changed. On a GPU each run is timed from an idle
    device to an idle device.

    Args:
        module: The network, lazy or not.
        input_shape: The shape of one input, without batch.
        batch: Inputs at once.
        threads: Torch threads.
        repeats: Timed runs, at least 30.
        warmup: Runs before, not timed; at least 1.
        dtype: Type of the input; by default the weights'. The input is drawn from a normal distribution, or
            zeros where the type is not floating.
        device: Where to run; by default where the module lives.

    Raises:
        BudgetError: Fewer than 30 repeats, or a batch, thread or warm-up count below 1.
        EvaluationError: The network cannot run on such an input; says where.
    """
    for name, value, least in (
        ("batch", batch, 1),
        ("threads", threads, 1),
        ("warmup", warmup, 1),
        ("repeats", repeats, FEWEST_REPEATS),
    ):
        if not isinstance(value, int) or value < least:
            raise BudgetError(f"latency({name}={value!r}): give a whole number of at least {least}")
    place = torch.device(device) if device is not None else own_device(module)
    kind = dtype or own_dtype(module)
    x = _drawn((batch, *checked_shape(input_shape)), kind, place)
    reference, y = _reference(place)
    with untouched_rng(place):
        copied = twin(module, device=place, weights=True)
        with _threads(threads):
            with torch.no_grad():  # a lazy layer cannot infer its sizes in inference mode
                run(copied, x)
            with torch.inference_mode():
                times, reference_times = _interleaved(copied, x, reference, y, warmup, repeats)
    low, high = median_interval(times)
    medians = [statistics.median(block) for block in reference_times]
    drift = max((m / medians[0] - 1 for m in medians), key=abs)
    conditions = {
        "device": str(place),
        "processor": _processor(place),
        "threads": threads,
        "batch": batch,
        "dtype": str(kind).removeprefix("torch."),
        "input_shape": list(x.shape[1:]),
        "torch": torch.__version__,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "reference_ms": statistics.median(medians),
    }
    return Latency(statistics.median(times), low, high, repeats, drift, conditions)


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """A confidence interval of the median that holds for any distribution of independent values.

    Its ends are the j-th smallest and the j-th largest value, for the largest j with at most half of the
    remaining probability in each binomial tail: for 30 values and 95% the 10th and the 21st. Conover, *Practical
    Nonparametric Statistics*, 3rd ed. 1999, section 3.2; also Le Boudec, *Performance Evaluation of Computer and
    Communication Systems*, 2010, theorem 2.1. The widest interval there is when values are too few.

    >>> median_interval(range(1, 31))
    (10, 21)
    """
    ordered, n = sorted(values), len(values)
    tail, j = 0.0, 0
    while j < n // 2:
        tail += math.comb(n, j) * 0.5**n
        if tail > (1 - confidence) / 2:
            break
        j += 1
    j = max(j, 1)
    return ordered[j - 1], ordered[n - j]


def _interleaved(
    module: nn.Module, x: Tensor, reference: nn.Module, y: Tensor, warmup: int, repeats: int
) -> tuple[list[float], list[list[float]]]:
    """Times of the module, and of the reference in one list for each time that it had its turn; milliseconds."""
    wait: Callable[[], None] = (lambda: torch.cuda.synchronize(x.device)) if x.device.type == "cuda" else (lambda: None)
    times: list[float] = []
    reference_times: list[list[float]] = []
    _timed(reference, y, warmup, wait)
    with _no_collection():
        for block in range(BLOCKS + 1):
            _timed(reference, y, 2, wait)
            reference_times.append(_timed(reference, y, REFERENCE_RUNS, wait))
            if block < BLOCKS:
                _timed(module, x, warmup if block == 0 else 2, wait)  # its weights back into the caches
                share = (block + 1) * repeats // BLOCKS - block * repeats // BLOCKS
                times += _timed(module, x, share, wait)
    return times, reference_times


def _timed(module: nn.Module, x: Tensor, runs: int, wait: Callable[[], None]) -> list[float]:
    times = []
    for _ in range(runs):
        wait()
        start = time.perf_counter_ns()
        module(x)
        wait()
        times.append((time.perf_counter_ns() - start) / 1e6)
    return times


def _drawn(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """An input that has no run of zeros to be quick on, from a generator of its own."""
    if not dtype.is_floating_point:
        return torch.ones(shape, dtype=dtype, device=device)  # token 0 is padding, on which less may be done
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device, dtype)


def _reference(device: torch.device) -> tuple[nn.Module, Tensor]:
    """A fixed small network, some tenths of a millisecond on one core; its weights touch no global generator."""
    with torch.device("meta"):
        network = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1))
    network = network.to_empty(device=device).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(0.01)
    return network, _drawn((1, 8, 32, 32), torch.float32, device)


@contextmanager
def _threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection inside a timed run."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@cache
def _processor(device: torch.device) -> str:
    """The name of what computes, as exactly as the system tells."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{name} ({os.cpu_count()} cores)"
