"""Failures of which nobody said whether they are final, and the attempts that tell.

A retryable failure about which nothing more is said counts as a failed call until
a later attempt of the same call shows that it was absorbed.
"""

from __future__ import annotations

import msgspec
from claxon.event import Event

LIMIT = 65_536
"""Calls that are remembered."""


class Remembered(msgspec.Struct):
    """What is known of a call: its highest attempt, when it was last heard of, its failures that may be taken back."""

    attempt: int
    met_at: float = 0.0
    failures: list[Event] = msgspec.field(default_factory=list)


class Provisional(msgspec.Struct):
    """The calls that are remembered, the one that was heard of last at the end."""

    calls: dict[str, Remembered] = msgspec.field(default_factory=dict)

    def meet(self, event: Event, now: float) -> list[Event]:
        """Take an attempt; return the earlier failures that it takes back.

        An attempt that a higher one of its call preceded is marked as absorbed.
        """
        name = call_name(event)
        known = self.calls.pop(name, None) or Remembered(attempt=event.attempt)
        taken_back: list[Event] = []
        if event.attempt > known.attempt:
            taken_back, known.failures = known.failures, []
            known.attempt = event.attempt
        elif event.attempt < known.attempt and event.provisional:
            event.final, event.provisional = False, False
        if event.provisional:
            known.failures.append(event)
        known.met_at = now
        self.calls[name] = known
        return taken_back

    def highest(self, event: Event) -> int:
        """Return the highest attempt that is remembered of an event's call; 0 where it is not."""
        known = self.calls.get(call_name(event))
        return known.attempt if known is not None else 0

    def rewind(self, now: float) -> None:
        """Take the clock's being set back to `now`."""
        for known in self.calls.values():
            known.met_at = min(known.met_at, now)

    def expire(self, before: float) -> list[Event]:
        """Forget the calls last heard of before an instant, and what is over the limit.

        Returns their failures, which now stand.
        """
        stand: list[Event] = []
        for name in list(self.calls):
            known = self.calls[name]
            if known.met_at >= before and len(self.calls) <= LIMIT:
                break
            del self.calls[name]
            stand += known.failures
        return stand


def call_name(event: Event) -> str:
    """Return what names an event's call among all calls."""
    return f"{event.app}\0{event.environment}\0{event.call_id}"
