"""circuits: when a circuit opens, lets probes through, and closes. Decisions only; told the time and the outcomes.

Why no library: see docs/client/circuit-breaker.md. Those that are well kept count
failures in a row, so that one success in three keeps them closed; those that
judge a rate for sync and async both let a probe that never returns hold its
place for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from .event import Circuit as State
from .outcome import Outcome
from .taxonomy import Category

HEALTH = frozenset({Category.SERVER, Category.OVERLOADED, Category.TIMEOUT, Category.CONNECTION})
"""The failures that speak of the API's health, and not of the app, its key or its limits."""

BUCKETS = 10
"""Parts of the rolling window."""

YOUNG = 3
"""Parts of it, beside the present one, in which an attempt that has not come back may still be a good one."""

MOST_DOUBLINGS = 30


class Verdict(Enum):
    """What an attempt says of the API's health."""

    GOOD = "good"
    BAD = "bad"
    ANSWERED = "answered"  # refused for a reason of the app's: neither good nor bad, but the API answers
    NOTHING = "nothing"  # cancelled, or never sent


def verdict_of(outcome: Outcome, *, counted: frozenset[Category]) -> Verdict:
    """Return what an attempt says of the API's health; `counted` are the categories that speak against it."""
    if outcome.error_code == "circuit_open":
        return Verdict.NOTHING  # another breaker's word, further in
    if outcome.ok:
        return Verdict.GOOD
    if outcome.category in counted:
        return Verdict.BAD
    return Verdict.NOTHING if outcome.status is None else Verdict.ANSWERED


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """When a circuit opens, and for how long.

    Attributes:
        window_s: The seconds that are looked back on.
        least_attempts: In them, below which nothing is judged.
        share: Of them that failed, from which on it opens.
        open_s: Seconds that it stays open; doubles each time that a probe fails.
        most_open_s: The most.
        probes: How many calls it lets through half-open, and that must succeed to close it.
        probe_s: Seconds after which a probe that has not come back gives its place to another.
    """

    window_s: float = 30.0
    least_attempts: int = 10
    share: float = 0.5
    open_s: float = 5.0
    most_open_s: float = 10.0
    probes: int = 2
    probe_s: float = 30.0

    def open_for(self, times: int, chance: float) -> float:
        """Return for how many seconds it opens, after `times` failed returns.

        Between half of the time and all of it, as `chance` in [0, 1) says: the
        breakers of many processes do not probe at the same moment.
        """
        full = min(self.most_open_s, self.open_s * 2.0 ** min(times, MOST_DOUBLINGS))
        return full * (0.5 + 0.5 * chance)


class Window:
    """Attempts and failures of the last seconds, in a fixed number of counters."""

    __slots__ = ("_attempts", "_failures", "_flying", "_newest", "_width")

    def __init__(self, window_s: float) -> None:
        self._width = window_s / BUCKETS
        self._attempts = [0] * BUCKETS
        self._failures = [0] * BUCKETS
        self._flying = [0] * BUCKETS
        self._newest = 0

    def begin(self, now: float) -> None:
        """Count an attempt that is sent."""
        self._flying[self._turn(now) % BUCKETS] += 1

    def end(self, began: float, now: float) -> None:
        """Count it no more as on its way."""
        number = int(began / self._width)
        if self._turn(now) - number < BUCKETS and self._flying[number % BUCKETS]:
            self._flying[number % BUCKETS] -= 1

    def flying(self, now: float) -> int:
        """Return how many attempts are on their way that were sent a short time ago."""
        newest = self._turn(now)
        return sum(self._flying[number % BUCKETS] for number in range(newest - YOUNG, newest + 1))

    def add(self, now: float, *, failed: bool) -> None:
        """Count one attempt."""
        number = self._turn(now)
        self._attempts[number % BUCKETS] += 1
        self._failures[number % BUCKETS] += failed

    def counts(self, now: float) -> tuple[int, int]:
        """Return (attempts, failures)."""
        self._turn(now)
        return sum(self._attempts), sum(self._failures)

    def _turn(self, now: float) -> int:
        """Empty what is too old."""
        number = int(now / self._width)
        for old in range(max(self._newest + 1, number - BUCKETS + 1), number + 1):
            self._attempts[old % BUCKETS] = self._failures[old % BUCKETS] = self._flying[old % BUCKETS] = 0
        self._newest = max(self._newest, number)
        return self._newest


