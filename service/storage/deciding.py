"""Deciding: who is told of a key, by one node at a time.

Whoever adds to the outbox has looked first at what is in it. Where several nodes do so, a lock on the key is held from
the look to the commit; so the rows of a key are in the order in which they were committed, too.

≠ what is decided.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from .connecting import Connection, Dialect
from .database import Transaction

_CLASS = 0x436C6178
_LOCKS = 1024
"""Keys share so many locks: the server has room for some thousands, and a storm may tell of more at once."""

_LOCK_OF = f"(hashtext({{}}) & {_LOCKS - 1})"


class Deciding:
    """A transaction in which is decided what is sent; where nobody shares the outbox it begins with what is written.

    Attributes:
        changed: Whether anything was written of who is told.
    """

    def __init__(self, connection: Connection, *, at_once: bool) -> None:
        self.changed = False
        self._transaction = Transaction(connection)
        self._at_once = at_once

    def __enter__(self) -> Self:
        if self._at_once:
            self._transaction.begin()
        return self

    def write(self) -> None:
        """Begin it, if it has not begun: something is to be written."""
        if not self.changed and not self._at_once:
            self._transaction.begin()
        self.changed = True

    def __exit__(self, kind: object, *_: object) -> None:
        if not self.changed and not self._at_once:
            return
        if kind is None:
            self._transaction.commit()
        else:
            self._transaction.roll_back()


def decide(connection: Connection, keys: Iterable[str]) -> None:
    """Have nobody else decide who is told of these keys until the transaction ends.

    Say all of them at once, before anything is written: two that wait for each other get nowhere.
    """
    if connection.dialect is Dialect.SQLITE or not (names := sorted(set(keys))):
        return
    lock = _LOCK_OF.format("name")
    connection.execute(
        f"SELECT pg_advisory_xact_lock(?, key) FROM (SELECT DISTINCT {lock} AS key "  # noqa: S608 — constants
        "FROM unnest(?::text[]) AS name ORDER BY key) AS sorted",
        (_CLASS, names),
    ).fetchall()


def may_decide(connection: Connection, key: str) -> bool:
    """Return whether nobody else decides about a key just now; if so, nobody does until the transaction ends.

    It does not wait, so that no two wait for each other.
    """
    if connection.dialect is Dialect.SQLITE:
        return True
    query = f"SELECT pg_try_advisory_xact_lock(?, {_LOCK_OF.format('?::text')})"
    return bool(connection.execute(query, (_CLASS, key)).fetchone()[0])
