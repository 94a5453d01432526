"""Alert and its life: inactive, pending, firing, resolved. One function moves it.

≠ how a condition is found.
"""

from __future__ import annotations

from enum import StrEnum
from math import inf
from typing import TypeAlias

import msgspec

from .conditions import EndOfLife, Headroom, Own, Silent
from .evidence import Evidence
from .labels import Labels
from .rules import Rule

_WITHOUT_FAILURES = (EndOfLife, Headroom, Own, Silent)

Value: TypeAlias = dict[str, float]
"""What a condition measured: k, n, the share, the bound, the streak, the burn."""

_GRAVITY = ("bound", "share", "burn", "streak", "exhausted", "parked", "count")


class State(StrEnum):
    """Where an alert is in its life; `inactive` is before the first and after each episode."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"


class Change(StrEnum):
    """What one step did to an alert.

    `kept`: the condition stopped holding, and the alert fires on only because of
    `keep_firing_for`; `held`: it holds again.
    """

    PENDING = "pending"
    CALMED = "calmed"
    FIRED = "fired"
    KEPT = "kept"
    HELD = "held"
    RESOLVED = "resolved"


class Alert(msgspec.Struct, kw_only=True):
    """One rule x one label set.

    Attributes:
        rule: The rule's id.
        key: The values of the rule's `by`.
        labels: `alertname`, the `by` labels that are not empty, the rule's own.
        fingerprint: 16 hex digits of the labels.
        state: Where it is in its life.
        episode: How often it fired; 0 before the first time.
        active_at: When the condition began to hold.
        fired_at: When this episode began to fire.
        kept_at: Since when it fires only because of `keep_firing_for`.
        resolved_at: When the latest episode ended.
        resolve_reason: "recovered", "stale", "rule removed" or "rule changed"; "" while it fires.
        last_at: The key's latest event.
        value: What was measured last.
        peak: What was measured at its worst in this episode.
        evidence: The failures behind it.
        rule_hash: Of the rule that fired it.
        acked_by: Who acknowledged this episode; "" is nobody.
        acked_at: When.
    """

    rule: str
    key: tuple[str, ...]
    labels: Labels
    fingerprint: str
    state: State = State.INACTIVE
    episode: int = 0
    active_at: float | None = None
    fired_at: float | None = None
    kept_at: float | None = None
    resolved_at: float | None = None
    resolve_reason: str = ""
    last_at: float = 0.0
    value: Value = msgspec.field(default_factory=dict)
    peak: Value = msgspec.field(default_factory=dict)
    evidence: Evidence = msgspec.field(default_factory=Evidence)
    rule_hash: str = ""
    acked_by: str = ""
    acked_at: float | None = None


def advance(
    alert: Alert, rule: Rule, *, holds: bool | None, now: float, heard_at: float | None = None
) -> Change | None:
    """Move an alert by what its condition says at `now`; return what changed, if anything did.

    `holds` is None without evidence, and then nothing moves but the clock of
    `stale_after`: an app that has stopped calling has not recovered.

    Args:
        alert: As it was; changed in place.
        rule: Its rule.
        holds: What the condition says.
        now: Unix seconds.
        heard_at: The key's newest event; None where that is the alert's `last_at`.
    """
    match alert.state:
        case State.INACTIVE:
            return _begin(alert, rule, now=now) if holds and not _old(alert, rule, now, heard_at) else None
        case State.PENDING:
            return _wait(alert, rule, holds=holds, now=now)
        case State.FIRING:
            return _keep(alert, rule, holds=holds, now=now)


def _old(alert: Alert, rule: Rule, now: float, heard_at: float | None) -> bool:
    """Whether nobody has failed for so long that it is no news, whatever a long window still holds."""
    newest = alert.evidence.last_at
    if isinstance(rule.condition, _WITHOUT_FAILURES):
        newest = heard_at if heard_at is not None else alert.last_at
    return now - newest >= rule.stale_after_s


def _begin(alert: Alert, rule: Rule, *, now: float) -> Change:
    alert.active_at = now
    if rule.hold_s > 0:
        alert.state = State.PENDING
        return Change.PENDING
    return _fire(alert, rule, now=now)


def _fire(alert: Alert, rule: Rule, *, now: float) -> Change:
    alert.state = State.FIRING
    alert.episode += 1
    alert.fired_at = now
    alert.kept_at = alert.resolved_at = alert.acked_at = None
    alert.resolve_reason = alert.acked_by = ""
    alert.peak = dict(alert.value)
    alert.rule_hash = rule.hash
    return Change.FIRED


def _wait(alert: Alert, rule: Rule, *, holds: bool | None, now: float) -> Change | None:
    if holds is False or _stale(alert, rule, now):
        alert.state, alert.active_at = State.INACTIVE, None
        return Change.CALMED
    if holds and alert.active_at is not None and now - alert.active_at >= rule.hold_s:
        return _fire(alert, rule, now=now)
    return None


def _keep(alert: Alert, rule: Rule, *, holds: bool | None, now: float) -> Change | None:
    before = alert.kept_at
    if holds:
        alert.kept_at = None
    elif holds is False and alert.kept_at is None:
        alert.kept_at = now
    if holds is False and alert.kept_at is not None and now - alert.kept_at >= rule.keep_firing_for_s:
        return _resolve(alert, "recovered", now=now)
    if _stale(alert, rule, now):
        return _resolve(alert, "stale", now=now)
    if (before is None) == (alert.kept_at is None):
        return None
    return Change.HELD if alert.kept_at is None else Change.KEPT


def _stale(alert: Alert, rule: Rule, now: float) -> bool:
    return now - alert.last_at >= rule.stale_after_s


def _resolve(alert: Alert, reason: str, *, now: float) -> Change:
    alert.state = State.INACTIVE
    alert.resolved_at = now
    alert.resolve_reason = reason
    alert.active_at = alert.kept_at = None
    return Change.RESOLVED


def close(alert: Alert, reason: str, *, now: float) -> Change | None:
    """End an alert whose rule is no longer what it was; return what changed, if anything did."""
    match alert.state:
        case State.INACTIVE:
            return None
        case State.PENDING:
            alert.state, alert.active_at = State.INACTIVE, None
            return Change.CALMED
        case State.FIRING:
            return _resolve(alert, reason, now=now)


def rewind(alert: Alert, now: float) -> None:
    """Take the clock's being set back to `now`: nothing of an alert lies ahead."""
    for name in ("active_at", "fired_at", "kept_at", "resolved_at", "acked_at"):
        at = getattr(alert, name)
        setattr(alert, name, min(at, now) if at is not None else None)
    alert.last_at = min(alert.last_at, now)
    alert.evidence.last_at = min(alert.evidence.last_at, now)
    alert.evidence.first_at = min(alert.evidence.first_at, now)


def timers(alert: Alert, rule: Rule) -> list[float]:
    """Return the instants at which time alone may move the alert; those that have passed too."""
    if alert.state is State.INACTIVE:
        return []
    found = [alert.last_at + rule.stale_after_s]
    if alert.state is State.PENDING and alert.active_at is not None:
        found.append(alert.active_at + rule.hold_s)
    if alert.kept_at is not None:
        found.append(alert.kept_at + rule.keep_firing_for_s)
    return found


def worse(value: Value, peak: Value) -> bool:
    """Return whether what was measured is worse than the worst before, by the first of its numbers that says so."""
    name = next((n for n in _GRAVITY if n in value), None)
    return name is not None and value[name] > peak.get(name, -inf)
