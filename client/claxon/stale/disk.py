"""disk: answers in a file of SQLite, which several processes may share and which outlives them."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .. import guard
from .store import Kept, check

BUSY_S = 0.2
"""How long a call waits for another process that writes."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
  key TEXT PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL, size INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_at ON answers (at);
"""
_PUT = "INSERT OR REPLACE INTO answers (key, at, kind, body, size) VALUES (?, ?, ?, ?, ?)"
_TOTAL = "SELECT coalesce(sum(size), 0) FROM answers"
_OLDEST = "DELETE FROM answers WHERE key IN (SELECT key FROM answers ORDER BY at LIMIT 16)"


_of_the_parent: list[sqlite3.Connection] = []
"""SQLite's connections must not be used in a forked child, nor closed."""


class DiskStore:
    """Keeps answers in a file; over a bound, the oldest go.

    The file is readable by its owner only. A damaged one is set aside under
    another name, and a new one begins. After a power cut the newest answers may
    be missing; the file is whole.

    Args:
        path: Of the file; its folder must be there.
        max_age_s: How long it keeps an answer, in seconds.
        most_mb: How much the bodies may take together, in megabytes.
        clock: Unix seconds.
    """

    blocking = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_age_s: float = 7 * 86_400.0,
        most_mb: float = 256.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        check("DiskStore", "max_age_s", max_age_s, 1)
        check("DiskStore", "most_mb", most_mb, 0.001)
        self._path = Path(path)
        if not self._path.parent.is_dir():
            raise ValueError(f"DiskStore: path: {str(path)!r}: no such folder: make it first")
        self._max_age_s = max_age_s
        self._most_bytes = int(most_mb * 1e6)
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def __str__(self) -> str:
        return f"disk: {self._path.name}"

    def get(self, key: str) -> Kept | None:
        """Return the answer of a key; None if there is none, or it is too old.

        Raises:
            sqlite3.Error, OSError: The file cannot be read.
        """
        with self._lock:
            row = self._do(lambda db: db.execute("SELECT at, kind, body FROM answers WHERE key = ?", (key,)).fetchone())
        if row is None or self._clock() - row[0] > self._max_age_s:
            return None
        return Kept(at=row[0], kind=row[1], body=row[2])

    def put(self, key: str, kept: Kept) -> None:
        """Keep an answer; one that is larger than all room is not kept.

        Raises:
            sqlite3.Error, OSError: The file cannot be written.
        """
        if len(kept.body) > self._most_bytes:
            return
        with self._lock:
            self._do(lambda db: self._put(db, key, kept))

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._lock:
            self._forget()

    def _put(self, db: sqlite3.Connection, key: str, kept: Kept) -> None:
        with db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("DELETE FROM answers WHERE at < ?", (self._clock() - self._max_age_s,))
            db.execute(_PUT, (key, kept.at, kept.kind, kept.body, len(kept.body)))
            while db.execute(_TOTAL).fetchone()[0] > self._most_bytes:
                db.execute(_OLDEST)

    def _do(self, work: Callable[[sqlite3.Connection], object]) -> tuple[float, str, bytes] | None:
        """Run `work` on the open file; once more on a new one where the file is damaged."""
        try:
            found = work(self._open())
        except sqlite3.OperationalError:
            raise  # busy, full, read-only: not damaged
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            found = work(self._open())
        return found if isinstance(found, tuple) else None

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        self._path.touch(mode=0o600)
        db = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(_SCHEMA)
        except sqlite3.Error:
            db.close()
            raise
        self._connection = db
        return db

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        self._forget()
        aside = self._path.with_name(f"{self._path.name}.damaged-{int(self._clock())}")
        self._path.replace(aside)
        for ending in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self._path}{ending}").unlink()
        guard.warn_once(f"stale {self._path}", f"DiskStore: {self._path.name}: {error}: set aside as {aside.name}")

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        if self._connection is not None:
            _of_the_parent.append(self._connection)
            self._connection = None
