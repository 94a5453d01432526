"""Agenda: which watches are looked at, and when.

A watch sleeps until an instant, at which time alone may change it, or until so
many events have come that they might. Looking once too often changes nothing,
so a restart may forget how long one could have slept.
"""

from __future__ import annotations

import heapq
from math import ceil, inf

from .feeds import Key, Watched


class Agenda:
    """The instants at which watches wake, and the counts of events at which they do.

    Attributes:
        second: The whole second that is being observed.
        taken: How many events came so far.
    """

    def __init__(self) -> None:
        self.second = 0
        self.taken = 0
        self._due: list[tuple[int, str, Key]] = []
        self._hot: dict[Watched, None] = {}
        self._hot_from: float = inf

    def wake_at(self, watched: Watched, instant: float | None) -> None:
        """Have a watch evaluated at the first whole second from an instant on that is not over; None, inf: never."""
        if instant is None or instant == inf:
            return
        wake = max(ceil(instant), self.second + 1)
        watch = watched.watch
        if watch.wake is None or wake < watch.wake:
            watch.wake = wake
            heapq.heappush(self._due, (wake, watched.rule.id, watched.key))

    def rouse(self, watched: Watched) -> None:
        """Have a watch evaluated at the next whole second."""
        self.wake_at(watched, self.second + 1)

    def restore(self, watched: Watched) -> None:
        """Take over what a watch remembers of when it is looked at."""
        watch = watched.watch
        if watch.wake is not None:
            heapq.heappush(self._due, (watch.wake, watched.rule.id, watched.key))
        if watch.most is not None:
            self._hot[watched] = None
            self._hot_from = min(self._hot_from, watch.most)

    def pop(self, until: int) -> tuple[int, str, Key] | None:
        """Return the next (second, rule id, key) that is due, in order; None when there is none any more."""
        if self._due and self._due[0][0] <= until:
            return heapq.heappop(self._due)
        return None

    def heat(self, watched: Watched, spare: float) -> None:
        """Have a watch looked at when more than `spare` further events, of whatever key, have come; inf: never."""
        if spare == inf:
            self._hot.pop(watched, None)
            watched.watch.most = None
            return
        self._hot[watched] = None
        watched.watch.most = self.taken + spare
        self._hot_from = min(self._hot_from, self.taken + spare)

    def overheated(self) -> list[Watched]:
        """Return the watches for which too many events have come; they wait no longer."""
        if self.taken <= self._hot_from:
            return []
        most = {watched: watched.watch.most for watched in self._hot}
        found = [watched for watched, n in most.items() if n is not None and self.taken > n]
        for watched in found:
            self.heat(watched, inf)
        self._hot_from = min((n for watched in self._hot if (n := watched.watch.most) is not None), default=inf)
        return found

    def idle_until(self, instant: float) -> bool:
        """Whether nobody need be looked at up to an instant."""
        return self.taken <= self._hot_from and not (self._due and self._due[0][0] <= instant)
