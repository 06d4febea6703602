"""Keeps time-outs and memory limits, in a thread of its own: the search may be busy elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from archwright.worker.child import Child

__all__ = ["Watch"]

EVERY_S = 0.05


class Watch(threading.Thread):
    """Looks at every child twenty times a second, kills those that overstep, and notices those that have ended.

    Args:
        children: A list that its owner may change while we look.
        memory_limit: Resident bytes that a child may use.
    """

    def __init__(self, children: Sequence[Child], memory_limit: int | None):
        super().__init__(name="archwright-watch", daemon=True)
        self.children = children
        self.memory_limit = memory_limit
        self._stop_now = threading.Event()

    def run(self) -> None:
        """Look until stopped."""
        while not self._stop_now.wait(EVERY_S):
            now = time.monotonic()
            for child in tuple(self.children):
                reason = child.check(now, self.memory_limit)
                if reason is not None:
                    child.kill(reason)
                child.notice_end()

    def stop(self) -> None:
        """Look no more."""
        self._stop_now.set()
        if self.ident is not None and self is not threading.current_thread():
            self.join()
