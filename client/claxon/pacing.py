"""pacing: how fast calls may follow each other when little of a rate limit is left. Decisions only; told the time.

A limit of the API is a bucket that refills continuously. Of each is kept what
the last answer said; what is left now is what was left then, and what has flowed
back since, less what the calls sent since then draw. When less than `below` of
it is left, calls follow each other at the pace of the refill:

    seconds between two calls = cost / rate * (span / left - 1)

    rate = (limit - remaining) / (reset - now)   what flows back a second
    cost = what a call draws                     1 request; tokens are learned
    span = below * limit                         where pacing begins; at least 8 calls

At half of the span the factor is 1: as much is drawn as flows back. Above it
calls go faster, below it slower, so `left` settles there, and what gets through
is all that the limit allows. Several processes on one limit see the same bucket:
n of them settle where the factor is n, at span / (n + 1), each with an n-th of
the limit, though none knows of the others. To sleep until `reset` instead would
be to wait for a full bucket: a minute for what is there after a second.

Source:
    The rate follows from the API's documentation, "Rate limits": continuous
    refill, and `reset` as the instant of the full bucket. The factor is a
    proportional controller of `left`.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field

from .ratelimits import Reading

LEAST_CALLS = 8.0
"""Calls' worth that the span has at least, up to half of the limit: a tenth of a small limit is less than one call."""

SLOWEST = 8.0
"""The largest factor: so many processes share a limit fairly, and a reading of 0 stops nobody for long."""

WATCHED_BELOW = 0.5
"""The share below which a bucket is watched: what a call costs must be known before it matters."""

FIRST_GUESS = 50.0
"""Calls that a full bucket of tokens is taken for until their cost has been seen."""

FEWEST, MOST = 5, 40
"""Calls whose cost is averaged at first, and later: token counts are rounded to the thousand, so few say little."""

OLDEST_S = 300.0
"""Seconds after which a reading is forgotten, whatever it said."""

SOONEST_S = 0.02
"""The shortest sleep in line."""


class Bucket:
    """What is known of one limit.

    Attributes:
        limit: What it holds when full.
        rate: What flows back a second.
        remaining: What was left at the last reading, which was `at`.
        cost: What a call draws.
        sent: Calls since the reading.
    """

    __slots__ = ("_answered", "_enough", "_from", "_from_remaining", "at", "cost", "limit", "rate", "remaining", "sent")

    def __init__(self, reading: Reading, now: float, *, counts_calls: bool) -> None:
        self.cost = 1.0 if counts_calls else min(max(1.0, reading.limit / FIRST_GUESS), reading.limit / 4)
        self._enough = FEWEST
        self._take(reading, now)
        self._begin_sample()

    def _take(self, reading: Reading, now: float) -> None:
        self.limit, self.rate = reading.limit, reading.rate
        self.remaining, self.at = reading.remaining, now
        self.sent = 0

    def _begin_sample(self) -> None:
        self._from, self._from_remaining, self._answered = self.at, self.remaining, 0

    def learn(self, reading: Reading, now: float, *, drew: bool, counts_calls: bool) -> None:
        """Take a newer reading, and see from the difference what calls cost.

        Args:
            reading: Of any answer.
            now: When it came.
            drew: Whether the call drew anything: one that was refused did not.
            counts_calls: Whether this is the limit on requests, whose cost is known.
        """
        same = reading.limit == self.limit
        self._take(reading, now)
        if not same:
            self._begin_sample()
        self._answered += drew
        if counts_calls or self._answered < self._enough:
            return
        # What other processes draw from the same limit is in it, too: nobody can tell it apart.
        drawn = self._from_remaining + self.rate * (now - self._from) - self.remaining
        seen = min(max(1.0, drawn / self._answered), self.limit / 4)
        self.cost = (self.cost + seen) / 2
        self._enough = min(2 * self._enough, MOST)
        self._begin_sample()

    def will_do(self, in_s: float) -> None:
        """Take the API's word that there is enough for a call in so many seconds, whatever the counts say."""
        self.remaining = max(self.remaining, self.cost - self.rate * in_s)

    def left(self, now: float) -> float:
        """Return what is left, as far as can be told; below 0 where more was sent than it holds."""
        return min(self.limit, self.remaining + self.rate * (now - self.at)) - self.cost * self.sent

    def interval(self, now: float, *, below: float, waiting: bool) -> float:
        """Return the seconds between two calls; 0 when enough is left.

        While some wait it is never 0: those in line do not start all at once
        when enough is left, but at twice the pace of the refill with a full span.
        """
        span = max(below * self.limit, min(LEAST_CALLS * self.cost, self.limit / 2))
        left = self.left(now)
        if left >= span and not waiting:
            return 0.0
        ratio = span / max(left, span / (SLOWEST + 1))
        factor = max(ratio - 1, ratio / 2) if waiting else ratio - 1
        return factor * self.cost / self.rate


