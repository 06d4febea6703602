"""Every error that archwright raises on purpose, in one tree.

::

    ArchwrightError
    ├── SpaceError (ValueError)          a space, or something done to it, makes no sense
    │   ├── OutOfSpaceError              an architecture or value that the space does not hold
    │   └── SpaceExhaustedError          every architecture of a finite space has been proposed
    ├── ObjectiveError (ValueError)      a goal, ceiling or reward makes no sense
    │   └── NothingFitsError             no architecture of the space meets the ceilings
    ├── DataError (ValueError)           data that cannot be learnt from; says which and where
    ├── BudgetError (ValueError)         a budget, worker count or time-out that makes no sense
    ├── EvaluationError                  one evaluation failed; becomes a failed trial
    ├── StoreError                       a store that cannot be read or written
    │   ├── StoreLockedError             another search is writing to this run
    │   ├── StoreVersionError            the file is not ours, or from a newer archwright
    │   └── ResumeError                  the space, data or settings changed since the run began
    ├── WorkerError                      workers cannot be started or keep dying
    ├── ExportError                      a network cannot be written or read in some form
    └── MissingExtraError (ImportError)  an optional package is needed; names the extra to install

A message says where, what came, what was allowed and what to do. The command line prints it alone and
exits with code 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ArchwrightError",
    "BudgetError",
    "DataError",
    "EvaluationError",
    "ExportError",
    "MissingExtraError",
    "NothingFitsError",
    "ObjectiveError",
    "OutOfSpaceError",
    "ResumeError",
    "SpaceError",
    "SpaceExhaustedError",
    "StoreError",
    "StoreLockedError",
    "StoreVersionError",
    "WorkerError",
    "did_you_mean",
]


class ArchwrightError(Exception):
    """The root: ``except ArchwrightError`` catches all that archwright raises on purpose."""


class SpaceError(ArchwrightError, ValueError):
    """A space, or something done to it, makes no sense."""


class OutOfSpaceError(SpaceError):
    """An architecture or a value that the space does not hold."""


class SpaceExhaustedError(SpaceError):
    """Every architecture of a finite space has been proposed."""


class ObjectiveError(ArchwrightError, ValueError):
    """A goal, a ceiling or a reward makes no sense."""


class NothingFitsError(ObjectiveError):
    """No architecture of the space meets the ceilings."""


class DataError(ArchwrightError, ValueError):
    """Data that cannot be learnt from; the message says which and where."""


class BudgetError(ArchwrightError, ValueError):
    """A budget, a worker count or a time-out that makes no sense."""


class EvaluationError(ArchwrightError):
    """One evaluation failed for a reason worth telling; it becomes a failed trial."""


class StoreError(ArchwrightError):
    """A store that cannot be read or written."""


class StoreLockedError(StoreError):
    """Another search is writing to this store."""


class StoreVersionError(StoreError):
    """The file is not an archwright store, or was written by a newer archwright."""


class ResumeError(StoreError):
    """The space, the data or the settings changed since the run began."""


class WorkerError(ArchwrightError):
    """Workers cannot be started, or keep dying."""


class ExportError(ArchwrightError):
    """A network cannot be written or read in some form."""


class MissingExtraError(ArchwrightError, ImportError):
    """An optional package is needed.

    >>> raise MissingExtraError("onnxruntime", extra="onnx", purpose="to write model.onnx")
    Traceback (most recent call last):
    ...
    archwright.errors.MissingExtraError: 'onnxruntime' is needed to write model.onnx: pip install 'archwright[onnx]'
    """

    def __init__(self, package: str, *, extra: str, purpose: str):
        super().__init__(f"'{package}' is needed {purpose}: pip install 'archwright[{extra}]'")
        self.package = package
        self.extra = extra


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """A sentence ending that lists what was allowed and the nearest name, if one is near.

    >>> did_you_mean("digit", ["digits", "mnist1d"])
    "Allowed: digits, mnist1d. Did you mean 'digits'?"
    """
    names = [str(n) for n in allowed]
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    listed = ", ".join(names) if names else "nothing"
    return f"Allowed: {listed}." + (f" Did you mean '{near[0]}'?" if near else "")
