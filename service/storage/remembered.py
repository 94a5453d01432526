"""What the notifier remembers, as rows: written with the notifications it led to.

≠ what it means.
"""

from __future__ import annotations

from collections.abc import Iterable

from .connecting import Connection

# In place: the order of the rows is part of the state.
_PUT = """
INSERT INTO notifier (part, name, body) VALUES (?, ?, ?) ON CONFLICT (part, name) DO UPDATE SET body = excluded.body
"""
_KEEP_FIRST = "INSERT INTO own_secrets (name, secret) VALUES (?, ?) ON CONFLICT (name) DO NOTHING"


def save(connection: Connection, changes: Iterable[tuple[str, str, bytes | None]]) -> None:
    """Write (part, name, value) of what has changed, inside the caller's transaction; a value of None deletes."""
    for part, name, body in changes:
        if body is None:
            connection.execute("DELETE FROM notifier WHERE part = ? AND name = ?", (part, name))
        else:
            connection.execute(_PUT, (part, name, body))


def load(connection: Connection) -> list[tuple[str, str, bytes]]:
    """Return all rows."""
    return [
        (str(p), str(n), bytes(b))
        for p, n, b in connection.execute("SELECT part, name, body FROM notifier ORDER BY id")
    ]


def own_secret(connection: Connection, name: str, fresh: bytes) -> bytes:
    """Return a secret that Claxon made for itself; the first time that is the fresh one."""
    connection.execute(_KEEP_FIRST, (name, fresh))
    return bytes(connection.execute("SELECT secret FROM own_secrets WHERE name = ?", (name,)).fetchone()[0])
