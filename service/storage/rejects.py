"""Rejects, as rows: the newest, bounded in number, size and age.

≠ why anything is refused.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

MAX_ROWS = 1_000
MAX_BYTES = 2 * 1024 * 1024
MAX_AGE_S = 7 * 86_400.0


def add(connection: sqlite3.Connection, rows: Iterable[tuple[float, str, str]], *, now: float) -> None:
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
    # What begins before the newest 2 MiB.
    connection.execute("DELETE FROM rejects WHERE total - length(CAST(row AS BLOB)) < ?", (total - MAX_BYTES,))
    connection.execute("DELETE FROM rejects WHERE at < ?", (now - MAX_AGE_S,))


def find(connection: sqlite3.Connection, *, app: str | None, since: float, limit: int) -> list[tuple[int, str]]:
    """Return (number, JSON) of rows, newest first; of one app, or of any."""
    found = connection.execute(
        "SELECT id, row FROM rejects WHERE at >= ?1 AND (?2 IS NULL OR app = ?2) ORDER BY id DESC LIMIT ?3",
        (since, app, limit),
    )
    return [(int(number), str(row)) for number, row in found]
