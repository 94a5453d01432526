"""What a receiver is: something that takes one notification and says how it went.

≠ storage, rules, retries: it sends once; whether and when it is tried again is
decided in alerts/retries.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from alerts.notification import Notification


class Reason(StrEnum):
    """The class of a failed delivery; a closed set, for metrics."""

    AUTH = "auth_error"  # 401, 403, 407
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


@dataclass(frozen=True, slots=True)
class Rate:
    """How many messages a vendor takes.

    Attributes:
        n: Messages, >= 1.
        per_s: In so many seconds, > 0.
    """

    n: int
    per_s: float

    def shared_by(self, nodes: int) -> Rate:
        """Return what is one node's of it, of several that send at once."""
        if nodes <= 1:
            return self
        n = max(1, self.n // nodes)
        return Rate(n, self.per_s * n * nodes / self.n)


class Receiver(Protocol):
    """One configured way to tell people."""

    @property
    def kind(self) -> str:
        """The kind as in the configuration, without `_configs`: "webhook", "slack", ..."""

    @property
    def send_resolved(self) -> bool:
        """Whether it wants to be told of the end."""

    @property
    def pairs(self) -> bool:
        """Whether it keeps incidents, and so needs the beginning before the end."""

    @property
    def rate(self) -> Rate | None:
        """How fast it may be told: `rate_limit`, else what the vendor takes; None is as fast as it can."""

    @property
    def resend_s(self) -> float | None:
        """How often it must hear again of what still fires, in seconds; None: once is enough."""

    async def send(self, notification: Notification) -> Answer:
        """Deliver once.

        Raises:
            DeliveryError: It was not taken.
        """

    async def close(self) -> None:
        """Let go of connections."""


@runtime_checkable
class Resender(Protocol):
    """A receiver with a `resend_s`: it forgets what it does not hear of again."""

    async def resend(self, notifications: Sequence[Notification]) -> Answer:
        """Tell again what stands of many notifications, each with what is its own, in as few requests as may be.

        Raises:
            DeliveryError: Not all was taken; the next time is soon enough.
        """
