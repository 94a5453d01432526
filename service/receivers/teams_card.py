"""A notification as an Adaptive Card for Microsoft Teams, within 28 KB and without foreign markup.

≠ addresses, sending.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from alerts.notification import AlertMessage, Notification, Status

from .headline import ack_url, course, lasting, line, name, ordered, word
from .http import encode
from .notices import marks, notices
from .text import brief, spoken

MAX_MESSAGE = 28_000
"""Bytes of the whole request; Teams documents 28 KB and refuses more."""

MAX_ADDRESS = 5_000
"""Bytes; a longer link is left out, for cut it would lead nowhere."""

MAX_IDS = 5
MAX_ANNOTATIONS = 3
VERSION = "1.4"

_STYLES = {"RESOLVED": "good", "TICKET": "warning", "WARNING": "warning", "INFO": "accent"}
_RED = "attention"
_DRILL = "accent"

# Markdown that works anywhere in a line, and Teams' own "{{DATE(...)}}"; "_" inside a word
# does nothing and stays, so that names can be copied.
_MARKUP = re.compile(r"[\\*`\[\]<~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|&(?=#?\w+;)|(?<={){")
# What makes a heading, a list or a quotation of a line.
_LEADING = re.compile(r"(?:[#+=-]|\d{1,9}[.)])(?=[\s#=-]|$)|>")

Element: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """How much a card may tell: characters of each text, and alerts beside the first."""

    text: int
    others: int


# Tried in order until the card fits. The last one fits whatever the alerts hold.
_SIZES = (_Size(text=1500, others=15), _Size(text=500, others=8), _Size(text=150, others=3), _Size(text=60, others=0))


def message(notification: Notification) -> Element:
    """Return the message that a workflow posts: one attachment, which is the card."""
    for size in _SIZES:
        card = {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": None,
            "content": _card(notification, size),
        }
        whole: Element = {"type": "message", "attachments": [card]}
        if len(encode(whole)) <= MAX_MESSAGE:
            break
    return whole


def markdown(text: str, limit: int) -> str:
    """Return foreign text, of which `limit` characters are told, so that Teams shows it and obeys nothing in it."""
    shown = _MARKUP.sub(r"\\\g<0>", brief(text, limit))
    if leading := _LEADING.match(shown):
        # "1." is disarmed before its dot, "#" before itself.
        end = leading.end() - 1
        shown = f"{shown[:end]}\\{shown[end:]}"
    return shown


def _card(notification: Notification, size: _Size) -> Element:
    first, *others = ordered(notification)
    kept = others[: size.others]
    left = len(others) - len(kept) + notification.truncated_alerts
    body = [
        _heading(notification, size),
        *_told(first, size),
        *(_brief(other, size) for other in kept),
        *([_text(f"and {left:,} more", weight="Bolder")] if left else []),
        _origin(first, notification),
    ]
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": VERSION,
        "fallbackText": brief(line(notification), size.text),
        "msteams": {"width": "Full"},
        "body": body,
        "actions": _actions(first, notification, left=left),
    }


def _heading(notification: Notification, size: _Size) -> Element:
    first = ordered(notification)[0]
    items = [_text(markdown(line(notification), size.text), weight="Bolder", size="Medium", style="heading")]
    items += [_text(markdown(notice, size.text)) for notice in (*notices(notification), *course(notification))]
    style = _DRILL if notification.test else _STYLES.get(word(first), _RED)
    return {"type": "Container", "style": style, "bleed": True, "items": items}


def _told(first: AlertMessage, size: _Size) -> Iterable[Element]:
    """Return what is known of the gravest alert: what it is, what to do, and what to copy."""
    yield {"type": "FactSet", "facts": [{"title": label, "value": text} for label, text in _facts(first, size)]}
    if advice := markdown(first.advice, size.text) if first.status is Status.FIRING else "":
        yield _text(advice)
    if ids := " ".join(brief(text, size.text) for text in first.request_ids[:MAX_IDS]).strip():
        # A run knows no markup, so that an id can be copied as it is.
        yield {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": ids, "fontType": "Monospace"}]}


def _facts(alert: AlertMessage, size: _Size) -> list[tuple[str, str]]:
    texts = (
        ("State", ", ".join(marks(alert))),
        ("Resolved", _end(alert)),
        ("Why", alert.resolve_reason),
        ("Measured", alert.measured),
        ("Errors", alert.errors),
        ("Blame", alert.blame),
        ("Since", spoken(alert.since)),
        ("Where", " ".join(text for key in ("app", "environment", "model") if (text := alert.labels.get(key)))),
        *list(alert.annotations.items())[:MAX_ANNOTATIONS],
    )
    named = ((markdown(label, 50), text) for label, text in texts)
    return [(label, shown) for label, text in named if label and (shown := markdown(text, size.text))]


def _brief(alert: AlertMessage, size: _Size) -> Element:
    parts = (
        f"**{markdown(word(alert), 50)}** {markdown(name(alert), size.text // 4)}",
        markdown(alert.measured, size.text // 4),
        f"[open]({_quoted(alert.url)})" if _fits(alert.url) else "",
    )
    return _text(" · ".join(part for part in parts if part))


def _origin(alert: AlertMessage, notification: Notification) -> Element:
    parts = (
        alert.labels.get("alertname", ""),
        f"rule {alert.rule_hash}" if alert.rule_hash else "",
        notification.reason,
    )
    shown = markdown(" · ".join(part for part in parts if part), 300) or "Claxon"
    return _text(shown, isSubtle=True, size="Small")


def _actions(first: AlertMessage, notification: Notification, *, left: int) -> list[Element]:
    links = (
        ("Open the alert", first.url),
        ("Acknowledge", ack_url(first)),
        ("All alerts", notification.external_url if left else ""),
    )
    return [{"type": "Action.OpenUrl", "title": text, "url": url} for text, url in links if _fits(url)]


def _fits(url: str) -> bool:
    return url != "" and len(encode(url)) <= MAX_ADDRESS


def _quoted(url: str) -> str:
    """Return an address as it may stand in a link of ours."""
    return re.sub(r"[\s()<>\\]", lambda odd: f"%{ord(odd[0]):02X}", url)


def _end(alert: AlertMessage) -> str:
    return "" if alert.ends_at is None else f"{spoken(alert.ends_at)}, after {lasting(alert.ends_at - alert.since)}"


def _text(text: str, **look: Any) -> Element:
    return {"type": "TextBlock", "text": text, "wrap": True, **look}
