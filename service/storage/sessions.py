"""Sessions of the pages as rows.

≠ who may have one.
"""

from __future__ import annotations

from collections.abc import Iterable

from .connecting import Connection

Row = tuple[str, str, float, float]
"""Hash of its id, hash of its key, made at, seen at."""

_ADD = "INSERT INTO sessions (sha256, key_sha256, made_at, seen_at) VALUES (?, ?, ?, ?)"


def load(connection: Connection) -> list[Row]:
    """Return all sessions, the one that was seen longest ago first."""
    found = connection.execute("SELECT sha256, key_sha256, made_at, seen_at FROM sessions ORDER BY seen_at")
    return [(str(name), str(key), float(made), float(seen)) for name, key, made, seen in found]


def replace(connection: Connection, rows: Iterable[Row]) -> None:
    """Have exactly these sessions, inside the caller's transaction."""
    connection.execute("DELETE FROM sessions")
    connection.executemany(_ADD, rows)
