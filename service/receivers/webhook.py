"""Alertmanager's webhook, version 4, so that every bridge made for it works.

≠ sending.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

from alerts.labels import Labels, common
from alerts.notification import AlertMessage, Notification

from .. import clock
from .base import Answer, Rate
from .endpoint import Endpoint, read_endpoint
from .http import Http, encode
from .layout import laid_out
from .notices import as_annotations
from .secret import SecretSource
from .settings import Settings, read_rate
from .text import rfc3339

SHORTEST_SECRET = 16

STILL_FIRING = "0001-01-01T00:00:00Z"
"""Go's zero time: how Alertmanager says that an alert has no end."""

# What a header may hold as it is; "%" is quoted, so that unquoting gives the key again.
_PLAIN = "".join(chr(code) for code in range(33, 127) if chr(code) != "%")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookConfig:
    """An entry of `webhook_configs`.

    Attributes:
        endpoint: Where to post.
        send_resolved: Whether it wants to be told of the end.
        max_alerts: More alerts are counted and left out; 0 is no limit.
        signing_secret: What bodies are signed with; None signs nothing.
        rate: How many messages it may be sent.
    """

    endpoint: Endpoint
    send_resolved: bool = True
    max_alerts: int = 0
    signing_secret: SecretSource | None = None
    rate: Rate | None = None

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Read Alertmanager's settings; problems are left in `settings`."""
        config = cls(
            endpoint=read_endpoint(settings, "url"),
            send_resolved=settings.flag("send_resolved", default=True),
            max_alerts=settings.count("max_alerts", default=0),
            signing_secret=settings.secret("signing_secret", check=secret_problem),
            rate=read_rate(settings, None),
        )
        settings.done(unsupported=("payload",))
        return config


class WebhookReceiver:
    """Posts each notification as Alertmanager would.

    Args:
        config: Where to, and how.
        now: The wall clock, for the instant that is signed.
    """

    kind = "webhook"
    pairs = False
    resend_s = None

    def __init__(self, config: WebhookConfig, *, now: Callable[[], float] = clock.now) -> None:
        self.send_resolved = config.send_resolved
        self.rate = config.rate
        self._max_alerts = config.max_alerts
        self._secret = config.signing_secret
        self._now = now
        self._http = Http(config.endpoint, secrets=(self._secret,) if self._secret else ())

    async def send(self, notification: Notification) -> Answer:
        """Deliver once; any 2xx is a yes."""
        body = await laid_out(
            len(notification.alerts), lambda: encode(payload(notification, max_alerts=self._max_alerts))
        )
        headers = {
            "Idempotency-Key": idempotency_key(notification),
            "X-Claxon-Dedup-Key": quote(notification.dedup_key, safe=_PLAIN, errors="replace"),
        }
        if self._secret is not None:
            headers["X-Claxon-Signature"] = signature(body, secret=self._secret.reveal(), at=int(self._now()))
        return await self._http.post(body, headers=headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def payload(notification: Notification, *, max_alerts: int = 0) -> dict[str, Any]:
    """Return the body of version 4, with 0.34's `notification_reason` and `routeLabels`.

    As in Alertmanager the first alerts are kept, and what is common is common to
    those. Unlike there, `status` is that of the whole group: where the alerts that
    are kept have ended and one that is left out fires, the group fires.
    """
    kept = notification.alerts[:max_alerts] if max_alerts else notification.alerts
    told = [as_annotations(message, notification) for message in kept]
    return {
        "version": "4",
        "groupKey": notification.group_key,
        "truncatedAlerts": notification.truncated_alerts + len(notification.alerts) - len(kept),
        "status": notification.status.value,
        "receiver": notification.receiver,
        "groupLabels": notification.group_labels,
        "commonLabels": common(message.labels for message in kept),
        "commonAnnotations": common(told),
        "externalURL": notification.external_url,
        "notification_reason": notification.reason,
        "routeLabels": {},
        "alerts": [_alert(message, notes) for message, notes in zip(kept, told, strict=True)],
    }


def signature(body: bytes, *, secret: str, at: int) -> str:
    """Return the header that proves who sent a body, and when: `t=<unix seconds>,v1=<HMAC-SHA256 of "t.body">`."""
    digest = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def secret_problem(text: str) -> str:
    """Say what is wrong with a secret to sign with, without quoting it; "" if nothing."""
    if len(text) < SHORTEST_SECRET:
        return f"shorter than {SHORTEST_SECRET} characters: write a random one, such as `openssl rand -hex 32` prints"
    return ""


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


def _alert(message: AlertMessage, notes: Labels) -> dict[str, Any]:
    return {
        "status": message.status.value,
        "labels": message.labels,
        "annotations": notes,
        "startsAt": rfc3339(message.starts_at),
        "endsAt": STILL_FIRING if message.ends_at is None else rfc3339(message.ends_at),
        "generatorURL": message.url,
        "fingerprint": message.fingerprint,
    }
