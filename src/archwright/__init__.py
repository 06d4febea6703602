"""Neural architecture search for PyTorch: data and a budget in, a trained network and the evidence for it out.

*A strategy proposes an architecture from a space; an evaluator measures it; a trial records it; objectives
say which trials are better.* Each name below is loaded when it is first used, so that ``import archwright``
is instant and torch is imported only by what needs it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archwright import (
        cost,
        errors,
        evaluator,
        export,
        nn,
        objective,
        oneshot,
        report,
        run,
        sklearn,
        space,
        store,
        strategy,
        supernet,
        task,
        testing,
    )
    from archwright.objective import at_most, maximize, minimize
    from archwright.run import Result, resume, search
    from archwright.space import Architecture, Space, choice, integer, real, repeat, searchable, subset
    from archwright.trial import Measurement, Proposal, Trial

    __version__: str

__all__ = [
    "Architecture",
    "Measurement",
    "Proposal",
    "Result",
    "Space",
    "Trial",
    "__version__",
    "at_most",
    "choice",
    "cost",
    "errors",
    "evaluator",
    "export",
    "integer",
    "maximize",
    "minimize",
    "nn",
    "objective",
    "oneshot",
    "real",
    "repeat",
    "report",
    "resume",
    "run",
    "search",
    "searchable",
    "sklearn",
    "space",
    "store",
    "strategy",
    "subset",
    "supernet",
    "task",
    "testing",
]

_HOMES = {
    "archwright.objective": ("at_most", "maximize", "minimize"),
    "archwright.run": ("Result", "resume", "search"),
    "archwright.space": ("Architecture", "Space", "choice", "integer", "real", "repeat", "searchable", "subset"),
    "archwright.trial": ("Measurement", "Proposal", "Trial"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("archwright")
    elif name in _HOME_OF:
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
    elif name in __all__:
        return importlib.import_module(f"archwright.{name}")
    else:
        raise AttributeError(f"module 'archwright' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
