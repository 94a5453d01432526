"""Names that were noted: of events, attempts, calls and spans, for a day.

≠ what they name.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from ..known import Asked, Noted

SPANS_CAME = "\0spans"
"""Noted anew while spans come; forgotten, like any name, a day after the last."""


def claim(connection: sqlite3.Connection, names: Iterable[str], at: float) -> bool:
    """Note the names of an event, whether it is new or not; return whether none that is asked for was known."""
    new = True
    for name in names:
        kind = name.__class__
        if kind is Asked:
            new = not knows(connection, name) and new
            continue
        row = connection.execute("INSERT OR IGNORE INTO event_ids (id, at) VALUES (?, ?)", (str(name), at))
        if kind is not Noted:
            new &= row.rowcount == 1
    return new


def note(connection: sqlite3.Connection, names: Iterable[str], at: float) -> None:
    """Note names, inside the caller's transaction."""
    connection.executemany("INSERT OR IGNORE INTO event_ids (id, at) VALUES (?, ?)", [(str(n), at) for n in names])


def knows(connection: sqlite3.Connection, name: str) -> bool:
    """Return whether a name was noted."""
    return connection.execute("SELECT 1 FROM event_ids WHERE id = ?", (str(name),)).fetchone() is not None


def spans_came_at(connection: sqlite3.Connection) -> float | None:
    """Return when spans were last noted to come; None if that is over a day ago."""
    row = connection.execute("SELECT at FROM event_ids WHERE id = ?", (SPANS_CAME,)).fetchone()
    return float(row[0]) if row is not None else None


def spans_came(connection: sqlite3.Connection, at: float) -> None:
    """Note that spans come."""
    connection.execute("INSERT OR REPLACE INTO event_ids (id, at) VALUES (?, ?)", (SPANS_CAME, at))
