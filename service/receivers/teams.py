"""Microsoft Teams, through the webhook of a workflow: one card for each group of alerts.

≠ the card.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

import httpx2
import structlog

from alerts.notification import Notification

from .base import Answer, DeliveryError, Rate, Reason
from .endpoint import Endpoint, read_endpoint
from .http import Http, reason_of
from .layout import laid_out
from .settings import Settings, read_rate
from .teams_card import message

ACCEPTED = 202
VENDOR_RATE = Rate(1, 1.0)
RETIRED = (
    "Microsoft ended the connectors it was for: make a workflow in Teams from the template "
    "'Send webhook alerts to a channel' and write msteamsv2_configs with its webhook_url"
)

_LATER = ("title", "text")
_CONNECTORS = ("webhook.office.com", "outlook.office.com", "outlook.office365.com")
# What a connector says behind a 200 when Teams itself refused.
_REFUSED_BEHIND = re.compile(r"HTTP error (\d{3})")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamsConfig:
    """An entry of `msteamsv2_configs`.

    Attributes:
        endpoint: The workflow's address, which holds its signature.
        send_resolved: Whether it wants to be told of the end.
        rate: How many messages it may be sent.
    """

    endpoint: Endpoint
    send_resolved: bool = True
    rate: Rate | None = VENDOR_RATE

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Read Alertmanager's settings; problems are left in `settings`."""
        config = cls(
            endpoint=read_endpoint(settings, "webhook_url"),
            send_resolved=settings.flag("send_resolved", default=True),
            rate=read_rate(settings, VENDOR_RATE),
        )
        settings.done(unsupported=_LATER)
        _warn_of_a_connector(config.endpoint, settings.where)
        return config


class TeamsReceiver:
    """Posts each notification as one card."""

    kind = "msteamsv2"
    pairs = False
    resend_s = None

    def __init__(self, config: TeamsConfig) -> None:
        self.send_resolved = config.send_resolved
        self.rate = config.rate
        self._http = Http(config.endpoint)

    async def send(self, notification: Notification) -> Answer:
        """Deliver once; a workflow says 202, and shows the card afterwards."""
        card = await laid_out(len(notification.alerts), lambda: message(notification))
        answer = await self._http.post(card)
        _check(answer)
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _check(answer: Answer) -> None:
    """Raise where a 2xx is no yes: a proxy's login page, or Teams' refusal that was passed on behind a 200."""
    if answer.status == ACCEPTED:
        return
    refused = _REFUSED_BEHIND.search(answer.text)
    if refused is None and not answer.text.lstrip().startswith("<"):
        return
    reason = reason_of(int(refused[1])) if refused else Reason.CLIENT
    raise DeliveryError(
        f"msteamsv2: answered {answer.status} {answer.text}: a workflow answers 202; check webhook_url",
        reason=reason,
        status=answer.status,
    )


def _warn_of_a_connector(endpoint: Endpoint, where: str) -> None:
    try:
        host = httpx2.URL(endpoint.url.reveal()).host
    except (httpx2.InvalidURL, ValueError):
        return
    if any(host == connector or host.endswith(f".{connector}") for connector in _CONNECTORS):
        _log.warning("receiver.ends", where=where, host=host, remedy=f"a connector's address: {RETIRED}")
