"""What a receiver is: something that takes one notification and says how it went.

≠ storage, rules, retries: it sends once; whether and when it is tried again is
decided in alerts/retries.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from alerts.notification import Notification


class Reason(StrEnum):
    """The class of a failed delivery; a closed set, for metrics."""

    AUTH = "auth_error"  # 401, 403
    GONE = "gone"  # 404, 410
    CLIENT = "client_error"  # other 4xx but 408, 425, 429
    RATE_LIMITED = "rate_limited"  # 429
    SERVER = "server_error"  # 5xx, 408, 425
    TIMEOUT = "timeout"
    NETWORK = "network"


PERMANENT = frozenset({Reason.AUTH, Reason.GONE, Reason.CLIENT})


class DeliveryError(Exception):
    """A notification that did not reach its receiver; the text holds no secret.

    Attributes:
        reason: The failure's class.
        retry_after: Seconds that the receiver asked us to wait, if it did.
        status: The HTTP status, if there was one.
    """

    def __init__(
        self, text: str, *, reason: Reason, retry_after: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(text)
        self.reason = reason
        self.retry_after = retry_after
        self.status = status

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.reason not in PERMANENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a receiver said when it took a notification.

    Attributes:
        status: The HTTP status; None for receivers without HTTP.
        text: The vendor's answer, cut, for the delivery log.
    """

    status: int | None = None
    text: str = ""


class Receiver(Protocol):
    """One configured way to tell people."""

    @property
    def kind(self) -> str:
        """The kind as in the configuration, without `_configs`: "webhook", "slack", ..."""

    @property
    def send_resolved(self) -> bool:
        """Whether it wants to be told of the end."""

    async def send(self, notification: Notification) -> Answer:
        """Deliver once.

        Raises:
            DeliveryError: It was not taken.
        """

    async def close(self) -> None:
        """Let go of connections."""
