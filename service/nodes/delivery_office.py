"""The office of a node that delivers: a thread with a connection of its own, whoever is elected.

It looks for what is due, and renews what is on its way. While the database is away nothing new is sent; what was sent
meanwhile is noted afterwards, if no other node has sent it by then.

≠ what is sent, how.
"""

from __future__ import annotations

import queue
import threading
import uuid
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from typing import TypeVar

import structlog

from alerts.decisions import Decision

from .. import clock as clocks
from ..storage import deliverers, ledger, state
from ..storage.connecting import Connection
from ..storage.database import Transaction
from ..storage.deciding import decide
from ..storage.errors import ConnectionLostError, DatabaseError, LostError, StorageError
from ..storage.leases import RENEW_S, SharedLeases

T = TypeVar("T")

LOOK_S = 0.2
"""How often it is looked for what is due."""

SILENT_S = 4.0
"""A database that does not answer for so long is away; before a lease ends."""

_WATCH_S = 0.5
_FIRST_PAUSE_S = 0.1
_MOST_PAUSE_S = 2.0

_log = structlog.get_logger(__name__)


class DeliveryOffice:
    """An `Office` beside the elected node.

    Attributes:
        leases: What this node has.
        on_outbox: Called with the integrations for which something is due; None: perhaps for any.
        targets: Says for which integrations is looked.
        why: Why nothing can be sent now; "" while the database is there.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        *,
        node: str,
        targets: Callable[[], Collection[str]],
        clock: Callable[[], float] = clocks.now,
        steady: Callable[[], float] = clocks.monotonic,
    ) -> None:
        """Take the parts over.

        Args:
            connect: Opens a connection that may write; raises StorageError.
            node: Where this node is found.
            targets: The integrations to look for.
            clock: Unix seconds, until the server has said how late it is.
            steady: Seconds that never jump.
        """
        self.leases = SharedLeases(uuid.uuid4().hex)
        self.on_outbox: Callable[[Collection[str] | None], None] = lambda _: None
        self.targets = targets
        self.why = "database: not reached yet"
        self._connect = connect
        self._node = node
        self._steady = steady
        self._ahead = clock() - steady()
        self._connection: Connection | None = None
        self._queue: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._look_at = self._renew_at = self._connect_at = float("-inf")
        self._pause_s = _FIRST_PAUSE_S
        # Since when the database is being asked; inf while it is not.
        self._asked_at = float("inf")
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="claxon-delivery", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name="claxon-delivery-watch", daemon=True)

    # ── for other threads ─────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin; the database need not be there."""
        self._thread.start()
        self._watcher.start()

    def stop(self) -> None:
        """Let all go that is not sent, and end."""
        self._queue.put(None)
        self._thread.join(timeout=2 * SILENT_S)
        self._closing.set()
        self._watcher.join()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def clock(self) -> float:
        """Return the server's time, Unix seconds."""
        return self._ahead + self._steady()

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Run a function in the thread."""
        done: Future[T] = Future()

        def run() -> None:
            if not done.set_running_or_notify_cancel():
                return
            try:
                done.set_result(function())
            except BaseException as fault:  # noqa: BLE001 — it belongs to whoever waits for the future
                self._take_note(fault)
                done.set_exception(fault)

        self._queue.put(run)
        return done

    # ── in the thread ─────────────────────────────────────────────────────────

    @property
    def connection(self) -> Connection:
        """The database.

        Raises:
            ConnectionLostError: It is away.
        """
        if self._connection is None:
            raise ConnectionLostError(self.why)
        return self._connection

    def write_down(self, write: Callable[[], Iterable[Decision]], *, keys: Iterable[str] = ()) -> None:
        """Note what came of deliveries in one transaction, with the ledger's rows.

        Args:
            write: Called inside the transaction; it returns those rows.
            keys: Those of which is decided who else is told.

        Raises:
            DatabaseError: Nothing of it is written, or it is unknown whether it is.
        """
        connection = self.connection
        with Transaction(connection):
            decide(connection, keys)
            rows = list(write())
            for row in rows:
                _name_rule(connection, row)
            if rows:
                ledger.add(connection, rows)

    def _run(self) -> None:
        while True:
            try:
                work = self._queue.get(timeout=LOOK_S)
            except queue.Empty:
                pass
            else:
                if work is None:
                    break
                self._ask(work)
            self._ask(self._look)
        self._ask(self._sign_out)
        if self._connection is not None:
            self._connection.close()

    def _ask(self, work: Callable[[], None]) -> None:
        self._asked_at = self._steady()
        try:
            work()
        except Exception as fault:  # noqa: BLE001 — the thread must go on
            self._take_note(fault)
            if not isinstance(fault, LostError):
                _log.exception("delivery.faulted")
        finally:
            self._asked_at = float("inf")

    def _look(self) -> None:
        now = self._steady()
        if self._connection is None:
            if now >= self._connect_at:
                self._reach()
            return
        if now >= self._renew_at:
            self._renew_at = now + RENEW_S
            self._renew(self._connection, now)
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            if due := self.leases.due(self._connection, self.targets()):
                self.on_outbox(due)

    def _renew(self, connection: Connection, now: float) -> None:
        lost = self.leases.renew(connection, steady=now)
        if lost:
            _log.warning("delivery.leases_lost", rows=lost)
        asked_at = self._steady()
        at = deliverers.sign_in(connection, self.leases.name, self._node, self.targets())
        self._ahead = at - (asked_at + self._steady()) / 2
        self.leases.nodes = max(1, len(deliverers.delivering(connection) or ()))

    def _sign_out(self) -> None:
        if self._connection is not None:
            with Transaction(self._connection):
                self.leases.give_all_back(self._connection)
                deliverers.sign_out(self._connection, self.leases.name)

    # ── a database that is away ───────────────────────────────────────────────

    def _reach(self) -> None:
        try:
            connection = self._connect()
        except StorageError as fault:
            self._be_away(f"{fault}")
            self._connect_at = self._steady() + self._pause_s
            self._pause_s = min(_MOST_PAUSE_S, 2 * self._pause_s)
            return
        self._connection, self.why, self._pause_s = connection, "", _FIRST_PAUSE_S
        self._look_at = self._renew_at = float("-inf")
        self.leases.begin(connection)
        _log.info("delivery.connected")
        self.on_outbox(None)

    def _take_note(self, fault: BaseException) -> None:
        """Let a connection go that is lost."""
        if isinstance(fault, LostError) and self._connection is not None:
            connection, self._connection = self._connection, None
            self._be_away(f"database: {fault}")
            connection.close()
        elif isinstance(fault, DatabaseError) and self._connection is not None and self._connection.in_transaction:
            self._connection.rollback()

    def _be_away(self, why: str) -> None:
        if why != self.why:
            _log.warning("delivery.cut_off", error=f"{why}: nothing is sent until it is there again")
        self.why = why

    def _watch(self) -> None:
        """End a connection that says nothing any more: the thread waits for it, and would for ever."""
        while not self._closing.wait(_WATCH_S):
            connection = self._connection
            if connection is not None and self._steady() - self._asked_at > SILENT_S:
                connection.cut()


def _name_rule(connection: Connection, row: Decision) -> None:
    """Have a row of the ledger name the rule of its alert, as the core does."""
    episodes = state.load_episodes(connection, limit=1, fingerprint=row.subject)
    if episodes and not row.rule:
        row.rule, row.rule_hash = episodes[0].rule, episodes[0].rule_hash
