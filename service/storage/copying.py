"""Copies: a database written whole to another file, of one instant, while it is written to or not.

≠ where copies go, what they are for.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from .corruption import sync_folder

SLICE = 128
"""Pages that are copied at once, a megabyte: some milliseconds in which the disk is asked for nothing else."""

SYNC_BYTES = 32 * 1024 * 1024
"""So many bytes are put to disk at once: all at the end would hold up every commit meanwhile."""

_PAGE = 8192


def copy_database(source: sqlite3.Connection, target: Path, *, rest: Callable[[], None] = lambda: None) -> int:
    """Write what a reader sees now to a new file that needs no other one beside it; return its size in bytes.

    It is on disk when this returns. While it lasts the write-ahead log of the source cannot be emptied.

    Args:
        source: A reader's connection.
        target: Is made; only its owner may read it, for the database holds a secret.
        rest: Called after each slice.

    Raises:
        FileExistsError: The target is there.
        OSError: It cannot be written.
        sqlite3.Error: Either one cannot be read or written.
    """
    file = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _copy(source, target, file, rest)
        _make_single(target)
        os.fsync(file)
        sync_folder(target.parent)
        return os.fstat(file).st_size
    finally:
        os.close(file)


def _copy(source: sqlite3.Connection, target: Path, file: int, rest: Callable[[], None]) -> None:
    every = SYNC_BYTES // (SLICE * _PAGE)
    slices = 0

    def after_slice(*_: int) -> None:
        nonlocal slices
        slices += 1
        if slices % every == 0:
            os.fdatasync(file)
        rest()

    copy = sqlite3.connect(target, isolation_level=None)
    try:
        # Nobody misses half a copy.
        copy.execute("PRAGMA synchronous = OFF")
        # A read that is open keeps the copy at one instant: without it, each commit would have it begin anew.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        source.backup(copy, pages=SLICE, progress=after_slice)
    finally:
        copy.close()
        if source.in_transaction:
            source.execute("ROLLBACK")


def _make_single(target: Path) -> None:
    """Have the file need no write-ahead log; whoever opens it to write brings one again."""
    copy = sqlite3.connect(target, isolation_level=None)
    try:
        copy.execute("PRAGMA journal_mode = DELETE").fetchall()
    finally:
        copy.close()
