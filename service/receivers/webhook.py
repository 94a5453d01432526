"""Alertmanager's webhook, version 4, so that every bridge made for it works.

≠ sending.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Self

from alerts.notification import AlertMessage, Notification, facts

from .base import Answer
from .endpoint import Endpoint, read_endpoint
from .http import Http
from .settings import Settings
from .text import rfc3339

STILL_FIRING = "0001-01-01T00:00:00Z"
"""Go's zero time: how Alertmanager says that an alert has no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookConfig:
    """An entry of `webhook_configs`.

    Attributes:
        endpoint: Where to post.
        send_resolved: Whether it wants to be told of the end.
        max_alerts: More alerts are counted and left out; 0 is no limit.
    """

    endpoint: Endpoint
    send_resolved: bool = True
    max_alerts: int = 0

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Read Alertmanager's settings; problems are left in `settings`."""
        config = cls(
            endpoint=read_endpoint(settings, "url"),
            send_resolved=settings.flag("send_resolved", default=True),
            max_alerts=settings.count("max_alerts", default=0),
        )
        settings.done(unsupported=("payload",))
        return config


class WebhookReceiver:
    """Posts each notification as Alertmanager would."""

    kind = "webhook"

    def __init__(self, config: WebhookConfig) -> None:
        self.send_resolved = config.send_resolved
        self._max_alerts = config.max_alerts
        self._http = Http(config.endpoint)

    async def send(self, notification: Notification) -> Answer:
        """Deliver once; any 2xx is a yes."""
        return await self._http.post(
            payload(notification, max_alerts=self._max_alerts),
            headers={"Idempotency-Key": idempotency_key(notification)},
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def payload(notification: Notification, *, max_alerts: int = 0) -> dict[str, Any]:
    """Return the body of version 4, with 0.34's `notification_reason` and `routeLabels`."""
    kept = notification.alerts[:max_alerts] if max_alerts else notification.alerts
    return {
        "version": "4",
        "groupKey": notification.group_key,
        "truncatedAlerts": notification.truncated_alerts + len(notification.alerts) - len(kept),
        "status": notification.status.value,
        "receiver": notification.receiver,
        "groupLabels": notification.group_labels,
        "commonLabels": notification.common_labels,
        "commonAnnotations": notification.common_annotations,
        "externalURL": notification.external_url,
        "notification_reason": notification.reason,
        "routeLabels": {},
        "alerts": [_alert(message) for message in kept],
    }


def idempotency_key(notification: Notification) -> str:
    """Return 64 hex digits: the same for each try of one notification, another for the next one."""
    named = (
        notification.receiver,
        notification.dedup_key,
        notification.status.value,
        notification.reason,
        repr(notification.at),
    )
    return hashlib.sha256("\0".join(named).encode("utf-8", "surrogatepass")).hexdigest()


def _alert(message: AlertMessage) -> dict[str, Any]:
    return {
        "status": message.status.value,
        "labels": message.labels,
        "annotations": facts(message),
        "startsAt": rfc3339(message.starts_at),
        "endsAt": STILL_FIRING if message.ends_at is None else rfc3339(message.ends_at),
        "generatorURL": message.url,
        "fingerprint": message.fingerprint,
    }
