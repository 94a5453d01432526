"""Backlog: encoded events that wait for the service, oldest first and bounded."""

from __future__ import annotations

from collections import deque


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
        self._errors: deque[tuple[int, bytes]] = deque()
        self._successes: deque[tuple[int, bytes]] = deque()
        self.size = 0
        self.dropped = 0

    def add(self, event: bytes, *, failed: bool) -> None:
        """Take an event, and let another go if there is no room."""
        self._came += 1
        (self._errors if failed else self._successes).append((self._came, event))
        if self.size == self._limit:
            (self._successes or self._errors).popleft()
            self.dropped += 1
        else:
            self.size += 1

    def take(self, count: int, size: int) -> list[bytes]:
        """Remove and return up to `count` events of together about `size` bytes, the oldest first."""
        taken: list[bytes] = []
        total = 0
        while len(taken) < count and (oldest := self._oldest()):
            event = oldest[0][1]
            if taken and total + len(event) > size:
                break
            oldest.popleft()
            self.size -= 1
            taken.append(event)
            total += len(event) + 1
        return taken

    def _oldest(self) -> deque[tuple[int, bytes]] | None:
        """Return the queue whose first event came first; None when both are empty."""
        errors, successes = self._errors, self._successes
        if not (errors and successes):
            return errors or successes or None
        return errors if errors[0][0] < successes[0][0] else successes

    def clear(self) -> int:
        """Forget all events; return how many there were."""
        gone, self.size = self.size, 0
        self._errors.clear()
        self._successes.clear()
        return gone
