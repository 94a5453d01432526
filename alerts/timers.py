"""Timers: which part of the notifier has something to do, and when.

≠ a clock.
"""

from __future__ import annotations

import heapq
from enum import StrEnum
from math import inf


class Timer(StrEnum):
    """What is due; the order is that in which what is due at one instant is done."""

    POSTED = "1 posted"  # a posted alert ends
    ACK = "2 ack"  # an acknowledgement expires
    SILENCE = "3 silence"  # a silence begins or ends
    QUIET = "4 quiet"  # a time interval may begin or end
    GROUP = "5 group"  # a group is looked at
    REPEAT = "6 repeat"  # an alert is told again by itself
    ESCALATION = "7 escalation"  # the next step


class Timers:
    """The instants at which something is due. One that is set too early, or twice, does no harm: who is woken looks."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, Timer, str]] = []

    def set(self, timer: Timer, name: str, at: float | None) -> None:
        """Wake something at an instant; None and inf are never."""
        if at is not None and at < inf:
            heapq.heappush(self._heap, (at, timer, name))

    def pop(self, until: float) -> tuple[float, Timer, str] | None:
        """Return the next one that is due up to an instant, in order; None if there is none."""
        if not self._heap or self._heap[0][0] > until:
            return None
        found = heapq.heappop(self._heap)
        while self._heap and self._heap[0] == found:
            heapq.heappop(self._heap)
        return found

    def next_at(self) -> float | None:
        """Return when something is due next; None is never."""
        return self._heap[0][0] if self._heap else None
