"""The store: runs and their trials, append-only, safe against the death of the process at any instant."""

from __future__ import annotations

import gc
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, and_, func, null, select
from sqlalchemy.exc import IntegrityError

from archwright.errors import StoreError, StoreLockedError, did_you_mean
from archwright.store import records, schema
from archwright.store.faults import explained
from archwright.store.lock import RunLock
from archwright.store.opening import locate, open_database
from archwright.store.records import Record
from archwright.trial import Trial

__all__ = ["Event", "Run", "Store"]

ROWS_AT_ONCE = 20_000

# Made once: SQLAlchemy then finds their compiled form again by identity.
_ADD_TRIAL = schema.trials.insert()
_ADD_CURVE = schema.curves.insert()
# Advisory locks are a server's two integers for a whole database, of which a schema may be ours.
_LOCK_SPACE = func.hashtext(func.concat(f"{schema.APPLICATION} ", func.current_schema()))
_NOTHING = null().label("body_1")


@dataclass(frozen=True)
class Run:
    """One search.

    Args:
        name: What people call it; the store adds ``-2``, ``-3``, ... when it is taken.
        meta: What was searched and how: space, task, objectives, strategy, seed, versions; JSON values only.
        status: ``"running"``, ``"finished"``, ``"interrupted"``: whatever the search last said.
        id: Given by the store.
        created: When, in seconds since 1970; given by the store.
    """

    name: str
    meta: Mapping[str, Any] = field(default_factory=dict)
    status: str = "running"
    id: int = -1
    created: float = 0.0


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Making a million objects that all stay would set off the collector many times, for nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass(frozen=True)
class Event:
    """Something about a run that is no trial, e.g. the outcome of its final choice (kind ``"final"``)."""

    kind: str
    at: float
    body: Mapping[str, Any]


