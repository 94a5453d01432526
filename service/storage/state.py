"""Snapshots, the cursor, episodes and the ledger: what the engine knew, and what it decided.

≠ events, deliveries.
"""

from __future__ import annotations

import sqlite3
from typing import TypeVar

import msgspec

from alerts.decisions import Decision
from alerts.lifecycle import Alert

T = TypeVar("T")

LEDGER_ROWS = 200_000
"""Rows of the ledger that are kept."""

_JSON = msgspec.json.Encoder()


def save_snapshot(connection: sqlite3.Connection, *, offset: int, at: float, state: object) -> int:
    """Store a state that holds all batches up to an offset, keep one older; return its size in bytes."""
    body = msgspec.msgpack.encode(state)
    connection.execute("INSERT INTO snapshots (offset, at, body) VALUES (?, ?, ?)", (offset, at, body))
    connection.execute("DELETE FROM snapshots WHERE id NOT IN (SELECT id FROM snapshots ORDER BY id DESC LIMIT 2)")
    return len(body)


def load_snapshot(connection: sqlite3.Connection, kind: type[T]) -> tuple[int, T] | None:
    """Return the newest snapshot that can be read, with its offset."""
    for offset, body in connection.execute("SELECT offset, body FROM snapshots ORDER BY id DESC").fetchall():
        try:
            return int(offset), msgspec.msgpack.decode(body, type=kind)
        except msgspec.MsgspecError:
            continue
    return None


def oldest_snapshot_offset(connection: sqlite3.Connection) -> int:
    """Return up to which offset the log is no longer needed for a restart."""
    row = connection.execute("SELECT min(offset) FROM snapshots").fetchone()
    return int(row[0] or 0)


def load_cursor(connection: sqlite3.Connection) -> tuple[int, float]:
    """Return (offset, instant) up to which decisions are committed."""
    row = connection.execute("SELECT offset, at FROM cursor").fetchone()
    return (int(row[0]), float(row[1])) if row is not None else (0, float("-inf"))


def save_cursor(connection: sqlite3.Connection, offset: int, at: float) -> None:
    """Move the cursor, in the transaction that commits the decisions."""
    connection.execute("INSERT OR REPLACE INTO cursor (one, offset, at) VALUES (1, ?, ?)", (offset, at))


def save_episode(connection: sqlite3.Connection, alert: Alert) -> None:
    """Store an alert's episode as it is now."""
    row = (alert.fingerprint, alert.episode, alert.fired_at, alert.resolved_at, _JSON.encode(alert).decode())
    connection.execute("INSERT OR REPLACE INTO episodes VALUES (?, ?, ?, ?, ?)", row)


def load_episodes(connection: sqlite3.Connection, *, limit: int, fingerprint: str) -> list[Alert]:
    """Return the episodes of an alert, newest first."""
    query = "SELECT alert FROM episodes WHERE fingerprint = ? ORDER BY episode DESC LIMIT ?"
    return _alerts(connection.execute(query, (fingerprint, limit)))


def load_resolved(connection: sqlite3.Connection, *, limit: int) -> list[Alert]:
    """Return the episodes that ended, those that ended last first."""
    query = "SELECT alert FROM episodes WHERE resolved_at IS NOT NULL ORDER BY resolved_at DESC LIMIT ?"
    return _alerts(connection.execute(query, (limit,)))


def _alerts(rows: sqlite3.Cursor) -> list[Alert]:
    return [msgspec.json.decode(row[0], type=Alert) for row in rows.fetchall()]


def add_decisions(connection: sqlite3.Connection, decisions: list[Decision]) -> None:
    """Append rows to the ledger."""
    rows = [(d.at, d.what.value, d.subject, _JSON.encode(d).decode()) for d in decisions]
    connection.executemany("INSERT INTO ledger (at, what, subject, row) VALUES (?, ?, ?, ?)", rows)


def load_decisions(
    connection: sqlite3.Connection, *, limit: int, subject: str | None = None, what: str | None = None
) -> list[Decision]:
    """Return rows of the ledger, newest first."""
    wheres, values = ["1"], []
    for column, value in (("subject", subject), ("what", what)):
        if value is not None:
            wheres.append(f"{column} = ?")
            values.append(value)
    query = f"SELECT row FROM ledger WHERE {' AND '.join(wheres)} ORDER BY id DESC LIMIT ?"  # noqa: S608
    return [msgspec.json.decode(row[0], type=Decision) for row in connection.execute(query, (*values, limit))]


def prune_ledger(connection: sqlite3.Connection) -> None:
    """Delete the oldest rows of the ledger beyond its size."""
    connection.execute("DELETE FROM ledger WHERE id <= (SELECT max(id) FROM ledger) - ?", (LEDGER_ROWS,))
