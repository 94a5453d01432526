"""Every key with its source, its state and when it was used, for people. Never a key itself.

≠ how a list looks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from alerts.config import KeyConfig

from ..instants import rfc3339
from .record import StoredKey, short, way_out

ACTIVE, ENDING, EXPIRED, REVOKED = "active", "ending", "expired", "revoked"


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is shown.

    Attributes:
        name: What it is known by.
        id: The first 8 digits of its SHA-256: tells keys of one name apart.
        scope: ingest, read or admin.
        source: configuration, environment, or database.
        state: active, ending (it has an end, and that is to come), expired, revoked.
        app: Of events that name none; "" is none.
        only_app: Whether events of another app are refused.
        events_per_second, requests_per_second: In the long run; 0 is any number.
        burst_s: For so many seconds' worth it may hurry.
        created_by: Who made it; "" is not known.
        created_at, ends_at, revoked_at: Unix seconds; None: unknown, or never.
        last_used_at: The same, to about a minute.
        revoke: How that is done.
    """

    name: str
    id: str
    scope: str
    source: str
    state: str
    app: str
    only_app: bool
    events_per_second: float
    requests_per_second: float
    burst_s: float
    created_at: float | None
    created_by: str
    ends_at: float | None
    revoked_at: float | None
    last_used_at: float | None
    revoke: str


def listed(
    stored: Iterable[StoredKey], fixed: Iterable[KeyConfig], *, uses: Mapping[str, float], now: float
) -> list[Listed]:
    """Return all keys: those of the configuration and the environment, then those of the database, the oldest first."""
    return [
        *(_listed(key, None, uses.get(key.sha256), now) for key in fixed),
        *(_listed(one.key, one, uses.get(one.key.sha256), now) for one in stored),
    ]


def _listed(key: KeyConfig, stored: StoredKey | None, used_at: float | None, now: float) -> Listed:
    return Listed(
        name=key.name,
        id=short(key.sha256),
        scope=key.scope,
        source=key.source,
        state=_state(stored, now),
        app=key.app,
        only_app=key.only_app,
        events_per_second=key.events_per_second,
        requests_per_second=key.requests_per_second,
        burst_s=key.burst_s,
        created_at=stored.created_at if stored is not None else None,
        created_by=stored.created_by if stored is not None else "",
        ends_at=stored.ends_at if stored is not None else None,
        revoked_at=stored.revoked_at if stored is not None else None,
        last_used_at=used_at,
        revoke=f"claxon keys revoke {key.name}" if stored is not None else way_out(key),
    )


def _state(stored: StoredKey | None, now: float) -> str:
    if stored is None or (stored.revoked_at is None and stored.ends_at is None):
        return ACTIVE
    if stored.revoked_at is not None:
        return REVOKED
    return ENDING if stored.alive(now) else EXPIRED


def as_text(keys: Iterable[Listed]) -> str:
    """Return a table: a row a key."""
    rows = [("NAME", "ID", "SCOPE", "APP", "SOURCE", "STATE", "LIMITS", "LAST USED"), *map(_row, keys)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "\n".join(lines)


def _row(key: Listed) -> tuple[str, ...]:
    at = key.revoked_at if key.state == REVOKED else key.ends_at
    return (
        key.name,
        key.id,
        key.scope,
        (f"{key.app} only" if key.only_app else key.app) or "-",
        key.source,
        f"{key.state} {rfc3339(at)}" if at is not None else key.state,
        ", ".join(_limits(key)) or "-",
        rfc3339(key.last_used_at) if key.last_used_at is not None else "never",
    )


def _limits(key: Listed) -> list[str]:
    rates = (("events", key.events_per_second), ("requests", key.requests_per_second))
    return [f"{rate:g} {of}/s" for of, rate in rates if rate]
