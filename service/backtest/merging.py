"""Many files as one log: by time, each file in its own order.

Always the file whose next event is the earliest goes on; of files that are level, the one named first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from operator import attrgetter

from claxon.event import Event

from .reading import EventFile

_at = attrgetter("at")


def merged(files: Sequence[EventFile]) -> Iterator[list[Event]]:
    """Yield the events of all files, in the order they arrived.

    A file is opened when its first event's turn comes, so a year of rotated files is no heavier than one of them.
    """
    if len(files) == 1:
        yield from files[0].batches()
        return
    streams = [_Stream(file, index) for index, file in enumerate(files)]
    waiting = sorted((s for s in streams if s.first_at is not None), key=lambda s: (s.first_at, s.index), reverse=True)
    open_now = [s for s in streams if s.first_at is None and s.fill()]
    while waiting or open_now:
        horizon = min((s.keys[-1], s.index) for s in open_now) if open_now else None
        if waiting and (horizon is None or (waiting[-1].first_at, waiting[-1].index) <= horizon):
            begun = waiting.pop()
            if begun.fill():
                open_now.append(begun)
            continue
        assert horizon is not None
        open_now.sort(key=attrgetter("index"))
        yield _in_order([s.take(*horizon) for s in open_now])
        open_now = [s for s in open_now if s.keys or s.fill()]


def _in_order(parts: list[tuple[list[float], list[Event]]]) -> list[Event]:
    parts = [part for part in parts if part[0]]
    if len(parts) == 1:
        return parts[0][1]
    keys = [key for part in parts for key in part[0]]
    events = [event for part in parts for event in part[1]]
    # The sort is stable, and quick on parts that are in order already.
    return [events[i] for i in sorted(range(len(keys)), key=keys.__getitem__)]


class _Stream:
    """The batch of one file from which events are taken.

    Attributes:
        first_at: When its first event happened; None for what can be read only once, and is open from the start.
        keys: For each event the latest instant up to it: an older one waits behind it.
    """

    def __init__(self, file: EventFile, index: int) -> None:
        self.index = index
        self.keys: list[float] = []
        self.first_at: float | None = None
        self._events: list[Event] = []
        self._batches = file.batches()
        self._latest = float("-inf")
        if file.source.repeatable:
            self.first_at = file.first_time()

    def fill(self) -> bool:
        """Take the next batch, if there is one."""
        self._events = next(self._batches, [])
        self.keys = list(accumulate(map(_at, self._events), max, initial=self._latest))[1:]
        self._latest = self.keys[-1] if self.keys else self._latest
        return bool(self.keys)

    def take(self, until: float, last: int) -> tuple[list[float], list[Event]]:
        """Return what comes before an instant, and what is at it, if no earlier file may have more of it."""
        cut = bisect_right(self.keys, until) if self.index <= last else bisect_left(self.keys, until)
        taken = self.keys[:cut], self._events[:cut]
        self.keys, self._events = self.keys[cut:], self._events[cut:]
        return taken
