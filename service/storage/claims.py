"""Names that were noted: of events, attempts, calls and spans, for a day.

≠ what they name.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..known import Asked, Noted
from .connecting import Connection

SPANS_CAME = "\0spans"
"""Noted anew while spans come; forgotten, like any name, a day after the last."""

_NOTE = "INSERT INTO event_ids (id, at) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"
_NOTE_ANEW = "INSERT INTO event_ids (id, at) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at"


def claim(connection: Connection, names: Iterable[str], at: float) -> bool:
    """Note the names of an event, whether it is new or not; return whether none that is asked for was known."""
    new = True
    for name in names:
        kind = name.__class__
        if kind is Asked:
            new = not knows(connection, name) and new
            continue
        row = connection.execute(_NOTE, (str(name), at))
        if kind is not Noted:
            new &= row.rowcount == 1
    return new


def note(connection: Connection, names: Iterable[str], at: float) -> None:
    """Note names, inside the caller's transaction."""
    connection.executemany(_NOTE, [(str(n), at) for n in names])


def knows(connection: Connection, name: str) -> bool:
    """Return whether a name was noted."""
    return connection.execute("SELECT 1 FROM event_ids WHERE id = ?", (str(name),)).fetchone() is not None


def spans_came_at(connection: Connection) -> float | None:
    """Return when spans were last noted to come; None if that is over a day ago."""
    row = connection.execute("SELECT at FROM event_ids WHERE id = ?", (SPANS_CAME,)).fetchone()
    return float(row[0]) if row is not None else None


def spans_came(connection: Connection, at: float) -> None:
    """Note that spans come."""
    connection.execute(_NOTE_ANEW, (SPANS_CAME, at))
