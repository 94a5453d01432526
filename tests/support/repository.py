"""The repository's own files, for tests that hold the house."""

from __future__ import annotations

import fnmatch
import functools
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def tree(*folders: str) -> tuple[Path, ...]:
    """Return the files of the repository, or of some of its folders, without what .gitignore names.

    It asks no git: an archive of the sources holds the same house.
    """
    found: list[Path] = []
    for top in [ROOT / folder for folder in folders] or [ROOT]:
        for folder, below, names in os.walk(top):
            below[:] = [name for name in below if not _ignored(Path(folder) / name)]
            found += [Path(folder) / name for name in names if not _ignored(Path(folder) / name)]
    return tuple(sorted(found))


@functools.cache
def _patterns() -> tuple[str, ...]:
    return (".git/", *(ROOT / ".gitignore").read_text().split())


def _ignored(path: Path) -> bool:
    at_the_top = path.parent == ROOT
    return any(
        fnmatch.fnmatch(path.name, pattern.strip("/"))
        for pattern in _patterns()
        if at_the_top or not pattern.startswith("/")
    )


def text_of(path: Path) -> str | None:
    """Return a file's text; None for one that is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def name_of(path: Path) -> str:
    """Return a file's name as git says it."""
    return path.relative_to(ROOT).as_posix()
