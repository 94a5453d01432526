"""Consecutive failures of one key, in event time.

≠ rules, keys. docs/reference/decisions.md, `consecutive`, is the definition.
"""

from __future__ import annotations

from bisect import bisect_right
from math import ceil, floor, log

import msgspec

MAX_COUNT = 64
"""The adaptive count never asks for more, or a total outage of a busy path would not be seen."""

_KEPT = 256  # failures of a run that are kept; well over MAX_COUNT, for repeated calls
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

    def succeed(self, ready: int, instants: list[float], *, observed: int) -> None:
        """Take the successes of one batch, which was observed in the second `observed`."""
        successes = self.successes
        if successes and successes[-1][0] == ready:
            successes[-1][1].extend(instants)
            return
        if not self.run and not self.waiting:
            # Nobody evaluates a quiet key: what is ready by now has settled.
            self._settle(observed)
        successes.append((ready, instants))

    def fail(self, failure: Failure) -> None:
        """Take one failure."""
        self.waiting.append(failure)

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to evaluate."""
        return not self.waiting and not self.run

    def next_ready(self) -> int | None:
        """Return the next instant at which something counts or settles."""
        instants = [f.ready for f in self.waiting]
        if self.run or self.waiting:
            instants += [ready for ready, _ in self.successes]
        return min(instants, default=None)

    def evaluate(self, g: int, *, count: int, oldest: float) -> bool:
        """Whether a failure that counts for the first time at `g` makes a run of `count`.

        Afterwards `met` says whether the newest run is, or has been, long enough.

        Args:
            g: The instant of evaluation, in whole seconds.
            count: Different calls that a run needs.
            oldest: Failures at or before this instant are passed over as too late.
        """
        self._settle(g)
        due = [f for f in self.waiting if f.ready <= g]
        if due:
            self.waiting = [f for f in self.waiting if f.ready > g]
        fresh = {id(f) for f in due if f.at >= self.boundary and f.at > oldest}
        candidates = sorted([*self.run, *(f for f in due if id(f) in fresh)], key=_by_time)
        known = sorted(at for _, instants in self.successes for at in instants)
        met_now = False
        for segment in _segments(candidates, known):
            calls = _calls(segment)
            if calls >= count and any(id(f) in fresh for f in segment):
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


def _segments(failures: list[Failure], successes: list[float]) -> list[list[Failure]]:
    """Return the failures, cut where a success lies between; one at the same instant comes first."""
    cut: dict[int, list[Failure]] = {}
    for failure in failures:
        cut.setdefault(bisect_right(successes, failure.at), []).append(failure)
    return list(cut.values())


def _calls(failures: list[Failure]) -> int:
    """Return how many different calls failed; one without an id stands for itself."""
    known = {f.call for f in failures if f.call}
    return len(known) + sum(1 for f in failures if not f.call)


def ready_at(now: float, settle: float) -> int:
    """Return the first whole second at which what is observed at `now` counts."""
    return max(ceil(now + settle), floor(now) + 1)


def adaptive_count(least: int, *, calls: int, attempts: int, failures: int) -> int:
    """Return the smallest k >= `least` for which chance makes less than 0.01 runs a day.

    With a share p of failures, a run of k begins at a given call with probability
    p^k, so n calls show n·p^k of them by chance. p has a prior of half a failure
    in 100 attempts, so a path that never failed has p = 0.005 and k = 2 up to 399
    calls a day; at 1 % of 10,000 calls it is 3.

    Args:
        least: The k that was configured.
        calls: Of the key in the last 24 h.
        attempts: Of the key in the last 24 h, without the last 5 min.
        failures: Of these.
    """
    if calls <= 0:
        return least
    share = (failures + 0.5) / (attempts + 100)
    if share >= 1:
        return MAX_COUNT
    count = max(least, int(log(CHANCE / calls) / log(share)) - 1)
    while count < MAX_COUNT and calls * share**count >= CHANCE:
        count += 1
    return min(count, MAX_COUNT)
