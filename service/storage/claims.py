"""Names that were noted: of events, attempts, calls and spans, for a day.

≠ what they name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..known import Asked, Noted
from .connecting import Connection, Dialect

SPANS_CAME = "\0spans"
"""Noted anew while spans come; forgotten, like any name, a day after the last."""

_NOTE = "INSERT INTO event_ids (id, at) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"
_NOTE_ANEW = "INSERT INTO event_ids (id, at) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at"

# Where a statement is a question over the network, all names are one.
_NOTE_ALL = "INSERT INTO event_ids (id, at) SELECT unnest(?::text[]), ? ON CONFLICT (id) DO NOTHING RETURNING id"
_KNOWN_OF = "SELECT id FROM event_ids WHERE id = ANY(?::text[])"


def claim_each(connection: Connection, names: Mapping[int, Iterable[str]], at: float) -> list[int]:
    """Note the names of events, one event after another, as `claim` does; return which were known, in order."""
    if connection.dialect is Dialect.SQLITE or len(names) == 1:
        return [i for i in names if not claim(connection, names[i], at)]
    return _claim_together(connection, names, at)


def _claim_together(connection: Connection, names: Mapping[int, Iterable[str]], at: float) -> list[int]:
    given = [(i, [*of_one]) for i, of_one in names.items()]
    asked = {str(name) for _, of_one in given for name in of_one if name.__class__ is Asked}
    noted = {str(name) for _, of_one in given for name in of_one if name.__class__ is not Asked}
    known = {row[0] for row in connection.execute(_KNOWN_OF, (sorted(asked),)).fetchall()} if asked else set()
    fresh = {row[0] for row in connection.execute(_NOTE_ALL, (sorted(noted), at)).fetchall()} if noted else set()
    skip, before = [], set[str]()
    for i, of_one in given:
        new = True
        for name in of_one:
            kind, text = name.__class__, str(name)
            if kind is Asked:
                new &= text not in known and text not in before
                continue
            if kind is not Noted:
                new &= text in fresh and text not in before
            before.add(text)
        if not new:
            skip.append(i)
    return skip


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
