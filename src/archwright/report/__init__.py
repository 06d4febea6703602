"""People look: live progress, tables, plots, and one static HTML page. Knows nothing of torch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archwright.report.html import page, write_page
    from archwright.report.progress import Progress
    from archwright.report.record import RunRecord, baseline_from

__all__ = ["Progress", "RunRecord", "baseline_from", "page", "write_page"]

# Loaded when first asked for: plotly and jinja are not needed by a search that only shows its progress.
_HOMES = {
    "Progress": "progress",
    "RunRecord": "record",
    "baseline_from": "record",
    "page": "html",
    "write_page": "html",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
