"""How alerts, labels, numbers and instants are written in a difference.

≠ what was expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..decisions import Decision
from ..labels import Labels
from ..lifecycle import Value
from ..notification import Notification
from ..offsets import format_offset
from ..rules import Rule
from ..wording import measured
from .records import Span, Wanted, WantedNotification

NOTHING = "nothing"


def labels(said: Mapping[str, str]) -> str:
    """Return a label set as Prometheus writes it: ClaudeErrorRate{severity="page"}."""
    inside = ", ".join(f'{name}="{value}"' for name, value in sorted(said.items()) if name != "alertname")
    name = said.get("alertname", "")
    return f"{name}{{{inside}}}" if inside else name or "any alert"


def wanted(alert: Wanted) -> str:
    """Return an alert that was expected, with the numbers and the reason that were."""
    asked = [f"{name}={number:g}" for name, number in alert.value.items()]
    asked += [f"reason={alert.reason}"] if alert.reason else []
    return labels(alert.labels) + (f" with {', '.join(asked)}" if asked else "")


def listed(texts: Iterable[str]) -> str:
    """Return texts as one, or that there are none."""
    return "; ".join(texts) or NOTHING


def numbers(value: Value, rule: Rule | None) -> str:
    """Return what was measured, k of n, as a page says it; plainly where no rule says what it means."""
    said = measured(value, rule) if rule is not None else ""
    return said or ", ".join(f"{name}={number:g}" for name, number in value.items())


def span(between: Span) -> str:
    """Return when: "at 1m", "between 1m and 2m", or "" for always."""
    if between == Span():
        return ""
    if between.start == between.end:
        return f"at {format_offset(between.start)}"
    return f"between {format_offset(between.start)} and {format_offset(between.end)}"


def row(decision: Decision, start: float, rule: Rule | None) -> str:
    """Return a row of the ledger on one line."""
    parts = [f"{decision.what.value} at {format_offset(decision.at - start)}"]
    if decision.labels:
        parts.append(labels(decision.labels))
    if decision.note:
        parts.append(decision.note)
    if decision.value:
        parts.append(numbers(decision.value, rule))
    return ": ".join(parts)


def notification(sent: Notification, start: float) -> str:
    """Return a notification that went out."""
    return _notification(f"at {format_offset(sent.at - start)}", sent.status.value, sent.receiver, sent.common_labels)


def wanted_notification(asked: WantedNotification) -> str:
    """Return a notification that was expected."""
    status, receiver = asked.status or "firing or resolved", asked.receiver or ""
    said = _notification(span(asked.span), status, receiver, asked.labels)
    return said + "".join(f" {name}={text!r}" for name, text in asked.annotations.items())


def _notification(when: str, status: str, receiver: str, said: Labels) -> str:
    return f"{when} {status} {labels(said)}".strip() + (f" to {receiver}" if receiver else "")
