"""The log: what was observed when, and what the attempts of a call tell of each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import floor, inf
from typing import NamedTuple, TypeAlias

from claxon.event import Event

REMEMBERED_S = 600

Value: TypeAlias = dict[str, float]
Observed: TypeAlias = tuple[float, Event]


class Moment(NamedTuple):
    """One entry of the log: what was observed at `now`; no events make it a tick."""

    now: float
    events: Sequence[Event] = ()


class Resumed(Moment):
    """An entry before which nobody could have been heard since the one before."""


class Change(NamedTuple):
    """One transition of one alert."""

    alert: str
    at: float
    change: str
    reason: str
    value: Value


class Pause(NamedTuple):
    """From the last instant before it to the one at which `resume` was told."""

    after: float
    resumed_at: float


def never_back(log: Sequence[Moment]) -> list[Moment]:
    """Return the log with each earlier `now` taken as the latest one seen."""
    latest, forward = -inf, []
    for moment in log:
        latest = max(latest, moment.now)
        forward.append(moment._replace(now=latest))
    return forward


def pauses_of(log: Sequence[Moment]) -> list[Pause]:
    """Return the pauses, in order."""
    nows = [-inf, *(moment.now for moment in log)]
    return [Pause(before, m.now) for before, m in zip(nows, log, strict=False) if isinstance(m, Resumed)]


def resumed_at(pauses: Iterable[Pause], g: int) -> float:
    """Return what `resume` was told last as g is evaluated: those in the pause itself come after it."""
    return max((pause.resumed_at for pause in pauses if pause.after < g), default=-inf)


# ── calls ─────────────────────────────────────────────────────────────────────


class Calls:
    """What became of the failures whose calls went on.

    Attributes:
        taken_back_at: When each provisional failure is taken back, by the identity of its event.
        absorbed: Those of them that a higher attempt preceded.
        gone_on_at: When a higher attempt of its call had been observed, for each that has a `retry_after_s`.
    """

    def __init__(self, log: Iterable[Moment]) -> None:
        self.taken_back_at: dict[int, float] = {}
        self.absorbed: set[int] = set()
        self.gone_on_at: dict[int, float] = {}
        calls: dict[tuple[str, str, str], list[Observed]] = defaultdict(list)
        for now, events in log:
            for event in events:
                if event.call_id is not None:
                    calls[event.app, event.environment, event.call_id].append((now, event))
        for attempts in calls.values():
            memories = _memories([(now, e) for now, e in attempts if e.provisional or e.attempt > 1])
            for memory in memories:
                self.taken_back_at |= _taken_back_among(memory)
                self.absorbed |= _absorbed_among(memory)
            for now, event in attempts:
                if event.retry_after_s is not None:
                    self.gone_on_at[id(event)] = _gone_on_at(event, now, attempts=attempts, memories=memories)


def _memories(heard: list[Observed]) -> list[list[Observed]]:
    """Cut what is heard of a call where it had not been heard of for 10 min, by whole minutes."""
    cut = [heard[:1]]
    for before, this in pairwise(heard):
        if _forgotten(before[0], this[0]):
            cut.append([])
        cut[-1].append(this)
    return cut


def _forgotten(heard_at: float, now: float) -> bool:
    return heard_at < floor(now / 60) * 60 - REMEMBERED_S


def _taken_back_among(attempts: list[Observed]) -> dict[int, float]:
    found = {}
    for now, event in attempts:
        if event.provisional:
            higher = [max(now, later) for later, other in attempts if other.attempt > event.attempt]
            found[id(event)] = min(higher, default=inf)
    return found


def _absorbed_among(attempts: list[Observed]) -> set[int]:
    found, highest = set(), 0
    for _, event in attempts:
        if event.provisional and event.attempt < highest:
            found.add(id(event))
        highest = max(highest, event.attempt)
    return found


def _gone_on_at(event: Event, now: float, *, attempts: list[Observed], memories: list[list[Observed]]) -> float:
    for memory in memories:
        before = [(at, other) for at, other in memory if at <= now]
        if before and not _forgotten(before[-1][0], now) and any(o.attempt > event.attempt for _, o in before):
            return now
    return min((at for at, other in attempts if at >= now and other.attempt > event.attempt), default=inf)
