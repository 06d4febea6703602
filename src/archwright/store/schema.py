"""The tables of a store, and their version.

The schema is the same on SQLite and PostgreSQL. Trials are kept as JSON text beside the few columns that
are searched by, so that a new field of a trial needs no new column; SQL can still look inside
(``SELECT number, body ->> '$.measurement.metrics.accuracy' FROM trials``).
"""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Integer, MetaData, Table, Text, UniqueConstraint

__all__ = ["APPLICATION", "APPLICATION_ID", "VERSION", "curves", "events", "meta", "runs", "tables", "trials"]

APPLICATION = "archwright"
APPLICATION_ID = int.from_bytes(b"arch", "big")
"""SQLite's own mark in the file's header, by which ``file(1)`` and we know whose it is."""

VERSION = 1
"""Rises whenever what is stored changes in a way that an older archwright would misread."""

tables = MetaData()

meta = Table("meta", tables, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

runs = Table(
    "runs",
    tables,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("status", Text, nullable=False),
    Column("created", Float(53), nullable=False),
    Column("meta", Text, nullable=False),
)

# Clustered by (run, told) on SQLite: trials of one run lie side by side in the order they are read back in.
trials = Table(
    "trials",
    tables,
    Column("run", Integer, ForeignKey("runs.id"), primary_key=True, autoincrement=False),
    Column("told", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, nullable=False),
    Column("asked_after", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("run", "number"),
    sqlite_with_rowid=False,
)

# Learning curves are most of the bytes and seldom read: apart, they cost a reopening nothing.
curves = Table(
    "curves",
    tables,
    Column("run", Integer, ForeignKey("runs.id"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False),
    sqlite_with_rowid=False,
)

events = Table(
    "events",
    tables,
    Column("id", Integer, primary_key=True),
    Column("run", Integer, ForeignKey("runs.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("at", Float(53), nullable=False),
    Column("body", Text, nullable=False),
)
