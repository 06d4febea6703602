"""Opening a store: connect, tell our files from others', make the tables of a new one."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, inspect, make_url, select
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import NullPool

from archwright.errors import StoreError, StoreVersionError, did_you_mean
from archwright.store import schema
from archwright.store.faults import explained, foreign

__all__ = ["locate", "open_database"]

SMALLEST_BYTES = 512
"""The smallest page that SQLite has."""


def locate(place: str | os.PathLike[str]) -> tuple[URL, Path | None]:
    """The database URL of a path or URL, and the path of its file if it is a file."""
    text = os.fspath(place)
    if "://" not in text:
        url = URL.create("sqlite", database=text)
    else:
        try:
            url = make_url(text)
        except ArgumentError as error:
            raise StoreError(
                f"store {text!r} is no database URL: give a path such as runs.db, or a URL such as "
                f"postgresql+psycopg://user@host/name"
            ) from error
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return url, None
    return url, Path(str(url.database)).absolute()


def open_database(url: URL, path: Path | None, place: str, create: bool, busy_timeout_s: float) -> Connection:
    """One open connection to a store of our own, made if it is not there and `create` allows it."""
    if path is not None:
        _check_path(path, place, create)
    connection: Connection | None = None
    with explained(place, "it was not opened", path):
        try:
            connection = _engine(url, busy_timeout_s).connect()
            if _is_ours(connection, place, create):
                _check_version(connection, place)
            if url.get_backend_name() == "sqlite":
                _tune_sqlite(connection)
            if create:
                _make_tables(connection)
        except BaseException:
            if connection is not None:
                connection.close()
            raise
    return connection


def _check_path(path: Path, place: str, create: bool) -> None:
    if path.is_dir():
        raise StoreError(f"{place} is a folder: give a file in it, such as {Path(place) / 'runs.db'}")
    if path.exists():
        if 0 < path.stat().st_size < SMALLEST_BYTES:  # SQLite would take a file of one byte for an empty one
            raise foreign(place, "no SQLite file")
        return
    if not create:
        near = sorted(p.name for p in path.parent.glob("*.db")) if path.parent.is_dir() else []
        raise StoreError(f"there is no store {place}. {did_you_mean(path.name, near)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the folder of {place} cannot be made ({error.strerror}): choose another place") from error


def _engine(url: URL, busy_timeout_s: float) -> Engine:
    sqlite = url.get_backend_name() == "sqlite"
    arguments = {"timeout": busy_timeout_s, "check_same_thread": False} if sqlite else {}
    try:
        return create_engine(url, poolclass=NullPool, connect_args=arguments)
    except NoSuchModuleError as error:
        raise StoreError(
            f"store {url.drivername}://...: no such kind of database. "
            f"{did_you_mean(url.drivername, ['sqlite', 'postgresql+psycopg'])}"
        ) from error
    except ModuleNotFoundError as error:
        raise StoreError(
            f"store {url.drivername}://...: the driver {error.name!r} is not installed: pip install {error.name}"
        ) from error


def _is_ours(connection: Connection, place: str, create: bool) -> bool:
    """Whether it is a store already; False for an empty database, and an error for any other."""
    with connection.begin():
        names = set(inspect(connection).get_table_names())
        ours = "meta" in names and {c["name"] for c in inspect(connection).get_columns("meta")} == {"key", "value"}
        owner = ours and connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "application"))
        if connection.dialect.name == "sqlite":
            marked = connection.exec_driver_sql("PRAGMA application_id").scalar()
            if not names and marked not in (0, schema.APPLICATION_ID):
                raise foreign(place, "an SQLite database of another program")
    if owner == schema.APPLICATION:
        return True
    if connection.dialect.name == "sqlite" and names:
        listed = ", ".join(sorted(names)[:5])
        raise foreign(place, f"an SQLite database of another program, with the tables {listed}")
    taken = sorted(names & set(schema.tables.tables))
    if taken:  # a PostgreSQL database may hold other tables, but not under our names
        raise StoreVersionError(
            f"{place} holds tables named {', '.join(taken)} that are not archwright's: use a "
            f"database or a schema of its own"
        )
    if not create:
        raise foreign(place, "an empty database")
    return False


def _tune_sqlite(connection: Connection) -> None:
    """Write-ahead log, synced at checkpoints: a commit survives the death of its process, whatever way it dies.

    A power cut may take the last commits with it, but never leaves a broken file; a sync each commit would
    cost some milliseconds a trial.
    """
    for attempt in range(50):
        try:
            with connection.begin():
                connection.exec_driver_sql("PRAGMA journal_mode=WAL").close()
            break
        except OperationalError as error:
            # SQLite does not wait here by itself when two processes make the same new file at once.
            busy = isinstance(error.orig, sqlite3.OperationalError) and error.orig.sqlite_errorname == "SQLITE_BUSY"
            if not busy or attempt == 49:
                raise
            time.sleep(0.02)
    connection.exec_driver_sql("PRAGMA synchronous=NORMAL").close()
    connection.rollback()


def _make_tables(connection: Connection) -> None:
    with connection.begin():
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # two processes may be making the same new file
        else:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({schema.APPLICATION_ID})")
        if inspect(connection).has_table("meta"):
            return
        schema.tables.create_all(connection)
        values = {"application": schema.APPLICATION, "schema_version": str(schema.VERSION)}
        connection.execute(schema.meta.insert(), [{"key": k, "value": v} for k, v in values.items()])
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql(f"PRAGMA application_id={schema.APPLICATION_ID}")


def _check_version(connection: Connection, place: str) -> None:
    with connection.begin():
        found = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.key == "schema_version"))
    if not str(found).isdecimal() or int(str(found)) > schema.VERSION:
        raise StoreVersionError(
            f"{place} was written by a newer archwright (schema version {found}; this one knows versions up to "
            f"{schema.VERSION}): upgrade archwright to open it. The file was not changed"
        )
