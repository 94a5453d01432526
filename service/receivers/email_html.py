"""A notification as HTML that mail readers show: tables, styles in place, nothing loaded from anywhere.

≠ headers, text.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from alerts.notification import AlertMessage, Notification, Status

from .headline import ack_url, course, lasting, name, ordered, size, word
from .notices import marks, notices
from .particulars import description, runbook, where
from .text import brief, spoken

MAX_ALERTS = 50
MAX_TEXT = 1500
MAX_SHORT = 200
MAX_ADDRESS = 4000
MAX_HTML = 95_000
"""Gmail hides what comes after 102 KB."""

_COLOURS = {"RESOLVED": "#1a7f4b", "TICKET": "#9a6700", "WARNING": "#9a6700", "INFO": "#0b6bcb"}
_RED = "#b3123d"
_BODY = "margin:0;padding:16px;font:15px/1.5 -apple-system,Segoe UI,Helvetica,Arial,sans-serif;color:#1d1c1d"
_BOX = "border-left:4px solid {colour};padding:4px 0 4px 14px;margin:0 0 16px;max-width:720px"
_LABEL = "padding:1px 14px 1px 0;color:#616061;vertical-align:top;white-space:nowrap"
_BUTTON = "display:inline-block;padding:7px 14px;margin:8px 8px 0 0;border-radius:4px;text-decoration:none;"
_FILLED = _BUTTON + "background:{colour};color:#ffffff"
_OUTLINED = _BUTTON + "border:1px solid #bbbbbb;color:#1d1c1d"


def html(notification: Notification) -> str:
    """Return the page: what is unusual, the alert in full or the gravest of a group in a list."""
    alerts = ordered(notification)
    parts = [_above(notification)]
    if size(notification) == 1:
        parts.append(_alone(alerts[0]))
    else:
        parts.append(_list(alerts, notification))
    small = " · ".join(text for text in (alerts[0].labels.get("alertname", ""), notification.reason) if text)
    parts.append(f'<p style="color:#616061;font-size:12px">{_text(small, MAX_SHORT)}</p>')
    return f'<!doctype html><html><body style="{_BODY}">{"".join(parts)}</body></html>\n'


def _above(notification: Notification) -> str:
    bold = "".join(f"<p><strong>{_text(text, MAX_TEXT)}</strong></p>" for text in notices(notification))
    return bold + "".join(f"<p>{_text(text, MAX_TEXT)}</p>" for text in course(notification))


def _alone(alert: AlertMessage) -> str:
    rows = "".join(
        f'<tr><td style="{_LABEL}">{label}</td><td>{shown}</td></tr>' for label, shown in _facts(alert) if shown
    )
    ids = "".join(f"<br><code>{_text(text, MAX_SHORT)}</code>" for text in alert.request_ids[:5])
    advice = _text(alert.advice, MAX_TEXT) if alert.status is Status.FIRING else ""
    return _box(
        alert,
        _heading(alert),
        f'<table cellspacing="0" cellpadding="0">{rows}</table>',
        "".join(f"<p>{text}</p>" for text in (_text(description(alert), MAX_TEXT), advice) if text),
        f"<p>Request ids for the provider's support:{ids}</p>" if ids else "",
        _buttons(alert),
    )


def _heading(alert: AlertMessage) -> str:
    badge = f'<span style="color:{_colour(alert)};font-weight:bold">{_text(word(alert), MAX_SHORT)}</span>'
    return f'<p style="font-size:18px;margin:0 0 6px">{badge} {_text(name(alert), MAX_TEXT)}</p>'


def _facts(alert: AlertMessage) -> Iterator[tuple[str, str]]:
    yield "Since", _text(spoken(alert.since), MAX_SHORT)
    if alert.ends_at is not None:
        ended = f"{spoken(alert.ends_at)}, after {lasting(alert.ends_at - alert.since)}"
        yield "Resolved", _text(ended, MAX_SHORT)
    yield "Why", _text(alert.resolve_reason, MAX_TEXT)
    yield "Measured", _text(alert.measured, MAX_TEXT)
    yield "Errors", _text(alert.errors, MAX_TEXT)
    yield "Blame", _text(alert.blame, MAX_SHORT)
    yield "Labels", _text(where(alert), MAX_TEXT)
    yield "State", _text(", ".join(marks(alert)), MAX_TEXT)


def _list(alerts: list[AlertMessage], notification: Notification) -> str:
    fires = alerts[0].status is Status.FIRING
    advice = _text(alerts[0].advice, MAX_TEXT) if fires else ""
    parts = [f"<p>{advice}</p>"] if advice else []
    room = MAX_HTML
    kept = 0
    for alert in alerts[:MAX_ALERTS]:
        item = _item(alert)
        room -= len(item.encode("utf-8", "replace"))
        if room < 0:
            break
        parts.append(item)
        kept += 1
    if left := size(notification) - kept:
        parts.append(f"<p>and {left:,} more {_link(notification.external_url, 'in Claxon')}</p>")
    return "".join(parts)


def _item(alert: AlertMessage) -> str:
    fires = alert.status is Status.FIRING
    ended = f"after {lasting((alert.ends_at or alert.since) - alert.since)}"
    facts = [alert.measured, alert.errors] if fires else [ended, alert.resolve_reason]
    known = [text for text in facts if text] or [description(alert)]
    told = " · ".join(_text(text, MAX_SHORT) for text in (*known, where(alert), *marks(alert)) if text)
    ids = f" <code>{_text(alert.request_ids[0], MAX_SHORT)}</code>" if fires and alert.request_ids else ""
    links = (_link(alert.url, "open"), _link(ack_url(alert), "acknowledge"))
    badge = f'<strong style="color:{_colour(alert)}">{_text(word(alert), MAX_SHORT)}</strong>'
    return _box(
        alert,
        f"{badge} {_text(name(alert), MAX_SHORT)}",
        f"<br>{told}{ids}",
        "<br>",
        " · ".join(each for each in links if each),
    )


def _buttons(alert: AlertMessage) -> str:
    filled = _link(ack_url(alert), "Acknowledge", style=_FILLED.format(colour=_colour(alert)))
    others = ((alert.url, "Open the alert"), (runbook(alert), "Runbook"))
    return filled + "".join(_link(url, text, style=_OUTLINED) for url, text in others)


def _box(alert: AlertMessage, *parts: str) -> str:
    return f'<div style="{_BOX.format(colour=_colour(alert))}">{"".join(parts)}</div>'


def _colour(alert: AlertMessage) -> str:
    return _COLOURS.get(word(alert), _RED)


def _link(url: str, text: str, *, style: str = "") -> str:
    """A link; "" for what is no address of the web, or a riddle of one."""
    if not url.startswith(("https://", "http://")) or len(url) > MAX_ADDRESS:
        return ""
    return f'<a href="{escape(url)}" style="{style or "color:#0b6bcb"}">{text}</a>'


def _text(text: str, limit: int) -> str:
    return escape(brief(text, limit))
