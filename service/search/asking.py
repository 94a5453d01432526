"""Asking: questions of several people at once, each in a thread and on a reader's connection, few at a time.

≠ what is asked, HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..storage.connecting import Connection
from ..storage.database import ReadTransaction
from .looking import Answer, search
from .places import Cursor
from .wanted import Wanted

AT_MOST_S = 2.0
"""How long a search looks before it says how far it came."""

AT_ONCE = 2
"""Searches at once; others wait."""

PATIENCE_S = 5.0
"""How long they do."""


class Busy(Exception):
    """Others search; there was no turn in time."""


class Searcher:
    """Answers searches; belongs to the event loop it is first asked on."""

    def __init__(
        self,
        open_reader: Callable[[], Connection],
        *,
        steady: Callable[[], float],
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Take note of how to read.

        Args:
            open_reader: Opens a connection to read by.
            steady: Seconds that never jump.
            patience_s: How long one may wait for its turn.
        """
        self._patience_s = patience_s
        self._open_reader = open_reader
        self._steady = steady
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._idle: list[Connection] = []

    async def ask(
        self,
        wanted: Wanted,
        *,
        limit: int,
        after: Cursor | None = None,
        at_most_s: float = AT_MOST_S,
        patience_s: float | None = None,
    ) -> Answer:
        """Return what is found within `at_most_s`.

        Args:
            wanted: Which events.
            limit: How many at most.
            after: Where the page before ended.
            at_most_s: After so long it says how far it came.
            patience_s: How long to wait for a turn; None is as long as anybody.

        Raises:
            Busy: Others search.
            DatabaseError: The database cannot be read.
            StorageError: The same.
        """
        try:
            await asyncio.wait_for(self._turns.acquire(), self._patience_s if patience_s is None else patience_s)
        except TimeoutError as fault:
            raise Busy from fault
        try:
            # Shielded: who asked may hang up, and the connection is in use until the search has ended.
            return await asyncio.shield(self._in_a_thread(wanted, limit, after, at_most_s))
        finally:
            self._turns.release()

    def _in_a_thread(
        self, wanted: Wanted, limit: int, after: Cursor | None, at_most_s: float
    ) -> asyncio.Future[Answer]:
        return asyncio.get_running_loop().run_in_executor(None, self._search, wanted, limit, after, at_most_s)

    def _search(self, wanted: Wanted, limit: int, after: Cursor | None, at_most_s: float) -> Answer:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._open_reader()
        end = self._steady() + at_most_s
        try:
            with ReadTransaction(connection, at_most_s=2 * max(at_most_s, 1.0)):
                answer = search(connection, wanted, limit=limit, after=after, over=lambda: self._steady() > end)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Close what is open and not in use."""
        while self._idle:
            self._idle.pop().close()
