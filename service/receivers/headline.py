"""What a group of alerts is called: the alert to name first, one word, one line.

≠ vendors' formats.
"""

from __future__ import annotations

from alerts.notification import AlertMessage, Notification, Status

from .text import brief

MAX_WORD = 20
MAX_NAME = 1000

_RANK = {"page": 0, "critical": 0, "error": 1, "ticket": 2, "warning": 2, "info": 4}
_UNRANKED = 3


def ordered(notification: Notification) -> list[AlertMessage]:
    """Return the alerts, those that fire before those that ended, the gravest first."""
    return sorted(notification.alerts, key=_urgency)


def word(message: AlertMessage) -> str:
    """Return RESOLVED, or the severity in capitals, or ALERT without one."""
    if message.status is Status.RESOLVED:
        return "RESOLVED"
    return brief(message.labels.get("severity", "").upper(), MAX_WORD) or "ALERT"


def title(notification: Notification) -> str:
    """Return one line for the whole group: its gravest alert's summary, and how many there are."""
    first = ordered(notification)[0]
    others = len(notification.alerts) - 1 + notification.truncated_alerts
    return f"{name(first)} (and {others} more)" if others else name(first)


def name(message: AlertMessage) -> str:
    """Return the alert's summary; without one, its rule's name."""
    return brief(message.summary, MAX_NAME) or brief(message.labels.get("alertname", ""), MAX_NAME) or "alert"


def _urgency(message: AlertMessage) -> tuple[bool, int]:
    rank = _RANK.get(message.labels.get("severity", ""), _UNRANKED)
    return (message.status is Status.RESOLVED, rank)
