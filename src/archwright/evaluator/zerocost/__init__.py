"""Zero-cost proxies: how good an architecture may be, told by one batch and no training at all.

Each is a number of which more promises a better network. How far the promise holds differs from space to space, so it
is measured: see `judge`. Needs torch only where a network is looked at.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from archwright.evaluator.zerocost.correlation import Judgement, RankCorrelation, judge, rank_correlation, results_of

if TYPE_CHECKING:
    from archwright.evaluator.zerocost.az_nas import aggregate
    from archwright.evaluator.zerocost.proxies import PROXIES, compute
    from archwright.evaluator.zerocost.scoring import ZeroCost

__all__ = [
    "PROXIES",
    "Judgement",
    "RankCorrelation",
    "ZeroCost",
    "aggregate",
    "compute",
    "judge",
    "rank_correlation",
    "results_of",
]

_HOMES = {"PROXIES": "proxies", "compute": "proxies", "ZeroCost": "scoring", "aggregate": "az_nas"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:  # these import torch
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
