"""How much memory a worker takes where a folder of 50,000 images is searched.

Makes the folders first (textures of ten classes: waves of a direction and length, with noise), which takes some
minutes and 1.5 GB of disk; then searches each by the command line, and looks twice a second at what its processes hold.
A peak of resident memory is the kernel's own, and misses nothing; that of anonymous memory is the largest seen.

    python benchmarks/folder.py                            # Markdown for RESULTS.md; about ten minutes
    python benchmarks/folder.py --folder disk/ --sizes 96  # where images are kept, and found again; which sizes
"""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from machine import heading, row, table_head
from PIL import Image

CLASSES = 10

BUDGETS = {32: "3m", 96: "8m"}
"""Enough for some trials on two cores: an epoch of the larger images is one of some samples (`Recipe.samples`)."""


def make(folder: Path, n: int, size: int) -> Path:
    """A folder of class folders with `n` PNG images of size x size x 3 in all, made unless it is there."""
    if folder.exists():
        return folder
    making = folder.with_suffix(".part")
    for c in range(CLASSES):
        (making / f"texture-{c}").mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:size, :size].astype(np.float32)

    def draw(i: int) -> None:
        rng = np.random.default_rng(i)
        c = i % CLASSES
        angle, length = np.pi * (c % 5 + rng.normal(0, 0.3)) / 5, (5, 8)[c // 5] * rng.uniform(0.8, 1.25)
        waves = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / length + rng.uniform(0, 2 * np.pi))
        colour = rng.uniform(20, 60, 3)
        pixels = 128 + waves[..., None] * colour + rng.normal(0, 30, (size, size, 3))
        image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        image.save(making / f"texture-{c}" / f"{i:05}.png", compress_level=1)

    with ThreadPoolExecutor() as pool:
        for start in range(0, n, 1000):
            list(pool.map(draw, range(start, min(n, start + 1000))))
    return making.rename(folder)


@dataclass
class Peak:
    """The largest sizes of a process, in MiB: of all that is resident, and of what is its own alone."""

    resident: float = 0.0
    own: float = 0.0

    def look(self, pid: int) -> None:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:  # it has ended
            return
        found = {
            k: int(v.split()[0]) / 1024
            for k, _, v in (line.partition(":") for line in status.splitlines())
            if "kB" in v
        }
        self.resident = max(self.resident, found.get("VmHWM", 0.0))
        self.own = max(self.own, found.get("RssAnon", 0.0))


@dataclass
class Searched:
    """What was seen of a search."""

    search: Peak = field(default_factory=Peak)
    workers: dict[int, Peak] = field(default_factory=dict)
    first_s: float = 0.0
    seconds: float = 0.0
    trials: int = 0
    failed: int = 0
    end: str = ""


def search(folder: Path, budget: str, workers: int, out: Path, cache: Path) -> Searched:
    """Search a folder by the command line, with an empty cache."""
    program = Path(sys.executable).with_name("archwright")
    line = [str(program), "search", str(folder), "--budget", budget, "--workers", str(workers), "--out", str(out)]
    found, began = Searched(), time.monotonic()
    with open(out.with_suffix(".log"), "wb") as log:
        searching = subprocess.Popen(
            line, stdout=log, stderr=log, start_new_session=True, env={**os.environ, "XDG_CACHE_HOME": str(cache)}
        )
        try:
            while searching.poll() is None:
                look(searching.pid, found)
                if not found.first_s and any(trials(out)):
                    found.first_s = time.monotonic() - began
                time.sleep(0.5)
        finally:
            if searching.poll() is None:
                os.killpg(searching.pid, signal.SIGKILL)
                searching.wait()
    found.seconds = time.monotonic() - began
    found.trials, found.failed = trials(out)
    if not found.workers:
        raise SystemExit(f"{' '.join(line)} started no worker:\n{out.with_suffix('.log').read_text()}")
    if searching.returncode:  # such as a budget too brief for one epoch, which tells of memory all the same
        found.end = "; " + out.with_suffix(".log").read_text().strip().splitlines()[-1]
    return found


def look(pid: int, found: Searched) -> None:
    found.search.look(pid)
    try:
        for child in psutil.Process(pid).children():
            if "archwright.worker" in child.cmdline():
                found.workers.setdefault(child.pid, Peak()).look(child.pid)
    except psutil.Error:
        pass


def trials(out: Path) -> tuple[int, int]:
    """How many trials are stored, and how many of them failed."""
    place = next(out.glob("*.db"), None)
    if place is None:
        return 0, 0
    try:
        connection = sqlite3.connect(f"file:{place}?mode=ro", uri=True)
        try:
            query = "select count(*), coalesce(sum(status = 'failed'), 0) from trials"
            n, failed = connection.execute(query).fetchone()
            return int(n), int(failed)
        finally:
            connection.close()
    except sqlite3.Error:  # the tables are being made
        return 0, 0


def rows(size: int, n: int, budget: str, found: Searched) -> Iterator[str]:
    what = f"{n:,} images of {size}x{size}x3 ({n * size * size * 12 / 2**30:.2f} GiB as inputs)"
    for i, peak in enumerate(found.workers.values()):
        yield row(f"{what}: peak resident memory of worker {i}", f"{peak.resident:.0f} MiB", "2048 MiB")
        yield row(f"of this its own (anonymous) memory, worker {i}", f"{peak.own:.0f} MiB", "")
    yield row("peak resident memory of the search itself", f"{found.search.resident:.0f} MiB", "")
    yield row("of this its own (anonymous) memory", f"{found.search.own:.0f} MiB", "")
    yield row("to the first trial's result, decoding all images included", f"{found.first_s:.0f} s", "")
    trained = f"{found.trials} trials, {found.failed} failed{found.end}"
    yield row(f"the whole search, of a budget of {budget}", f"{found.seconds:.0f} s, {trained}", "")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--sizes", nargs="+", type=int, default=[32, 96], help="sides of the images")
    arguments.add_argument("--n", type=int, default=50_000, help="images of each size")
    arguments.add_argument("--budget", help="of each search; by default 3m, 8m for images of 96x96")
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--folder", type=Path, help="where images are made once; a temporary one by default")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        there = given.folder or Path(temporary)
        folders = {size: make(there / f"textures-{given.n}-{size}", given.n, size) for size in given.sizes}
        print(heading("A folder of images larger than its share of memory"))
        print(f"`archwright search FOLDER --budget BUDGET --workers {given.workers}`, with an empty cache.\n")
        print(table_head("what", "measured", "goal"))
        for size, folder in folders.items():
            out, cache = Path(temporary) / f"run-{size}", Path(temporary) / f"cache-{size}"
            budget = given.budget or BUDGETS.get(size, "8m")
            for line in rows(size, given.n, budget, search(folder, budget, given.workers, out, cache)):
                print(line, flush=True)


if __name__ == "__main__":
    main()
