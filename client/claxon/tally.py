"""Tally: a counter that may be added to from anywhere, even from `__del__`."""

from __future__ import annotations

import threading
from itertools import count


class Tally:
    """A count that goes up without a lock.

    An event may be emitted by a finalizer that interrupts this very code, so a
    lock could wait for its own thread for ever. `next()` of `itertools.count`
    is one indivisible step; reading costs a step too, which is subtracted.
    """

    __slots__ = ("_reading", "_reads", "_steps")

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin at 0, with a lock of its own: after a fork the old one may be held by nobody."""
        self._steps = count()
        self._reads = 0
        self._reading = threading.Lock()

    def add(self, times: int = 1) -> None:
        """Count `times` more."""
        for _ in range(times):
            next(self._steps)

    def value(self) -> int:
        """Return the count so far. Takes a lock: not for finalizers."""
        with self._reading:
            reached = next(self._steps) - self._reads
            self._reads += 1
            return reached
