"""A notification as an event of PagerDuty's API v2, within its limits.

≠ keys, sending.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerts.notification import AlertMessage, Notification, Status

from .headline import ack_url, course, line, name, ordered, size, title
from .http import encode
from .notices import marks, notices
from .particulars import runbook
from .text import brief, cut, leading_error, rfc3339, width

SEVERITIES = ("critical", "error", "warning", "info")
MAX_EVENT = 512_000
MAX_DEDUP_KEY = 255
MAX_SUMMARY = 1024
_MAX_NAME = 255
_ROUTING_KEY_ROOM = 1024  # bytes; the key is added where it is sent
_SEVERITY_OF = {"page": "critical", "ticket": "warning"}
_NOTES = "read_first"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limit:
    """How much an event may tell: characters of each text, other alerts, labels of each alert, ids."""

    text: int
    others: int
    labels: int
    ids: int


# Tried in order until the event fits. The last one fits whatever the alerts hold:
# what was measured, one request id and the links are never given up.
_LIMITS = (
    _Limit(text=2000, others=20, labels=32, ids=5),
    _Limit(text=500, others=10, labels=32, ids=5),
    _Limit(text=200, others=5, labels=16, ids=5),
    _Limit(text=200, others=0, labels=0, ids=1),
)


def event(notification: Notification, *, severity: str, client: str, client_url: str) -> dict[str, Any]:
    """Return the event without its routing key, at most 512 KB of JSON.

    Args:
        notification: One group of alerts.
        severity: One of `SEVERITIES`; "" takes it from the gravest alert's label.
        client: What PagerDuty names as the sender.
        client_url: Its link; "" is the gravest alert's page.
    """
    first = ordered(notification)[0]
    whole: dict[str, Any] = {
        "event_action": "resolve" if notification.status is Status.RESOLVED else "trigger",
        "dedup_key": dedup_key(notification.dedup_key),
        "client": cut(client, _MAX_NAME),
        "client_url": client_url or first.url,
        "links": _links(first, notification),
    }
    whole = {key: value for key, value in whole.items() if value}
    for limit in _LIMITS:
        whole["payload"] = _payload(notification, severity or severity_of(first), limit)
        if len(encode(whole)) <= MAX_EVENT - _ROUTING_KEY_ROOM:
            break
    return whole


def bare(full: Mapping[str, Any]) -> dict[str, Any]:
    """Return the least of an event that still pages: for when the whole one was refused."""
    payload = full["payload"]
    ids = payload["custom_details"].get("request_ids", [])
    details = {"alert": full.get("client_url", ""), "request_id": ids[0] if ids else ""}
    kept = {key: payload[key] for key in ("summary", "source", "severity")}
    return {
        "event_action": full["event_action"],
        "dedup_key": full["dedup_key"],
        "payload": {**kept, "custom_details": details},
    }


def severity_of(message: AlertMessage) -> str:
    """Return PagerDuty's severity for the label `severity`: page is critical, ticket a warning."""
    label = message.labels.get("severity", "")
    return label if label in SEVERITIES else _SEVERITY_OF.get(label, "error")


def dedup_key(key: str) -> str:
    """Return the key; one that is too long ends in its hash, so that it still differs from others."""
    if width(key) <= MAX_DEDUP_KEY:
        return key
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return cut(key, MAX_DEDUP_KEY - len(digest)) + digest


def _payload(notification: Notification, severity: str, limit: _Limit) -> dict[str, Any]:
    first = ordered(notification)[0]
    labels = first.labels
    named = {
        "component": labels.get("model", ""),
        "group": labels.get("app", ""),
        "class": leading_error(first.errors),
    }
    shown = {key: brief(text, _MAX_NAME) for key, text in named.items()}
    return {
        "summary": brief(_summary(notification), MAX_SUMMARY) or "alert",
        "source": _source(labels),
        "severity": severity,
        "timestamp": rfc3339(first.starts_at),
        **{key: text for key, text in shown.items() if text},
        "custom_details": _details(notification, limit),
    }


def _summary(notification: Notification) -> str:
    """What PagerDuty reads out; its own severity and state say the rest."""
    unusual = notification.test or notification.undelivered
    return line(notification) if unusual else title(notification)


def _details(notification: Notification, limit: _Limit) -> dict[str, Any]:
    first, *others = ordered(notification)
    notes = [brief(text, limit.text) for text in (*notices(notification), *course(notification))]
    details: dict[str, Any] = {_NOTES: notes} if notes else {}
    details |= {**_facts(first, limit), "reason": brief(notification.reason, limit.text)}
    kept = others[: limit.others]
    if kept:
        details["other_alerts"] = [_facts(message, limit) for message in kept]
    if left := len(others) - len(kept) + notification.truncated_alerts:
        details["alerts_left_out"] = f"{left:,}: see {notification.external_url}" if notification.external_url else left
    return details


def _facts(message: AlertMessage, limit: _Limit) -> dict[str, Any]:
    texts = {
        "status": message.status.value,
        "summary": name(message),
        "measured": message.measured,
        "errors": message.errors,
        "blame": message.blame,
        "state": ", ".join(marks(message)),
        "advice": message.advice,
        "resolve_reason": message.resolve_reason,
        "rule_hash": message.rule_hash,
        "fingerprint": message.fingerprint,
        "page": message.url,
    }
    told: dict[str, Any] = {key: brief(text, limit.text) for key, text in texts.items() if text}
    told["since"] = rfc3339(message.since)
    told["request_ids"] = [brief(text, limit.text) for text in message.request_ids[: limit.ids]]
    told["labels"] = _some(message.labels, limit)
    told["annotations"] = _some(message.annotations, limit)
    return {key: value for key, value in told.items() if value}


def _some(labels: Mapping[str, str], limit: _Limit) -> dict[str, str]:
    pairs = list(labels.items())[: limit.labels]
    return {brief(key, _MAX_NAME): brief(text, limit.text) for key, text in pairs}


def _source(labels: Mapping[str, str]) -> str:
    parts = [labels.get("app", "") or labels.get("instance", "") or "Claxon", labels.get("environment", "")]
    return brief("/".join(part for part in parts if part), _MAX_NAME) or "Claxon"


def _links(message: AlertMessage, notification: Notification) -> list[dict[str, str]]:
    links = (
        (message.url, "Alert and evidence"),
        (ack_url(message), "Acknowledge in Claxon"),
        (runbook(message), "Runbook"),
        (notification.external_url if size(notification) > 1 else "", "All alerts in Claxon"),
    )
    return [{"href": href, "text": text} for href, text in links if href]
