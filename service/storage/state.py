"""Episodes of alerts, and the texts of rules: what a page shows of what was.

≠ events, deliveries.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import msgspec

from alerts.lifecycle import Alert

_JSON = msgspec.json.Encoder()


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


def texts_since(connection: sqlite3.Connection, since: float, *, limit: int) -> list[str]:
    """Return the episodes that ended at or after an instant, as JSON, newest first."""
    query = "SELECT alert FROM episodes WHERE resolved_at >= ? ORDER BY resolved_at DESC LIMIT ?"
    return [str(row[0]) for row in connection.execute(query, (since, limit))]


def _alerts(rows: sqlite3.Cursor) -> list[Alert]:
    return [msgspec.json.decode(row[0], type=Alert) for row in rows.fetchall()]


def save_rule_texts(connection: sqlite3.Connection, texts: Mapping[str, tuple[str, str]], *, at: float) -> None:
    """Keep the texts of rules, (id, text) by hash, inside the caller's transaction."""
    rows = [(name, rule, at, text) for name, (rule, text) in texts.items()]
    connection.executemany("INSERT OR IGNORE INTO rule_texts (hash, id, at, rule) VALUES (?, ?, ?, ?)", rows)


def load_rule_text(connection: sqlite3.Connection, name: str) -> str | None:
    """Return the text of the rule with a hash; None if no such rule was ever in force."""
    row = connection.execute("SELECT rule FROM rule_texts WHERE hash = ?", (name,)).fetchone()
    return str(row[0]) if row is not None else None
