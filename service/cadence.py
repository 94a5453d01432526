"""When a snapshot is due: often enough that a restart is quick, never so often that it costs much.

≠ what a snapshot holds.
"""

from __future__ import annotations

from collections.abc import Callable

EVERY_S = 30.0
EVENTS = 100_000
"""A snapshot is due after so much time or so many events, whichever is first."""

SHARE = 0.2
"""At most this share of the time is spent in snapshots."""


class Cadence:
    """Remembers the latest snapshot: when it was made, how long that took, how much came since."""

    def __init__(self, steady: Callable[[], float]) -> None:
        self._steady = steady
        self._ended_at = steady()
        self._events = 0
        self.took_s = 0.0

    @property
    def waiting(self) -> int:
        """How many events are in no snapshot."""
        return self._events

    def count(self, events: int) -> None:
        """Note events that are not in any snapshot."""
        self._events += events

    @property
    def due(self) -> bool:
        """Whether it is time, if the log has grown."""
        passed = self._steady() - self._ended_at
        wanted = passed >= EVERY_S or self._events >= EVENTS
        return wanted and passed * SHARE >= self.took_s * (1 - SHARE)

    def made(self, *, began_at: float) -> float:
        """Note a snapshot that has just ended; return how long it took."""
        self._ended_at = self._steady()
        self.took_s = self._ended_at - began_at
        self._events = 0
        return self.took_s
