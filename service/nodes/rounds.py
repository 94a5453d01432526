"""Rounds: what an ingest node asks, and says, once a second, on a connection of its own.

Which keys there are, how full the inbox is; what it refused, and which keys were used. While the database is away, what
was known last goes on to count.

≠ events.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from .. import clock as clocks
from ..intake import Intake
from ..keys.book import Book
from ..keys.in_force import Keys
from ..keys.record import StoredKey
from ..reject_log import row_of
from ..rejects import Rejects
from ..storage import inbox
from ..storage import keys as key_rows
from ..storage.connecting import Connection
from ..storage.database import Transaction
from ..storage.errors import DatabaseError, StorageError
from ..storage.inbox import Backlog
from .inbox_writer import InboxWriter
from .kafka_writer import KafkaWriter
from .pause import Pause

EVERY_S = 1.0
USES_EVERY_S = 60.0

PART = 0.05
"""Of the time, at most, that the database may work to say how full the inbox is."""

MOST_BYTES = 8 * 1024**3
"""Bytes of bodies that may wait for the elected node."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class RoundsTally:
    """What the rounds found.

    Attributes:
        keys_at: When the keys were read last, by the clock that never jumps; -inf before the first time.
        backlog: What waits in the inbox, as it was looked at last.
        faults: Rounds that could not be made.
    """

    keys_at: float = float("-inf")
    backlog: Backlog = inbox.EMPTY
    faults: int = 0


class Rounds:
    """A thread that makes them.

    Attributes:
        tally: What it found.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        writer: InboxWriter | KafkaWriter,
        keys: Keys,
        rejects: Rejects,
        intake: Intake,
        *,
        clock: Callable[[], float],
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Take the parts over.

        Args:
            connect: Opens a connection that may write; raises StorageError.
            writer: Is told when the inbox is full.
            keys: Those in force here.
            rejects: Those that wait to be written.
            intake: What is counted of them.
            clock: Unix seconds.
            most_bytes: That may wait in the inbox.
        """
        self.tally = RoundsTally()
        self._connect = connect
        self._writer = writer
        self._keys = keys
        self._rejects = rejects
        self._intake = intake
        self._clock = clock
        self._most_bytes = most_bytes
        self._stored: list[StoredKey] = []
        self._backlog_at = self._uses_at = float("-inf")
        self._written: dict[str, float] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="claxon-rounds", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Make a last round, and end."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    @property
    def keys_age_s(self) -> float:
        """How old what is known of the keys is, in seconds; inf before it is known."""
        return clocks.monotonic() - self.tally.keys_at

    @property
    def knows_keys(self) -> bool:
        """Whether they were read once."""
        return self.tally.keys_at > float("-inf")

    def _run(self) -> None:
        pause = Pause(self._closing)
        while not self._closing.is_set():
            try:
                connection = self._connect()
            except StorageError:
                # The writer says so.
                self.tally.faults += 1
                pause.wait()
                continue
            pause.over()
            try:
                self._go_on(connection)
            except DatabaseError as fault:
                self.tally.faults += 1
                _log.warning("rounds.faulted", error=str(fault))
                pause.wait()
            finally:
                connection.close()

    def _go_on(self, connection: Connection) -> None:
        book = Book(connection, clock=self._clock)
        while True:
            self._look_at_keys(book)
            self._look_at_inbox(connection)
            self._hand_over(connection)
            if clocks.monotonic() - self._uses_at >= USES_EVERY_S:
                self._note_uses(connection)
            if self._closing.wait(EVERY_S):
                self._hand_over(connection)
                self._note_uses(connection)
                return

    def _look_at_keys(self, book: Book) -> None:
        stored = book.all()
        if stored != self._stored:
            self._stored = stored
            self._keys.adopt(stored)
        self.tally.keys_at = clocks.monotonic()

    def _look_at_inbox(self, connection: Connection) -> None:
        now = clocks.monotonic()
        if now < self._backlog_at:
            return
        self.tally.backlog = found = inbox.backlog(connection)
        after = clocks.monotonic()
        self._backlog_at = after + (after - now) / PART
        full = found.bytes > self._most_bytes
        self._writer.full = (
            f"inbox: {found.bytes} bytes wait, and {self._most_bytes} may: nobody is elected, or it is slow: "
            "send again later"
            if full
            else ""
        )

    def _hand_over(self, connection: Connection) -> None:
        """Hand what was refused here to the elected node, which shows it."""
        if not self._rejects:
            return
        taken = self._rejects.take()
        try:
            with Transaction(connection):
                inbox.put_rejects(connection, map(row_of, taken))
        except DatabaseError:
            self._intake.unkept += len(taken)
            raise

    def _note_uses(self, connection: Connection) -> None:
        uses = self._keys.uses()
        newer = {digest: at for digest, at in sorted(uses.items()) if at > self._written.get(digest, 0.0)}
        if newer:
            with Transaction(connection):
                # In an order that all nodes have, as `upkeep.note_uses`.
                key_rows.note_uses(connection, newer)
        self._written |= newer
        self._uses_at = clocks.monotonic()
