"""Keys of the database as rows, and when each key was used.

≠ who may make one.
"""

from __future__ import annotations

from collections.abc import Mapping

from alerts.config import KeyConfig

from .connecting import Connection

_COLUMNS = (
    "id, name, scope, sha256, app, only_app, events_per_second, requests_per_second, burst_s, "
    "created_at, created_by, expires_at, overlap_until, revoked_at"
)
_USED = """
INSERT INTO key_uses (sha256, at) VALUES (?, ?)
ON CONFLICT (sha256) DO UPDATE SET at = excluded.at WHERE key_uses.at < excluded.at
"""
_PRUNE = """
DELETE FROM keys
WHERE (revoked_at < ? OR expires_at < ? OR overlap_until < ?)
  AND id < (SELECT max(id) FROM keys)
"""
_PRUNE_USES = "DELETE FROM key_uses WHERE at < ? AND sha256 NOT IN (SELECT sha256 FROM keys)"

Row = tuple[int, KeyConfig, float, str, float | None, float | None, float | None]
"""Number, key, made at, made by, the end of its life, of its overlap, revoked at."""


def load(connection: Connection) -> list[Row]:
    """Return all keys, the oldest first."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM keys ORDER BY id")  # noqa: S608 — a constant
    return [(int(row[0]), _key(row[1:9]), float(row[9]), str(row[10]), row[11], row[12], row[13]) for row in rows]


def _key(row: tuple[str, str, str, str, int, float, float, float]) -> KeyConfig:
    name, scope, sha256, app, only_app, events, requests, burst_s = row
    return KeyConfig(
        name=name,
        scope=scope,
        sha256=sha256,
        app=app,
        only_app=bool(only_app),
        events_per_second=events,
        requests_per_second=requests,
        burst_s=burst_s,
        source="database",
    )


def add(connection: Connection, key: KeyConfig, *, at: float, by: str, expires_at: float | None) -> None:
    """Add a key, inside the caller's transaction."""
    limits = (key.events_per_second, key.requests_per_second, key.burst_s)
    row = (key.name, key.scope, key.sha256, key.app, int(key.only_app), *limits, at, by, expires_at)
    columns = _COLUMNS.removeprefix("id, ").removesuffix(", overlap_until, revoked_at")
    connection.execute(f"INSERT INTO keys ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608


def let_go(connection: Connection, row: int, *, until: float) -> None:
    """Let a key that another took the place of end at an instant, unless it ends before that already."""
    change = "UPDATE keys SET overlap_until = ? WHERE id = ? AND (overlap_until IS NULL OR overlap_until > ?)"
    connection.execute(change, (until, row, until))


def revoke(connection: Connection, row: int, *, at: float) -> None:
    """Mark a key as revoked."""
    connection.execute("UPDATE keys SET revoked_at = ? WHERE id = ?", (at, row))


def note_uses(connection: Connection, uses: Mapping[str, float]) -> None:
    """Write when keys were used last, by their hash."""
    connection.executemany(_USED, uses.items())


def uses(connection: Connection) -> dict[str, float]:
    """Return when each key was used last, by its hash."""
    return {str(digest): float(at) for digest, at in connection.execute("SELECT sha256, at FROM key_uses")}


def prune(connection: Connection, *, before: float, uses_before: float) -> None:
    """Forget dead keys, but never the newest key; and uses of keys that are not of the database, long ago."""
    connection.execute(_PRUNE, (before, before, before))
    connection.execute(_PRUNE_USES, (uses_before,))
