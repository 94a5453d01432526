"""Notes: what came of deliveries, written to the outbox, all that waits in one transaction.

≠ what is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import structlog

from alerts.decisions import Decision

from ..storage.errors import DatabaseError, LostError
from .office import Office

_AGAIN_S = 5.0
"""After this long it is tried again to write what could not be written."""

_SOON_S = 0.5
"""And after so long where the database is away: others send what is on its way, if this lasts."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Note:
    write: Callable[[], Iterable[Decision]]
    after: Callable[[], None]
    key: str
    done: asyncio.Future[None]


class Notes:
    """Writes notes in order. While a disk is full they wait, and nothing of them is lost or done twice."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._waiting: list[_Note] = []
        self._writer: asyncio.Task[None] | None = None

    async def write(
        self, write: Callable[[], Iterable[Decision]], *, after: Callable[[], None] = lambda: None, key: str = ""
    ) -> None:
        """Return when a note is written; both functions run in the office's thread, the second when it is durable.

        Args:
            write: Writes it inside a transaction, and returns what the ledger is told.
            after: Called when that is durable.
            key: Of which is decided who else is told; "" of none.
        """
        note = _Note(write, after, key, asyncio.get_running_loop().create_future())
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
                await asyncio.wrap_future(self._office.submit(partial(self._commit, notes)))
            except LostError:
                # Whoever has the connection says so.
                await asyncio.sleep(_SOON_S)
                continue
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
        keys = [note.key for note in notes if note.key]
        self._office.write_down(lambda: [row for note in notes for row in note.write()], keys=keys)
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
