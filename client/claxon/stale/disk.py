"""disk: answers in a file of SQLite, which several processes may share and which outlives them."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .. import guard
from .resting import Rest
from .store import WEEK_S, Kept, check, renew_after_fork

T = TypeVar("T")

BUSY_S = 0.2
"""How long a call waits for another process, or another thread, that uses the file."""

# The total is kept by triggers: to add up the sizes at each `put` would take longer the more there is.
_SCHEMA = """
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS claxon_answers_1 (
  key TEXT PRIMARY KEY, at REAL NOT NULL, size INTEGER NOT NULL, kind TEXT NOT NULL, request_id TEXT NOT NULL,
  body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS claxon_answers_1_at ON claxon_answers_1 (at);
CREATE TABLE IF NOT EXISTS claxon_answers_1_total (one INTEGER PRIMARY KEY CHECK (one = 1), bytes INTEGER NOT NULL);
INSERT OR IGNORE INTO claxon_answers_1_total VALUES (1, 0);
CREATE TRIGGER IF NOT EXISTS claxon_answers_1_put AFTER INSERT ON claxon_answers_1
  BEGIN UPDATE claxon_answers_1_total SET bytes = bytes + new.size; END;
CREATE TRIGGER IF NOT EXISTS claxon_answers_1_newer AFTER UPDATE ON claxon_answers_1
  BEGIN UPDATE claxon_answers_1_total SET bytes = bytes + new.size - old.size; END;
CREATE TRIGGER IF NOT EXISTS claxon_answers_1_gone AFTER DELETE ON claxon_answers_1
  BEGIN UPDATE claxon_answers_1_total SET bytes = bytes - old.size; END;
COMMIT;
"""
_IS_MADE = "SELECT 1 FROM sqlite_master WHERE name = 'claxon_answers_1_gone'"
_GET = "SELECT at, kind, body, request_id FROM claxon_answers_1 WHERE key = ?"
_PUT = """
INSERT INTO claxon_answers_1 (key, at, size, kind, request_id, body) VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT (key) DO UPDATE
  SET at = excluded.at, size = excluded.size, kind = excluded.kind, request_id = excluded.request_id,
      body = excluded.body
"""
_TOTAL = "SELECT bytes FROM claxon_answers_1_total"
_EXPIRED = "DELETE FROM claxon_answers_1 WHERE at < ?"
_OLDEST = "DELETE FROM claxon_answers_1 WHERE rowid IN (SELECT rowid FROM claxon_answers_1 ORDER BY at LIMIT 16)"

_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_of_the_parent: list[sqlite3.Connection] = []
"""SQLite's connections must not be used in a forked child, nor closed."""


class DiskStore:
    """Keeps answers in a file; over a bound, the oldest go.

    The file is readable by its owner only. A damaged one is set aside as
    `<path>.damaged`, and a new one begins. After a power cut the newest answers
    may be missing; the file is whole. A file that cannot be used, or is in use for
    over 0.2 s, costs a call its older answer only, and is left alone for 5 s.

    Args:
        path: Of the file; its folder must be there.
        max_age_s: How long it keeps an answer, in seconds.
        most_mb: How much the bodies may take together, in megabytes.
        clock: Unix seconds.

    Raises:
        ValueError: A bound that makes no sense, or no such folder.
    """

    blocking = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_age_s: float = WEEK_S,
        most_mb: float = 256.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        check("DiskStore", "max_age_s", max_age_s, 1)
        check("DiskStore", "most_mb", most_mb, 0.001)
        self._path = Path(path).absolute()
        if not self._path.parent.is_dir():
            raise ValueError(f"DiskStore: path: {str(path)!r}: no such folder: make it first")
        self._max_age_s = max_age_s
        self._most_bytes = int(most_mb * 1e6)
        self._clock = clock
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        # A file that is full, or held by a writer, can be read all the same.
        self._reading = Rest(f"DiskStore: reading {self._path.name}")
        self._writing = Rest(f"DiskStore: writing {self._path.name}")
        renew_after_fork(self)

    def __str__(self) -> str:
        return f"disk: {self._path.name}"

    def get(self, key: str) -> Kept | None:
        """Return the answer of a key; None if there is none, it is too old, or the file cannot be read."""
        row = self._do(self._reading, lambda db: db.execute(_GET, (key,)).fetchone())
        if row is None or self._clock() - row[0] > self._max_age_s:
            return None
        return Kept(at=row[0], kind=row[1], body=row[2], request_id=row[3])

    def put(self, key: str, kept: Kept) -> None:
        """Keep an answer, if the file can be written; one that is larger than all room is not kept."""
        if len(kept.body) <= self._most_bytes:
            self._do(self._writing, lambda db: self._put(db, key, kept))

    def delete_expired(self) -> int:
        """Delete what is too old to be given; return how many answers that were. Each `put` does so as well."""
        return self._do(self._writing, lambda db: db.execute(_EXPIRED, (self._oldest_at(),)).rowcount) or 0

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._lock:
            self._forget()

    def _oldest_at(self) -> float:
        return self._clock() - self._max_age_s

    def _put(self, db: sqlite3.Connection, key: str, kept: Kept) -> None:
        with db:
            db.execute("BEGIN IMMEDIATE")
            db.execute(_EXPIRED, (self._oldest_at(),))
            db.execute(_PUT, (key, kept.at, len(kept.body), kept.kind, kept.request_id, kept.body))
            while db.execute(_TOTAL).fetchone()[0] > self._most_bytes:
                if db.execute(_OLDEST).rowcount == 0:
                    break

    def _do(self, rest: Rest, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Return what `work` does with the open file, once more on a new one where it is damaged; None if it fails."""
        if not rest.may_ask():
            return None
        if not self._lock.acquire(timeout=BUSY_S):
            return None  # many threads wait for a slow disk: an answer that is kept is not worth a queue
        try:
            try:
                found = work(self._open())
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
                    raise  # busy, full, read-only
                self._set_aside(error)
                found = work(self._open())
        except (sqlite3.Error, OSError) as error:
            rest.failed(error)
            return None
        finally:
            self._lock.release()
        rest.answered()
        return found

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            if self._inode == self._inode_now():
                return self._connection
            self._forget()  # somebody deleted it, or set it aside
        self._path.touch(mode=0o600)
        db = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        self._inode = self._inode_now()
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            if db.execute(_IS_MADE).fetchone() is None:
                db.executescript(_SCHEMA)
        except sqlite3.Error:
            db.close()
            raise
        self._connection = db
        return db

    def _inode_now(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        """Begin a new file, unless another process has done so. One damaged file is kept, the newest."""
        self._forget()
        if self._inode != self._inode_now():
            return
        aside = self._path.with_name(f"{self._path.name}.damaged")
        self._path.replace(aside)
        for ending in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self._path}{ending}").unlink()
        guard.warn_once(f"stale {self._path}", f"DiskStore: {self._path.name}: {error}: set aside as {aside.name}")

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def after_fork(self) -> None:
        """Open the file anew when it is needed, and leave the parent's connection as it is."""
        self._lock = threading.Lock()
        for rest in (self._reading, self._writing):
            rest.after_fork()
        if self._connection is not None:
            _of_the_parent.append(self._connection)
            self._connection = None
