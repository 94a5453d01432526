"""Other Alertmanagers: every alert to all of a list, and again while it fires.

≠ what is posted; when it is sent again, which delivery decides by `resend_s`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from alerts.notification import Notification

from .. import clock
from .alertmanager_alerts import Posted, Told, in_order
from .base import Answer, DeliveryError, Rate
from .endpoint import Endpoint, read_endpoints
from .http import Http, encode
from .layout import laid_out
from .settings import Settings, read_rate

PATH = "/api/v2/alerts"
BATCH = 64
"""Alerts in one request, as many as Prometheus posts."""

DEFAULT_RESEND_S = 60.0
MAX_RESEND_S = 900.0
ENDS_AFTER = 4
"""An alert that is not told again ends at the other side after so many intervals, as with Prometheus."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerConfig:
    """An entry of `alertmanager_configs`.

    Attributes:
        endpoints: What stands before /api/v2/alerts of each; all of them are told.
        resend_s: How often they hear again of what still fires.
        send_resolved: Whether they are told of the end; else they forget it after 4 intervals.
        rate: How many notifications they may be sent.
    """

    endpoints: tuple[Endpoint, ...]
    resend_s: float = DEFAULT_RESEND_S
    send_resolved: bool = True
    rate: Rate | None = None

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Read the settings; problems are left in `settings`."""
        config = cls(
            endpoints=read_endpoints(settings, "urls"),
            resend_s=settings.seconds("resend_interval", default=DEFAULT_RESEND_S, most=MAX_RESEND_S),
            send_resolved=settings.flag("send_resolved", default=True),
            rate=read_rate(settings, None),
        )
        for index, endpoint in enumerate(config.endpoints):
            if endpoint.url.reveal().rstrip("/").endswith(PATH):
                settings.refuse(f"urls[{index}]", f"ends in {PATH}: leave that out")
        settings.done()
        return config


class AlertmanagerReceiver:
    """Posts alerts as Prometheus does; a notification is taken when all have taken it.

    Args:
        config: Where to, and how.
        now: The wall clock, from which the end of what fires is reckoned.
    """

    kind = "alertmanager"
    pairs = True

    def __init__(self, config: AlertmanagerConfig, *, now: Callable[[], float] = clock.now) -> None:
        self.resend_s: float | None = config.resend_s
        self.send_resolved = config.send_resolved
        self.rate = config.rate
        self._lasting_s = ENDS_AFTER * config.resend_s
        self._now = now
        self._told = Told()
        self._https = tuple(Http(endpoint) for endpoint in config.endpoints)

    async def send(self, notification: Notification) -> Answer:
        """Deliver once, to all; what one of them took already does it no harm."""
        return await self.resend([notification])

    async def resend(self, notifications: Sequence[Notification]) -> Answer:
        """Post the alerts of many notifications, to all, 64 alerts in each request.

        Raises:
            DeliveryError: One or more did not take them; it is worth another try if that is so for any.
        """
        alerts = sum(len(notification.alerts) for notification in notifications)
        posted = self._told.newer(await laid_out(alerts, lambda: in_order(notifications)))
        ends_at = self._now() + self._lasting_s
        bodies = await laid_out(alerts, lambda: _bodies(posted, ends_at))
        outcomes = await asyncio.gather(*(_tell(http, bodies) for http in self._https))
        if failures := [outcome for outcome in outcomes if outcome is not None]:
            raise _together(failures, of=len(outcomes))
        self._told.note(posted)
        return Answer(status=200, text=_said(posted, of=len(outcomes)))

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.gather(*(http.close() for http in self._https))


def _bodies(posted: Sequence[Posted], ends_at: float) -> list[bytes]:
    return [encode([one.body(ends_at) for one in posted[i : i + BATCH]]) for i in range(0, len(posted), BATCH)]


async def _tell(http: Http, bodies: Sequence[bytes]) -> DeliveryError | None:
    """Post to one; return what went wrong.

    A 400 means that some alerts are invalid, and that the others were taken; so it does not end the rest.
    """
    refused: DeliveryError | None = None
    for body in bodies:
        try:
            await http.ask("POST", body, below=PATH)
        except DeliveryError as error:
            if error.status != 400:
                return error
            refused = refused or error
    return refused


def _together(failures: Sequence[DeliveryError], *, of: int) -> DeliveryError:
    """Return one error for several; that which is worth another try decides."""
    worst = next((error for error in failures if error.retryable), failures[0])
    waits = [error.retry_after for error in failures if error.retry_after is not None]
    said = "; ".join(str(error) for error in failures)
    return DeliveryError(
        f"alertmanager: {len(failures)} of {of} did not take it: {said}",
        reason=worst.reason,
        retry_after=max(waits, default=None),
        status=worst.status,
    )


def _said(posted: Sequence[Posted], *, of: int) -> str:
    if not posted:
        return "nothing to tell: each alert has fired anew since, and that was told"
    return f"{len(posted)} alert{'s'[: len(posted) != 1]} to {of}"
