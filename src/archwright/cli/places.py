"""The folder of a run: where a new one goes, and what is in an old one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from archwright.errors import StoreError, did_you_mean

__all__ = ["REPORT", "STORE", "Place", "claimed", "find", "known_stores"]

STORE, REPORT = "run.db", "report.html"
OURS = (STORE, REPORT, "card.json", "weights.safetensors", "model.py", "model.onnx", "model.pt2")
RUNS = Path("runs")


@dataclass(frozen=True)
class Place:
    """Where a run lies.

    Args:
        folder: With its files.
        store: With its trials.
    """

    folder: Path
    store: Path

    def __str__(self) -> str:
        return str(self.folder if self.store.name == STORE else self.store)


@contextmanager
def claimed(wanted: str | None, data_name: str) -> Iterator[tuple[Place, Path | None]]:
    """A folder for a new run, that of `wanted` or a default; never one that holds an earlier run's files.

    The folder is claimed by making an empty store in it, which two searches cannot both do. Where no trial was stored
    in the end, and no supernet was trained for a while, everything that was made is removed.

    Yields:
        The place, and the folder that was wanted, if that is taken.
    """
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in data_name).strip("-.") or "run"
    first = Path(wanted) if wanted else RUNS / name
    folder, number = first, 1
    while True:
        made = [p for p in (folder, *folder.parents) if not p.exists()]
        if not any((folder / file).exists() for file in OURS):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / STORE).touch(exist_ok=False)
                break
            except FileExistsError:
                if not folder.is_dir():
                    raise StoreError(f"{folder} is a file: choose another --out") from None
            except OSError as error:
                _remove(made)
                raise StoreError(f"{folder} cannot be written to ({error.strerror}): choose another --out") from None
        number += 1
        folder = first.with_name(f"{first.name}-{number}")
    try:
        yield Place(folder, folder / STORE), first if folder != first else None
    finally:
        if not _holds_a_trial(folder / STORE) and not supernets(Place(folder, folder / STORE)):
            for file in folder.glob(f"{STORE}*"):
                file.unlink(missing_ok=True)
            _remove(made)


def supernets(place: Place) -> list[Path]:
    """Checkpoints of supernets that runs of this place began with."""
    return sorted(place.folder.glob(f"{place.store.stem}-supernet-*/checkpoint.pt"))


def find(where: str) -> Place:
    """The place of an earlier run: its folder, or its store.

    Raises:
        StoreError: There is none; the message names the nearest.
    """
    path = Path(where).expanduser()
    if path.is_dir():
        if (path / STORE).is_file():
            return Place(path, path / STORE)
        stores = sorted(path.glob("*.db"))
        if len(stores) == 1:
            return Place(path, stores[0])
        raise StoreError(f"{where} holds no run: there is no {STORE} in it. {_nearest(where)}")
    if path.is_file():
        return Place(path.parent, path)
    raise StoreError(f"there is no run at {where}. {_nearest(where)}")


def known_stores() -> list[Path]:
    """Stores of earlier runs here: of ``runs/*/``, ``./``, and folders right below."""
    found = [*RUNS.glob(f"*/{STORE}"), Path(STORE), *Path().glob(f"*/{STORE}")]
    return sorted(dict.fromkeys(p for p in found if p.is_file()), key=lambda p: p.stat().st_mtime)


def _nearest(where: str) -> str:
    there = [str(p.parent) for p in known_stores()]
    return did_you_mean(where, there) if there else "Begin one with: archwright search digits --budget 2m"


def _holds_a_trial(store: Path) -> bool:
    if not store.is_file() or store.stat().st_size == 0:
        return False
    from archwright.store import Store

    # The file is one that we made: where an interrupt left its tables half made, opening it makes them whole.
    with contextlib.suppress(StoreError), Store(store) as opened:
        return any(opened.count(run.id) for run in opened.runs())
    return True  # not readable: not ours to remove


def _remove(folders: list[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()
