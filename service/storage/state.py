"""Episodes of alerts, and the texts of rules: what a page shows of what was.

≠ events, deliveries.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from alerts.lifecycle import Alert

from .connecting import Connection, Cursor

_JSON = msgspec.json.Encoder()
_SAVE_EPISODE = """
INSERT INTO episodes (fingerprint, episode, fired_at, resolved_at, alert) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (fingerprint, episode)
DO UPDATE SET fired_at = excluded.fired_at, resolved_at = excluded.resolved_at, alert = excluded.alert
"""
_KEEP_TEXT = "INSERT INTO rule_texts (hash, id, at, rule) VALUES (?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING"


def save_episode(connection: Connection, alert: Alert) -> None:
    """Store an alert's episode as it is now."""
    row = (alert.fingerprint, alert.episode, alert.fired_at, alert.resolved_at, _JSON.encode(alert).decode())
    connection.execute(_SAVE_EPISODE, row)


def load_episodes(connection: Connection, *, limit: int, fingerprint: str) -> list[Alert]:
    """Return the episodes of an alert, newest first."""
    query = "SELECT alert FROM episodes WHERE fingerprint = ? ORDER BY episode DESC LIMIT ?"
    return _alerts(connection.execute(query, (fingerprint, limit)))


def load_resolved(connection: Connection, *, limit: int) -> list[Alert]:
    """Return the episodes that ended, those that ended last first."""
    query = "SELECT alert FROM episodes WHERE resolved_at IS NOT NULL ORDER BY resolved_at DESC LIMIT ?"
    return _alerts(connection.execute(query, (limit,)))


def texts_since(connection: Connection, since: float, *, limit: int) -> list[str]:
    """Return the episodes that ended at or after an instant, as JSON, newest first."""
    query = "SELECT alert FROM episodes WHERE resolved_at >= ? ORDER BY resolved_at DESC LIMIT ?"
    return [str(row[0]) for row in connection.execute(query, (since, limit))]


def _alerts(rows: Cursor) -> list[Alert]:
    return [msgspec.json.decode(row[0], type=Alert) for row in rows.fetchall()]


def save_rule_texts(connection: Connection, texts: Mapping[str, tuple[str, str]], *, at: float) -> None:
    """Keep the texts of rules, (id, text) by hash, inside the caller's transaction."""
    rows = [(name, rule, at, text) for name, (rule, text) in texts.items()]
    connection.executemany(_KEEP_TEXT, rows)


def load_rule_text(connection: Connection, name: str) -> str | None:
    """Return the text of the rule with a hash; None if no such rule was ever in force."""
    row = connection.execute("SELECT rule FROM rule_texts WHERE hash = ?", (name,)).fetchone()
    return str(row[0]) if row is not None else None
