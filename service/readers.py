"""Readers: questions to the database beside the core, each in a thread and on a connection of its own, few at a time.

≠ what is asked, searches of events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from .storage.connecting import Connection
from .storage.database import ReadTransaction, StorageError
from .storage.errors import DatabaseError, is_interrupted

T = TypeVar("T")

AT_MOST_S = 1.0
"""How long one question may take."""

AT_ONCE = 2
PATIENCE_S = 2.0
"""How long one waits for its turn."""


class NotReadError(Exception):
    """Others ask, or it took too long, or the database cannot be read; the text is for people."""


class Readers:
    """Connections to read by; belongs to the event loop it is first asked on."""

    def __init__(self, open_reader: Callable[[], Connection]) -> None:
        self._open_reader = open_reader
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._idle: list[Connection] = []

    async def ask(self, function: Callable[[Connection], T], *, at_most_s: float = AT_MOST_S) -> T:
        """Return what a function reads, all of one instant.

        Raises:
            NotReadError: It cannot be read now.
        """
        try:
            await asyncio.wait_for(self._turns.acquire(), PATIENCE_S)
        except TimeoutError as fault:
            raise NotReadError("Others ask for much: reload after a second.") from fault
        reading = asyncio.ensure_future(asyncio.to_thread(self._read, function, at_most_s))
        reading.add_done_callback(self._read_to_the_end)
        # Who asked may hang up; the turn is over when the thread is.
        return await asyncio.shield(reading)

    def _read_to_the_end(self, reading: asyncio.Future[T]) -> None:
        self._turns.release()
        if not reading.cancelled():
            reading.exception()  # Else asyncio complains where nobody waits any more.

    def _read(self, function: Callable[[Connection], T], at_most_s: float) -> T:
        connection: Connection | None = None
        try:
            connection = self._idle.pop() if self._idle else self._open_reader()
            with ReadTransaction(connection, at_most_s=at_most_s):
                found = function(connection)
        except (DatabaseError, StorageError) as fault:
            if connection is not None:
                connection.close()
            if is_interrupted(fault):
                raise NotReadError(f"It took over {at_most_s:g} s: ask for a shorter time, or for one app.") from fault
            raise NotReadError(
                "The database cannot be read now: reload in a moment, and look at Claxon’s log."
            ) from fault
        except BaseException:
            if connection is not None:
                connection.close()
            raise
        self._idle.append(connection)
        return found

    def close(self) -> None:
        """Close what is open and not in use."""
        while self._idle:
            self._idle.pop().close()
