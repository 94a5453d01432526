"""Backlog: encoded events that wait for the service, oldest first and bounded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple


class Waiting(NamedTuple):
    """An event that waits.

    Attributes:
        came: Its number, in the order in which events came.
        event: Its JSON.
        failed: Whether it is an error.
        at: When its attempt ended, Unix seconds by our own clock.
    """

    came: int
    event: bytes
    failed: bool
    at: float


class Backlog:
    """Keeps at most `limit` events; over it, the oldest success goes first, then the oldest error.

    For the shipping thread; others may read the attributes.

    Attributes:
        size: How many events wait.
        dropped: How many were let go.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._came = 0
        self._errors: deque[Waiting] = deque()
        self._successes: deque[Waiting] = deque()
        self.size = 0
        self.dropped = 0

    def add(self, event: bytes, *, failed: bool, at: float = 0.0) -> None:
        """Take an event, and let another go if there is no room."""
        self._came += 1
        self._queue(failed).append(Waiting(self._came, event, failed, at))
        if self.size == self._limit:
            (self._successes or self._errors).popleft()
            self.dropped += 1
        else:
            self.size += 1

    def take(self, count: int, size: int) -> list[Waiting]:
        """Remove and return up to `count` events of together about `size` bytes, the oldest first."""
        taken: list[Waiting] = []
        total = 0
        while len(taken) < count and (oldest := self._oldest()):
            waiting = oldest[0]
            if taken and total + len(waiting.event) > size:
                break
            oldest.popleft()
            self.size -= 1
            taken.append(waiting)
            total += len(waiting.event) + 1
        return taken

    def put_back(self, taken: Iterable[Waiting]) -> None:
        """Have these wait again, where they were: the newest that `take` returned, and in its order."""
        for waiting in reversed(list(taken)):
            self._queue(waiting.failed).appendleft(waiting)
            self.size += 1

    def _queue(self, failed: bool) -> deque[Waiting]:
        return self._errors if failed else self._successes

    def _oldest(self) -> deque[Waiting] | None:
        """Return the queue whose first event came first; None when both are empty."""
        errors, successes = self._errors, self._successes
        if not (errors and successes):
            return errors or successes or None
        return errors if errors[0].came < successes[0].came else successes

    def clear(self) -> int:
        """Forget all events; return how many there were."""
        gone, self.size = self.size, 0
        self._errors.clear()
        self._successes.clear()
        return gone
