"""The write-ahead log: how large it is, and what is done when a reader lets it grow.

≠ who reads.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import structlog

from .connecting import Connection
from .corruption import FILE
from .places import Place

LARGE = 256 * 1024 * 1024
"""Bytes from which something is wrong: a reader that does not end, or a disk on which the file cannot grow."""

_SAY_AGAIN_S = 1800.0

_log = structlog.get_logger(__name__)


class WalWatch:
    """Looked through every few seconds, in the core's thread."""

    def __init__(self, connection: Connection, place: Place, *, large: int = LARGE) -> None:
        """Take the connection that writes, its place, and from how many bytes on something is wrong."""
        self._large = large
        self._connection = connection
        self._path = place / f"{FILE}-wal" if isinstance(place, Path) else None
        self._said_at = float("-inf")

    def look(self, now: float) -> int:
        """Return its size in bytes; where it is large, say so and try to empty it, without waiting for anybody.

        Args:
            now: Of the clock that never jumps.
        """
        size = self._size()
        if size < self._large:
            return size
        if now - self._said_at >= _SAY_AGAIN_S:
            self._said_at = now
            remedy = "a reader that does not end keeps it (an export, a backup, sqlite3?), or the disk is full"
            _log.warning("wal.large", bytes=size, error=remedy)
        self._empty()
        return self._size()

    def _size(self) -> int:
        # By its name: to open a file of SQLite's and close it again would drop the locks of this process.
        if self._path is None:
            return 0  # A server sees to its own.
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def _empty(self) -> None:
        # Short reads that overlap, one after another, keep it as well: there is a moment between them.
        before = self._connection.execute("PRAGMA busy_timeout").fetchone()[0]
        try:
            self._connection.execute("PRAGMA busy_timeout = 0")
            with contextlib.suppress(sqlite3.OperationalError):
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self._connection.execute(f"PRAGMA busy_timeout = {int(before)}")
