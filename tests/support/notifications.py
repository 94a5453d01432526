"""Builders of notifications."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from alerts.notification import AlertMessage, Notification, Status, facts

NOON = 1_700_000_000.0


def make_message(app: str = "shop", *, episode: int = 1, over: bool = False, **more: Any) -> AlertMessage:
    """Return what a page says of one alert of an app."""
    found: dict[str, Any] = {
        "status": Status.RESOLVED if over else Status.FIRING,
        "labels": {"alertname": "KeyRejected", "app": app, "severity": "page"},
        "annotations": {},
        "starts_at": NOON,
        "ends_at": NOON + 60 if over else None,
        "url": f"http://127.0.0.1:1/alerts/{app}",
        "ack_url": f"http://127.0.0.1:1/alerts/{app}/ack",
        "fingerprint": app.encode().hex().rjust(16, "0")[-16:],
        "episode": episode,
        "summary": f"{app}: the Claude API rejects the key",
        "since": NOON - 5,
        "measured": "",
        "errors": "authentication_error (401) × 1",
        "blame": "key",
        "advice": "",
        "request_ids": [],
        "resolve_reason": "recovered" if over else "",
        "rule_hash": "0123456789ab",
    }
    return AlertMessage(**(found | more))


def make_notification(alerts: Iterable[AlertMessage] | None = None, **more: Any) -> Notification:
    """Return a notification that says these, or that one app's key is rejected."""
    told = list(alerts) if alerts is not None else [make_message()]
    fires = any(message.status is Status.FIRING for message in told)
    found: dict[str, Any] = {
        "status": Status.FIRING if fires else Status.RESOLVED,
        "receiver": "on-call",
        "group_key": "{}:{}",
        "group_labels": {"alertname": "KeyRejected"},
        "common_labels": told[0].labels,
        "common_annotations": facts(told[0]),
        "external_url": "http://127.0.0.1:1",
        "reason": "first notification" if fires else "all alerts resolved",
        "dedup_key": f"claxon/KeyRejected/{told[0].fingerprint}/{told[0].episode}",
        "at": NOON,
        "alerts": told,
    }
    return Notification(**(found | more))
