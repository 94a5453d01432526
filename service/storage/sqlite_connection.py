"""SQLite's connection, with how transactions begin there.

≠ how one is opened, what is in it.
"""

from __future__ import annotations

import sqlite3

from ..clock import monotonic
from .connecting import Dialect
from .folder_lock import FolderLock

_STEPS = 10_000
"""After so many steps of SQLite's machine, about a millisecond, a read looks at the time."""


class SqliteConnection(sqlite3.Connection):
    """SQLite's own: no statement goes through anything of ours. Until it is closed it has the folder's lock, if any."""

    dialect = Dialect.SQLITE
    generation = None
    lock: FolderLock | None = None
    _usual = 2

    def check(self) -> None:
        """Do nothing: the lock is the process's own."""

    def begin(self) -> None:
        """Begin to write: nobody else does until the end."""
        self.execute("BEGIN IMMEDIATE")

    def begin_lazily(self) -> None:
        """Begin to write, and have the commit wait for no disk; `end_lazily` must follow."""
        self._usual = self.execute("PRAGMA synchronous").fetchone()[0]
        self.execute("PRAGMA synchronous = NORMAL")
        try:
            self.begin()
        except BaseException:
            self.end_lazily()
            raise

    def end_lazily(self) -> None:
        """Have commits wait for the disk again."""
        self.execute(f"PRAGMA synchronous = {self._usual}")

    def begin_reading(self, at_most_s: float) -> None:
        """Begin to read what is of one instant; after so long reads are interrupted."""
        end = monotonic() + at_most_s
        self.set_progress_handler(lambda: monotonic() > end, _STEPS)
        self.execute("BEGIN")

    def end_reading(self) -> None:
        """End it."""
        self.set_progress_handler(None, 0)
        if self.in_transaction:
            self.execute("ROLLBACK")

    def cut(self) -> None:
        """End what goes on, from another thread."""
        self.interrupt()

    def close(self) -> None:
        """Close it, and let the folder go."""
        super().close()
        if self.lock is not None:
            self.lock.release()
