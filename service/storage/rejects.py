"""Rejects, as rows: the newest, bounded in number, size and age.

≠ why anything is refused.
"""

from __future__ import annotations

from collections.abc import Iterable

from .connecting import Connection

MAX_ROWS = 1_000
MAX_BYTES = 2 * 1024 * 1024
MAX_AGE_S = 7 * 86_400.0


def add(connection: Connection, rows: Iterable[tuple[float, str, str]], *, now: float) -> None:
    """Append rows of (at, app, JSON) and delete what is over the limits, inside the caller's transaction."""
    newest = connection.execute("SELECT id, total FROM rejects ORDER BY id DESC LIMIT 1").fetchone()
    number, total = (int(newest[0]), int(newest[1])) if newest is not None else (0, 0)
    values = []
    for at, app, row in rows:
        number += 1
        total += len(row.encode())
        values.append((number, at, app, total, row))
    connection.executemany("INSERT INTO rejects (id, at, app, total, row) VALUES (?, ?, ?, ?, ?)", values)
    connection.execute("DELETE FROM rejects WHERE id <= ?", (number - MAX_ROWS,))
    _cut(connection, total - MAX_BYTES)
    connection.execute("DELETE FROM rejects WHERE at < ?", (now - MAX_AGE_S,))


def _cut(connection: Connection, before: int) -> None:
    """Delete the rows that begin before so many bytes."""
    oldest = connection.execute("SELECT total, row FROM rejects ORDER BY id LIMIT 1").fetchone()
    if oldest is not None and oldest[0] - len(oldest[1].encode()) < before:
        # Up to, and with, the first that does not end before.
        last = "SELECT min(id) FROM rejects WHERE total >= ?"
        connection.execute(f"DELETE FROM rejects WHERE id <= ({last})", (before,))  # noqa: S608


def find(connection: Connection, *, app: str | None, since: float, limit: int) -> list[tuple[int, str]]:
    """Return (number, JSON) of rows, newest first; of one app, or of any."""
    of_app, values = ("AND app = ? ", (app,)) if app is not None else ("", ())
    query = f"SELECT id, row FROM rejects WHERE at >= ? {of_app}ORDER BY id DESC LIMIT ?"  # noqa: S608
    found = connection.execute(query, (since, *values, limit))
    return [(int(number), str(row)) for number, row in found]
