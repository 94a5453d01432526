"""Scrub: the whole database is read, to find what a disk has changed before somebody needs it.

In pieces, each soon over, so that the write-ahead log can be emptied between them; the log's bodies are checked by
their checksums, all else by SQLite's own `quick_check`, a table at a time.

≠ when, who is told.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from . import event_log
from .connecting import Connection, Dialect
from .corruption import is_corrupt
from .database import ReadTransaction
from .errors import DatabaseError, is_interrupted

TABLE_S = 60.0
"""A table may take so long: over that, it is said not to have been looked at."""

_MAX_SAID = 20


@dataclass(slots=True)
class Scrubbed:
    """What one pass found.

    Attributes:
        rows: Of the log.
        unreadable: Offsets of rows of the log that cannot be read, at most 20.
        damaged: What SQLite says of the tables, a sentence each.
        unfinished: Tables that took too long.
    """

    rows: int = 0
    unreadable: list[int] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong, as far as was looked."""
        return not self.unreadable and not self.damaged


def scrub(connection: Connection, found: Scrubbed) -> Iterator[None]:
    """Look through everything, and note what is wrong; yield between two pieces, for the caller to rest.

    Args:
        connection: A reader's.
        found: Takes the findings.
    """
    yield from _log_rows(connection, found)
    if connection.dialect is not Dialect.SQLITE:
        return  # A server has checksums of its own, and tells who reads.
    names = [row[0] for row in connection.execute("SELECT name FROM pragma_table_list WHERE type = 'table'")]
    for name in names:
        if name != "event_log" and not name.startswith("sqlite_"):
            _table(connection, name, found)
            yield


def _log_rows(connection: Connection, found: Scrubbed) -> Iterator[None]:
    after: int | None = -1
    while after is not None:
        try:
            after = _piece(connection, after, found)
        except DatabaseError as fault:
            if not is_corrupt(fault):
                raise
            found.damaged.append(f"event_log: after row {after}: {fault}")
            return
        yield


def _piece(connection: Connection, after: int, found: Scrubbed) -> int | None:
    """Look at some rows after an offset; return the last, None at the end."""
    end = event_log.end_of_piece(connection, after, event_log.LAST, stored=event_log.PIECE_BYTES)
    if end is None:
        return None
    query = "SELECT offset, body FROM event_log WHERE offset > ? AND offset <= ? ORDER BY offset"
    with contextlib.closing(connection.execute(query, (after, end))) as rows:
        for offset, stored in rows:
            if event_log.expanded(stored) is None and len(found.unreadable) < _MAX_SAID:
                found.unreadable.append(offset)
            found.rows += 1
    return end


def _table(connection: Connection, name: str, found: Scrubbed) -> None:
    try:
        with ReadTransaction(connection, at_most_s=TABLE_S):
            said = [str(row[0]) for row in connection.execute(f'PRAGMA quick_check("{name}")')]
    except DatabaseError as fault:
        if is_interrupted(fault):
            found.unfinished.append(name)
        elif is_corrupt(fault):
            found.damaged.append(f"{name}: {fault}")
        else:
            raise
        return
    found.damaged += [f"{name}: {line}" for line in said[:_MAX_SAID] if line != "ok"]
