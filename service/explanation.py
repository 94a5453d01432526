"""An alert, or an app's decisions, as text for a terminal.

≠ HTTP, HTML, how anything is decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Self

import msgspec

from alerts.decisions import Decision
from alerts.labels import Labels

from .pages.format import iso, plain, span
from .pages.words import blame_words, decision_words, delivery_words, numbers
from .reasons import about, reason
from .rule_views import RuleText
from .storage.outbox import DeliveryRow
from .views import AlertView, HeldBack

_WIDTH = 22


class AlertAnswer(msgspec.Struct, kw_only=True):
    """What GET /v1/alerts/{fingerprint} answers, as far as it is told here."""

    current: AlertView
    episodes: list[AlertView]
    rule: RuleText | None
    ledger: list[Decision]
    deliveries: list[DeliveryRow]
    held_back: list[HeldBack]

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Return an answer's content."""
        return msgspec.json.decode(body, type=cls)


class LedgerAnswer(msgspec.Struct, kw_only=True):
    """What GET /v1/ledger answers."""

    ledger: list[Decision]

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Return an answer's content."""
        return msgspec.json.decode(body, type=cls)


def explain_alert(answer: AlertAnswer) -> str:
    """Return what an alert is, why it fired, what it held back, who was told."""
    parts = [_head(answer), _why(answer), _rule(answer), _evidence(answer), _held_back(answer), _told(answer)]
    return "\n\n".join(_clean(line) for line in parts if line)


def explain_app(rows: list[Decision], *, app: str, since: str) -> str:
    """Return all that was decided about an app, oldest first, each with why."""
    if not rows:
        return _clean(f"{app}, since {since}: nothing was decided: no error was worth a word, or no event has come.")
    lines = [f"{app}, since {since}: {len(rows)} decisions, oldest first"]
    lines += [line for row in reversed(rows) for line in _row(row, named=True)]
    return _clean("\n".join(lines))


def _clean(text: str) -> str:
    """Foreign text must not move a terminal's cursor; lines are ours alone."""
    return "\n".join(plain(line) for line in text.split("\n"))


def _line(text: str) -> str:
    return " ".join(text.split())


def _head(answer: AlertAnswer) -> str:
    view, alert = answer.current, answer.current.alert
    name = f"{alert.labels.get('alertname', 'alert')} ({alert.labels.get('severity', 'page')})"
    state = {"firing": "fires", "pending": "is pending", "resolved": "has resolved"}[view.state]
    lines = [f"{name} {alert.fingerprint} {state}, episode {alert.episode}", f"  {_line(view.message.summary)}"]
    if alert.fired_at is not None:
        fired = f"  fired {iso(alert.fired_at)}"
        if alert.resolved_at is not None:
            fired += f", ended {iso(alert.resolved_at)} after {span(alert.resolved_at - alert.fired_at)}"
            fired += f": {view.message.resolve_reason}"
        lines.append(fired)
    if view.ack is not None:
        until = f", until {iso(view.ack.until)}" if view.ack.until is not None else ""
        lines.append(f"  acknowledged by {_line(view.ack.by)} {iso(view.ack.at)}{until}")
    elif alert.acked_by:
        over = "" if view.state == "resolved" else "; that is over"
        lines.append(f"  acknowledged by {_line(alert.acked_by)} {iso(alert.acked_at or 0.0)}{over}")
    if view.held_back_by:
        lines.append(f"  held back: nobody is told of it while {view.held_back_by} fires")
    lines += [f"  silenced by {_line(s.by)} until {iso(s.until)}: {_line(s.comment)}" for s in view.silences]
    return "\n".join(lines)


def _why(answer: AlertAnswer) -> str:
    alert = answer.current.alert
    lines = ["Why"]
    if measured := answer.current.message.measured:
        lines.append(f"  measured  {measured}")
    since = alert.active_at if alert.active_at is not None else alert.fired_at
    rows = [row for row in reversed(answer.ledger) if since is None or row.at >= min(since, alert.fired_at or since)]
    lines += [line for row in rows for line in _row(row, named=False)]
    return "\n".join(lines)


def _row(row: Decision, *, named: bool) -> Iterator[str]:
    said = [decision_words(row.what)]
    if named and (place := about(row)):
        said.append(_line(place))
    if measured := numbers(row):
        said.append(measured)
    if row.note:
        said.append(_line(row.note))
    yield f"  {iso(row.at)}  " + "; ".join(said)
    if why := reason(row):
        yield f"  {'':{_WIDTH - 2}}  {why}"


def _rule(answer: AlertAnswer) -> str:
    rule = answer.rule
    if rule is None:
        return "The rule  none of Claxon's: the alert was posted"
    lines = [f"The rule  {rule.id}, hash {rule.hash}" + (f", {rule.place}" if rule.place else ", shipped with Claxon")]
    if not rule.hash_now:
        lines.append("  it is gone from the configuration since")
    elif rule.hash_now != rule.hash:
        lines.append(f"  it has changed since: now {rule.hash_now}")
    lines += [f"  {name:<{_WIDTH}}{words}" for name, words in rule.words]
    lines.append(f"  {'As written':<{_WIDTH}}{bytes(rule.definition).decode()}")
    return "\n".join(lines)


def _evidence(answer: AlertAnswer) -> str:
    message = answer.current.message
    pairs = [
        ("Errors", message.errors),
        ("Look first at", blame_words(message.blame)),
        ("Do", message.advice),
        ("Request ids", " ".join(message.request_ids)),
        ("Page", message.url),
    ]
    return "\n".join(["Evidence", *(f"  {name:<{_WIDTH}}{_line(text)}" for name, text in pairs if text)])


def _held_back(answer: AlertAnswer) -> str:
    lines = [f"  {iso(held.at)}  {_named(held.labels)} {held.fingerprint}" for held in answer.held_back]
    return "\n".join(["Held back because of it", *(lines or ["  nothing"])])


def _named(labels: Labels) -> str:
    others = [f"{name}={value}" for name, value in labels.items() if name not in ("alertname", "severity")]
    return _line(f"{labels.get('alertname', '')} ({labels.get('severity', 'page')}) {', '.join(others)}")


def _told(answer: AlertAnswer) -> str:
    return "\n".join(["Told", *(_deliveries(answer.deliveries) or ["  nobody"])])


def _deliveries(rows: Iterable[DeliveryRow]) -> list[str]:
    return [
        f"  {iso(row.created_at)}  {row.status} to {row.target}: {delivery_words(row.state)}"
        + (f" after {span(row.ended_at - row.created_at)}" if row.ended_at is not None else "")
        + f", {row.attempts} {'try' if row.attempts == 1 else 'tries'}"
        + (f": {_line(row.answer)}" if row.answer else "")
        for row in sorted(rows, key=lambda row: row.id)
    ]
