"""Incident: symptoms of one app that overlap are one page.

≠ inhibition, where a cause mutes its symptoms: here one symptom speaks for the others.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from .labels import Labels
from .lifecycle import Alert, Value
from .notification import AlertMessage

SYMPTOMS = frozenset({"ClaudeErrorRate", "ClaudeConsecutiveServerErrors", "ClaudeRetriesExhausted"})
"""What one outage makes page, one after another."""

Place = tuple[str, str]
"""(app, environment)."""


class Incident(msgspec.Struct, kw_only=True):
    """A page that is open, and the alerts it speaks for.

    Attributes:
        lead: The fingerprint of the alert that was told.
        labels: Of that alert.
        rule: Its rule's id.
        receivers: Who was told.
        firing: The fingerprints of its alerts that fire; the page is closed when none is left.
        ended: What the lead's end says, once its episode has ended; None before.
        value: What the lead measured then.
    """

    lead: str
    labels: Labels
    rule: str
    receivers: list[str]
    firing: list[str]
    ended: AlertMessage | None = None
    value: Value = msgspec.field(default_factory=dict)

    def speaks_for(self, alert: Alert, receivers: Iterable[str]) -> bool:
        """Whether a symptom is of the same app and environment, and nobody else would be told of it."""
        return place_of(alert.labels) == place_of(self.labels) and set(receivers) <= set(self.receivers)


def place_of(labels: Labels) -> Place:
    """Return whose an alert is, and where."""
    return labels.get("app", ""), labels.get("environment", "")


def is_symptom(alert: Alert, symptoms: frozenset[str]) -> bool:
    """Whether an alert of a rule is a page that may be one with others; one of no app stands for itself."""
    labels = alert.labels
    named = bool(alert.rule) and labels["alertname"] in symptoms
    return named and labels.get("severity") == "page" and bool(labels.get("app"))


def closing(incident: Incident, last: AlertMessage) -> AlertMessage:
    """Return what the end of an incident says: the lead, over when and because the last of its alerts is."""
    if incident.ended is None:
        return last
    return msgspec.structs.replace(incident.ended, ends_at=last.ends_at, resolve_reason=last.resolve_reason)
