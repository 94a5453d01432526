"""A notification as a Slack message, within Slack's limits.

≠ addresses, sending.
"""

from __future__ import annotations

from dataclasses import dataclass

from alerts.notification import AlertMessage, Notification, Status

from .headline import ack_url, course, lasting, line, name, ordered, size, word
from .http import encode
from .notices import marks, notices
from .particulars import description, runbook, where
from .slack_text import (
    MAX_TEXT,
    Block,
    button,
    buttons,
    code,
    context,
    date,
    is_for_a_button,
    link,
    mrkdwn,
    section,
    text_object,
)
from .text import width

MAX_HEADER = 150
MAX_FIELD = 2000
MAX_BLOCKS = 50
MAX_FALLBACK = 600
MAX_IDS = 5
MAX_MESSAGE = 12_000
"""Characters of a whole message; Slack documents no such limit and refuses from about 13,200."""

_COLOURS = {"RESOLVED": "#2eb67d", "TICKET": "#ecb22e", "WARNING": "#ecb22e", "INFO": "#36a2eb"}
_RED = "#e01e5a"
_DRILL_COLOUR = "#36a2eb"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Size:
    """How much a message may tell: characters of each text, and alerts of a group."""

    text: int
    alerts: int


_SIZES = (
    _Size(text=1500, alerts=20),
    _Size(text=500, alerts=14),
    _Size(text=300, alerts=10),
    _Size(text=150, alerts=5),
    _Size(text=100, alerts=1),
)


def message(notification: Notification) -> Block:
    """Return the message: a header, and below it a coloured bar with what is known."""
    colour = _DRILL_COLOUR if notification.test else _COLOURS.get(word(ordered(notification)[0]), _RED)
    attachment: Block = {"color": colour}
    whole: Block = {
        "text": mrkdwn(line(notification), MAX_FALLBACK),
        "blocks": [_header(notification), *_above(notification)],
        "attachments": [attachment],
    }
    for each in _SIZES:
        attachment["blocks"] = _blocks(notification, each)
        if width(encode(whole).decode()) <= MAX_MESSAGE:
            break
    return whole


def plain_message(notification: Notification) -> Block:
    """Return the message as text alone: for when Slack refuses the blocks."""
    first = ordered(notification)[0]
    above = [line(notification), *notices(notification), *course(notification)]
    parts = [*above, first.measured, first.errors, where(first), " ".join(first.request_ids[:MAX_IDS])]
    lines = [mrkdwn(part, MAX_TEXT // 4) for part in parts if part]
    return {"text": "\n".join([*lines, _links(first)]).strip()}


def _header(notification: Notification) -> Block:
    text = {"type": "plain_text", "text": mrkdwn(line(notification), MAX_HEADER), "emoji": False}
    return {"type": "header", "text": text}


def _above(notification: Notification) -> list[Block]:
    """What is to be known before anything else."""
    lines = [f"*{mrkdwn(text, 400)}*" for text in notices(notification)]
    lines += [mrkdwn(text, 400) for text in course(notification)]
    return [section("\n".join(lines))] if lines else []


def _blocks(notification: Notification, limit: _Size) -> list[Block]:
    first = ordered(notification)[0]
    told = _list(notification, limit) if size(notification) > 1 else _alone(first, notification, limit)
    return [*told, context(_origin(first, notification))][:MAX_BLOCKS]


# ── one alert ─────────────────────────────────────────────────────────────────


def _alone(alert: AlertMessage, notification: Notification, limit: _Size) -> list[Block]:
    fires = alert.status is Status.FIRING
    blocks: list[Block] = [
        {"type": "section", "fields": [text_object(f"*{label}*\n{text}") for label, text in _fields(alert, limit)]}
    ]
    if width(line(notification)) > MAX_HEADER:
        blocks.insert(0, section(mrkdwn(name(alert), limit.text)))
    advice = mrkdwn(alert.advice, limit.text) if fires else ""
    ids = " ".join(code(text) for text in alert.request_ids[:MAX_IDS]).strip()
    blocks += [section(text) for text in (mrkdwn(description(alert), limit.text), advice, ids) if text]
    return blocks + buttons(("Acknowledge", ack_url(alert)), ("Open", alert.url), ("Runbook", runbook(alert)))


def _fields(alert: AlertMessage, limit: _Size) -> list[tuple[str, str]]:
    told = [("Since", date(alert.since))]
    if alert.ends_at is not None:
        told.append(("Resolved", f"{date(alert.ends_at)}, after {lasting(alert.ends_at - alert.since)}"))
    texts = (
        ("Why", alert.resolve_reason),
        ("Measured", alert.measured),
        ("Errors", alert.errors),
        ("Blame", alert.blame),
        ("Labels", where(alert)),
        ("State", ", ".join(marks(alert))),
    )
    most = min(limit.text, MAX_FIELD - 100)
    return told + [(label, shown) for label, text in texts if (shown := mrkdwn(text, most))]


# ── a group ───────────────────────────────────────────────────────────────────


def _list(notification: Notification, limit: _Size) -> list[Block]:
    alerts = ordered(notification)
    kept = alerts[: limit.alerts]
    advice = mrkdwn(kept[0].advice, limit.text) if kept[0].status is Status.FIRING else ""
    blocks = [*([section(advice)] if advice else []), *(_item(alert, limit) for alert in kept)]
    if left := size(notification) - len(kept):
        blocks.append(section(f"and {left:,} more {link(notification.external_url, 'in Claxon')}".strip()))
    return blocks + buttons(("Open Claxon", notification.external_url))


def _item(alert: AlertMessage, limit: _Size) -> Block:
    fires = alert.status is Status.FIRING
    facts = [alert.measured, alert.errors] if fires else [f"after {_took(alert)}", alert.resolve_reason]
    told = [text for text in facts if text] or [description(alert)]
    parts = [mrkdwn(text, limit.text // 4) for text in (*told, where(alert), *marks(alert)) if text]
    parts += [code(text) for text in alert.request_ids[:1]] if fires else []
    label = mrkdwn(name(alert), limit.text // 4)
    head = f"*{mrkdwn(word(alert), 50)}* {link(alert.url, label) or label}"
    block = section(f"{head}\n{_joined(parts, MAX_TEXT - width(head) - 1)}".strip())
    if is_for_a_button(ack_url(alert)):
        block["accessory"] = button("Acknowledge", ack_url(alert))
    return block


def _joined(parts: list[str], room: int) -> str:
    """Return the parts that have room, the first first: an address may take half of it."""
    shown = ""
    for part in parts:
        longer = f"{shown} · {part}" if shown and part else shown or part
        if width(longer) <= room:
            shown = longer
    return shown


def _took(alert: AlertMessage) -> str:
    return lasting((alert.ends_at or alert.since) - alert.since)


def _origin(alert: AlertMessage, notification: Notification) -> str:
    parts = (
        alert.labels.get("alertname", ""),
        f"rule {alert.rule_hash}" if alert.rule_hash else "",
        notification.reason,
    )
    return mrkdwn(" · ".join(part for part in parts if part), 500) or "Claxon"


def _links(alert: AlertMessage) -> str:
    links = (link(alert.url, "Open the alert"), link(ack_url(alert), "Acknowledge"))
    return " · ".join(each for each in links if each)