@dataclass(slots=True)
class Pass:
    """Leave to send one attempt.

    Attributes:
        era: Of the circuit when it was given: what comes back in another says nothing of this one.
        began: When.
        probe: Whether it is one.
        over: Whether it came back.
        news: The state to be told with this attempt, if any.
    """

    era: int
    began: float
    probe: bool = False
    over: bool = False
    news: State | None = None


@dataclass(slots=True)
class Refusal:
    """That an attempt is not sent.

    Attributes:
        retry_in_s: Seconds until it is worth another try.
        state: The circuit's.
        because: The failure that opened it.
    """

    retry_in_s: float
    state: State
    because: Outcome


class Circuit:
    """One circuit. Not thread-safe: whoever shares one between threads holds a lock, but for `give_back`."""

    __slots__ = (
        "_because",
        "_chance",
        "_closed_at",
        "_era",
        "_fresh",
        "_good",
        "_probing",
        "_state",
        "_terms",
        "_times",
        "_until",
        "_window",
        "used",
    )

    def __init__(self, terms: Terms, *, now: float, chance: Callable[[], float]) -> None:
        self._terms = terms
        self._chance = chance
        self._state = State.CLOSED
        self._window = Window(terms.window_s)
        self._era = 0
        self._times = 0
        self._closed_at = float("-inf")
        self._until = 0.0
        self._because = Outcome(category=Category.SERVER)
        self._probing: list[Pass] = []
        self._good = 0
        self._fresh = False
        self.used = now

    @property
    def state(self) -> State:
        """Open is open until the first probe, however long it takes for somebody to come by."""
        return self._state

    def ask(self, now: float) -> Pass | Refusal:
        """Return whether an attempt may be sent."""
        self.used = now
        if self._state is State.CLOSED:
            news = State.CLOSED if self._fresh else None
            self._fresh = False
            self._window.begin(now)
            return Pass(self._era, now, news=news)
        if self._state is State.OPEN:
            if now < self._until:
                return Refusal(self._until - now, State.OPEN, self._because)
            self._turn(State.HALF_OPEN)
        return self._probe(now)

    def _probe(self, now: float) -> Pass | Refusal:
        out = [each for each in self._probing if not each.over and now - each.began < self._terms.probe_s]
        self._probing = out
        if len(out) + self._good >= self._terms.probes:
            frees_in_s = out[0].began + self._terms.probe_s - now if out else 0.0
            return Refusal(max(0.0, frees_in_s), State.HALF_OPEN, self._because)
        given = Pass(self._era, now, probe=True, news=State.HALF_OPEN)
        out.append(given)
        return given

    def judge(self, given: Pass, verdict: Verdict, outcome: Outcome, now: float) -> bool:
        """Take what became of an attempt; return whether the circuit opened by it."""
        given.over = True
        if given.era != self._era:
            return False
        if not given.probe:
            self._window.end(given.began, now)
        if verdict is Verdict.NOTHING:
            return False
        if self._state is State.HALF_OPEN:
            return self._judge_probe(verdict, outcome, now)
        if verdict is Verdict.ANSWERED:
            return False
        failed = verdict is Verdict.BAD
        self._window.add(now, failed=failed)
        if not failed:
            return False
        attempts, failures = self._window.counts(now)
        # A failure comes back sooner than an answer: of fifty sent at once the first ten to return have failed.
        judged = attempts + self._window.flying(now)
        if attempts < self._terms.least_attempts or failures < self._terms.share * judged:
            return False
        # One that opens again as soon as it has closed had not recovered.
        self._times = self._times + 1 if now - self._closed_at < self._terms.window_s else 0
        self._open(outcome, now)
        return True

    def _judge_probe(self, verdict: Verdict, outcome: Outcome, now: float) -> bool:
        if verdict is Verdict.BAD:
            self._times += 1
            self._open(outcome, now)
            return True
        self._good += 1
        if self._good >= self._terms.probes:
            self._window = Window(self._terms.window_s)
            self._closed_at = now
            self._fresh = True
            self._turn(State.CLOSED)
        return False

    def _open(self, because: Outcome, now: float) -> None:
        open_s = self._terms.open_for(self._times, self._chance())
        if because.retry_after_s is not None:
            open_s = max(open_s, min(because.retry_after_s, self._terms.most_open_s))
        self._until = now + open_s
        self._because = because
        self._turn(State.OPEN)

    def _turn(self, state: State) -> None:
        self._state = state
        self._era += 1
        self._probing = []
        self._good = 0


def give_back(given: Pass) -> None:
    """Say that an attempt came back without saying anything: it was cancelled. Takes no lock, so a finalizer may."""
    given.over = True
