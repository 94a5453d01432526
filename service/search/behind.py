"""Behind: an alert -> which failures to look for, by its labels, its rule and its time.

≠ where they are.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

from alerts.conditions import Consecutive, Silent, windows_of
from alerts.keyring import OVERFLOW
from alerts.lifecycle import Alert
from alerts.matchers import Matcher, make_matcher
from alerts.rules import SCOPE_LABELS, Rule

from .wanted import KIND, Outcome, Wanted


def narrowed(wanted: Wanted, alert: Alert, rule: Rule | None) -> Wanted:
    """Return those of the wanted events that are failures behind an alert.

    Args:
        wanted: What is asked for besides.
        alert: Whose labels they have.
        rule: Whose matchers they meet; None of an alert that somebody posted.
    """
    labels = [make_matcher(name, "=", value) for name, value in _key(alert, rule).items() if value != OVERFLOW]
    matchers = (*labels, *(rule.match if rule is not None else ()))
    for matcher in matchers:
        # Those that ask for one value are looked up; all of them are tried on what is found.
        if matcher.operator == "=" and matcher.name in KIND and getattr(wanted, matcher.name) is None:
            wanted = replace(wanted, **_value(matcher))
    since, until = _span(alert, rule)
    return replace(
        wanted,
        since=max(wanted.since, since),
        until=min(wanted.until, until),
        outcome=Outcome.FAILED,
        matchers=(*wanted.matchers, *matchers),
    )


def _key(alert: Alert, rule: Rule | None) -> dict[str, str]:
    """Return what every event of an alert has; a value may be empty."""
    if rule is not None and len(rule.by) == len(alert.key):
        return dict(zip(rule.by, alert.key, strict=True))
    return {name: alert.labels[name] for name in SCOPE_LABELS if name in alert.labels}


def _value(matcher: Matcher) -> dict[str, Any]:
    """Return what a matcher asks for as a field of `Wanted`; "" of a field that may be absent is none."""
    name, value = matcher.name, matcher.value
    if name == "status":
        return {name: int(value)} if value.isdecimal() else {}
    return {name: value} if value or name == "environment" else {}


def _span(alert: Alert, rule: Rule | None) -> tuple[float, float]:
    """Return from when to when failures count: a window before it began, or the first that it knows of, to its end."""
    began = alert.active_at if alert.active_at is not None else alert.fired_at
    since = began - _window_s(rule) if began is not None else -inf
    if alert.evidence.failures:
        since = min(since, alert.evidence.first_at)
    until = alert.resolved_at if alert.resolved_at is not None else inf
    return since, until


def _window_s(rule: Rule | None) -> float:
    # The windows of these are about successes, or about how often the key fails on other days.
    if rule is None or isinstance(rule.condition, Consecutive | Silent):
        return 300.0
    return float(max(windows_of(rule.condition), default=300))
