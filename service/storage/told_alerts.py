"""Which alerts the notifications of one key told of, from the outbox.

≠ who was told, when it is tried again.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from alerts.notification import Status

from .connecting import Connection

_NEWEST = 200
"""Rows of one key that are looked at: a group that is repeated for a month has about as many."""


class _Alert(msgspec.Struct):
    fingerprint: str
    episode: int
    status: Status


class _Told(msgspec.Struct):
    """As much of a notification as is needed."""

    alerts: list[_Alert]


def told_alerts(connection: Connection, targets: Iterable[str], dedup_key: str) -> dict[str, int]:
    """Return the newest episode of each alert that some integrations were told of as firing under a key."""
    query = "SELECT notification FROM outbox WHERE target = ? AND dedup_key = ? ORDER BY id DESC LIMIT ?"
    episodes: dict[str, int] = {}
    for target in targets:
        for (body,) in connection.execute(query, (target, dedup_key, _NEWEST)):
            for told in msgspec.msgpack.decode(body, type=_Told).alerts:
                if told.status is Status.FIRING:
                    episodes[told.fingerprint] = max(told.episode, episodes.get(told.fingerprint, 0))
    return episodes
