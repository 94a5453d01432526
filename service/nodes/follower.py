"""Follower: what waits in the inbox -> the core, on the elected node, in the order in which it became visible.

The next rows are read while those before them are committed. A row is deleted by the transaction that logs it, so a
crash at any point neither loses nor counts twice. Rows become visible in the order of commits, not of ids: each look
begins at the lowest, as far as that is cheap. A row that nobody can read, or write, is moved aside.

≠ what becomes of a batch in the core.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import structlog

from .. import clock as clocks
from ..core import Core
from ..expanding import Reason
from ..intake import Intake
from ..metrics.inbox import InboxSample
from ..rejects import Reject, Rejects
from ..storage import inbox
from ..storage import rejects as reject_rows
from ..storage.connecting import Connection
from ..storage.database import Transaction
from ..storage.errors import DatabaseError, LostError, StorageError, is_full
from ..storage.inbox import Backlog, InboxRow
from ..work import Taken
from .inbox_form import Unreadable, ingest_of
from .pause import Pause

POLL_S = 0.02
"""How long an empty inbox is left alone."""

READ = 64
"""Rows that are read at once, at most."""

READ_BYTES = 4 * 1024 * 1024
"""And so many bytes of them, or one row more."""

READ_EVENTS = 20_000
"""And so many events: pages, and the time, wait while they are logged and evaluated."""

GIVEN = 2 * READ
"""Rows that the core has, at most: a group that it commits, and the next."""

PART = 0.05
"""Of the time, at most, that is spent on looking from the lowest id on: rows that were deleted and not yet cleared away
lie before it."""

TRIES = 3
"""A row that fails so often, while others do not, is moved aside."""

MANY_TRIES = 10
"""And so often, where there is no other."""

AGAIN_S = 1.0
EVERY_S = 1.0

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class FollowerTally:
    """What a follower has done since the start.

    Attributes:
        batches: Given to the core, and logged.
        poison: Rows moved aside.
        faults: Rows that could not be logged at a time, and times the inbox could not be read.
        backlog: What waits, as it was looked at last.
        poisoned: Rows that lie aside.
    """

    batches: int = 0
    poison: int = 0
    faults: int = 0
    backlog: Backlog = inbox.EMPTY
    poisoned: int = 0

    def sample(self, now: float) -> InboxSample:
        """Return the numbers as they are now."""
        return InboxSample(
            batches=self.backlog.rows,
            bytes=self.backlog.bytes,
            age_s=self.backlog.age_s(now),
            faults=self.faults,
            taken=self.batches,
            poison=self.poisoned,
        )


class _Given(NamedTuple):
    row: InboxRow
    done: Future[Taken]


@dataclass(slots=True)
class _Suspect:
    """A row that could not be logged: perhaps it alone cannot."""

    since: float
    tries: int = 0
    next_at: float = 0.0


class CoreLost(Exception):
    """The core writes no more: this node ends."""


class Follower:
    """A thread that reads the inbox.

    Attributes:
        tally: What it has done.
    """

    def __init__(
        self,
        core: Core,
        connect: Callable[[], Connection],
        *,
        rejects: Rejects,
        intake: Intake,
        clock: Callable[[], float],
    ) -> None:
        """Take the parts over.

        Args:
            core: Of the elected node.
            connect: Opens a connection to read; raises StorageError.
            rejects: Where it is noted what nobody can read.
            intake: Where it is counted.
            clock: Unix seconds.
        """
        self.tally = FollowerTally()
        self._core = core
        self._connect = connect
        self._rejects = rejects
        self._intake = intake
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._given: dict[int, _Given] = {}
        self._suspects: dict[int, _Suspect] = {}
        self._worked_at = float("-inf")
        # No unread row has a lower id, as far as was seen; and when it is looked from the lowest on again.
        self._after = 0
        self._look_at = self._backlog_at = self._round_at = self._resume_at = float("-inf")
        self._closing = threading.Event()
        # Set when the core has answered.
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._run, name="claxon-follower", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin.

        Args:
            loop: Where it is noted that spans come.
        """
        self._loop = loop
        self._thread.start()

    def stop(self) -> None:
        """Give the core nothing more."""
        self._closing.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    # ── the thread ────────────────────────────────────────────────────────────

    def _run(self) -> None:
        pause = Pause(self._closing)
        while not self._closing.is_set():
            try:
                connection = self._connect()
            except StorageError as fault:
                self._stumble(fault)
                pause.wait()
                continue
            try:
                pause.over()
                self._follow(connection)
            except CoreLost as fault:
                _log.warning("inbox.left", error=str(fault))
                return
            except (DatabaseError, StorageError) as fault:
                self._stumble(fault)
                pause.wait()
            finally:
                connection.close()

    def _stumble(self, fault: Exception) -> None:
        self.tally.faults += 1
        _log.warning("inbox.unread", error=str(fault))

    def _follow(self, connection: Connection) -> None:
        while not self._closing.is_set():
            self._news.clear()
            # First: what the core has logged is gone for whoever looks afterwards, and is not read again.
            self._harvest()
            is_moving = self._go_on(connection)
            self._make_round(connection)
            if not is_moving:
                self._news.wait(POLL_S)

    def _go_on(self, connection: Connection) -> bool:
        """Give the core what there is and what it may have; return whether there was something."""
        now = clocks.monotonic()
        if now < self._resume_at:
            return False
        suspect = min((i for i, one in self._suspects.items() if one.next_at <= now), default=None)
        if suspect is not None:
            # Alone, or nobody knows whose fault it is.
            return not self._given and self._try_again(connection, suspect)
        if len(self._given) > GIVEN - READ or self._is_enough:
            return False
        if now >= self._look_at and not self._look_back(connection):
            return False
        rows = inbox.read(connection, after=self._after, most=READ, most_bytes=READ_BYTES, most_events=READ_EVENTS)
        for row in rows:
            self._after = row.id
            if row.id not in self._given and row.id not in self._suspects:
                self._give(row)
        return bool(rows)

    @property
    def _is_enough(self) -> bool:
        """Whether what the core has will keep it busy while the next is read."""
        rows = [given.row for given in self._given.values()]
        return sum(len(row.body) for row in rows) > READ_BYTES or sum(row.n for row in rows) > READ_EVENTS

    def _look_back(self, connection: Connection) -> bool:
        """Return whether there are rows that were not read; the first of them is read next, however late it came."""
        began = clocks.monotonic()
        seen = len(self._given) + len(self._suspects)
        ids = inbox.first_ids(connection, seen + 1)
        took = clocks.monotonic() - began
        self._look_at = began + took + took / PART
        unread = next((i for i in ids if i not in self._given and i not in self._suspects), None)
        if unread is None:
            return False
        self._after = min(self._after, unread - 1)
        return True

    def _give(self, row: InboxRow, *, whole: bool = False) -> None:
        """Give a row to the core; one of which nothing can be made is moved aside."""
        try:
            work = ingest_of(row, whole=whole)
        except Unreadable as fault:
            self._set_aside(row, str(fault))
            return
        except Exception as fault:  # noqa: BLE001 — a row that we stumble over must not keep the others waiting
            _log.exception("inbox.faulted", row=row.id)
            self._set_aside(row, f"a fault of Claxon's own: {type(fault).__name__}")
            return
        if row.spans:
            self._note_spans()
        self._given[row.id] = _Given(row, self._core.ingest(work))
        work.done.add_done_callback(lambda _: self._news.set())

    def _note_spans(self) -> None:
        assert self._loop is not None
        noted = asyncio.run_coroutine_threadsafe(self._core.spans_come(self._clock()), self._loop)
        try:
            noted.result()
        except LostError as fault:
            raise CoreLost(str(fault)) from fault

    # ── what became of it ─────────────────────────────────────────────────────

    def _harvest(self) -> None:
        """Forget what is logged; see to what is not.

        Raises:
            CoreLost: It cannot be, here.
        """
        done = [given for given in self._given.values() if given.done.done()]
        for given in done:
            del self._given[given.row.id]
        for given in done:
            fault = given.done.exception()
            if fault is None:
                self.tally.batches += 1
                self._worked_at = clocks.monotonic()
                self._suspects.pop(given.row.id, None)
            else:
                self._look_into(given.row, fault)

    def _look_into(self, row: InboxRow, fault: BaseException) -> None:
        if isinstance(fault, LostError):
            raise CoreLost(str(fault))
        self.tally.faults += 1
        if not isinstance(fault, DatabaseError):
            # The core decodes what is plain; the rest is decoded here, or it is none.
            self._give(row, whole=True)
        elif is_full(fault):
            self._resume_at = clocks.monotonic() + AGAIN_S
        else:
            self._suspect(row, fault)

    def _suspect(self, row: InboxRow, fault: BaseException) -> None:
        now = clocks.monotonic()
        one = self._suspects.setdefault(row.id, _Suspect(since=now))
        one.tries += 1
        one.next_at = now + (AGAIN_S if one.tries > 1 else 0.0)
        # While nothing else can be logged either, it is not this row's fault; unless there is nothing else.
        is_alone = one.tries > MANY_TRIES and len(self._suspects) == 1
        if one.tries > TRIES and (is_alone or self._worked_at > one.since):
            self._set_aside(row, f"it cannot be logged: {fault}")

    def _try_again(self, connection: Connection, number: int) -> bool:
        rows = inbox.read(connection, after=number - 1, most=1, most_bytes=READ_BYTES)
        if not rows or rows[0].id != number:
            del self._suspects[number]
            return False
        # Until its answer it is no suspect that is due.
        self._suspects[number].next_at = float("inf")
        self._give(rows[0])
        return True

    def _set_aside(self, row: InboxRow, why: str) -> None:
        self._in_core(partial(self._move_aside, row, why))
        self._suspects.pop(row.id, None)
        self.tally.poison += 1
        _log.error("inbox.poison", row=row.id, node=row.node, app=row.app, events=row.n, error=why)
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._note_poison, row, why)

    def _note_poison(self, row: InboxRow, why: str) -> None:
        """Have it shown by /v1/rejects; in the event loop, where all that is refused is counted."""
        key = row.key.partition("\0")[0] if row.key is not None else ""
        reject = Reject(reason=Reason.UNREADABLE.value, error=f"inbox row {row.id}: {why}"[:300], size=len(row.body))
        self._intake.refused(Reason.UNREADABLE)
        self._intake.unkept += self._rejects.note([reject], key=key, app=row.app, address=row.node, door="inbox")

    def _move_aside(self, row: InboxRow, why: str) -> None:
        with Transaction(self._core.connection):
            inbox.set_aside(self._core.connection, row.id, why=why, at=self._clock())

    def _in_core(self, function: Callable[[], None]) -> None:
        """Run something in the core's thread, and wait.

        Raises:
            CoreLost: It writes no more.
            DatabaseError: It could not be written.
        """
        try:
            self._core.submit(function).result()
        except LostError as fault:
            raise CoreLost(str(fault)) from fault

    # ── once a second ─────────────────────────────────────────────────────────

    def _make_round(self, connection: Connection) -> None:
        now = clocks.monotonic()
        if now < self._round_at:
            return
        self._round_at = now + EVERY_S
        if inbox.has_rejects(connection):
            self._in_core(self._take_rejects)
        self.tally.poisoned = inbox.poisoned(connection)
        if now >= self._backlog_at:
            began = clocks.monotonic()
            self.tally.backlog = inbox.backlog(connection)
            after = clocks.monotonic()
            self._backlog_at = after + (after - began) / PART

    def _take_rejects(self) -> None:
        connection = self._core.connection
        with Transaction(connection):
            reject_rows.add(connection, inbox.take_rejects(connection, READ), now=self._clock())
