"""What a group of alerts is called: the alert to name first, one word, one line, and how it goes.

≠ vendors' formats.
"""

from __future__ import annotations

from collections import Counter

from alerts.durations import format_duration
from alerts.notification import AlertMessage, Notification, NotifyReason, Status

from .text import brief

MAX_WORD = 20
MAX_NAME = 1000

_RANK = {"page": 0, "critical": 0, "error": 1, "ticket": 2, "warning": 2, "info": 4}
_UNRANKED = 3
_DRILL = "FIRE DRILL, nothing is wrong"
_MINUTE = 60.0
_PRECISE_S = 600.0


def ordered(notification: Notification) -> list[AlertMessage]:
    """Return the alerts, those that fire before those that ended, the gravest first."""
    return sorted(notification.alerts, key=_urgency)


def word(message: AlertMessage) -> str:
    """Return RESOLVED, or the severity in capitals, or ALERT without one."""
    if message.status is Status.RESOLVED:
        return "RESOLVED"
    return brief(message.labels.get("severity", "").upper(), MAX_WORD) or "ALERT"


def line(notification: Notification) -> str:
    """Return what a locked telephone shows: what kind of message this is, and the title."""
    kind = word(ordered(notification)[0])
    if is_repeat(notification):
        kind += f", still firing after {_age(notification)}"
    if is_late(notification):
        kind += " before it could be told"
    if notification.undelivered:
        who, known, _ = notification.undelivered.partition(":")
        kind += f", not delivered to {brief(who, 60) if known else 'another receiver'}"
    return f"{_DRILL if notification.test else kind}: {title(notification)}"


def title(notification: Notification) -> str:
    """Return one line for the whole group: its gravest alert's summary, and how many there are."""
    first = ordered(notification)[0]
    others = size(notification) - 1
    return f"{name(first)} (and {others:,} more)" if others else name(first)


def size(notification: Notification) -> int:
    """Return how many alerts there are, those that were left out too."""
    return len(notification.alerts) + notification.truncated_alerts


def name(message: AlertMessage) -> str:
    """Return the alert's summary; without one, its rule's name."""
    return brief(message.summary, MAX_NAME) or brief(message.labels.get("alertname", ""), MAX_NAME) or "alert"


def course(notification: Notification) -> list[str]:
    """Return how it goes, where that is not plain: a repeat, an end before the beginning was told, what a group has."""
    told: list[str] = []
    if is_repeat(notification):
        told.append(f"Still firing, after {_age(notification)}.")
    if is_late(notification):
        told.append("It began and ended before this could be told.")
    counts = Counter(word(alert) for alert in ordered(notification))
    if len(counts) > 1:
        told.append(", ".join(f"{count:,} {kind}" for kind, count in counts.items()))
    return told


def is_repeat(notification: Notification) -> bool:
    """Whether it was told before and still fires."""
    return notification.status is Status.FIRING and notification.reason == NotifyReason.REPEAT


def is_late(notification: Notification) -> bool:
    """Whether it had ended before anybody could be told that it began."""
    return notification.status is Status.RESOLVED and notification.reason == NotifyReason.FIRST


def ack_url(message: AlertMessage) -> str:
    """Return where to acknowledge it; "" where that is of no use: it has ended, or somebody has it."""
    return message.ack_url if message.status is Status.FIRING and not message.acked_by else ""


def lasting(seconds: float) -> str:
    """Return a duration as a tired person wants it: from ten minutes on without seconds."""
    if seconds < _PRECISE_S:
        return format_duration(seconds)
    return format_duration(round(seconds / _MINUTE) * _MINUTE)


def _age(notification: Notification) -> str:
    """How long it has fired; the longest of a group."""
    began = min(alert.starts_at for alert in notification.alerts if alert.status is Status.FIRING)
    return lasting(notification.at - began)


def _urgency(message: AlertMessage) -> tuple[bool, int]:
    rank = _RANK.get(message.labels.get("severity", ""), _UNRANKED)
    return (message.status is Status.RESOLVED, rank)
