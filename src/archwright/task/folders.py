"""What lies in a folder of data: files by their endings, folders of classes, official parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["files_below", "folders_in", "has_official_test"]


def files_below(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """Files with one of these endings, in small or capital letters, at any depth; sorted, without hidden ones."""
    return sorted(
        f
        for f in folder.rglob("*")
        if f.suffix.lower() in suffixes and f.is_file() and not any(p[0] == "." for p in f.relative_to(folder).parts)
    )


def folders_in(folder: Path) -> list[Path]:
    """The folders right below it, sorted, without hidden ones."""
    return sorted(d for d in folder.iterdir() if d.is_dir() and not d.name.startswith("."))


def has_official_test(folder: Path) -> bool:
    """Whether it holds the folders ``train`` and ``test``, and no others."""
    return {d.name for d in folders_in(folder)} == {"train", "test"}
