"""What a database's errors mean to the person who runs a search, and what to do about each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from archwright.errors import StoreError, StoreLockedError, StoreVersionError

__all__ = ["explained", "foreign"]

NEARLY_FULL_BYTES = 1 << 20


@contextmanager
def explained(place: str, doing: str, path: Path | None = None) -> Iterator[None]:
    """Turn every database error into a `StoreError` that says where, what failed and what to do.

    Args:
        place: The store, for the message.
        doing: What was being done: ``"trial 12 was not stored"``.
        path: The store's file, if it is one.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise _explain(error, place, doing, path) from error


def foreign(place: str, what: str) -> StoreVersionError:
    """The error for a file that is something else."""
    return StoreVersionError(
        f"{place} is not an archwright store: it is {what}. Give another file name; this file was not changed"
    )


def _explain(error: SQLAlchemyError, place: str, doing: str, path: Path | None) -> StoreError:
    cause = getattr(error, "orig", None) or error
    name = getattr(cause, "sqlite_errorname", None) or ""
    said = " ".join(str(cause).split())
    if name.startswith("SQLITE_NOTADB"):
        return foreign(place, "no SQLite file")
    if name.startswith("SQLITE_CORRUPT"):
        return StoreError(
            f"{place} is damaged ({said}): restore it from a copy, or save what can be read with "
            f"`sqlite3 {place} .recover`"
        )
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreLockedError(
            f"{place} is locked by another process, so {doing}: wait until it ends, or close the "
            f"program that holds the file open"
        )
    if name.startswith("SQLITE_FULL") or (name.startswith("SQLITE_IOERR") and _full(path)):
        return StoreError(
            f"no room is left on the disk of {place}, so {doing}: free some space and resume; "
            f"everything told before is kept"
        )
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return StoreError(
            f"{place} cannot be written to ({said}), so {doing}: it or its folder is read-only; choose "
            f"another place, or change its permissions"
        )
    if isinstance(error, IntegrityError):
        return StoreError(
            f"{place} holds this already, so {doing} ({said}): was the run continued elsewhere? Open it anew and resume"
        )
    return StoreError(f"{place}: {doing}: {said}")


def _full(path: Path | None) -> bool:
    try:
        return path is not None and shutil.disk_usage(path.parent).free < NEARLY_FULL_BYTES
    except OSError:
        return False
