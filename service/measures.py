"""Measures: what events say of which no rule keeps count: how long attempts took, waste, limits, breakers, hops.

Counted in the core's thread, since the process started. Most events are plain successes, so what is done with each of
them is a look-up and an append; the rest is done with many at once. ≠ names, formats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import compress, islice
from operator import attrgetter
from typing import TypeAlias

from claxon.event import Event, RateLimits

from alerts.counters import Model, Totals
from alerts.keyring import OVERFLOW

from .durations import Durations

MAX_MODELS = 1_000
"""(app, environment, model) that are kept apart, the first that the engine saw; the others share one."""

MAX_HOPS = 1_000
"""(app, environment, model, model that failed first) that are kept apart."""

FRESH_S = 600.0
"""What an event said of a limit or a breaker is shown so long."""

REASONS = ("max_attempts", "deadline", "retry_budget", "cost", "retry_after", "circuit", "other")
"""Why a client stopped trying; what it says beside these is `other`."""

EXACT = 20_000
"""Events a second of which each is timed; of those beyond, one of `SHARE`, counted as so many."""

SHARE = 10
_WAITING = 65_536
"""Durations that wait to be sorted into cells, at most."""

OTHERS: Model = (OVERFLOW, OVERFLOW, OVERFLOW)

Hop: TypeAlias = tuple[str, str, str, str]
"""(app, environment, model, the model that failed first)."""

_KEY = attrgetter("app", "environment", "model")
_TOOK = attrgetter("duration_ms")
_FIRST = attrgetter("time_to_first_token_ms")
_MORE = attrgetter("category", "ratelimit", "circuit", "throttled_ms", "fallback_from", "cached")
_PLAIN = ("ok", None, None, None, None, None)


@dataclass(slots=True)
class Measured:
    """What is known of one (app, environment, model).

    Attributes:
        took: Attempts' durations.
        first: Times to the first token.
        wasted_input, wasted_output: Tokens of failed attempts.
        stopped: Calls that a client tried no further, by reason.
        throttled_s: How long the client held attempts back.
        cached: Stale answers that were served.
        limits, limits_at: What the newest answer said of the rate limits, and when, Unix seconds.
        circuit, circuit_at: The state of the breaker in the newest event that has one, and when.
    """

    took: Durations = field(default_factory=Durations)
    first: Durations = field(default_factory=Durations)
    wasted_input: int = 0
    wasted_output: int = 0
    stopped: dict[str, int] = field(default_factory=dict)
    throttled_s: float = 0.0
    cached: int = 0
    limits: RateLimits | None = None
    limits_at: float = 0.0
    circuit: str = ""
    circuit_at: float = 0.0

    def take(self, event: Event) -> None:
        """Take what is more than a plain success."""
        if event.category not in ("ok", "cancelled"):
            self.wasted_input += sum(
                n for n in (event.input_tokens, event.cache_read_tokens, event.cache_write_tokens) if n
            )
            self.wasted_output += event.output_tokens or 0
        if (why := event.stopped_by) is not None:
            why = why if why in REASONS else REASONS[-1]
            self.stopped[why] = self.stopped.get(why, 0) + 1
        if event.throttled_ms is not None:
            self.throttled_s += event.throttled_ms / 1000
        if event.cached:
            self.cached += 1
        if event.ratelimit is not None and event.at >= self.limits_at:
            self.limits, self.limits_at = event.ratelimit, event.at
        if event.circuit is not None and event.at >= self.circuit_at:
            self.circuit, self.circuit_at = event.circuit.value, event.at

    def copied(self) -> Measured:
        """Return a copy; what events said is never changed, so it is shared."""
        return Measured(
            self.took.copied(),
            self.first.copied(),
            self.wasted_input,
            self.wasted_output,
            dict(self.stopped),
            self.throttled_s,
            self.cached,
            self.limits,
            self.limits_at,
            self.circuit,
            self.circuit_at,
        )


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Durations that are in no cell yet, and where they belong."""

    took: list[float]
    first: list[float]
    measured: Measured


