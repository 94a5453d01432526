"""Looking: one question, answered newest first, in bounded time.

Failures come from the index, in the order of their instants. What it does not hold
(successes; what was logged before there was an index) is looked for in the log, from
its newest row to its oldest, and comes in that order.

≠ HTTP.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from claxon.event import Event

from ..storage import failure_segments, failures, log_rows
from ..storage.connecting import Connection
from ..storage.failure_segments import Stored
from ..storage.failure_terms import hashed
from .places import START, Cursor, Place
from .scanning import Scanner
from .sorting import Failure, Opener
from .wanted import Wanted

SET_BACK_S = 3600.0
"""The log is read back to rows that came so long before `since`: as far as a clock may have been set back."""

Part: TypeAlias = tuple[float, int, bool]
"""Something with failures in it: minus its latest instant, its id, and whether it is a block or a batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One event, and where it stands in the log."""

    event: Event
    offset: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a search came to.

    Attributes:
        found: Events, newest first.
        next: Where to go on; None when there are no more.
        stopped_at: How far it looked when the time was over, Unix seconds; None if it found enough, or all.
    """

    found: list[Found]
    next: Cursor | None
    stopped_at: float | None = None


def search(
    connection: Connection,
    wanted: Wanted,
    *,
    limit: int,
    after: Cursor | None,
    over: Callable[[], bool],
) -> Answer:
    """Return the newest events that are wanted; the caller holds one read transaction.

    Args:
        connection: A reader's.
        wanted: Which.
        limit: How many at most, from 1.
        after: Where the page before ended.
        over: Whether there is no time left.
    """
    first, last = log_rows.ends(connection)
    unindexed = failures.unindexed(connection) if wanted.indexed else last
    if after is not None:
        unindexed = after.unindexed
    look = _Search(connection, wanted, over=over, first=first, unindexed=unindexed)
    if not wanted.indexed:
        return look.in_log(limit, after=after or Cursor(None, last + 1, 0, last))
    if after is not None and after.at is None:
        return look.in_log(limit, after=after)
    place = START if after is None or after.at is None else (after.at, after.offset, after.index)
    answer = look.in_index(limit, before=place)
    if answer.next is not None or unindexed < first:
        return answer
    more = look.in_log(limit - len(answer.found), after=Cursor(None, unindexed + 1, 0, unindexed))
    return Answer(found=answer.found + more.found, next=more.next, stopped_at=more.stopped_at)


