"""Overlap: while spans come, events that are posted are known by their request ids too.

A call may be told of by the Claxon client and by a span. To find that out costs a look-up an event, so it is
done only where spans came within a day. When the first ones come, the events of the last ten minutes are noted
before any span is taken.

≠ how spans come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Protocol, TypeVar

from claxon.event import Event

from . import known
from .decoding import decode_logged
from .storage import claims, event_log
from .storage.connecting import Connection
from .storage.database import Transaction
from .storage.event_log import LoggedBatch

T = TypeVar("T")

ON_S = 86_400.0
"""How long spans are reckoned with after the last that came."""

LOOK_BACK_S = 600.0
MOST = 200_000
"""Events that are looked at, at most, when the first spans come."""

_AGAIN_S = 60.0
_SLICE = 1_000  # events a transaction: pages wait meanwhile


class Runs(Protocol):
    """The core, as far as it is needed here."""

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Run a function in the core's thread."""


class Overlap:
    """The switch; `names_of` is for the core's thread, `spans_come` for the event loop."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        # Since when posted events are noted, and when it was last durably said that spans come.
        self._came_at = self._said_at = claims.spans_came_at(connection)
        self._turning = asyncio.Lock()

    def names_of(self, events: list[Event], now: float) -> dict[int, tuple[str, ...]]:
        """Return what posted events are known by, by place; empty while no spans come."""
        if self._came_at is None or now - self._came_at > ON_S:
            return {}
        return {i: names for i, event in enumerate(events) if (names := known.of_event(event))}

    async def spans_come(self, core: Runs, now: float) -> None:
        """Note that spans come, before they are taken; the first time note the latest events, too.

        Raises:
            DatabaseError: It cannot be written.
        """
        if self._said(now):
            return
        async with self._turning:
            if self._said(now):
                return
            was = self._came_at
            try:
                newest = await asyncio.wrap_future(core.submit(lambda: self._turn_on(now)))
                if was is None or now - was > ON_S:
                    await self._note_latest(core, newest, now)
                await asyncio.wrap_future(core.submit(lambda: self._keep(now)))
                self._said_at = now
            except BaseException:
                self._came_at = was
                raise

    def _said(self, now: float) -> bool:
        return self._said_at is not None and now - self._said_at < _AGAIN_S

    def _turn_on(self, now: float) -> int:
        """Have events noted from now on; return the place after the newest that was not."""
        self._came_at = now
        return event_log.end(self._connection)

    def _keep(self, now: float) -> None:
        with Transaction(self._connection):
            claims.spans_came(self._connection, now)

    async def _note_latest(self, core: Runs, before: int, now: float) -> None:
        seen = 0
        while seen < MOST:
            row = await asyncio.wrap_future(core.submit(partial(event_log.before, self._connection, before)))
            if row is None or row.observed_at < now - LOOK_BACK_S:
                return
            before, seen = row.offset, seen + row.n
            events = await asyncio.to_thread(_events, row) if row.n else []
            for first in range(0, len(events), _SLICE):
                part = events[first : first + _SLICE]
                await asyncio.wrap_future(core.submit(partial(self._note, part, now)))

    def _note(self, events: list[Event], now: float) -> None:
        names = [name for event in events for name in known.of_event(event) if name.__class__ is not known.Asked]
        with Transaction(self._connection):
            claims.note(self._connection, names, now)


def _events(row: LoggedBatch) -> list[Event]:
    return decode_logged(row.body, received_at=row.received_at, app=row.app, skip=row.skip)