@dataclass(slots=True)
class Slot:
    """A place in the line.

    Attributes:
        number: From 1.
        latest: The instant at which its call goes, whatever is left.
        over: Whether it has gone, or was given back.
    """

    number: int
    latest: float
    over: bool = False


@dataclass(slots=True)
class Lane:
    """The line of all calls that draw on the same limits, and the clock that says whose turn it is.

    The clock counts calls, not seconds: it passes one number in each interval,
    and the interval follows the newest reading, for those who wait already, too.
    Not thread-safe: whoever shares one between threads holds a lock.

    Attributes:
        below: The share of a limit below which calls are spread.
        used: When somebody came by last.
    """

    below: float
    used: float = 0.0
    _buckets: dict[str, Bucket] = field(default_factory=dict)
    _position: float = 0.0
    _last: int = 0
    _waiting: int = 0
    _at: float = 0.0
    _held_until: float = 0.0
    _given_back: list[int] = field(default_factory=list)

    def learn(
        self, readings: Mapping[str, Reading], now: float, *, drew: bool = True, retry_after_s: float | None = None
    ) -> None:
        """Take what an answer said.

        Args:
            readings: By kind; an answer without any changes nothing.
            now: When it came.
            drew: Whether the call drew on the limits.
            retry_after_s: What a 429 asked for: until then nobody else's turn comes.
        """
        self._go_on(now)
        for kind, reading in readings.items():
            bucket, counts_calls = self._buckets.get(kind), kind == "requests"
            if bucket is not None:
                bucket.learn(reading, now, drew=drew, counts_calls=counts_calls)
            elif reading.share < WATCHED_BELOW:
                self._buckets[kind] = Bucket(reading, now, counts_calls=counts_calls)
        if retry_after_s is not None and self._buckets:
            self._held_until = max(self._held_until, now + retry_after_s)
            for bucket in self._buckets.values():
                bucket.will_do(retry_after_s)

    def take(self, now: float, *, most_wait_s: float) -> Slot | None:
        """Return a place in the line; None when the call may go at once, and is taken to have gone."""
        self._go_on(now)
        if not self._waiting and now >= self._held_until and self.interval(now) == 0.0:
            self._position = float(self._last)
            self._sent()
            return None
        while self._given_back and self._given_back[0] <= self._position:
            heapq.heappop(self._given_back)  # its turn went by
        if self._given_back:
            number = heapq.heappop(self._given_back)
        else:
            self._last += 1
            number = self._last
        self._waiting += 1
        return Slot(number, now + most_wait_s)

    def wait_s(self, slot: Slot, now: float) -> float:
        """Return how many seconds to sleep before asking again; 0 when the call goes, and is taken to have gone."""
        self._go_on(now)
        ahead, held = slot.number - 1 - self._position, max(self._held_until - now, self._short_s(now))
        if now >= slot.latest or (ahead <= 1e-9 and held <= 1e-9):
            self._waiting -= 1
            slot.over = True
            # Who goes before its turn does not leave the line behind it as long as it was.
            self._position = max(self._position, slot.number - 1.0)
            self._sent()
            return 0.0
        expected = max(held, 0.0) + max(ahead, 0.0) * self.interval(now)
        # The pace changes with each answer, so who has long to wait looks again half-way.
        return min(max(expected / 2, SOONEST_S), max(slot.latest - now, 0.001))

    def leave(self, slot: Slot) -> None:
        """Give back a place that is not used: its caller was cancelled. The next who comes gets it."""
        if slot.over:
            return
        slot.over = True
        self._waiting -= 1
        if slot.number == self._last:
            self._last -= 1
        else:
            heapq.heappush(self._given_back, slot.number)

    def interval(self, now: float) -> float:
        """Return the seconds between two calls now, by the tightest limit; 0 when enough of all is left."""
        waiting = self._waiting > 0
        return max((b.interval(now, below=self.below, waiting=waiting) for b in self._buckets.values()), default=0.0)

    @property
    def waiting(self) -> int:
        """How many are in line."""
        return self._waiting

    @property
    def watched(self) -> tuple[str, ...]:
        """The kinds of limits that are less than half full, or were a moment ago."""
        return tuple(self._buckets)

    def _short_s(self, now: float) -> float:
        """Return the seconds until each bucket holds what one call draws; below 0 where all do."""
        return max(((b.cost - b.left(now)) / b.rate for b in self._buckets.values()), default=0.0)

    def _sent(self) -> None:
        for bucket in self._buckets.values():
            bucket.sent += 1

    def _go_on(self, now: float) -> None:
        """Move the clock to now, and forget what is full again, or too old."""
        self.used = now
        since, self._at = max(self._at, self._held_until), max(self._at, now)
        for kind, bucket in list(self._buckets.items()):
            if now - bucket.at > OLDEST_S or bucket.left(now) >= bucket.limit:
                del self._buckets[kind]
        if self._position >= self._last or now <= since:
            return
        interval = self.interval((since + now) / 2)
        if interval <= 0:
            self._position = float(self._last)
            return
        self._position = min(float(self._last), self._position + (now - since) / interval)
