"""What stands above every result: when, where, with which versions, and how busy the machine was."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

__all__ = ["describe", "heading", "row", "seconds", "spread", "table_head"]

PACKAGES = ("archwright", "torch", "numpy", "SQLAlchemy", "scikit-learn", "optuna")
IDLE_BELOW = 0.1


def describe() -> dict[str, str]:
    """Date, machine, versions and load as texts.

    Looks for a second at what other programs do: ``busy`` says so, for figures of a busy machine compare with nothing.
    """
    share = psutil.cpu_percent(interval=1.0) / 100
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    state = "idle" if share < IDLE_BELOW else "NOT idle"
    return {
        "date": datetime.datetime.now().astimezone().isoformat(timespec="minutes"),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB, "
        f"{platform.system()} {platform.release()}",
        "versions": ", ".join(_versions()),
        "commit": _commit(),
        "busy": f"{state}: other programs used {share:.0%} of the processors just before, load {load}",
    }


def heading(title: str) -> str:
    """A Markdown heading with date, machine and versions below it."""
    found = describe()
    return (
        f"## {title}\n\n{found['date']}; {found['machine']}; {found['versions']}; commit {found['commit']}; "
        f"the machine was {found['busy']}.\n"
    )


def table_head(*columns: str) -> str:
    """The first two lines of a Markdown table."""
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def row(*cells: object) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def spread(values: Iterable[float], unit: str = "s", scale: float = 1.0) -> str:
    """Median, and least to greatest.

    >>> spread([3.0, 1.0, 2.0])
    '2 s (1 to 3)'
    """
    found = sorted(value * scale for value in values)
    return f"{statistics.median(found):.3g} {unit} ({found[0]:.3g} to {found[-1]:.3g})"


def _processor() -> str:
    try:
        lines = subprocess.run(["lscpu"], capture_output=True, text=True, check=True).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return platform.processor() or platform.machine()
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return f"{fields.get('Model name', platform.machine())} (family {fields.get('CPU family', '?')})"


def _versions(packages: Sequence[str] = PACKAGES) -> list[str]:
    found = [f"Python {platform.python_version()}"]
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str:
    """The checkout's commit; a plus says that files in it differ from it."""
    try:
        commit = _git("rev-parse", "--short", "HEAD")
        changes = _git("status", "--short", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ("+" if changes else "")


def _git(*command: str) -> str:
    here = str(Path(__file__).resolve().parent)
    return subprocess.run(["git", "-C", here, *command], capture_output=True, text=True, check=True).stdout.strip()
