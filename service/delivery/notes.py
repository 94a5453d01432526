"""Notes: what came of deliveries, written to the outbox, all that waits in one transaction.

≠ what is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from ..core import Core
from ..storage.database import Transaction
from ..storage.errors import DatabaseError

_AGAIN_S = 5.0
"""After this long it is tried again to write what could not be written."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Note:
    write: Callable[[], None]
    after: Callable[[], None]
    done: asyncio.Future[None]


class Notes:
    """Writes notes in order. While a disk is full they wait, and nothing of them is lost or done twice."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._waiting: list[_Note] = []
        self._writer: asyncio.Task[None] | None = None

    async def write(self, write: Callable[[], None], *, after: Callable[[], None] = lambda: None) -> None:
        """Return when a note is written; both functions run in the core's thread, the second when it is durable."""
        note = _Note(write, after, asyncio.get_running_loop().create_future())
        self._waiting.append(note)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all(), name="note deliveries")
        await note.done

    async def stop(self, *, within: float) -> None:
        """Write what waits, but do not wait for it for ever."""
        if self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer], timeout=within)
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        for note in self._waiting:
            note.done.cancel()

    async def _write_all(self) -> None:
        at_once = len(self._waiting)
        while self._waiting:
            notes = self._waiting[:at_once]
            try:
                await asyncio.wrap_future(self._core.submit(partial(self._commit, notes)))
            except DatabaseError:
                _log.exception("delivery.not_noted", waiting=len(self._waiting))
                await asyncio.sleep(_AGAIN_S)
                continue
            except Exception as fault:  # noqa: BLE001 — a fault of one note must not keep the others
                if len(notes) > 1:
                    at_once = 1
                    continue
                _end(notes, fault)
            else:
                _end(notes, None)
            del self._waiting[: len(notes)]
            at_once = len(self._waiting)

    def _commit(self, notes: list[_Note]) -> None:
        with Transaction(self._core.connection):
            for note in notes:
                note.write()
        self._core.tally.commits += 1
        for note in notes:
            note.after()


def _end(notes: list[_Note], fault: Exception | None) -> None:
    for note in notes:
        if note.done.done():
            continue
        if fault is None:
            note.done.set_result(None)
        else:
            note.done.set_exception(fault)
