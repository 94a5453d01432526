"""What people are told: by the notifier, with one page an incident or with one an alert.

≠ whether it was true.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf

from alerts.config import Config
from alerts.decisions import Transition
from alerts.lifecycle import Change, Value
from alerts.notification import NotifyReason, Status
from alerts.notifier import Notifier
from alerts.policy import Policy
from alerts.rules import Rule


@dataclass(frozen=True, slots=True)
class Page:
    """One firing notification and its end.

    Attributes:
        rule: What fired.
        at: When it was told.
        until: When its end was told; inf if it was not.
        value: What was measured when it fired.
    """

    rule: str
    at: float
    until: float
    value: Value


def pages(transitions: Iterable[Transition], rules: Mapping[str, Rule], *, together: bool) -> list[Page]:
    """Return what is told of one app, in order; `together`: the rules are symptoms, else each is told by itself."""
    config = Config()
    transitions = list(transitions)
    values = {
        (t.alert.fingerprint, t.alert.episode): dict(t.alert.value) for t in transitions if t.change is Change.FIRED
    }
    symptoms = frozenset(rules) if together else frozenset()
    notifier = Notifier(policy=Policy(route=config.route, inhibit_rules=config.inhibit_rules, symptoms=symptoms))
    due, _ = notifier.step(transitions, {rule.id: rule for rule in rules.values()}, lambda _: None)
    open_pages: dict[str, int] = {}
    found: list[Page] = []
    for notification in due:
        if notification.reason == NotifyReason.REPEAT:
            continue
        key = notification.dedup_key
        if notification.status is Status.FIRING:
            alert = notification.alerts[0]
            open_pages[key] = len(found)
            found.append(
                Page(alert.labels["alertname"], notification.at, inf, values[alert.fingerprint, alert.episode])
            )
        else:
            i = open_pages.pop(key)
            found[i] = replace(found[i], until=notification.at)
    return found
