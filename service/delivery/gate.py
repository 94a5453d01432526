"""Gate: how many messages one integration may be sent now. By the clock that never jumps.

≠ what is sent, whether one row is tried again.
"""

from __future__ import annotations

from dataclasses import dataclass

from alerts.retries import next_probe

from ..receivers.base import Rate

MAX_IN_FLIGHT = 4
"""How many messages are on their way to one integration at once."""


@dataclass(slots=True)
class Gate:
    """Open while an integration takes what it is sent; else one message at a time, and pauses that grow.

    Attributes:
        failures: How often in a row it took nothing.
        opens_at: Nothing is sent before.
        closed_at: When it took nothing last: what was on its way then says nothing new.
        tokens: How many messages the rate allows; so many may come at once.
        filled_at: When they were counted last.
    """

    failures: int = 0
    opens_at: float = float("-inf")
    closed_at: float = float("-inf")
    tokens: float = float("inf")
    filled_at: float = float("-inf")

    def room(self, now: float, *, in_flight: int, rate: Rate | None) -> int:
        """Return how many messages may begin now."""
        if now < self.opens_at:
            return 0
        at_once = 1 if self.failures else MAX_IN_FLIGHT
        room = max(0, at_once - in_flight)
        if rate is None:
            return room
        self._fill(now, rate)
        return min(room, int(self.tokens))

    def wait_s(self, now: float, *, rate: Rate | None) -> float:
        """Return for how long no message may begin, if none is on its way."""
        closed = max(0.0, self.opens_at - now)
        if rate is None:
            return closed
        self._fill(now, rate)
        return max(closed, (1.0 - self.tokens) * rate.per_s / rate.n)

    def begin(self, rate: Rate | None) -> None:
        """Count one message that begins."""
        if rate is not None:
            self.tokens -= 1.0

    def answered(self) -> None:
        """Open: it took a message, or said what is wrong with it."""
        self.failures, self.opens_at = 0, float("-inf")

    def failed(self, now: float, *, begun_at: float, retry_after: float | None, limited: bool, jitter: float) -> None:
        """Close for a while.

        Args:
            now: When it took nothing.
            begun_at: When that message began: of several that were on their way together, one counts.
            retry_after: Seconds that it asked us to wait; None if it did not.
            limited: Whether it wants fewer messages.
            jitter: A random number in [0, 1).
        """
        if begun_at > self.closed_at:
            self.failures += 1
        self.closed_at = now
        pause = next_probe(failures=max(1, self.failures), retry_after=retry_after, limited=limited, jitter=jitter)
        self.opens_at = max(self.opens_at, now + pause)

    def _fill(self, now: float, rate: Rate) -> None:
        self.tokens = min(float(rate.n), self.tokens + max(0.0, now - self.filled_at) * rate.n / rate.per_s)
        self.filled_at = now
