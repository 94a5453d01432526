"""PagerDuty, Events API v2: one event for each group of alerts.

≠ sending; whether a trigger was taken before its resolve, which the outbox knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from alerts.notification import Notification

from .base import Answer, DeliveryError, Rate, Reason
from .endpoint import Endpoint, read_endpoint, token_problem
from .http import Http
from .layout import laid_out
from .pagerduty_event import SEVERITIES, bare, event
from .secret import SecretSource
from .settings import Settings, read_rate

VENDOR_URL = "https://events.pagerduty.com/v2/enqueue"
ACCEPTED = 202
VENDOR_RATE = Rate(2, 1.0)
"""PagerDuty takes 120 events a minute for each integration key."""

_OLD_KEY = (
    "the key of PagerDuty's old API v1: add an integration of the kind 'Events API v2' to the service there, "
    "and write its key as routing_key"
)
_LATER = (
    "description", "source", "details", "images", "links",
    "component", "group", "class",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDutyConfig:
    """An entry of `pagerduty_configs`.

    Attributes:
        endpoint: Where to post; the vendor's address unless `url` names another.
        routing_key: The integration key of the service to page.
        severity: One of PagerDuty's, for every event; "" takes it from the alert's label.
        client: What PagerDuty names as the sender.
        client_url: Its link; "" is the alert's page.
        send_resolved: Whether it wants to be told of the end.
        rate: How many events it may be sent.
        webhook_secret: What PagerDuty signs its own messages to us with; None takes none of them.
    """

    endpoint: Endpoint
    routing_key: SecretSource
    severity: str = ""
    client: str = "Claxon"
    client_url: str = ""
    send_resolved: bool = True
    rate: Rate | None = VENDOR_RATE
    webhook_secret: SecretSource | None = None

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Read Alertmanager's settings; problems are left in `settings`."""
        severity = settings.text("severity")
        if severity and severity not in SEVERITIES:
            settings.refuse("severity", f"write one of {', '.join(SEVERITIES)}", value=severity)
        config = cls(
            endpoint=read_endpoint(settings, "url", default=VENDOR_URL),
            routing_key=settings.required_secret("routing_key", check=token_problem),
            severity=severity,
            client=settings.text("client", default="Claxon"),
            client_url=settings.text("client_url"),
            send_resolved=settings.flag("send_resolved", default=True),
            rate=read_rate(settings, VENDOR_RATE),
            webhook_secret=settings.secret("webhook_secret", check=token_problem),
        )
        for old in ("service_key", "service_key_file"):
            if settings.has(old):
                settings.refuse(old, _OLD_KEY)
            settings.ignore(old)
        settings.done(unsupported=_LATER)
        return config


class PagerDutyReceiver:
    """Triggers and resolves; repeats of an episode fold into one by their `dedup_key`.

    Attributes:
        webhook_secret: For `pagerduty_webhook.verify`; None where no acknowledgement comes back.
    """

    kind = "pagerduty"
    pairs = True
    resend_s = None

    def __init__(self, config: PagerDutyConfig) -> None:
        self.send_resolved = config.send_resolved
        self.rate = config.rate
        self.webhook_secret = config.webhook_secret
        self._config = config
        self._http = Http(config.endpoint, secrets=(config.routing_key,))

    async def send(self, notification: Notification) -> Answer:
        """Deliver once. An event that is refused as invalid goes out again with the bare minimum."""
        full = await laid_out(len(notification.alerts), lambda: self._event(notification))
        try:
            return await self._post(full)
        except DeliveryError as error:
            if error.status != 400:
                raise
        return await self._post(bare(full))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def _event(self, notification: Notification) -> dict[str, Any]:
        config = self._config
        return event(notification, severity=config.severity, client=config.client, client_url=config.client_url)

    async def _post(self, body: dict[str, Any]) -> Answer:
        answer = await self._http.post({"routing_key": self._config.routing_key.reveal(), **body})
        if answer.status == ACCEPTED or '"success"' in answer.text:
            return answer
        raise DeliveryError(
            f"pagerduty: answered {answer.status} {answer.text}: PagerDuty answers 202; check url",
            reason=Reason.CLIENT,
            status=answer.status,
        )
