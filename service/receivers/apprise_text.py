"""A notification as a short text, for services of which nothing is known but that they take one.

≠ sending.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from alerts.notification import AlertMessage, Notification, Status

from .headline import ack_url, course, lasting, line, name, ordered, size, word
from .notices import marks, notices
from .particulars import description, runbook, where
from .text import brief

MAX_SUBJECT = 200
MAX_BODY = 1500
MAX_LINE = 400
MAX_ALERTS = 8
MAX_ADDRESS = 500

# What makes chats call everybody, or a name: an invisible space takes its force away.
_CALLS = re.compile(r"@(?=\S)|<(?=[!@#])")
_MOODS = {"RESOLVED": "success", "TICKET": "warning", "WARNING": "warning", "INFO": "info"}


def subject(notification: Notification) -> str:
    """Return the title, at most 200 characters."""
    return _safe(line(notification), MAX_SUBJECT)


def mood(notification: Notification) -> str:
    """Return Apprise's type of a message, for colours and icons."""
    return "info" if notification.test else _MOODS.get(word(ordered(notification)[0]), "failure")


def body(notification: Notification) -> str:
    """Return the text: what matters first, for services cut it where they like."""
    alerts = ordered(notification)
    told = _alone(alerts[0]) if size(notification) == 1 else _list(alerts, notification)
    above = [_safe(text, MAX_LINE) for text in (*notices(notification), *course(notification))]
    kept: list[str] = []
    room = MAX_BODY
    for text in filter(None, (*above, *told)):
        room -= len(text) + 1
        if room >= 0:
            kept.append(text)
    return "\n".join(kept) or _safe(line(notification), MAX_LINE)


def _alone(alert: AlertMessage) -> Iterator[str]:
    yield from _facts(alert)
    yield _address(alert.url)
    if url := _address(ack_url(alert)):
        yield f"acknowledge: {url}"
    yield _safe(description(alert), MAX_LINE)
    if url := _address(runbook(alert)):
        yield f"runbook: {url}"
    if alert.status is Status.FIRING:
        yield _safe(alert.advice, MAX_LINE)
    yield _safe(" ".join(alert.request_ids[:2]), MAX_LINE)


def _list(alerts: list[AlertMessage], notification: Notification) -> Iterator[str]:
    kept = alerts[:MAX_ALERTS]
    left = size(notification) - len(kept)
    # Before the list: what is cut off is the end.
    yield " ".join((f"{left:,} more than these:" if left else "all:", _address(notification.external_url))).strip()
    for alert in kept:
        yield _safe(f"{word(alert)} {name(alert)}", MAX_LINE // 2)


def _facts(alert: AlertMessage) -> Iterator[str]:
    if alert.ends_at is not None:
        yield _safe(f"after {lasting(alert.ends_at - alert.since)}: {alert.resolve_reason}".rstrip(": "), MAX_LINE)
    yield _safe(alert.measured, MAX_LINE)
    yield _safe(alert.errors, MAX_LINE)
    yield _safe(where(alert), MAX_LINE)
    yield _safe(", ".join(marks(alert)), MAX_LINE)


def _address(url: str) -> str:
    return url if len(url) <= MAX_ADDRESS and url == _safe(url, MAX_ADDRESS) else ""


def _safe(text: str, limit: int) -> str:
    return _CALLS.sub(lambda match: match.group() + "\u200b", brief(text, limit))
