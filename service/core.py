"""Core: the one thread that writes the log, evaluates, and commits what was decided, in order.

Everything that changes state goes through its queue, so the order of the log is
the order of the decisions, and a replay of the log repeats them.

≠ HTTP, receivers.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
import structlog
from claxon.event import Event

from alerts.decisions import Decision, Step, Transition, What
from alerts.evaluator import Engine, EngineState
from alerts.lifecycle import Alert, Change
from alerts.notification import Notification
from alerts.notifier import Notifier, NotifierState
from alerts.rules import Rule

from .decoding import Batch, decode_logged
from .storage import event_log, outbox, state
from .storage.event_log import LoggedBatch

T = TypeVar("T")

_AT_ONCE = frozenset({Change.FIRED, Change.RESOLVED})

GROUP = 64
"""Batches that share one commit, at most."""

DELIVER_FOR_S = 86_400.0
"""How long a notification is tried."""

REMEMBER_S = 86_400.0
"""How long idempotency keys and event ids are remembered."""

PAUSE_S = 60.0
"""A gap in the log longer than this was ours: nobody could be heard in it."""

_log = structlog.get_logger(__name__)


class Snapshot(msgspec.Struct):
    """What a restart needs beside the log's tail."""

    engine: EngineState
    notifier: NotifierState


@dataclass(slots=True, kw_only=True)
class Ingest:
    """A batch on its way into the log.

    Attributes:
        batch: Decoded and checked.
        received_at: When it arrived, Unix seconds.
        app: The app of events that name none.
        key: Makes a re-post harmless; None where the sender gave none.
        answer: What the sender is told once it is durable; the first answer for a re-post.
        client_dropped: Events that the sender says it gave up before this batch.
    """

    batch: Batch
    received_at: float
    app: str
    key: str | None
    answer: str
    client_dropped: int = 0
    done: Future[str] = field(default_factory=Future)


@dataclass(slots=True)
class Tally:
    """What the core has done since the start; for metrics.

    Attributes:
        batches: Committed to the log.
        events: In them.
        duplicates: Events left out, as their id was known.
        client_dropped: Events that clients gave up before they were sent.
        commits: Transactions.
        failures: Batches that could not be committed.
        snapshot_bytes: Size of the newest snapshot.
        faults: Evaluations that raised.
    """

    batches: int = 0
    events: int = 0
    duplicates: int = 0
    client_dropped: int = 0
    commits: int = 0
    failures: int = 0
    snapshot_bytes: int = 0
    faults: int = 0


