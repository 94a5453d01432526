"""A series' calls through the engine.

≠ which rules, what it means.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from enum import StrEnum
from math import floor
from random import Random

from claxon.event import Event, complete

from alerts.decisions import Transition
from alerts.evaluator import Engine
from alerts.lifecycle import Change
from alerts.rules import Rule
from tests.support.traces import FAILURES, endpoint_outcomes

from .truth import Truth

ENVIRONMENT = "production"
LATE_SHARE = 0.01
_CHANGES = (Change.FIRED, Change.KEPT, Change.HELD, Change.RESOLVED)


class Shape(StrEnum):
    """What a failed call looks like."""

    EXHAUSTED = "exhausted"
    """The third attempt of three: 500, 529 (40 % each) or 429."""

    PLAIN = "plain"
    """A 500 or a 529, about which nothing more is said."""


class Order(StrEnum):
    """How the events arrive."""

    TIME = "time"
    SHUFFLED = "shuffled"
    """Each up to 30 s late."""

    LATE = "late"
    """1 % of them 2 to 10 min late, and 1 % twice."""

    UNTIDY = "untidy"
    """Both."""


def replay(
    series: str, rules: Iterable[Rule], *, calls_per_5m: float, shape: Shape, order: Order, seed: int = 1
) -> list[Transition]:
    """Return what changed, of each alert; the series is the app."""
    truth = Truth(series)
    chance = Random(f"{series} {calls_per_5m} {shape} {seed}")
    outcomes = endpoint_outcomes(series, truth.start, truth.end, calls_per_5m=calls_per_5m, chance=chance)
    events = _events(series, outcomes, shape, chance)
    engine = Engine(rules, measure=False)
    found: list[Transition] = []
    if order is Order.TIME:
        found += engine.replay(events).transitions
    else:
        for now, arrived in _batches(_arrivals(events, order, seed)):
            found += engine.observe(arrived, now).transitions
    found += engine.tick(floor(truth.end) + 1).transitions
    return [t for t in found if t.change in _CHANGES]


def _events(series: str, outcomes: Iterable[tuple[float, bool]], shape: Shape, chance: Random) -> Iterator[Event]:
    model = series.partition("/")[0]
    weights = [weight for *_, weight in FAILURES]
    for i, (at, failed) in enumerate(outcomes):
        if not failed:
            # What `complete` makes of a success; there are fifty million of them.
            yield Event(app=series, environment=ENVIRONMENT, model=model, at=at, final=True, exhausted=False)
        elif shape is Shape.EXHAUSTED:
            ((status, error_type, _),) = chance.choices(FAILURES, weights=weights)
            event = Event(app=series, environment=ENVIRONMENT, model=model, time=at, status=status)
            event.error_type, event.call_id = error_type, str(i)
            event.attempt = event.max_attempts = 3
            yield complete(event, received_at=at)
        else:
            status = chance.choice((500, 529))
            event = Event(app=series, environment=ENVIRONMENT, model=model, time=at, status=status)
            yield complete(event, received_at=at)


def _arrivals(events: Iterable[Event], order: Order, seed: int) -> Iterator[tuple[float, Event]]:
    """Yield (when it arrives, event), in the order of arrival.

    A duplicate has the event_id of its original and is left out before the engine, so what
    remains of the two is the one that comes first: the original, here as in the service.
    """
    chance = Random(f"arrivals {order} {seed}")
    on_the_way: list[tuple[float, int, Event]] = []
    for i, event in enumerate(events):
        while on_the_way and on_the_way[0][0] <= event.at:
            now, _, first = heapq.heappop(on_the_way)
            yield now, first
        heapq.heappush(on_the_way, (event.at + _delay(order, chance), i, event))
    while on_the_way:
        now, _, first = heapq.heappop(on_the_way)
        yield now, first


def _delay(order: Order, chance: Random) -> float:
    if order is not Order.SHUFFLED and chance.random() < LATE_SHARE:
        return chance.uniform(120, 600)
    return chance.uniform(0, 30) if order is not Order.LATE else 0.0


def _batches(arrivals: Iterable[tuple[float, Event]]) -> Iterator[tuple[float, list[Event]]]:
    """Yield (when, events) of each second: no evaluation lies inside one, so nothing is decided otherwise."""
    batch: list[Event] = []
    second, latest = -1, 0.0
    for now, event in arrivals:
        if floor(now) != second:
            if batch:
                yield latest, batch
            second, batch = floor(now), []
        batch.append(event)
        latest = now
    if batch:
        yield latest, batch
