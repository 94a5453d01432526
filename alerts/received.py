"""Alerts that others post: taken, merged and timed out as Alertmanager does it.

Source of the rules of merging: Alertmanager's `Alert.Merge` and its provider, which merges
what overlaps in time and replaces what does not.

≠ JSON, who is told.
"""

from __future__ import annotations

import msgspec

from .errors import AlertError
from .labels import Labels, fingerprint
from .lifecycle import Alert, State
from .notification import AlertMessage, Status
from .notifier_state import Received

NO_RULE = ""
"""The rule of an alert that no rule decided."""


class Posted(msgspec.Struct, kw_only=True):
    """An alert as it was posted; instants are Unix seconds, None where nobody said."""

    labels: Labels
    annotations: Labels = msgspec.field(default_factory=dict)
    starts_at: float | None = None
    ends_at: float | None = None
    generator_url: str = ""
    via: list[str] = msgspec.field(default_factory=list)


def take(posted: Posted, *, now: float, resolve_timeout_s: float) -> Received:
    """Return a posted alert with what was left out filled in.

    Raises:
        AlertError: It cannot be taken: *where: value: remedy*.
    """
    labels = {name: value for name, value in posted.labels.items() if value}
    if not labels:
        raise AlertError("labels: none that is not empty: name at least alertname")
    for name in (*labels, *posted.annotations):
        if not name:
            raise AlertError("labels: a name is empty: write the label's name")
    ends_at, timeout = posted.ends_at, posted.ends_at is None
    if ends_at is None:
        ends_at = now + resolve_timeout_s
    starts_at = posted.starts_at
    if starts_at is None:
        starts_at = now if timeout else min(now, ends_at)
    if ends_at < starts_at:
        raise AlertError("endsAt: before startsAt: swap them, or leave one out")
    return Received(
        labels=labels,
        annotations={name: value for name, value in posted.annotations.items() if value},
        starts_at=starts_at,
        ends_at=ends_at,
        updated_at=now,
        timeout=timeout,
        generator_url=posted.generator_url,
        via=posted.via,
    )


def merge(old: Received, new: Received, *, now: float) -> Received:
    """Return what is known of an alert that is posted anew."""
    within = old.starts_at < new.ends_at < old.ends_at or old.starts_at < new.starts_at < old.ends_at
    merged = msgspec.structs.replace(new, episode=old.episode, via=new.via or old.via)
    if not within:
        return merged
    merged.starts_at = min(old.starts_at, new.starts_at)
    if new.ends_at <= now:
        # Of two ends that have passed the later one is told.
        if old.ends_at <= now:
            merged.ends_at = max(old.ends_at, new.ends_at)
    elif old.ends_at > new.ends_at and not old.timeout:
        merged.ends_at = old.ends_at
    return merged


def as_alert(received: Received, *, now: float) -> Alert:
    """Return a posted alert as the notifier handles it."""
    firing = received.ends_at > now
    return Alert(
        rule=NO_RULE,
        key=(),
        labels=received.labels,
        fingerprint=fingerprint(received.labels),
        state=State.FIRING if firing else State.INACTIVE,
        episode=received.episode,
        active_at=received.starts_at,
        fired_at=received.starts_at,
        resolved_at=None if firing else received.ends_at,
        resolve_reason="" if firing else _why(received),
        last_at=received.updated_at,
    )


def _why(received: Received) -> str:
    return "not posted any more" if received.timeout else "recovered"


def unknown(alert: Alert) -> Received:
    """Return what can be said of an alert whose rule nobody knows any more."""
    at = alert.fired_at if alert.fired_at is not None else alert.last_at
    return Received(labels=alert.labels, annotations={}, starts_at=at, ends_at=at, updated_at=at)


def message(received: Received, alert: Alert, *, url: str, ack_url: str) -> AlertMessage:
    """Return a posted alert as a page tells it."""
    firing = alert.state is State.FIRING
    return AlertMessage(
        status=Status.FIRING if firing else Status.RESOLVED,
        labels=received.labels,
        annotations=received.annotations,
        starts_at=received.starts_at,
        ends_at=None if firing else alert.resolved_at,
        url=received.generator_url or url,
        ack_url=ack_url,
        fingerprint=alert.fingerprint,
        episode=alert.episode,
        summary=_summary(received),
        since=received.starts_at,
        measured="",
        errors="",
        blame="",
        advice="",
        request_ids=[],
        resolve_reason=alert.resolve_reason,
        rule_hash="",
    )


def _summary(received: Received) -> str:
    said = received.annotations.get("summary") or received.annotations.get("description") or ""
    if said.strip():
        return " ".join(said.split())
    labels = received.labels
    inside = ", ".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "alertname")
    name = labels.get("alertname", "alert")
    return f"{name} ({inside})" if inside else name
