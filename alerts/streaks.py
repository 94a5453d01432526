"""Consecutive failures of one key, in event time.

≠ rules, keys. docs/reference/decisions.md, `consecutive`, is the definition.
"""

from __future__ import annotations

from bisect import bisect_right
from math import ceil, log

import msgspec

MAX_COUNT = 64
"""The adaptive count never asks for more, or a total outage of a busy path would not be seen."""

_KEPT = 256  # failures of a run that are kept; well over MAX_COUNT, for repeated calls
_LOOKED_AT = 4096  # failures of one second that are looked at
CHANCE = 0.01
"""Runs of chance that a day may show, on average, before the count rises."""


class Failure(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One failed attempt: when it counts from, when it ended, whose it is ("" is unknown)."""

    ready: int
    at: float
    call: str


class Streak(msgspec.Struct):
    """What one key's run needs.

    Attributes:
        waiting: Failures that do not count yet.
        successes: (ready, instants) of batches that have not settled.
        boundary: The newest settled success, Unix seconds.
        run: Failures since then that count, by `at`.
        met: Whether the newest run was long enough.
        longest: Different calls in the newest run.
        met_length: Different calls in the run that was met last.
    """

    waiting: list[Failure] = msgspec.field(default_factory=list)
    successes: list[tuple[int, list[float]]] = msgspec.field(default_factory=list)
    boundary: float = float("-inf")
    run: list[Failure] = msgspec.field(default_factory=list)
    met: bool = False
    longest: int = 0
    met_length: int = 0

    def succeed(self, ready: int, instants: list[float], *, second: int, awake: bool) -> None:
        """Take successes that were observed in a second, and are ready at another.

        While it is not `awake` nobody evaluates it: what is ready by then has settled.
        """
        successes = self.successes
        if successes and successes[-1][0] == ready:
            successes[-1][1].extend(instants)
            return
        if not awake:
            self._settle(second + 1)
        successes.append((ready, instants))

    def settle_at(self, newest: float) -> None:
        """Take it that all successes up to an instant have settled."""
        self.boundary = max(self.boundary, newest)

    def forget_settled(self, ready: int) -> None:
        """Settle what was observed before what is ready at `ready`, and let go of the failures that lie before it."""
        self._settle(ready)
        self.waiting = [f for f in self.waiting if f.at >= self.boundary]
        self.run = [f for f in self.run if f.at >= self.boundary]

    def fail(self, failures: list[Failure]) -> None:
        """Take failures that were observed in one second; of very many the newest."""
        if len(failures) > _LOOKED_AT:
            failures = sorted(failures, key=_by_time)[-_LOOKED_AT:]
        self.waiting += failures

    def rewind(self, now: float, ready: int) -> None:
        """Take the clock's being set back to `now`: what waits is ready soon, nothing lies ahead."""
        self.waiting = [Failure(min(f.ready, ready), min(f.at, now), f.call) for f in self.waiting]
        self.run = [Failure(f.ready, min(f.at, now), f.call) for f in self.run]
        self.successes = [(min(r, ready), [min(at, now) for at in ats]) for r, ats in self.successes]
        self.boundary = min(self.boundary, now)

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to evaluate."""
        return not self.waiting and not self.run

    @property
    def size(self) -> int:
        """How many failures may be one run, at most."""
        return len(self.waiting) + len(self.run)

    @property
    def present(self) -> int:
        """Different calls that failed since the newest success, as far as successes have settled."""
        return _calls([f for f in (*self.run, *self.waiting) if f.at >= self.boundary])

    def next_ready(self) -> int | None:
        """Return the next instant at which something counts or settles."""
        instants = [f.ready for f in self.waiting]
        if self.run or self.waiting:
            instants += [ready for ready, _ in self.successes]
        return min(instants, default=None)

    def evaluate(self, g: int, *, count: int, keep_s: float) -> bool:
        """Whether a failure that counts for the first time at `g` makes a run of `count`.

        Afterwards `met` says whether the newest run is, or has been, long enough.

        Args:
            g: The instant of evaluation, in whole seconds.
            count: Different calls that a run needs.
            keep_s: Failures that are older than this when they first count are passed over as too late.
        """
        self._settle(g)
        due = [f for f in self.waiting if f.ready <= g and f.at >= self.boundary and f.at > f.ready - keep_s]
        self.waiting = [f for f in self.waiting if f.ready > g]
        candidates = sorted([*self.run, *due], key=_by_time)
        known = [instants for _, instants in self.successes]
        for instants in known:
            # In place: what was sorted a second ago is looked through once.
            instants.sort()
        met_now = False
        for segment in _segments(candidates, known):
            calls = _calls(segment)
            if calls >= count and any(f.ready == g for f in segment):
                met_now = True
                self.met_length = calls
        before = self.boundary
        self._settle(g + 1)
        self.run = [f for f in candidates if f.at >= self.boundary][-_KEPT:]
        rest = [_calls(s) for s in _segments(self.run, known)]
        self.longest = max(rest, default=0)
        broken = self.boundary > before and len(self.run) < len(candidates)
        self.met = bool(self.run) and (self.met or met_now) and (not broken or self.longest >= count)
        return met_now

    def _settle(self, before: int) -> None:
        """Let the successes that are ready before an instant move the boundary."""
        successes = self.successes
        settled = 0
        for ready, instants in successes:
            if ready >= before:
                break  # They are in the order in which they were observed.
            settled += 1
            newest = max(instants)
            if newest > self.boundary:
                self.boundary = newest
        if settled:
            del successes[:settled]


def _by_time(failure: Failure) -> tuple[float, str]:
    return (failure.at, failure.call)


def _segments(failures: list[Failure], successes: list[list[float]]) -> list[list[Failure]]:
    """Return the failures, which are in order, cut by the successes; of two at once the success is first.

    Args:
        failures: By time.
        successes: Instants, each list in order.
    """
    if not failures:
        return []
    first, last = failures[0].at, failures[-1].at
    between = [instants for instants in successes if instants and instants[0] <= last and instants[-1] > first]
    if not between:
        return [failures]
    cut: dict[int, list[Failure]] = {}
    for failure in failures:
        cut.setdefault(sum([bisect_right(instants, failure.at) for instants in between]), []).append(failure)
    return list(cut.values())


def _calls(failures: list[Failure]) -> int:
    """Return how many different calls failed; one without an id stands for itself."""
    known = {f.call for f in failures if f.call}
    return len(known) + sum(1 for f in failures if not f.call)


def ready_at(second: int, settle_s: float) -> int:
    """Return the whole second at which what is observed in a second counts: `settle` after its end."""
    return second + 1 + ceil(settle_s)


def adaptive_count(least: int, *, calls: int, attempts: int, failures: int, floor: float = 0.0) -> int:
    """Return the smallest k >= `least` for which chance makes less than 0.01 runs a day.

    Derivation: if each of n calls of a day fails by itself with probability p, k calls
    in a row all fail with probability p^k, and there are n places for such a row to
    begin, so a day shows n·p^k of them by chance (an upper bound: rows overlap). The
    smallest k with n·p^k < 0.01 makes chance page at most once in 100 days:

        k > log(0.01 / n) / log(p)

    p is not known, so it is what the key's own day shows, without the last 5 min (an
    outage must not raise its own threshold), with a prior of half a failure in 100
    attempts: (e + 0.5) / (a + 100). So a path of which nothing is known has p = 0.005
    and k = 2 up to 399 calls a day; at 1 % of 10,000 calls it is 3. Real failures come
    in clusters, which is why p has a floor in the default rule: docs/noise.md measures it.

    Args:
        least: The k that was configured.
        calls: Of the key in the last 24 h.
        attempts: Of the key in the last 24 h, without the last 5 min.
        failures: Of these.
        floor: What p is at least. A day that was too good makes the count too low for an hour that is not.
    """
    if calls <= 0:
        return least
    share = max(floor, (failures + 0.5) / (attempts + 100))
    if share >= 1:
        return MAX_COUNT
    count = max(least, int(log(CHANCE / calls) / log(share)) - 1)
    while count < MAX_COUNT and calls * share**count >= CHANCE:
        count += 1
    return min(count, MAX_COUNT)
