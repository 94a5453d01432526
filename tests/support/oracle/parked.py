"""`parked`: calls that sleep because of a long `retry-after`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

from alerts.conditions import Parked as Condition

from .found import Holds
from .keys import Attempt, Key

REMEMBERED = 1000

Call: TypeAlias = tuple[str, str, str] | int


@dataclass(slots=True)
class Sleep:
    """One attempt that parks its call.

    Attributes:
        call: App, environment and call_id; a number of its own without one.
        seen_at: From when on.
        wakes_at: Until when.
        gone_on_at: When a higher attempt of the call had been observed.
        forgotten_at: When so many others woke later that it was forgotten.
    """

    call: Call
    seen_at: float
    wakes_at: float
    gone_on_at: float
    forgotten_at: float = inf

    def at(self, g: int) -> bool:
        """Whether it parks its call at g."""
        return self.seen_at < g < self.wakes_at and g <= min(self.gone_on_at, self.forgotten_at)


class Parked:
    """So many calls sleep at once."""

    def __init__(self, key: Key, condition: Condition) -> None:
        self.calls = condition.calls
        parking = [a for a in key.attempts if says_sleep(a, condition)]
        self.sleeps = [_sleep(a, number) for number, a in enumerate(parking)]
        if len(self.sleeps) > REMEMBERED:
            _forget(self.sleeps)

    def __call__(self, g: int, state: str) -> Holds:
        parked = {sleep.call for sleep in self.sleeps if sleep.at(g)}
        return len(parked) >= self.calls, {"parked": len(parked)}

    def instants(self) -> Iterable[float]:
        for sleep in self.sleeps:
            yield sleep.wakes_at
            if sleep.gone_on_at < inf:
                yield sleep.gone_on_at


def says_sleep(attempt: Attempt, condition: Condition) -> bool:
    """Whether an attempt is a failure that says that its call sleeps for longer than is asked."""
    event = attempt.event
    goes_on = not event.final or event.provisional
    return attempt.matches and goes_on and event.retry_after_s is not None and event.retry_after_s > condition.over_s


def _sleep(attempt: Attempt, number: int) -> Sleep:
    event = attempt.event
    assert event.retry_after_s is not None
    return Sleep(
        call=number if event.call_id is None else (event.app, event.environment, event.call_id),
        seen_at=attempt.seen_at,
        wakes_at=event.at + event.retry_after_s,
        gone_on_at=attempt.gone_on_at,
    )


def _forget(sleeps: list[Sleep]) -> None:
    """Say when each is forgotten for too many others that wake later."""
    known: list[Sleep] = []
    for now in sorted({sleep.seen_at for sleep in sleeps}):
        known += [sleep for sleep in sleeps if sleep.seen_at == now]
        known = [sleep for sleep in known if sleep.gone_on_at > now]
        by_call: dict[Call, list[Sleep]] = defaultdict(list)
        for sleep in known:
            by_call[sleep.call].append(sleep)
        last_first = sorted(by_call.values(), key=lambda of_call: max(s.wakes_at for s in of_call), reverse=True)
        for of_call in last_first[REMEMBERED:]:
            for sleep in of_call:
                sleep.forgotten_at = now
        known = [sleep for sleep in known if sleep.forgotten_at == inf]
