"""Event ids seen before: a re-post changes nothing.

Bounded: at least the latest 500,000 ids are known, at most a million; older ones are forgotten, a generation at a time.
"""

from __future__ import annotations

from operator import attrgetter

from claxon.event import Event

GENERATION = 500_000

_id = attrgetter("event_id")
# An app's ids are its own, as in the service.
_name = attrgetter("app", "event_id")


class Seen:
    """Remembers ids by their hash, 64 bits: to take a new one for an old one needs bad luck of one in 10^13."""

    def __init__(self, generation: int = GENERATION) -> None:
        self.duplicates = 0
        self._generation = generation
        self._newer: set[int] = set()
        self._older: set[int] = set()

    def new(self, events: list[Event]) -> list[Event]:
        """Return the events that were not seen before; those without an id always are new."""
        without = list(map(_id, events)).count(None)
        if without == len(events):
            return events
        if not without:
            names = set(map(hash, map(_name, events)))
            if len(names) == len(events) and names.isdisjoint(self._newer) and names.isdisjoint(self._older):
                self._newer |= names
                self._turn()
                return events
        return self._one_by_one(events)

    def _one_by_one(self, events: list[Event]) -> list[Event]:
        fresh: list[Event] = []
        for event in events:
            if event.event_id is not None:
                name = hash(_name(event))
                if name in self._newer or name in self._older:
                    self.duplicates += 1
                    continue
                self._newer.add(name)
            fresh.append(event)
        self._turn()
        return fresh

    def _turn(self) -> None:
        if len(self._newer) >= self._generation:
            self._older, self._newer = self._newer, set()
