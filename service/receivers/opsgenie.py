"""Opsgenie and Jira Service Management: one alert for each group of alerts.

≠ the alert's text; whether a creation was taken before its close, which the outbox knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import quote

import httpx2
import msgspec
import structlog

from alerts.notification import Notification, NotifyReason, Status

from .base import Answer, DeliveryError, Rate, Reason
from .endpoint import Endpoint, read_endpoint, token_problem
from .http import MAX_BODY, Http
from .layout import laid_out
from .opsgenie_alert import Words, alias, closing, creation
from .opsgenie_words import read_words
from .secret import SecretSource
from .settings import Settings, read_rate
from .text import brief

VENDOR_URL = "https://api.atlassian.com/jsm/ops/integration"
VENDOR_RATE = Rate(5, 1.0)
ACCEPTED = 202
CONFIRM_AFTER_S = 0.5
CONFIRM_WITHIN_S = 3.0
MAX_TOLD = 200

_LATER = ("message", "description")
_OLD_HOST = "opsgenie.com"
_ENDS = "Atlassian ends it on 2027-04-05: move to Jira Service Management and remove api_url"
# What the vendor says of a close that finds nothing open: what was wanted is so.
_NOTHING_OPEN = ("not exist", "already closed", "not found")

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpsgenieConfig:
    """An entry of `opsgenie_configs`.

    Attributes:
        endpoint: The address below which the API is.
        api_key: Of an API integration.
        words: What is added to each alert.
        update_alerts: Whether a group that changed renews message and description of its open alert.
        send_resolved: Whether it wants to be told of the end.
        rate: How many notifications it may be sent.
    """

    endpoint: Endpoint
    api_key: SecretSource
    words: Words
    update_alerts: bool = True
    send_resolved: bool = True
    rate: Rate | None = VENDOR_RATE

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Read Alertmanager's settings; problems are left in `settings`."""
        config = cls(
            endpoint=replace(read_endpoint(settings, "api_url", default=VENDOR_URL), public=True),
            api_key=settings.required_secret("api_key", check=token_problem),
            words=read_words(settings),
            update_alerts=settings.flag("update_alerts", default=True),
            send_resolved=settings.flag("send_resolved", default=True),
            rate=read_rate(settings, VENDOR_RATE),
        )
        settings.done(unsupported=_LATER)
        _warn_of_the_end(config.endpoint, settings.where)
        return config


class OpsgenieReceiver:
    """Creates and closes; repeats of an episode fold into one by their alias.

    Args:
        config: Where to, and how.
        confirm_after_s: How long the vendor gets to do what it took, before it is asked.
    """

    kind = "opsgenie"
    pairs = True
    resend_s = None

    def __init__(self, config: OpsgenieConfig, *, confirm_after_s: float = CONFIRM_AFTER_S) -> None:
        self.send_resolved = config.send_resolved
        self.rate = config.rate
        self._config = config
        self._confirm_after_s = confirm_after_s
        self._http = Http(config.endpoint, secrets=(config.api_key,))
        # What was taken and not done when it was asked for: a close may come before it.
        self._unconfirmed: set[str] = set()

    async def send(self, notification: Notification) -> Answer:
        """Deliver once: the request, and one question of what became of it."""
        if notification.status is Status.RESOLVED:
            return await self._close(notification)
        words = self._config.words
        body = await laid_out(len(notification.alerts), lambda: creation(notification, words))
        taken = await self._ask("POST", "/v2/alerts", body)
        outcome = await self._outcome(taken)
        if outcome is None:
            self._unconfirmed.add(body["alias"])
        if self._config.update_alerts and notification.reason != NotifyReason.FIRST:
            await self._update(body)
        return _answer(taken, outcome)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def _close(self, notification: Notification) -> Answer:
        name, words = alias(notification.dedup_key), self._config.words
        body = await laid_out(len(notification.alerts), lambda: closing(notification, words))
        taken = await self._ask("POST", _path(name, "close"), body)
        try:
            outcome = await self._outcome(taken)
        except DeliveryError as error:
            if not any(said in str(error).lower() for said in _NOTHING_OPEN):
                raise
            if name in self._unconfirmed:
                self._unconfirmed.discard(name)
                raise DeliveryError(f"{error}: its creation may not be done yet", reason=Reason.SERVER) from None
            outcome = "there was nothing open to close"
        self._unconfirmed.discard(name)
        return _answer(taken, outcome)

    async def _update(self, body: Mapping[str, Any]) -> None:
        """Renew the texts of an alert that was open already; a second creation leaves them as they were."""
        for field in ("message", "description"):
            await self._ask("PUT", _path(body["alias"], field), {field: body[field]})

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> Answer:
        key = self._config.api_key.reveal()
        answer = await self._http.ask(
            method, body, below=path, headers={"Authorization": f"GenieKey {key}"}, most=MAX_BODY
        )
        if body is not None and answer.status != ACCEPTED and not _receipt(answer).requestId:
            raise DeliveryError(
                f"opsgenie: answered {answer.status} {brief(answer.text, MAX_TOLD)}: it answers 202; check api_url",
                reason=Reason.CLIENT,
                status=answer.status,
            )
        return answer

    async def _outcome(self, taken: Answer) -> str | None:
        """Return what became of a request that was taken; None where that cannot be told yet.

        Raises:
            DeliveryError: The vendor could not do it.
        """
        request_id = _receipt(taken).requestId
        if not request_id:
            return None
        await asyncio.sleep(self._confirm_after_s)
        try:
            async with asyncio.timeout(CONFIRM_WITHIN_S):
                said = await self._ask("GET", f"/v2/alerts/requests/{quote(request_id, safe='')}", None)
        except (TimeoutError, DeliveryError):
            return None
        outcome = _receipt(said).data
        if outcome.isSuccess is False:
            raise DeliveryError(
                f"opsgenie: took it, then: {brief(outcome.status, MAX_TOLD)}: look at the integration's settings",
                reason=Reason.CLIENT,
                status=taken.status,
            )
        return f"{outcome.status} {outcome.alertId}".strip() or None


def _answer(taken: Answer, outcome: str | None) -> Answer:
    return Answer(status=taken.status, text=brief(outcome or taken.text, MAX_TOLD))


class _Outcome(msgspec.Struct, frozen=True):
    isSuccess: bool | None = None  # noqa: N815
    status: str = ""
    alertId: str = ""  # noqa: N815


class _Receipt(msgspec.Struct, frozen=True):
    requestId: str = ""  # noqa: N815
    data: _Outcome = _Outcome()


def _receipt(answer: Answer) -> _Receipt:
    try:
        return msgspec.json.decode(answer.text, type=_Receipt)
    except msgspec.DecodeError:
        return _Receipt()


def _path(name: str, action: str) -> str:
    return f"/v2/alerts/{quote(name, safe=':')}/{action}?identifierType=alias"


def _warn_of_the_end(endpoint: Endpoint, where: str) -> None:
    try:
        host = httpx2.URL(endpoint.url.reveal()).host
    except (httpx2.InvalidURL, ValueError):
        return
    if host == _OLD_HOST or host.endswith(f".{_OLD_HOST}"):
        _log.warning("receiver.ends", where=where, host=host, remedy=_ENDS)
