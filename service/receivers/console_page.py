"""A notification as a block of text for a terminal, 80 columns wide.

≠ streams.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from alerts.notification import AlertMessage, Notification, Status

from .headline import ack_url, course, lasting, name, ordered, size, word
from .notices import marks, notices
from .particulars import description, runbook, where
from .text import brief, spoken

WIDTH = 80
MAX_IN_FULL = 3
MAX_LINES = 10
MAX_TEXT = 600
MAX_ADDRESS = 4000

_BAR = "┃"
_ROOM = WIDTH - 2
_LABEL = 13
_RESET = "\x1b[0m"
_DIM = "\x1b[2m"
_BOLD = "\x1b[1m"
# Badge and bar, by the word of the headline.
_RED = ("\x1b[1;97;41m", "\x1b[31m")
_YELLOW = ("\x1b[1;30;43m", "\x1b[33m")
_GREEN = ("\x1b[1;30;42m", "\x1b[32m")
_STYLES = {"RESOLVED": _GREEN, "TICKET": _YELLOW, "WARNING": _YELLOW, "INFO": _YELLOW}


def page(notification: Notification, *, colour: bool) -> str:
    """Return the page, with an empty line before and after it.

    The gravest alerts are told in full, some more in a line each, the rest counted.
    Addresses and request ids are never broken, so that they can be clicked and copied.
    """
    alerts = ordered(notification)
    above = [f"  {text}" for text in _above(notification)]
    blocks = [_alert(alert, notification, colour) for alert in alerts[:MAX_IN_FULL]]
    others = alerts[MAX_IN_FULL : MAX_IN_FULL + MAX_LINES]
    left = size(notification) - MAX_IN_FULL - len(others)
    lines = ["  " + brief(f"also {word(alert)}: {name(alert)}", WIDTH - 2) for alert in others]
    if left > 0:
        lines.append(f"  and {left:,} more: {brief(notification.external_url, MAX_ADDRESS)}")
    tail = ["\n".join(lines) + "\n"] if lines else []
    head = ["\n".join(above) + "\n"] if above else []
    return "\n" + "\n".join([*head, *blocks, *tail]) + "\n"


def _above(notification: Notification) -> Iterator[str]:
    """What is to be known before anything else."""
    for text in (*notices(notification), *course(notification)):
        yield from textwrap.wrap(brief(text, MAX_TEXT), WIDTH - 2)


def _alert(alert: AlertMessage, notification: Notification, colour: bool) -> str:
    badge, bar = _STYLES.get(word(alert), _RED)
    lines = [_top(alert, colour, badge, bar), *_body(alert, notification, colour)]
    edge = _paint(_BAR, bar, colour)
    return "\n".join([lines[0], *(f"{edge} {line}".rstrip() for line in lines[1:])]) + "\n"


def _top(alert: AlertMessage, colour: bool, badge: str, bar: str) -> str:
    label = f" {word(alert)} "
    rule = brief(alert.labels.get("alertname", ""), 40)
    shown = f"━━{label}━ {rule} " if rule else f"━━{label}"
    line = "━" * max(WIDTH - len(shown), 3)
    if not colour:
        return shown + line
    dash = _paint("━━", bar, colour)
    named = f"{_paint('━', bar, colour)} {_paint(rule, _BOLD, colour)} " if rule else ""
    return f"{dash}{_paint(label, badge, colour)}{named}{_paint(line, bar, colour)}"


def _body(alert: AlertMessage, notification: Notification, colour: bool) -> Iterator[str]:
    for line in textwrap.wrap(brief(name(alert), MAX_TEXT), _ROOM):
        yield _paint(line, _BOLD, colour)
    yield ""
    for label, text in _facts(alert, notification):
        first, *rest = _wrapped(text)
        yield _paint(f"{label:<{_LABEL}}", _DIM, colour) + first
        yield from (" " * _LABEL + line for line in rest)


def _facts(alert: AlertMessage, notification: Notification) -> Iterable[tuple[str, str]]:
    fires = alert.status is Status.FIRING
    told = (
        ("since", spoken(alert.since)),
        ("resolved", _ended(alert)),
        ("reason", alert.resolve_reason),
        ("measured", alert.measured),
        ("errors", alert.errors),
        ("blame", alert.blame),
        ("labels", where(alert)),
        ("description", description(alert)),
        ("advice", alert.advice if fires else ""),
        ("request ids", " ".join(brief(text, 150).replace(" ", "") for text in alert.request_ids[:5])),
        ("state", ", ".join(marks(alert))),
        ("open", alert.url),
        ("runbook", runbook(alert)),
        ("acknowledge", ack_url(alert)),
        ("rule", alert.rule_hash),
        ("sent for", notification.reason),
    )
    return ((label, shown) for label, text in told if (shown := brief(text, _limit(label))))


def _ended(alert: AlertMessage) -> str:
    if alert.ends_at is None:
        return ""
    return f"{spoken(alert.ends_at)}, after {lasting(alert.ends_at - alert.since)}"


def _limit(label: str) -> int:
    return MAX_ADDRESS if label in ("open", "acknowledge", "runbook", "request ids") else MAX_TEXT


def _wrapped(text: str) -> list[str]:
    room = _ROOM - _LABEL
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]


def _paint(text: str, style: str, colour: bool) -> str:
    return f"{style}{text}{_RESET}" if colour else text
