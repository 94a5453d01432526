"""`consecutive`."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from math import ceil, floor, inf

from alerts.conditions import Consecutive as Condition

from .found import Holds
from .keys import Attempt, Key
from .log import Value
from .windows import Arriving, Counts, Window

SHORT, DAY = 300, 86_400
LEFT_OVER = 256


def ready_at(attempt: Attempt, condition: Condition) -> int:
    """Return the whole second that is settle after the end of the one in which the attempt was observed."""
    return floor(attempt.seen_at) + 1 + ceil(condition.settle_s)


def adaptive_count(least: int, day: Counts, short: Counts, *, floor: float) -> int:
    """Return how many failures in a row chance does not explain."""
    attempts, failures = day.attempts - short.attempts, day.matching - short.matching
    p = max(floor, (failures + 0.5) / (attempts + 100))
    k = least
    while k < 64 and day.calls * p**k >= 0.01:
        k += 1
    return k


class Consecutive:
    """Failures in a row; each second must be asked once, in order."""

    def __init__(self, key: Key, condition: Condition, windows: dict[int, Window]) -> None:
        self.condition = condition
        self.windows = windows
        self.keep_s = key.rule.keep_firing_for_s
        self.left: list[Attempt] = []
        self.boundary = -inf
        self.long = False
        self.longest = 0
        self._seen: list[float] = []
        self._successes = Arriving([(a.seen_at, a.at) for a in key.attempts if a.ok])
        self._ready: dict[int, list[Attempt]] = defaultdict(list)
        for attempt in key.attempts:
            if attempt.ok or attempt.matches:
                self._ready[ready_at(attempt, condition)].append(attempt)

    def instants(self) -> list[float]:
        return list(self._ready)

    def __call__(self, g: int, state: str) -> Holds:
        for at in self._successes.before(g):
            insort(self._seen, at)
        k = self._count(g)
        ready = self._ready.get(g, [])
        # 1.
        forget = g - self.keep_s
        fresh = [a for a in ready if a.matches and a.at >= self.boundary and a.at > forget]
        # 2.
        before = fresh + self.left
        runs = self._runs(before)
        met = any(calls(run) >= k and any(a in run for a in fresh) for run in runs)
        earlier = [self.longest] if self.long else []
        self.longest = max([*earlier, *(calls(run) for run in runs)], default=0)
        value: Value = {"count": k, "longest": self.longest, "met": met}
        # 3.
        self.boundary = max([self.boundary, *(a.at for a in ready if a.ok)])
        after = sorted((a for a in before if a.at >= self.boundary), key=lambda a: a.at)
        self.left = after[-LEFT_OVER:]
        # 4.
        self.long = self.long or met
        if len(self.left) < len(before):
            self.long = self.long and any(calls(run) >= k for run in self._runs(self.left))
        # 5.
        return met or (self.long and state != "inactive"), value

    def _count(self, g: int) -> int:
        if not self.condition.adaptive:
            return self.condition.count
        day, short = self.windows[DAY](g), self.windows[SHORT](g)
        return adaptive_count(self.condition.count, day, short, floor=self.condition.floor)

    def _runs(self, failures: list[Attempt]) -> list[list[Attempt]]:
        """Cut by every success that was seen; one at the instant of a failure comes before it."""
        runs: dict[int, list[Attempt]] = defaultdict(list)
        for failure in failures:
            runs[bisect_right(self._seen, failure.at)].append(failure)
        return list(runs.values())


def calls(run: list[Attempt]) -> int:
    """Return how many different calls failed; a failure without a call_id stands for itself."""
    named = {a.event.call_id for a in run if a.event.call_id is not None}
    return len(named) + sum(a.event.call_id is None for a in run)
