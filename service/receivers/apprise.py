"""Everything that the library Apprise can tell: ntfy, Telegram, Discord, Matrix, SMS, and a hundred more.

≠ what each of them takes; that is Apprise's business.

The library is imported where the first entry is read: it is large, and an optional
part of Claxon.
"""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from alerts.notification import Notification

from .apprise_text import body, mood, subject
from .base import Answer, DeliveryError, Rate, Reason
from .endpoint import MAX_TIMEOUT_S
from .secret import SecretSource, blot
from .settings import Settings, read_rate
from .text import brief
from .threads import in_thread

if TYPE_CHECKING:
    from apprise import NotifyBase

DEFAULT_TIMEOUT_S = 30.0
"""Longer than others': some services need several requests for one message."""

MAX_ANSWER = 200
_SHORTEST_PIECE = 6
_MISSING = "needs the package apprise: install claxon-server[apprise]"
_UNKNOWN = "no address that Apprise knows: write one as in its list of services, such as ntfy://ntfy.example.org/topic"
_UNVERIFIED = "has verify=no; pages are secrets, and an unverified server could read them: remove it"


@dataclass(frozen=True, slots=True, kw_only=True)
class AppriseConfig:
    """An entry of `apprise_configs`.

    Attributes:
        url: An address of Apprise; a secret, for it holds the token.
        send_resolved: Whether it wants to be told of the end.
        timeout: Seconds for the whole, > 0.
        rate: How many messages it may be sent; None is as many as there are.
    """

    url: SecretSource
    send_resolved: bool = True
    timeout: float = DEFAULT_TIMEOUT_S
    rate: Rate | None = None

    @classmethod
    def read(cls, settings: Settings) -> Self:
        """Read the settings; problems are left in `settings`."""
        config = cls(
            url=settings.required_secret("url", check=url_problem),
            send_resolved=settings.flag("send_resolved", default=True),
            timeout=settings.seconds("timeout", default=DEFAULT_TIMEOUT_S, most=MAX_TIMEOUT_S),
            rate=read_rate(settings, None),
        )
        settings.done()
        return config


class AppriseReceiver:
    """Sends each notification as one short text."""

    kind = "apprise"
    pairs = False
    resend_s = None

    def __init__(self, config: AppriseConfig) -> None:
        self.send_resolved = config.send_resolved
        self.rate = config.rate
        self._config = config

    async def send(self, notification: Notification) -> Answer:
        """Deliver once.

        Apprise does not say why a service refused, so every failure may be tried again. What
        takes longer than `timeout` is a failure here and may arrive nevertheless.
        """
        url = self._config.url.reveal()
        try:
            async with asyncio.timeout(self._config.timeout):
                problem = await in_thread(lambda: _tell(url, notification), name="claxon-apprise")
        except TimeoutError:
            problem = f"apprise: no answer within {self._config.timeout:g} s"
            raise DeliveryError(problem, reason=Reason.TIMEOUT) from None
        except Exception as error:  # noqa: BLE001 — a hundred plugins, each with faults of its own
            raise DeliveryError(_shown(f"{type(error).__name__}: {error}", url), reason=Reason.NETWORK) from None
        if problem:
            raise DeliveryError(_shown(problem, url), reason=Reason.NETWORK)
        return Answer(text="sent")

    async def close(self) -> None:
        """Do nothing: each message has connections of its own."""


def url_problem(text: str) -> str:
    """Say what is wrong with an address, without quoting it; "" if nothing."""
    try:
        service = _service(text)
    except ImportError:
        return _MISSING
    if service is None:
        return _UNKNOWN
    return "" if service.verify_certificate else _UNVERIFIED


def _service(url: str) -> NotifyBase | None:
    # They quote what they are given; what matters of it is in Apprise's results.
    for chatty in ("apprise", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("apprise").propagate = False
    import apprise

    service: NotifyBase | None = apprise.Apprise.instantiate(url)
    if service is not None and service.overflow_mode is apprise.OverflowMode.UPSTREAM:
        # Some services refuse what is too long; the beginning says what is wrong.
        service.overflow_mode = apprise.OverflowMode.TRUNCATE
    return service


def _tell(url: str, notification: Notification) -> str:
    """Send, and return what went wrong; "" for nothing."""
    import apprise

    service = _service(url)
    if service is None:
        return _UNKNOWN
    told = apprise.Apprise()
    told.add(service)
    result = told.notify(
        title=subject(notification),
        body=body(notification),
        notify_type=apprise.NotifyType(mood(notification)),
        body_format=apprise.NotifyFormat.TEXT,
    )
    return "" if result else " ".join(entry.message for entry in result.logs()) or "not sent"


def _shown(text: str, url: str) -> str:
    """What may be said of a failure: no piece of the address is."""
    pieces = {piece for piece in re.split(r"[/@:?&=,]+", url) if len(piece) >= _SHORTEST_PIECE}
    return f"apprise: {brief(blot(text, {url, *pieces}), MAX_ANSWER)}"