class _Search:
    def __init__(
        self, connection: Connection, wanted: Wanted, *, over: Callable[[], bool], first: int, unindexed: int
    ) -> None:
        self._connection = connection
        self._wanted = wanted
        self._takes = wanted.test()
        self._over = over
        self._first = first
        self._unindexed = unindexed
        self._scanner = Scanner(connection)
        self._opener = Opener(wanted.kind_test())
        # What is not in the bytes of a batch is in none of its events.
        self._needles = [
            value.encode("utf-8", "surrogatepass")
            for value in wanted.values.values()
            if value and isinstance(value, str)
        ]

    # ── the index ─────────────────────────────────────────────────────────────

    def in_index(self, limit: int, *, before: Place) -> Answer:
        """Return failures in the order of their instants, those before a place."""
        newest: list[tuple[Place, Event]] = []
        stopped: float | None = None
        takes = self._takes
        for bound, part, sorted_ in self._parts(before):
            if len(newest) > limit and newest[0][0][0] > -bound:
                break
            if self._over():
                stopped = -bound
                break
            for offset, index, event in self._open(part, sorted_):
                place = (event.at, offset, index)
                if offset < self._first or place >= before or not takes(event):
                    continue
                if len(newest) <= limit:
                    heapq.heappush(newest, (place, event))
                elif place > newest[0][0]:
                    heapq.heapreplace(newest, (place, event))
        return self._page(sorted(newest, reverse=True, key=lambda found: found[0]), limit, stopped=stopped)

    def _page(self, newest: list[tuple[Place, Event]], limit: int, *, stopped: float | None) -> Answer:
        if stopped is not None:
            # What was not opened may hold something newer than the rest.
            newest = [(place, event) for place, event in newest if place[0] > stopped]
        shown = newest[:limit]
        found = [Found(event=event, offset=offset, index=index) for (_, offset, index), event in shown]
        if len(newest) > limit:
            return Answer(found=found, next=Cursor(*shown[-1][0], self._unindexed))
        if stopped is not None:
            return Answer(found=found, next=Cursor(stopped, START[1], 0, self._unindexed), stopped_at=stopped)
        return Answer(found=found, next=None)

    def _parts(self, before: Place) -> Iterator[Part]:
        """Yield what may hold failures, that with the newest first."""
        since, until = self._wanted.since, min(self._wanted.until, before[0])
        after = max(self._unindexed, self._first - 1)
        segments = failure_segments.overlapping(self._connection, after=after, since=since, until=until)
        segments = [segment for segment in segments if segment.first > self._unindexed]
        sorted_up_to = max(after, failure_segments.last_indexed(self._connection))
        new = failures.bounds(self._connection, after=sorted_up_to, since=since)
        heap: list[Part] = [(-newest, offset, False) for newest, offset in new]
        heapq.heapify(heap)
        named = self._blocks_named()
        for segment in segments:
            while heap and heap[0][0] <= -segment.newest:
                yield heapq.heappop(heap)
            for part in _blocks(segment, named, since=since, until=until):
                heapq.heappush(heap, part)
        while heap:
            yield heapq.heappop(heap)

    def _blocks_named(self) -> dict[int, set[int]] | None:
        """Return the blocks, by segment, in which every wanted value stands; None where none is asked for."""
        named: dict[int, set[int]] | None = None
        for name, value in reversed(self._wanted.values.items()):
            found = failure_segments.blocks_with(self._connection, hashed(name, str(value)))
            if named is None:
                named = found
            else:
                both = {segment: blocks & found[segment] for segment, blocks in named.items() if segment in found}
                named = {segment: blocks for segment, blocks in both.items() if blocks}
            if not named:
                break
        return named

    def _open(self, part: int, sorted_: bool) -> Iterable[Failure]:
        if sorted_:
            return self._opener.open(failure_segments.body_of(self._connection, part))
        stored = failures.body_of(self._connection, part)
        if stored is None:
            row = log_rows.row(self._connection, part)
            found = self._scanner.failures(row) if row is not None else []
        else:
            found = failures.decoded(stored) if all(needle in stored for needle in self._needles) else []
        return [(part, index, event) for index, event in found]

    # ── the log ───────────────────────────────────────────────────────────────

    def in_log(self, limit: int, *, after: Cursor) -> Answer:
        """Return events row by row, from the newest to the oldest, those before a place."""
        found: list[Found] = []
        takes, since, unindexed = self._takes, self._wanted.since, self._unindexed
        last = after.offset if after.index else after.offset - 1
        for row in log_rows.backwards(self._connection, last):
            if row.observed_at < since - SET_BACK_S:
                break
            if len(found) >= limit or self._over():
                stopped = row.observed_at if len(found) < limit else None
                return Answer(found=found, next=Cursor(None, row.offset + 1, 0, unindexed), stopped_at=stopped)
            # No event is later than when it arrived.
            if not row.n or row.received_at < since:
                continue
            for index, event in reversed(self._scanner.events(row)):
                if (row.offset, index) >= (after.offset, after.index) or not takes(event):
                    continue
                if len(found) == limit:
                    return Answer(found=found, next=Cursor(None, row.offset, index + 1, unindexed))
                found.append(Found(event=event, offset=row.offset, index=index))
        return Answer(found=found, next=None)


def _blocks(segment: Stored, named: dict[int, set[int]] | None, *, since: float, until: float) -> Iterator[Part]:
    wanted = named.get(segment.id) if named is not None else None
    if named is not None and not wanted:
        return
    for block, oldest, newest in segment.blocks():
        if newest >= since and oldest <= until and (wanted is None or block in wanted):
            yield -newest, block, True
