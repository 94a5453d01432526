"""A notification as plain lines, for vendors that show text without markup, within a limit.

≠ vendors' formats; e-mail; the terminal.
"""

from __future__ import annotations

from dataclasses import dataclass

from alerts.notification import AlertMessage, Notification, Status

from .headline import ack_url, course, lasting, name, ordered, word
from .notices import marks, notices
from .text import brief, spoken, width

MAX_ADDRESS = 3000
"""A longer address is left out: cut, it would lead nowhere."""

MAX_LINE = 80
"""A longer summary is told again in full: it was cut where it heads the page."""

MAX_OTHERS = 20
MAX_ANNOTATIONS = 5

_MORE_ROOM = 60  # "and 10000 more: " before an address


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """How long each text may be."""

    text: int


_SIZES = (_Size(text=1500), _Size(text=400), _Size(text=100))


def plain(notification: Notification, *, limit: int) -> str:
    """Return the page: notices, the gravest alert in full, others in a line each, the rest counted.

    Args:
        notification: One group of alerts.
        limit: UTF-16 code units, >= 12,000: what the links of one page may take.
    """
    first, *others = ordered(notification)
    link = _address(notification.external_url)
    for size in _SIZES:
        summary = [brief(name(first), size.text)] if width(name(first)) > MAX_LINE else []
        head = "\n".join([*notices(notification), *course(notification), *summary, *_told(first, notification, size)])
        if width(head) <= limit - _MORE_ROOM - width(link):
            break
    return "\n".join([head, *_others(others, notification, limit - width(head))])


def _told(alert: AlertMessage, notification: Notification, size: _Size) -> list[str]:
    fires = alert.status is Status.FIRING
    texts = (
        ("", " · ".join(marks(alert))),
        ("Resolved", "" if fires else _end(alert)),
        ("Measured", alert.measured),
        ("Errors", alert.errors),
        ("Blame", alert.blame),
        ("Advice", alert.advice if fires else ""),
        ("Since", spoken(alert.since)),
        ("Requests", " ".join(alert.request_ids)),
    )
    links = (("Alert", alert.url), ("Acknowledge", ack_url(alert)))
    labels = ", ".join(f"{key}={text}" for key, text in alert.labels.items())
    rule = f"{alert.labels.get('alertname', '')} {alert.rule_hash}, {notification.reason}"
    return [
        *_lines(texts, size.text),
        *(f"{label}: {address}" for label, url in links if (address := _address(url))),
        *_lines(tuple(list(alert.annotations.items())[:MAX_ANNOTATIONS]), size.text),
        *_lines((("Labels", labels), ("Rule", rule.strip(" ,"))), size.text),
    ]


def _lines(pairs: tuple[tuple[str, str], ...], limit: int) -> list[str]:
    shown = ((brief(label, 50), brief(text, limit)) for label, text in pairs)
    return [f"{label}: {text}" if label else text for label, text in shown if text]


def _others(others: list[AlertMessage], notification: Notification, room: int) -> list[str]:
    """Return a line for each alert that there is room for, and one that counts the rest."""
    link = _address(notification.external_url)
    room -= _MORE_ROOM + width(link)
    lines: list[str] = []
    for other in others[:MAX_OTHERS]:
        line = _brief(other)
        room -= width(line) + 1
        if room < 0:
            break
        lines.append(line)
    left = len(others) - len(lines) + notification.truncated_alerts
    if lines:
        lines.insert(0, "")
    if left:
        lines.append(f"and {left:,} more: {link}" if link else f"and {left:,} more")
    return lines


def _brief(alert: AlertMessage) -> str:
    parts = (f"also {word(alert)}: {brief(name(alert), 200)}", brief(alert.measured, 100), _address(alert.url))
    return " · ".join(part for part in parts if part)


def _end(alert: AlertMessage) -> str:
    ends_at = alert.since if alert.ends_at is None else alert.ends_at
    told = f"{spoken(ends_at)}, after {lasting(ends_at - alert.since)}"
    return f"{told}: {alert.resolve_reason}" if alert.resolve_reason else told


def _address(url: str) -> str:
    return url if width(url) <= MAX_ADDRESS else ""
