"""Log writer: batches -> rows of the log, durable, then the answers.

While one group of batches waits for the disk, the core may do something else.
≠ rules, HTTP.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from claxon.event import Event

from .decoding import Batch
from .doubt import Doubt
from .overlap import Overlap
from .storage import claims, event_log, failures, inbox
from .storage.connecting import Connection
from .storage.database import Transaction
from .storage.errors import DatabaseError
from .storage.event_log import LoggedBatch
from .unpacking import Unpacked, unpack
from .work import Ingest, Taken, Tally


@dataclass(frozen=True, slots=True)
class Row:
    """Events that the log holds, and nobody has evaluated yet.

    Attributes:
        offset: Their place.
        events: Those that no earlier row holds.
        now: The instant at which they are observed.
    """

    offset: int
    events: list[Event]
    now: float


class LogWriter:
    """Writes groups of batches, one after another, each as one transaction."""

    def __init__(
        self,
        connection: Connection,
        tally: Tally,
        overlap: Overlap,
        doubt: Doubt,
        *,
        steady: Callable[[], float],
    ) -> None:
        """Take the parts over.

        Args:
            connection: Nobody else uses it between a `write` and its end.
            tally: What is counted.
            overlap: What posted events are known by.
            doubt: Nothing is written once the database is found corrupt.
            steady: Seconds that never jump.
        """
        self._connection = connection
        self._tally = tally
        self._overlap = overlap
        self._doubt = doubt
        self._steady = steady
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="claxon-commit")
        self._committing: Future[bool] | None = None

    def close(self) -> None:
        """End the thread that waits for the disk."""
        self._disk.shutdown()

    def settle(self) -> None:
        """Wait until no transaction of this writer is open any more."""
        if self._committing is not None:
            self._committing.exception()

    def write(
        self,
        works: list[Ingest],
        now: float,
        *,
        also: Callable[[], None] | None = None,
        meanwhile: Callable[[], None] | None = None,
    ) -> list[Row] | None:
        """Log batches and answer their senders; return what is to be evaluated, or None if it could not be written.

        Args:
            works: In the order of the log.
            now: The instant at which they are observed.
            also: Called inside the transaction, at its end.
            meanwhile: Called while the disk works. It may use the connection after `settle`.
        """
        group = [decoded for work in works if (decoded := unpack(work)) is not None]
        if not group and also is None:
            if meanwhile is not None:
                meanwhile()
            return []
        rows: list[Row] = []
        taken: list[Taken] = []
        transaction = Transaction(self._connection)
        try:
            self._doubt.check()
            transaction.begin()
            try:
                if waited := [row for decoded in group if (row := decoded.work.inbox_row) is not None]:
                    inbox.take(self._connection, waited)
                taken += [self._log(decoded, now, rows) for decoded in group]
                if also is not None:
                    also()
            except BaseException:
                transaction.roll_back()
                raise
            if meanwhile is None:
                transaction.commit()
        except DatabaseError as fault:
            self._refuse(group, fault)
            return None
        if meanwhile is None:
            self._answer(group, taken)
            return rows
        return rows if self._commit_while(meanwhile, transaction, group, taken) else None

    def _commit_while(
        self, meanwhile: Callable[[], None], transaction: Transaction, group: list[Unpacked], taken: list[Taken]
    ) -> bool:
        def commit() -> bool:
            try:
                transaction.commit()
            except DatabaseError as fault:
                self._refuse(group, fault)
                return False
            self._answer(group, taken)
            return True

        self._committing = committing = self._disk.submit(commit)
        try:
            meanwhile()
        finally:
            written = committing.result()
            self._committing = None
        return written

    def _answer(self, group: list[Unpacked], taken: list[Taken]) -> None:
        self._tally.took()
        for decoded, answer in zip(group, taken, strict=True):
            done = decoded.work.done
            # A sender that hung up before the commit has sent its events all the same.
            if done.set_running_or_notify_cancel():
                done.set_result(answer)

    def _refuse(self, group: list[Unpacked], fault: DatabaseError) -> None:
        self._tally.refuse(len(group), str(fault), self._steady())
        self._doubt(fault)
        for decoded in group:
            done = decoded.work.done
            if done.set_running_or_notify_cancel():
                done.set_exception(fault)

    # ── one batch ─────────────────────────────────────────────────────────────

    def _log(self, decoded: Unpacked, now: float, rows: list[Row]) -> Taken:
        connection, work, batch = self._connection, decoded.work, decoded.batch
        if work.key is not None and (known := event_log.seen_answer(connection, work.key)) is not None:
            return decoded.taken(known)
        answer = decoded.answer
        if work.key is not None:
            event_log.remember_answer(connection, work.key, answer, now)
        events, skip = self._new_events(batch, now)
        if events:
            row = LoggedBatch(
                received_at=work.received_at, observed_at=now, app=work.app, n=len(events), skip=skip, body=b""
            )
            offset = event_log.append(connection, row, decoded.stored)
            rows.append(Row(offset, events, now))
            self._note_failures(offset, batch, skip)
        tally = self._tally
        tally.batches += 1
        tally.events += len(events)
        tally.duplicates += len(skip)
        tally.client_dropped += work.client_dropped
        return decoded.taken(answer)

    def _note_failures(self, offset: int, batch: Batch, skip: list[int]) -> None:
        events, left_out = batch.events, set(skip)
        failed = [(i, events[i]) for i in batch.others if events[i].category != "ok" and i not in left_out]
        if failed:
            failures.add(self._connection, offset, failed, of=len(events))

    def _new_events(self, batch: Batch, now: float) -> tuple[list[Event], list[int]]:
        """Return the events that no earlier batch held, and the places of the others."""
        events = batch.events
        known_by = batch.claims or self._overlap.names_of(events, now)
        named = {i: f"{events[i].app}\0{name}" for i in batch.others if (name := events[i].event_id) is not None}
        if not named and not known_by:
            return events, []
        names = {
            i: (*known_by.get(i, ()), named[i]) if i in named else known_by[i] for i in sorted({*named, *known_by})
        }
        skip = claims.claim_each(self._connection, names, now)
        if not skip:
            return events, skip
        left_out = set(skip)
        return [event for i, event in enumerate(events) if i not in left_out], skip
