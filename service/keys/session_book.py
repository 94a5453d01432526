"""Sessions in the database, so that a restart at night logs nobody out. Runs in the core's thread.

≠ what a session is.
"""

from __future__ import annotations

from collections.abc import Callable

from ..audit import Actor, Entry, What, entry
from ..storage import audit
from ..storage import sessions as rows
from ..storage.connecting import Connection
from ..storage.database import Transaction
from ..storage.errors import DatabaseError
from .sessions import Sessions


class SessionBook:
    """Writes what is open."""

    def __init__(self, connection: Connection, sessions: Sessions, *, clock: Callable[[], float]) -> None:
        """Take the parts over."""
        self._connection = connection
        self._sessions = sessions
        self._clock = clock

    def begun(self, actor: Actor) -> None:
        """Write down that somebody logged in.

        Raises:
            DatabaseError: It cannot be written; the session counts until a restart.
        """
        self._write([entry(actor, What.LOGGED_IN, actor.who, at=self._clock())])

    def write(self) -> None:
        """Write what has changed; nothing where nothing has.

        Raises:
            DatabaseError: It cannot be written now; it stays, for the next time.
        """
        if self._sessions.changed:
            self._write([])

    def _write(self, entries: list[Entry]) -> None:
        try:
            with Transaction(self._connection):
                if (found := self._sessions.rows()) is not None:
                    rows.replace(self._connection, found)
                audit.add(self._connection, entries)
        except DatabaseError:
            self._sessions.changed = True
            raise
