"""The same from a shell: ``archwright search digits --budget 2m``.

Nothing heavy is imported before a command needs it, so that ``archwright --help`` answers at once.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """What the ``archwright`` command runs; ends the process with an exit code.

    0: done. 1: a fault of archwright's own. 2: something in the command, the data or the store that makes no sense, in
    one message. 130: interrupted, with everything kept that had been measured.
    """
    from archwright.cli.app import app

    app(prog_name="archwright")
