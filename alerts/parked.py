"""Calls that sleep because of a long `retry-after`.

≠ rules, keys. docs/reference/decisions.md, `parked`, is the definition.
"""

from __future__ import annotations

import heapq

import msgspec

MAX_PARKED = 1000
"""Calls of one key that are remembered: those that wake last."""


class ParkedCalls(msgspec.Struct):
    """The calls of one key that sleep.

    Attributes:
        named: For each call that has an id, which attempt parked it, and when it wakes, Unix seconds.
        unnamed: When each of the others does, a heap.
    """

    named: dict[str, tuple[int, float]] = msgspec.field(default_factory=dict)
    unnamed: list[float] = msgspec.field(default_factory=list)

    def park(self, call: str | None, attempt: int, until: float) -> None:
        """Take a call that sleeps until an instant; of one that sleeps already, the later instant and attempt."""
        if call is None:
            heapq.heappush(self.unnamed, until)
        else:
            known = self.named.get(call, (attempt, until))
            self.named[call] = (max(attempt, known[0]), max(until, known[1]))
        if len(self.named) + len(self.unnamed) > MAX_PARKED:
            self._forget_one()

    def wake(self, call: str, attempt: int) -> bool:
        """Forget a call if a later attempt than the one that parked it was heard; return whether it was."""
        known = self.named.get(call)
        if known is None or known[0] >= attempt:
            return False
        del self.named[call]
        return True

    def count(self, g: float) -> int:
        """Return how many sleep at `g`, and forget those that woke."""
        for call in [name for name, (_, until) in self.named.items() if until <= g]:
            del self.named[call]
        while self.unnamed and self.unnamed[0] <= g:
            heapq.heappop(self.unnamed)
        return len(self.named) + len(self.unnamed)

    def asleep(self, now: float) -> int:
        """Return how many sleep at `now`, and forget nobody: for who only looks."""
        return sum(until > now for _, until in self.named.values()) + sum(until > now for until in self.unnamed)

    def next_wake(self) -> float | None:
        """Return when the next one wakes; None where nobody sleeps."""
        return min([*(until for _, until in self.named.values()), *self.unnamed[:1]], default=None)

    def last_wake(self) -> float | None:
        """Return when the last one wakes; None where nobody sleeps."""
        return max([*(until for _, until in self.named.values()), *self.unnamed], default=None)

    def rewind(self, now: float, back_s: float) -> None:
        """Take the clock's being set back by `back_s` to `now`: who slept sleeps on for as long as was left."""
        before = now + back_s
        self.named = {
            name: (attempt, until - back_s if until > before else until)
            for name, (attempt, until) in self.named.items()
        }
        self.unnamed = [until - back_s if until > before else until for until in self.unnamed]
        heapq.heapify(self.unnamed)

    def _forget_one(self) -> None:
        first = min(self.named, key=lambda name: self.named[name][1], default=None)
        if first is not None and (not self.unnamed or self.named[first][1] <= self.unnamed[0]):
            del self.named[first]
        else:
            heapq.heappop(self.unnamed)
