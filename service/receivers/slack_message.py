"""A notification as a Slack message, within Slack's limits and without its magic words.

≠ addresses, sending.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

from alerts.durations import format_duration
from alerts.notification import AlertMessage, Notification, Status

from .headline import name, ordered, title, word
from .http import encode
from .text import brief, spoken, width

MAX_HEADER = 150
MAX_TEXT = 3000
MAX_FIELD = 2000
MAX_BLOCKS = 50
MAX_FALLBACK = 600
MAX_IDS = 5
MAX_MESSAGE = 12_000
"""Characters of a whole message; Slack documents no such limit and refuses from about 13,200."""

_COLOURS = {"RESOLVED": "#2eb67d", "TICKET": "#ecb22e", "WARNING": "#ecb22e", "INFO": "#36a2eb"}
_RED = "#e01e5a"
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MENTION = re.compile(r"@(?=\S)")

Block: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """How much a message may tell: characters of each text, and alerts beside the first."""

    text: int
    others: int


_SIZES = (_Size(text=1500, others=12), _Size(text=500, others=6), _Size(text=150, others=0))


def message(notification: Notification) -> Block:
    """Return the message: a header, and below it a coloured bar with what is known."""
    first = ordered(notification)[0]
    header = {"type": "plain_text", "text": mrkdwn(_line(notification), MAX_HEADER), "emoji": False}
    attachment: Block = {"color": _COLOURS.get(word(first), _RED)}
    whole: Block = {
        "text": mrkdwn(_line(notification), MAX_FALLBACK),
        "blocks": [{"type": "header", "text": header}],
        "attachments": [attachment],
    }
    for size in _SIZES:
        attachment["blocks"] = _blocks(notification, size)
        if width(encode(whole).decode()) <= MAX_MESSAGE:
            break
    return whole


def plain_message(notification: Notification) -> Block:
    """Return the message as text alone: for when Slack refuses the blocks."""
    first = ordered(notification)[0]
    parts = [_line(notification), first.measured, first.errors, " ".join(first.request_ids[:MAX_IDS])]
    lines = [mrkdwn(part, MAX_TEXT // 4) for part in parts if part]
    return {"text": "\n".join([*lines, _links(first)]).strip()}


def mrkdwn(text: str, limit: int) -> str:
    """Return foreign text so that Slack shows it and obeys nothing in it, in `limit` characters.

    `& < >` are escaped, which disarms <!channel>, <@U…> and links; an invisible
    space behind each @ disarms @here and names. It is never cut inside an entity.
    """
    disarmed = _MENTION.sub("@\u200b", brief(text, limit))
    pieces = [_ENTITIES.get(character, character) for character in disarmed]
    if width("".join(pieces)) <= limit:
        return "".join(pieces)
    shown: list[str] = []
    room = limit - 1
    for piece in pieces:
        room -= width(piece)
        if room < 0:
            break
        shown.append(piece)
    return "".join(shown) + "…"


def _line(notification: Notification) -> str:
    return f"{word(ordered(notification)[0])}: {title(notification)}"


def _blocks(notification: Notification, size: _Size) -> list[Block]:
    first, *others = ordered(notification)
    kept = others[: size.others]
    blocks = [*_told(first, notification, size), *(_section(_brief(other, size)) for other in kept)]
    if left := len(others) - len(kept) + notification.truncated_alerts:
        blocks.append(_context(f"and {left} more {_link(notification.external_url, 'in Claxon')}".strip()))
    blocks.append(_context(_origin(first, notification)))
    return blocks[:MAX_BLOCKS]


def _told(first: AlertMessage, notification: Notification, size: _Size) -> list[Block]:
    fields = [_text(f"*{label}*\n{text}") for label, text in _fields(first, size)]
    blocks: list[Block] = [{"type": "section", "fields": fields}]
    if width(_line(notification)) > MAX_HEADER:
        blocks.insert(0, _section(mrkdwn(name(first), size.text)))
    advice = mrkdwn(first.advice, size.text) if first.status is Status.FIRING else ""
    ids = " ".join(_code(text) for text in first.request_ids[:MAX_IDS])
    return blocks + [_section(text) for text in (advice, ids.strip(), _links(first)) if text]


def _fields(alert: AlertMessage, size: _Size) -> list[tuple[str, str]]:
    told = [("Since", _date(alert.since))]
    if alert.ends_at is not None:
        told.append(("Resolved", f"{_date(alert.ends_at)}, after {_duration(alert)}"))
    texts = (
        ("Why", alert.resolve_reason),
        ("Measured", alert.measured),
        ("Errors", alert.errors),
        ("Blame", alert.blame),
    )
    limit = min(size.text, MAX_FIELD - 100)
    return told + [(label, shown) for label, text in texts if (shown := mrkdwn(text, limit))]


def _brief(alert: AlertMessage, size: _Size) -> str:
    parts = (
        f"*{mrkdwn(word(alert), 50)}* {mrkdwn(name(alert), size.text // 4)}",
        mrkdwn(alert.measured, size.text // 4),
        *(_code(text) for text in alert.request_ids[:1]),
        _link(alert.url, "open"),
    )
    return " · ".join(part for part in parts if part)


def _origin(alert: AlertMessage, notification: Notification) -> str:
    parts = (
        alert.labels.get("alertname", ""),
        f"rule {alert.rule_hash}" if alert.rule_hash else "",
        notification.reason,
    )
    return mrkdwn(" · ".join(part for part in parts if part), 500) or "Claxon"


def _links(alert: AlertMessage) -> str:
    links = [_link(alert.url, "Open the alert")]
    if alert.status is Status.FIRING:
        links.append(_link(alert.ack_url, "Acknowledge"))
    return " · ".join(link for link in links if link)


def _link(url: str, text: str) -> str:
    """A link as text; "" for an address that Slack would refuse."""
    quoted = "".join(_ENTITIES.get(character, character) for character in url.replace("|", "%7C"))
    return f"<{quoted}|{text}>" if url and len(quoted) < MAX_TEXT // 2 - 50 else ""


def _code(text: str) -> str:
    """A text to copy; "" for an empty one."""
    shown = mrkdwn(text.replace("`", " "), 150)
    return f"`{shown}`" if shown else ""


def _date(at: float) -> str:
    """An instant in each reader's own time zone."""
    return f"<!date^{int(at)}^{{date_short_pretty}} {{time_secs}}|{spoken(at)}>"


def _duration(alert: AlertMessage) -> str:
    return format_duration((alert.ends_at or alert.since) - alert.since)


def _text(text: str) -> Block:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _section(text: str) -> Block:
    return {"type": "section", "text": _text(text)}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_text(text)]}
