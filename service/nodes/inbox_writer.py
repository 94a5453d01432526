"""InboxWriter: what an ingest node takes -> the inbox, durable, then the answers.

A batch is unpacked by whoever brings it; one thread with a connection of its own writes what waits, many batches a
transaction. While the database is away, or does not answer, nobody waits: each is told to send again.

≠ the order of the log, what is known already: who is elected sees to both.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from .. import clock
from ..storage import inbox
from ..storage.connecting import Connection
from ..storage.database import Transaction
from ..storage.errors import ConnectionLostError, DatabaseError, EngineError, LostError, StorageError, is_full
from ..storage.inbox import InboxRow
from ..unpacking import Unpacked, unpack
from ..work import Ingest, Taken
from .inbox_form import row_of
from .pause import Pause

GROUP = 64
"""Batches that share one commit, at most."""

GROUP_BYTES = 16 * 1024 * 1024
"""And so many bytes of them, or one batch more."""

PATIENCE_S = 5.0
"""A commit that takes longer is not waited for: what it holds is sent again, and counts once."""

_LOOK_S = 0.25

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class WriterTally:
    """What a writer has done since the start.

    Attributes:
        batches: Written.
        events: In them.
        commits: Transactions.
        failures: Batches that were not written, or not in time; their senders were told to send them again.
        faults: Times the database was away, or did not answer in time.
    """

    batches: int = 0
    events: int = 0
    commits: int = 0
    failures: int = 0
    faults: int = 0


class _Waiting(NamedTuple):
    row: InboxRow
    unpacked: Unpacked
    answer: str
    done: Future[Taken]


class InboxWriter:
    """A `Taker` that writes to the inbox.

    Attributes:
        tally: What it has done.
        full: Why nothing more may wait there; "" while there is room.
    """

    def __init__(self, connect: Callable[[], Connection], *, node: str, patience_s: float = PATIENCE_S) -> None:
        """Take the parts over.

        Args:
            connect: Opens a connection that may write; raises StorageError.
            node: Who takes it, for whoever looks at a row.
            patience_s: How long a commit may take.
        """
        self.tally = WriterTally()
        self.full = ""
        self._connect = connect
        self._node = node
        self._patience_s = patience_s
        self._away = "database: not reached yet: send again later"
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._bytes_given = self._bytes_taken = 0
        self._closing = threading.Event()
        self._pause = Pause(self._closing)
        # What is being written, and since when; whoever takes it out answers it.
        self._lock = threading.Lock()
        self._group: list[_Waiting] = []
        self._since = 0.0
        self._writing = threading.Thread(target=self._run, name="claxon-inbox", daemon=True)
        self._watching = threading.Thread(target=self._watch, name="claxon-inbox-watch", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._writing.start()
        self._watching.start()

    def stop(self) -> None:
        """Write what is queued, if the database answers, and end."""
        self._queue.put(None)
        self._closing.set()
        for thread in (self._writing, self._watching):
            if thread.is_alive():
                thread.join(timeout=2 * self._patience_s)

    # ── for the event loop ────────────────────────────────────────────────────

    @property
    def refusal(self) -> str:
        """Why nothing can be taken for a while; "" if it can."""
        return self._away or self.full

    @property
    def waiting(self) -> int:
        """How many batches are queued."""
        return self._queue.qsize()

    @property
    def waiting_bytes(self) -> int:
        """How much of events is queued, in bytes as they are stored."""
        return self._bytes_given - self._bytes_taken

    def ingest(self, work: Ingest) -> Future[Taken]:
        """Have a batch written down; the future says what its sender is told once it is durable.

        It is unpacked here: its events are needed for the answer alone.
        """
        unpacked = unpack(work)
        if unpacked is None:
            return work.done
        waiting = _Waiting(row_of(unpacked, self._node), unpacked, unpacked.answer, work.done)
        unpacked.batch.events = []
        self._bytes_given += len(waiting.row.body)
        if self._away:
            self._refuse([waiting], ConnectionLostError(self._away))
        else:
            self._queue.put(waiting)
        return work.done

    async def spans_come(self, now: float) -> None:
        """Do nothing: the row says so, and who is elected notes it before the row is logged."""

    # ── the thread that writes ────────────────────────────────────────────────

    def _run(self) -> None:
        while (connection := self._reach()) is not None:
            try:
                self._write_on(connection)
                break
            except LostError as fault:
                self._lose(str(fault))
            finally:
                connection.close()
        self._away = self._away or "database: this node ends: send again"
        self._refuse(self._drain(), ConnectionLostError(self._away))

    def _reach(self) -> Connection | None:
        """Return a connection, however long that takes; None if it is to end first."""
        while not self._closing.is_set():
            try:
                connection = self._connect()
            except StorageError as fault:
                self._lose(str(fault))
                self._pause.wait()
                continue
            self._find()
            self._pause.over()
            return connection
        return None

    def _write_on(self, connection: Connection) -> None:
        """Write what comes until the end.

        Raises:
            LostError: The connection is.
        """
        while (first := self._queue.get()) is not None:
            self._write(connection, self._gather(first))

    def _gather(self, first: _Waiting) -> list[_Waiting]:
        group, size = [first], len(first.row.body)
        while len(group) < GROUP and size < GROUP_BYTES:
            try:
                one = self._queue.get_nowait()
            except queue.Empty:
                break
            if one is None:
                self._queue.put(None)
                break
            group.append(one)
            size += len(one.row.body)
        return group

    def _write(self, connection: Connection, group: list[_Waiting]) -> None:
        """Write batches in one transaction, and answer, unless the watch has answered meanwhile.

        Raises:
            LostError: The connection is.
        """
        with self._lock:
            self._group, self._since = group, clock.monotonic()
        fault: DatabaseError | None = None
        try:
            with Transaction(connection):
                inbox.put(connection, [waiting.row for waiting in group])
        except DatabaseError as found:
            fault = found
        except Exception as found:  # noqa: BLE001 — a batch that we stumble over must not end the thread
            _log.exception("inbox.faulted")
            fault = EngineError(f"a fault of Claxon's own: {type(found).__name__}")
        with self._lock:
            is_answered, self._group = not self._group, []
        is_lost = isinstance(fault, LostError)
        if is_answered and not is_lost:
            self._find()
        elif is_answered:
            pass
        elif fault is None:
            self._answer(group)
        elif len(group) > 1 and not is_lost and not is_full(fault):
            self._write_each(connection, group)
        else:
            self._refuse(group, fault)
        if fault is not None and is_lost:
            raise fault

    def _write_each(self, connection: Connection, group: list[_Waiting]) -> None:
        """Write batches one by one: one of them may be what cannot be written."""
        for i, one in enumerate(group):
            try:
                self._write(connection, [one])
            except LostError as fault:
                self._refuse(group[i + 1 :], fault)
                raise

    def _answer(self, group: list[_Waiting]) -> None:
        tally = self.tally
        tally.commits += 1
        tally.batches += len(group)
        self._let_go(group)
        for waiting in group:
            tally.events += waiting.row.n
            # A sender that hung up before the commit has sent its events all the same.
            if waiting.done.set_running_or_notify_cancel():
                waiting.done.set_result(waiting.unpacked.taken(waiting.answer))

    # ── what cannot be written ────────────────────────────────────────────────

    def _watch(self) -> None:
        """Answer those who would wait for a database that does not answer."""
        while not self._closing.wait(_LOOK_S):
            with self._lock:
                late = self._group if clock.monotonic() - self._since > self._patience_s else []
                self._group = [] if late else self._group
            if late:
                self._lose(f"no answer for {self._patience_s:g} s")
                self._refuse(late, ConnectionLostError(self._away))
            if self._away:
                self._refuse(self._drain(), ConnectionLostError(self._away))

    def _drain(self) -> list[_Waiting]:
        found: list[_Waiting] = []
        while True:
            try:
                one = self._queue.get_nowait()
            except queue.Empty:
                return found
            if one is None:
                self._queue.put(None)
                return found
            found.append(one)

    def _lose(self, why: str) -> None:
        said = f"database: away: {why}: send again later"
        if not self._away or self._away != said:
            _log.warning("inbox.away", error=why)
        self.tally.faults += 1
        self._away = said

    def _find(self) -> None:
        if self._away:
            _log.info("inbox.reached")
        self._away = ""

    def _refuse(self, group: Sequence[_Waiting], fault: DatabaseError) -> None:
        self.tally.failures += len(group)
        self._let_go(group)
        for waiting in group:
            if waiting.done.set_running_or_notify_cancel():
                waiting.done.set_exception(fault)

    def _let_go(self, group: Sequence[_Waiting]) -> None:
        with self._lock:
            self._bytes_taken += sum(len(waiting.row.body) for waiting in group)
