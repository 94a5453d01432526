"""Reached: which alerts somebody was, or still may be, told of, by the rows of the outbox.

≠ what follows when nobody was.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from alerts.notification import Status

from .connecting import Connection

MAX_ROWS = 20_000
"""No more rows are read for alerts that are told in groups: the newest."""

_BY_KEY = (
    "SELECT state FROM outbox WHERE id IN (SELECT row FROM outbox_alerts WHERE fingerprint = ?) "
    "AND dedup_key = ? AND status = ?"
)
_FIRING = "SELECT state, notification FROM outbox WHERE status = ? AND created_at >= ? ORDER BY id DESC LIMIT ?"


class _Alert(msgspec.Struct):
    fingerprint: str
    status: Status


class _Told(msgspec.Struct):
    """What is needed of a notification: some have 10,000 alerts."""

    alerts: list[_Alert]


def states(connection: Connection, fingerprint: str, dedup_key: str) -> set[str]:
    """Return the states of the rows that say that an alert by itself fires; empty if there are none."""
    return {str(row[0]) for row in connection.execute(_BY_KEY, (fingerprint, dedup_key, Status.FIRING.value))}


def in_groups(connection: Connection, since: float, wanted: Collection[str]) -> dict[str, set[str]]:
    """Return the states of the rows that say of alerts that they fire, by fingerprint, since an instant."""
    found: dict[str, set[str]] = {}
    for state, body in connection.execute(_FIRING, (Status.FIRING.value, since, MAX_ROWS)):
        for alert in msgspec.msgpack.decode(body, type=_Told).alerts:
            if alert.fingerprint in wanted and alert.status is Status.FIRING:
                found.setdefault(alert.fingerprint, set()).add(str(state))
    return found
