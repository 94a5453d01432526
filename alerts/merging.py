"""Merging: what waits for one receiver under one key, as one notification.

≠ which of them may be merged, when they are sent.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .labels import common
from .notification import AlertMessage, Notification, NotifyReason, Status, facts


def merge(older: Notification, newer: Notification) -> Notification:
    """Return one notification that says all that two of one key say; see `merge_all`."""
    return merge_all((older, newer))


def merge_all(notifications: Sequence[Notification]) -> Notification:
    """Return one notification that says all that these say, oldest first; at least one.

    It is the newest one with the alerts of all: each episode of an alert once, as it
    was told last, in the order in which they came. It fires if any of them fires. So
    an alert that fired and ended meanwhile is told, as ended.
    """
    newest = notifications[-1]
    if len(notifications) == 1:
        return newest
    told: dict[tuple[str, int], AlertMessage] = {}
    for notification in notifications:
        told.update(((message.fingerprint, message.episode), message) for message in notification.alerts)
    alerts = list(told.values())
    # The reader knows of nothing yet; what came since changes nothing about that.
    began = any(notification.reason == NotifyReason.FIRST for notification in notifications)
    return msgspec.structs.replace(
        newest,
        status=Status.FIRING if any(message.status is Status.FIRING for message in alerts) else Status.RESOLVED,
        common_labels=common(message.labels for message in alerts),
        common_annotations=common(map(facts, alerts)),
        reason=NotifyReason.FIRST.value if began else newest.reason,
        alerts=alerts,
        # Who was left out is not known by name: the most that were is the least that may be said.
        truncated_alerts=max(notification.truncated_alerts for notification in notifications),
        undelivered=next((one.undelivered for one in reversed(notifications) if one.undelivered), ""),
    )
