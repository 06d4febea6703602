"""What survives: runs and their trials, append-only, safe against the death of the process. No torch here."""

from archwright.store.records import Record
from archwright.store.store import Event, Run, Store

__all__ = ["Event", "Record", "Run", "Store"]
