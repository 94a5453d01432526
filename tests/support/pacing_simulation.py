"""pacing_simulation: callers, lanes and a token-bucket API, all in simulated time; ten minutes take a second.

The same `Lane` and `read_limits` as in `claxon.Throttle`, the same `Limits` as in
`TokenBucketApi`; only clock, network and chance are made up, the latter from a seed.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import httpx2
from claxon.pacing import Lane, Slot
from claxon.ratelimits import read_limits

from tests.support.token_bucket_api import Cost, Limits

EPOCH = 1_800_000_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is simulated.

    Attributes:
        limits: Of the API, a minute.
        callers: In each of the processes, which share the limits and know nothing of each other.
        calls_per_minute: What all callers together want.
        processes: How many.
        tokens: Whether calls draw tokens, 300 to 1,500 in and 50 to 400 out.
        filled: The share that is in the buckets at first.
        minutes: How long it goes on; the first is not counted.
        takes_s: Seconds that an answer takes, at least and at most.
        throttled: Whether calls go through a lane.
        most_wait_s: As of `Throttle`.
    """

    limits: Mapping[str, float]
    callers: int
    calls_per_minute: float
    processes: int = 1
    tokens: bool = False
    filled: float = 0.5
    minutes: float = 10.0
    takes_s: tuple[float, float] = (0.5, 2.0)
    throttled: bool = True
    most_wait_s: float = 30.0


@dataclass(slots=True)
class Course:
    """What became of it, after the first minute.

    Attributes:
        answered: Of each process.
        refused: How many got a 429.
        waits: Of each call, in seconds.
        minutes: How many were counted.
    """

    answered: list[int]
    refused: int = 0
    waits: list[float] = field(default_factory=list)
    minutes: float = 0.0

    @property
    def refused_share(self) -> float:
        """Refused of all requests."""
        return self.refused / max(1, self.refused + sum(self.answered))

    @property
    def answered_per_minute(self) -> float:
        """The throughput."""
        return sum(self.answered) / self.minutes

    def wait_s(self, share: float) -> float:
        """Return the wait that `share` of the calls did not exceed."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


class Simulation:
    """Runs one load."""

    def __init__(self, load: Load, *, seed: int = 1) -> None:
        self.load = load
        self._random = random.Random(seed)
        self._api = Limits(load.limits, filled=load.filled)
        self._lanes = [Lane(below=0.1) for _ in range(load.processes)]
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = itertools.count()
        self._think_s = load.callers * load.processes / (load.calls_per_minute / 60)
        self.course = Course(answered=[0] * load.processes, minutes=load.minutes - 1)

    def run(self) -> Course:
        """Return what became of it."""
        for process in range(self.load.processes):
            for _ in range(self.load.callers):
                self._at(self._random.uniform(0, self._think_s), self._caller(process))
        end = self.load.minutes * 60
        while self._due and self._due[0][0] <= end:
            now, _, then = heapq.heappop(self._due)
            then(now)
        return self.course

    def _at(self, when: float, then: Callable[[float], None]) -> None:
        heapq.heappush(self._due, (when, next(self._numbers), then))

    def _caller(self, process: int) -> Callable[[float], None]:
        def call(now: float) -> None:
            slot = None
            if self.load.throttled:
                slot = self._lanes[process].take(now, most_wait_s=self.load.most_wait_s)
            if slot is None:
                self._send(process, now, now)
            else:
                self._wait(process, slot, now, now)

        return call

    def _wait(self, process: int, slot: Slot, began: float, now: float) -> None:
        left_s = self._lanes[process].wait_s(slot, now)
        if left_s == 0:
            self._send(process, began, now)
        else:
            self._at(now + left_s, lambda later: self._wait(process, slot, began, later))

    def _send(self, process: int, began: float, now: float) -> None:
        cost = self._cost()
        short_s = self._api.admit(cost, now)
        counted = now >= 60
        if counted:
            self.course.waits.append(now - began)
        said = self._api.headers(now, epoch=EPOCH)

        def answer(then: float) -> None:
            if short_s is None:
                self._api.answered(cost, then)
                self.course.answered[process] += counted
            else:
                self.course.refused += counted
            # The server's `date` has whole seconds, too.
            readings = read_limits(httpx2.Headers(said), now=EPOCH + int(now))
            asked = None if short_s is None else max(1.0, short_s)
            self._lanes[process].learn(readings, then, drew=short_s is None, retry_after_s=asked)
            again = max(then, began + self._random.expovariate(1 / self._think_s))
            self._at(again, self._caller(process))

        self._at(now + (0.05 if short_s is not None else self._random.uniform(*self.load.takes_s)), answer)

    def _cost(self) -> Cost:
        if not self.load.tokens:
            return Cost()
        return Cost(input_tokens=self._random.choice((300, 800, 1500)), output_tokens=self._random.randint(50, 400))