class Measures:
    """Measures all events that the core evaluates, or that the partitions of a node bring."""

    def __init__(self) -> None:
        self.hops: dict[Hop, int] = {}
        # What the engine had counted before this process began.
        self.before: dict[Model, Totals] = {}
        self._totals: Mapping[Model, Totals] = {}
        self._named: frozenset[Model] | None = None
        self._waiting: dict[Model, _Waiting] = {}
        self._others: _Waiting | None = None
        self._n = 0
        self._second, self._in_second = 0, 0
        self._weight, self._phase = 1, 0

    def begin(self, totals: Mapping[Model, Totals]) -> None:
        """Begin where the engine has these totals, which it goes on counting in."""
        self._totals = totals
        self.before = {model: _sums(one) for model, one in totals.items()}

    def take(self, events: list[Event], now: float) -> None:
        """Take events that the engine observed at `now`."""
        weight = self._weight_of(len(events), int(now))
        if weight != self._weight:
            self.settle()
            self._weight = weight
        timed = events if weight == 1 else events[self._phase :: weight]
        self._phase = (self._phase + 1) % SHARE
        get = self._waiting.get
        for key, took, first in zip(map(_KEY, timed), map(_TOOK, timed), map(_FIRST, timed), strict=True):
            waiting = get(key) or self._meet(key)
            if took is not None:
                waiting.took.append(took)
            if first is not None:
                waiting.first.append(first)
        for event in compress(events, map(_PLAIN.__ne__, map(_MORE, events))):
            self._take_more(event)
        self._n += len(timed)
        if self._n >= _WAITING:
            self.settle()

    def settle(self) -> None:
        """Sort the durations that wait into cells."""
        for waiting in self._all():
            measured = waiting.measured
            if waiting.took:
                measured.took.add(waiting.took, weight=self._weight)
                waiting.took.clear()
            if waiting.first:
                measured.first.add(waiting.first, weight=self._weight)
                waiting.first.clear()
        self._n = 0

    def snapshot(self) -> dict[Model, Measured]:
        """Return a copy of what is known, by (app, environment, model)."""
        self.settle()
        found = {model: waiting.measured.copied() for model, waiting in self._waiting.items()}
        return found if self._others is None else found | {OTHERS: self._others.measured.copied()}

    def throttled(self) -> dict[Model, float]:
        """Return how many seconds clients held attempts back, by (app, environment, model), where they did."""
        held = ((model, waiting.measured.throttled_s) for model, waiting in self._waiting.items())
        return {model: seconds for model, seconds in held if seconds}

    def _weight_of(self, n: int, second: int) -> int:
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += n
        return 1 if self._in_second <= EXACT else SHARE

    def _take_more(self, event: Event) -> None:
        key = (event.app, event.environment, event.model)
        waiting = self._waiting.get(key) or self._meet(key)
        waiting.measured.take(event)
        if event.fallback_from is not None:
            hop: Hop = (*(key if waiting is not self._others else OTHERS), event.fallback_from)
            if hop not in self.hops and len(self.hops) >= MAX_HOPS:
                hop = (OVERFLOW, OVERFLOW, OVERFLOW, OVERFLOW)
            self.hops[hop] = self.hops.get(hop, 0) + 1

    def _meet(self, key: Model) -> _Waiting:
        """Return where a model is measured that has no place of its own yet."""
        if self._is_named(key):
            waiting = self._waiting[key] = _Waiting([], [], Measured())
            return waiting
        if self._others is None:
            self._others = _Waiting([], [], Measured())
        return self._others

    def _is_named(self, key: Model) -> bool:
        """Whether a model is among the first that the engine saw: those have series of their own.

        Where several engines are measured, none of which has all models, among the first that were measured.
        """
        if len(self._totals) <= MAX_MODELS:
            return len(self._waiting) < MAX_MODELS
        if self._named is None:
            # The engine forgets no model, so the first stay the first.
            self._named = frozenset(islice(self._totals, MAX_MODELS))
        return key in self._named

    def _all(self) -> Iterable[_Waiting]:
        yield from self._waiting.values()
        if self._others is not None:
            yield self._others


def _sums(totals: Totals) -> Totals:
    """Return what of totals costs money."""
    return Totals(
        attempts={"": sum(totals.attempts.values())},
        input=totals.input,
        output=totals.output,
        cache_read=totals.cache_read,
        cache_write=totals.cache_write,
    )