class Store:
    """Searches and their trials in one file, or in one PostgreSQL database.

    Trials are appended, one transaction each, and never changed. Whoever writes to a run holds its lock (see
    `lock`), so a run has one writer; any number of processes may read, and different runs may be written
    to at the same time. A store may be used from several threads, but not across a fork.

    Args:
        place: A path (``"runs.db"``), a database URL (``"postgresql+psycopg://user@host/name"``), or
            ``":memory:"`` for one that is forgotten.
        create: Make the store if it is not there.
        busy_timeout_s: How long to wait for another process that is writing at this moment.

    Raises:
        StoreVersionError: It is something else, or was written by a newer archwright.
        StoreError: It cannot be opened or made; the message says why.
    """

    def __init__(self, place: str | os.PathLike[str], *, create: bool = True, busy_timeout_s: float = 10.0):
        url, self.path = locate(place)
        self.place = url.render_as_string(hide_password=True) if "://" in os.fspath(place) else os.fspath(place)
        self._connection: Connection = open_database(url, self.path, self.place, create, busy_timeout_s)
        self._guard = threading.RLock()
        self._locks: dict[int, RunLock | None] = {}
        self._closed = False

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.place!r})"

    def close(self) -> None:
        """Close the file and give back every lock. Closing twice is fine."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            for run_id in list(self._locks):
                self._unlock(run_id)
            self._connection.close()
            self._connection.engine.dispose()

    # Runs

    def create(self, run: Run) -> Run:
        """Keep a new run; the result has its id, its time and a name that no other run has."""
        meta = records.dumps(run.meta, f"the description of run '{run.name}'")
        while True:
            taken = {other.name for other in self.runs()}
            name, count = run.name, 1
            while name in taken:
                count += 1
                name = f"{run.name}-{count}"
            made = replace(run, name=name, created=time.time())
            try:
                with self._transaction(f"run '{name}' was not begun") as connection:
                    values = {"name": name, "status": made.status, "created": made.created, "meta": meta}
                    found = connection.execute(schema.runs.insert(), values)
                    key: Any = found.inserted_primary_key
                    return replace(made, id=int(key[0]))
            except StoreError as error:
                if not isinstance(error.__cause__, IntegrityError):
                    raise
                # another process took the name in between: look again

    def runs(self) -> list[Run]:
        """Every run, oldest first."""
        with self._transaction("its runs were not read") as connection:
            rows = connection.execute(select(schema.runs).order_by(schema.runs.c.id)).all()
        return [Run(r.name, json.loads(r.meta), r.status, r.id, r.created) for r in rows]

    def run(self, which: str | int | None = None) -> Run:
        """A run by its name or id; the newest without either.

        Raises:
            StoreError: There is none; the message names those that there are.
        """
        runs = self.runs()
        for run in reversed(runs):
            if which is None or run.id == which or run.name == which:
                return run
        if which is None:
            raise StoreError(f"{self.place} holds no run yet: start one with `archwright search`")
        raise StoreError(f"{self.place} holds no run {which!r}. {did_you_mean(str(which), [r.name for r in runs])}")

    def update(self, run_id: int, *, status: str | None = None, meta: Mapping[str, Any] | None = None) -> None:
        """Change what a run says of itself: its status, or the whole of its `meta`."""
        values = {} if status is None else {"status": status}
        if meta is not None:
            values["meta"] = records.dumps(meta, f"the description of run {run_id}")
        self._locked(run_id)
        if values:
            with self._transaction(f"run {run_id} was not updated") as connection:
                connection.execute(schema.runs.update().where(schema.runs.c.id == run_id), values)

    # The writer's lock

    @contextmanager
    def lock(self, run_id: int) -> Iterator[None]:
        """Hold a run's lock inside a ``with``; the first write takes it too, and keeps it until the store closes.

        It goes when its process ends, whatever way that ends.

        Raises:
            StoreLockedError: Another search is writing to this run; the message names its process.
        """
        if not self._locked(run_id):
            yield
            return
        try:
            yield
        finally:
            with self._guard:
                self._unlock(run_id)

    def _locked(self, run_id: int) -> bool:
        """Make sure that this store holds the lock; whether it had to be taken."""
        with self._guard:
            if run_id in self._locks:
                return False
            name = self.run(run_id).name
            if self.path is not None:
                self._locks[run_id] = RunLock(self.path, run_id, name)
                return True
            if self._connection.dialect.name == "postgresql":
                with self._transaction(f"run '{name}' was not locked") as connection:
                    # An advisory lock belongs to the session: the server drops it when the connection ends.
                    if not connection.scalar(select(func.pg_try_advisory_lock(_LOCK_SPACE, run_id))):
                        raise StoreLockedError(
                            f"run '{name}' in {self.place} is being written to by another process: wait until it "
                            f"ends, stop it, or give this search another name"
                        )
            self._locks[run_id] = None
            return True

    def _unlock(self, run_id: int) -> None:
        if run_id not in self._locks:
            return
        lock = self._locks.pop(run_id)
        if lock is not None:
            lock.release()
        elif self._connection.dialect.name == "postgresql" and not self._connection.invalidated and not self._closed:
            with self._transaction("a lock was not given back") as connection:
                connection.execute(select(func.pg_advisory_unlock(_LOCK_SPACE, run_id)))

    # Trials

    def add(self, run_id: int, trial: Trial, told: int, asked_after: int) -> None:
        """Append a trial, its learning curve with it, in one transaction. When this returns, the trial is kept.

        Args:
            run_id: The run that it belongs to.
            trial: The trial.
            told: Its place in the order of tells: 0, 1, 2, ...
            asked_after: How many trials had been told when this one was asked for.

        Raises:
            StoreLockedError: Another process writes to this run.
            StoreError: It was not stored (a full disk, say); what was stored before is kept.
        """
        row = {
            "run": run_id,
            "told": int(told),
            "number": int(trial.number),
            "asked_after": int(asked_after),
            "status": trial.status,
            "body": records.encode(trial),
        }
        curve = records.encode_curve(trial)
        if run_id not in self._locks:
            self._locked(run_id)
        with self._transaction(f"trial {trial.number} was not stored") as connection:
            connection.execute(_ADD_TRIAL, row)
            if curve is not None:
                connection.execute(_ADD_CURVE, {"run": run_id, "number": row["number"], "body": curve})

    def count(self, run_id: int) -> int:
        """How many trials a run holds."""
        with self._transaction("its trials were not counted") as connection:
            return connection.scalar(select(func.count()).where(schema.trials.c.run == run_id)) or 0

    def trials(self, run_id: int, *, curves: bool = False, since: int = 0) -> list[Record]:
        """The trials of a run, in the order in which they were told.

        Args:
            run_id: Which run.
            curves: Read the learning curves too; without, every `Measurement.curve` is empty.
            since: Leave out those told before this place in the order.
        """
        t, c = schema.trials.c, schema.curves.c
        columns = [t.told, t.number, t.asked_after, t.status, t.body]
        if curves:
            joined = schema.trials.outerjoin(schema.curves, and_(c.run == t.run, c.number == t.number))
            query = select(*columns, c.body).select_from(joined)
        else:
            query = select(*columns, _NOTHING)
        query = query.where(t.run == run_id, t.told >= since).order_by(t.told)
        found: list[Record] = []
        with self._transaction("its trials were not read") as connection, _no_garbage_collection():
            for rows in connection.execute(query).partitions(ROWS_AT_ONCE):
                found += records.decode_many(rows)
        return found

    def trial(self, run_id: int, number: int) -> Record:
        """One trial by its number, with its learning curve."""
        query = select(schema.trials.c.told).where(schema.trials.c.run == run_id, schema.trials.c.number == number)
        with self._transaction("a trial was not read") as connection:
            told = connection.scalar(query)
        if told is None:
            raise StoreError(
                f"run '{self.run(run_id).name}' in {self.place} holds no trial {number}: it holds "
                f"{self.count(run_id)} trials, numbered from 0"
            )
        return self.trials(run_id, curves=True, since=told)[0]

    def curve(self, run_id: int, number: int) -> tuple[Mapping[str, float], ...]:
        """The learning curve of one trial, empty if it has none."""
        query = select(schema.curves.c.body).where(schema.curves.c.run == run_id, schema.curves.c.number == number)
        with self._transaction("a learning curve was not read") as connection:
            return records.decode_curve(connection.scalar(query))

    # Events

    def event(self, run_id: int, kind: str, body: Mapping[str, Any]) -> None:
        """Append something about a run that is no trial; `body` holds JSON values only."""
        text = records.dumps(body, f"event '{kind}'")
        self._locked(run_id)
        with self._transaction(f"event '{kind}' was not stored") as connection:
            connection.execute(schema.events.insert(), {"run": run_id, "kind": kind, "at": time.time(), "body": text})

    def events(self, run_id: int, kind: str | None = None) -> list[Event]:
        """The events of a run, of one kind if given, oldest first."""
        e = schema.events.c
        query = select(e.kind, e.at, e.body).where(e.run == run_id).order_by(e.id)
        if kind is not None:
            query = query.where(e.kind == kind)
        with self._transaction("its events were not read") as connection:
            return [Event(k, at, json.loads(body)) for k, at, body in connection.execute(query)]

    def final(self, run_id: int, outcome: Mapping[str, Any]) -> None:
        """Keep the outcome of a run's final choice; `finals` reads it back."""
        self.event(run_id, "final", outcome)

    def finals(self, run_id: int) -> list[Mapping[str, Any]]:
        """Every final outcome of a run, oldest first; the last one counts."""
        return [event.body for event in self.events(run_id, "final")]

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[Connection]:
        """All of it or nothing, and every database error explained."""
        with self._guard:
            if self._closed:
                raise StoreError(f"{self.place} is closed, so {doing}: open it again with Store({self.place!r})")
            try:
                with explained(self.place, doing, self.path), self._connection.begin():
                    yield self._connection
            except StoreError:
                if (
                    self._connection.invalidated
                ):  # a lost session took its locks with it: the next write takes them anew
                    self._locks.clear()
                raise
