"""A connection on which one statement fails, as when a server goes away in the middle of it."""

from __future__ import annotations

from typing import Any

from service.storage.connecting import Connection
from service.storage.errors import DatabaseError

_STATEMENTS = ("execute", "executemany", "commit", "begin", "begin_lazily")


class Failing:
    """Passes everything on, but for one statement.

    Attributes:
        n: How many statements came so far.
    """

    def __init__(self, raw: Connection, at: int, *, after: bool) -> None:
        """Take which statement fails, from 1 on, and whether it is done all the same; 0 is none."""
        self._raw, self._at, self._after, self.n = raw, at, after, 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._raw, name)
        if name not in _STATEMENTS:
            return found

        def run(*arguments: Any) -> Any:
            self.n += 1
            if self.n != self._at:
                return found(*arguments)
            if self._after:
                found(*arguments)
            raise DatabaseError("the server is gone")

        return run
