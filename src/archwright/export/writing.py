"""Files appear in a folder all together or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from archwright.errors import ExportError

__all__ = ["Staging", "digest", "staging"]


def digest(path: Path) -> str:
    """The SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Staging:
    """A hidden folder inside the wanted one, where files wait until all are there.

    Attributes:
        folder: Where the files wait.
    """

    def __init__(self, folder: Path, target: Path):
        self.folder, self.target = folder, target

    def write(self, name: str, content: bytes) -> Path:
        """Write a file and see it onto the disk."""
        path = self.folder / name
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return path

    def drop(self, name: str) -> None:
        """Take a file back."""
        (self.folder / name).unlink(missing_ok=True)

    def publish(self, last: str, also: tuple[str, ...] = ()) -> Self:
        """Move every file to its place, `last` at the end, and remove those of `also` that were not written anew.

        Should the machine stop in between, the sums in the old card tell that the files are not its own.
        """
        written = sorted((p.name for p in self.folder.iterdir() if p.is_file()), key=lambda n: (n == last, n))
        for name in written:
            os.replace(self.folder / name, self.target / name)
        for name in set(also) - set(written):
            (self.target / name).unlink(missing_ok=True)
        return self


@contextmanager
def staging(target: Path) -> Iterator[Staging]:
    """A `Staging` for `target`, which is made if it is not there. On any error both are as they were before.

    Raises:
        ExportError: The folder cannot be made or written: read-only, full, or a file of that name.
    """
    made = [p for p in (target, *target.parents) if not p.exists()]
    folder: Path | None = None
    done = False
    try:
        target.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".partial-", dir=target))
        yield Staging(folder, target)
        done = True
    except OSError as error:
        raise ExportError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if not done:
            for path in made:
                if path.is_dir() and not any(path.iterdir()):
                    path.rmdir()