class Core:
    """Owns the database, the engine and the notifier."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        rules: Iterable[Rule],
        notifier: Notifier,
        *,
        clock: Callable[[], float],
        targets: Callable[[Notification], list[str]],
    ) -> None:
        self.connection = connection
        self.notifier = notifier
        self.engine = Engine(rules)
        self.tally = Tally()
        self.on_outbox: Callable[[], None] = lambda: None
        self._clock = clock
        self._targets = targets
        self._queue: queue.SimpleQueue[Ingest | Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="claxon-core", daemon=True)
        self._offset = 0
        # Decided, and not committed yet: rows of the ledger wait for the next commit, state changes never do.
        self._pending: list[Decision] = []
        self._changed: list[Transition] = []
        self._to_tell: list[Notification] = []
        self._snapshot_offset = -1

    # ── for other threads ─────────────────────────────────────────────────────

    def start(self) -> None:
        """Recover the state, then take work."""
        self._recover()
        self._thread.start()

    def stop(self) -> None:
        """Finish what is queued, snapshot, and end the thread."""
        if self._thread.is_alive():
            self.submit(self.snapshot)
            self._queue.put(None)
            self._thread.join(timeout=30)
        self.connection.close()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """How much is queued."""
        return self._queue.qsize()

    @property
    def lag_s(self) -> float:
        """How far the engine is behind the clock, in seconds; inf before it was told the time."""
        return max(0.0, self._clock() - self.engine.now)

    def ingest(self, work: Ingest) -> Future[str]:
        """Have a batch logged and evaluated; the future holds the answer once it is durable."""
        self._queue.put(work)
        return work.done

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """Run a function in the core's thread, between batches."""
        done: Future[T] = Future()

        def run() -> None:
            # Whoever asked may have given up meanwhile.
            if not done.set_running_or_notify_cancel():
                return
            try:
                done.set_result(function())
            except BaseException as fault:  # noqa: BLE001 — it belongs to whoever waits for the future
                done.set_exception(fault)

        self._queue.put(run)
        return done

    # ── the thread ────────────────────────────────────────────────────────────

    def _run(self) -> None:
        while True:
            work = self._queue.get()
            if work is None:
                return
            if callable(work):
                work()
                continue
            group, after = self._gather(work)
            self._ingest(group)
            if after is None:
                continue
            if after is _STOP:
                return
            after()

    def _gather(self, first: Ingest) -> tuple[list[Ingest], Callable[[], None] | None]:
        """Return the batches that wait, up to `GROUP`, and what came between them and the next."""
        group = [first]
        while len(group) < GROUP:
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                break
            if work is None:
                return group, _STOP
            if callable(work):
                return group, work
            group.append(work)
        return group, None

    def _ingest(self, group: list[Ingest]) -> None:
        now = max(self._clock(), self.engine.now)
        logged: list[tuple[int, list[Event]]] = []
        answers: list[str] = []
        flushed = False
        try:
            stored = [event_log.compress(work.batch.body) for work in group]
            with _Transaction(self.connection):
                for work, body in zip(group, stored, strict=True):
                    answers.append(self._log(work, body, now, logged))
                # The cursor may not pass what is decided and not written.
                if self._pending and not self._changed and not self._to_tell:
                    self._flush_decisions()
                    flushed = True
        except sqlite3.Error as fault:
            self.tally.failures += len(group)
            for work in group:
                if work.done.set_running_or_notify_cancel():
                    work.done.set_exception(fault)
            return
        if flushed:
            self._pending = []
        self.tally.commits += 1
        for work, answer in zip(group, answers, strict=True):
            # A sender that hung up before the commit has sent its events all the same.
            if work.done.set_running_or_notify_cancel():
                work.done.set_result(answer)
        for offset, events in logged:
            self._offset = offset
            self._guarded(self.engine.observe, events, now)

    def _log(self, work: Ingest, stored: bytes, now: float, logged: list[tuple[int, list[Event]]]) -> str:
        connection = self.connection
        if work.key is not None:
            known = event_log.seen_answer(connection, work.key)
            if known is not None:
                return known
            event_log.remember_answer(connection, work.key, work.answer, now)
        events, skip = self._new_events(work, now)
        row = LoggedBatch(
            received_at=work.received_at, observed_at=now, app=work.app, n=len(events), skip=skip, body=b""
        )
        if events:
            logged.append((event_log.append(connection, row, stored), events))
        self.tally.batches += 1
        self.tally.events += len(events)
        self.tally.duplicates += len(skip)
        self.tally.client_dropped += work.client_dropped
        return work.answer

    def _new_events(self, work: Ingest, now: float) -> tuple[list[Event], list[int]]:
        """Return the events that no earlier batch held, and the indexes of the others."""
        events = work.batch.events
        skip = [
            i
            for i, event in enumerate(events)
            if event.event_id is not None
            and not event_log.claim_event_id(self.connection, f"{event.app}\0{event.event_id}", now)
        ]
        if skip:
            left_out = set(skip)
            events = [event for i, event in enumerate(events) if i not in left_out]
        return events, skip

    def tick(self) -> None:
        """Evaluate what time alone changes; runs in the core's thread."""
        self._guarded(self.engine.tick, self._clock())
        if self._pending or self._changed or self._to_tell:
            self._commit_pending()

    def _guarded(self, function: Callable[..., Step], *arguments: Any) -> None:
        """Evaluate and commit; a fault in a rule is logged and disables nothing."""
        try:
            self._commit(function(*arguments))
        except Exception:  # noqa: BLE001 — the thread must go on
            self.tally.faults += 1
            _log.exception("evaluation.failed")

    def _commit(self, step: Step) -> None:
        """Commit what one step decided: state changes, ledger and outbox in one transaction."""
        notifications, told = self.notifier.step(step.transitions, self.engine.rules, self.engine.find)
        self._pending += step.decisions + told
        self._changed += step.transitions
        self._to_tell += notifications
        for transition in step.transitions:
            _log.info(
                f"alert.{transition.change.value}",
                labels=transition.alert.labels,
                value=transition.alert.value,
            )
        # The rest is written with the next commit; a replay would decide it again.
        if self._to_tell or any(t.change in _AT_ONCE for t in self._changed):
            self._commit_pending()

    def _commit_pending(self) -> None:
        """Write all that was decided and is not committed; on a fault it stays, for the next tick."""
        told = bool(self._to_tell)
        deadline = self.engine.now + DELIVER_FOR_S
        with _Transaction(self.connection):
            for transition in self._changed:
                if transition.alert.episode:
                    state.save_episode(self.connection, transition.alert)
            for notification in self._to_tell:
                for target in self._targets(notification):
                    outbox.add(self.connection, target, notification, deadline=deadline)
            self._flush_decisions()
        self._pending, self._changed, self._to_tell = [], [], []
        self.tally.commits += 1
        if told:
            self.on_outbox()

    def _flush_decisions(self) -> None:
        state.add_decisions(self.connection, self._pending)
        state.save_cursor(self.connection, self._offset, self.engine.now)

    # ── restart ───────────────────────────────────────────────────────────────

    def snapshot(self) -> None:
        """Store the state, if the log has grown; runs in the core's thread."""
        if self._offset == self._snapshot_offset and not self._pending:
            return
        self._commit_pending()
        body = Snapshot(engine=self.engine.state, notifier=self.notifier.state)
        with _Transaction(self.connection):
            size = state.save_snapshot(self.connection, offset=self._offset, at=self.engine.now, state=body)
        self._snapshot_offset = self._offset
        self.tally.snapshot_bytes = size

    def _recover(self) -> None:
        """Newest snapshot, then the log's tail; what was decided but not committed is committed now."""
        rules = self.engine.rules.values()
        found = state.load_snapshot(self.connection, Snapshot)
        if found is not None:
            self._offset, snapshot = found
            self.engine = Engine(rules, snapshot.engine)
            self.notifier.state = snapshot.notifier
        replayed = self._replay_tail()
        self._restore_acknowledgements()
        _log.info("log.replayed", events=replayed, offset=self._offset, snapshot=found is not None)
        self._resume()

    def _replay_tail(self) -> int:
        """Repeat the batches after the snapshot; return how many events they held.

        The cursor says up to which batch, and then up to which instant, decisions
        were committed: those are repeated for the state they leave, not told again.
        """
        committed, until = state.load_cursor(self.connection)
        replayed = 0
        caught_up = False
        for batch in event_log.read(self.connection, self._offset):
            if batch.offset > committed and not caught_up:
                self._catch_up(until)
                caught_up = True
            self._offset = batch.offset
            self._repeat(self._observe_again(batch), old=batch.offset <= committed)
            replayed += batch.n
        if not caught_up:
            self._catch_up(until)
        return replayed

    def _catch_up(self, until: float) -> None:
        if until > float("-inf"):
            self._repeat(self.engine.tick(until), old=True)

    def _observe_again(self, batch: LoggedBatch) -> Step:
        if batch.n == 0:
            return self.engine.resume(batch.observed_at)
        events = decode_logged(batch.body, received_at=batch.received_at, app=batch.app, skip=batch.skip)
        return self.engine.observe(events, batch.observed_at)

    def _repeat(self, step: Step, *, old: bool) -> None:
        if old:
            self.notifier.step(step.transitions, self.engine.rules, self.engine.find)
        else:
            self._commit(step)

    def _resume(self) -> None:
        """Go on at the present, and log that there was a pause, so that a replay knows of it."""
        now = self._clock()
        if self._offset and now - self.engine.now > PAUSE_S:
            row = LoggedBatch(received_at=now, observed_at=now, app="", n=0, body=b"")
            with _Transaction(self.connection):
                self._offset = event_log.append(self.connection, row, b"")
            self._commit(self.engine.resume(now))

    def _restore_acknowledgements(self) -> None:
        for alert in self.engine.firing():
            for known in state.load_episodes(self.connection, limit=1, fingerprint=alert.fingerprint):
                if known.episode == alert.episode:
                    alert.acked_by, alert.acked_at = known.acked_by, known.acked_at

    # ── upkeep, in the core's thread ──────────────────────────────────────────

    def prune(self, *, keep_s: float) -> None:
        """Delete what is over its age: batches, ids, ledger, old deliveries."""
        now = self._clock()
        with _Transaction(self.connection):
            oldest = state.oldest_snapshot_offset(self.connection)
            event_log.prune(self.connection, before=now - keep_s, up_to=oldest)
            event_log.forget_ids(self.connection, now - REMEMBER_S)
            state.prune_ledger(self.connection)
            outbox.prune(self.connection, now - keep_s)
        self.connection.execute("PRAGMA incremental_vacuum(2000)")

    def note(self, row: Decision) -> None:
        """Add a row to the ledger; it is committed by the next tick at the latest."""
        self._pending.append(row)

    def uncommitted(self) -> list[Decision]:
        """Return the ledger's newest rows, which no transaction holds yet."""
        return list(self._pending)

    def acknowledge(self, fingerprint: str, *, by: str) -> Alert | None:
        """Note who looks after an alert; None if it does not fire."""
        alert = self.engine.find(fingerprint)
        if alert is None or alert.fired_at is None or alert.resolved_at is not None:
            return None
        alert.acked_by, alert.acked_at = by, self._clock()
        self._pending.append(
            Decision(at=alert.acked_at, what=What.ACKNOWLEDGED, subject=fingerprint, labels=alert.labels, note=by)
        )
        with _Transaction(self.connection):
            state.save_episode(self.connection, alert)
        self._commit_pending()
        return alert


class _Transaction:
    """One write transaction; rolls back on any fault."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            try:
                self._connection.execute("COMMIT")
            except sqlite3.Error:
                self._connection.execute("ROLLBACK")
                raise
        elif self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _STOP() -> None:  # noqa: N802 — a mark, not a function
    """Stand for the end of the queue."""
