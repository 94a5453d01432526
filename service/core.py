"""Core: the one thread that writes the log, evaluates, and commits what was decided, in order.

Everything that changes state goes through its queue, so the order of the log is
the order of the decisions, and a replay of the log repeats them.

≠ HTTP, receivers.
"""

from __future__ import annotations

import gc
import queue
import threading
import uuid
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar

import structlog

from alerts.decisions import Decision, Step
from alerts.notification import Notification
from alerts.notifier import Notifier, NotifierState, Told
from alerts.reading import Reading
from alerts.rules import Rule

from . import clock as clocks
from .cadence import Cadence
from .clock import ClockWatch, Jump
from .doubt import Doubt
from .log_writer import LogWriter, Row
from .measures import Measures
from .overlap import Overlap
from .own_log import OwnLog
from .restart import remember_told, restore_acknowledgements
from .rule_texts import hashed_texts, to_text
from .source import Source
from .storage import deliverers, ledger, outbox, remembered, state
from .storage.connecting import Connection
from .storage.database import Transaction
from .storage.deciding import decide
from .storage.errors import DatabaseError
from .storage.event_log import Resumed, Rewound, RulesChanged
from .storage.leases import leases_of
from .uncommitted import Uncommitted
from .work import Ingest, Taken, Tally

T = TypeVar("T")

GROUP = 64
"""Batches that share one commit, at most."""

_log = structlog.get_logger(__name__)


class Core:
    """Owns the database, the engine and the notifier."""

    def __init__(
        self,
        connection: Connection,
        rules: Iterable[Rule],
        notifier: Notifier,
        *,
        clock: Callable[[], float],
        targets: Callable[[Notification], list[str]],
        steady: Callable[[], float] | None = None,
        source: Source | None = None,
    ) -> None:
        """Take the parts over.

        Args:
            connection: The database; closed at the end.
            rules: Those of the configuration, in force from `start` on.
            notifier: Who is told of what.
            clock: Unix seconds.
            targets: The integrations that a notification goes to.
            steady: Seconds that never jump.
            source: Where decisions come from; without, from a log of its own.
        """
        self.connection = connection
        # Of what is sent from here.
        self.leases = leases_of(connection, uuid.uuid4().hex)
        self.notifier = notifier
        self._rules = tuple(rules)
        self.source: Source = source or OwnLog(connection, self._rules)
        self.tally = Tally()
        self.measures = Measures()
        self.measures.begin(self.engine.totals)
        self.overlap = Overlap(connection)
        # Called with the integrations for which there is something; None: perhaps for any.
        self.on_outbox: Callable[[Collection[str] | None], None] = lambda _: None
        # Told of every fault: of those that say the database is corrupt it takes note.
        self.doubt = Doubt(connection)
        # Also those that are gone: their alerts end after them.
        self._known: dict[str, Rule] = {}
        self._clock = clock
        self._steady = steady or clocks.monotonic
        self._watch = ClockWatch(clock, self._steady)
        self._cadence = Cadence(self._steady)
        self._targets = targets
        self._queue: queue.SimpleQueue[Ingest | Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="claxon-core", daemon=True)
        self._open = Uncommitted()
        self._writer = LogWriter(connection, self.tally, self.overlap, self.doubt, steady=self._steady)
        # In the log, and not evaluated yet.
        self._logged: list[Row] = []
        self._bytes_given = self._bytes_taken = 0
        self.audit = self._open.audit  # whoever changes something in this thread adds who it was
        self._unpruned = 0

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
        self._writer.close()
        self.connection.close()

    @property
    def engine(self) -> Reading:
        """What pages, /metrics and the API read; in the core's thread."""
        return self.source.engine

    @property
    def refusal(self) -> str:
        """Why no event can be taken; whoever cannot be answered otherwise is told so by the future."""
        return self.source.refusal

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
        """How far evaluation is behind the clock, in seconds; inf before it was told the time."""
        return max(0.0, self._clock() - self.source.complete_to)

    @property
    def waiting_bytes(self) -> int:
        """How much of events is queued, in bytes of their text."""
        return self._bytes_given - self._bytes_taken

    def ingest(self, work: Ingest) -> Future[Taken]:
        """Have a batch logged and evaluated; the future says what became of it once it is durable."""
        # Two sums, each with one thread that adds to it.
        self._bytes_given += len(work.batch.body)
        self._queue.put(work)
        return work.done

    async def spans_come(self, now: float) -> None:
        """Note that spans come, before they are taken; for the event loop.

        Raises:
            DatabaseError: It cannot be written.
        """
        await self.overlap.spans_come(self, now)

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
                self.doubt(fault)
                done.set_exception(fault)

        self._queue.put(run)
        return done

    # ── the thread ────────────────────────────────────────────────────────────

    def _run(self) -> None:
        while True:
            work = self._queue.get()
            if isinstance(work, Ingest):
                group, after = self._gather(work)
                self._ingest(group)
                if not after:
                    continue
                work = after[0]
            self._observe_logged()
            if work is None:
                return
            work()

    def _gather(self, first: Ingest) -> tuple[list[Ingest], list[Callable[[], None] | None]]:
        """Return half of the batches that wait, at most `GROUP`, and what came between them and the next, if anything.

        Half, so that there is something to do while the disk writes these.
        """
        group = [first]
        most = min(GROUP, self._queue.qsize() // 2 + 1)
        while len(group) < most:
            work = self._queue.get_nowait()
            if not isinstance(work, Ingest):
                return group, [work]
            group.append(work)
        return group, []

    def _ingest(self, group: list[Ingest]) -> None:
        self._bytes_taken += sum([len(work.batch.body) for work in group])
        now = self._look_at_the_clock()
        if self._logged:
            rows = self._writer.write(group, now, meanwhile=self._observe_logged)
        else:
            rows = self._write_with_decisions(group, now)
        # A fault before the disk was asked left it no time.
        self._observe_logged()
        self._logged = rows or []
        if self._queue.empty():
            self._observe_logged()

    def _write_with_decisions(self, group: list[Ingest], now: float) -> list[Row] | None:
        # The cursor may not pass what is decided and not written.
        flush = bool(self._open.decisions) and not self._open.changed and not self._open.to_tell
        rows = self._writer.write(group, now, also=self._flush if flush else None)
        if flush and rows is not None:
            self._written()
        return rows

    def _observe_logged(self) -> None:
        """Evaluate what is durable and nobody has looked at."""
        rows, self._logged = self._logged, []
        for row in rows:
            self._cadence.count(len(row.events))
            self._guarded(self.source.observe, row)
            self._measure(row)

    def _measure(self, row: Row) -> None:
        try:
            self.measures.take(row.events, row.now)
        except Exception:  # noqa: BLE001 — metrics are no reason to stop
            self.tally.faults += 1
            _log.exception("measuring.failed")

    def tick(self) -> None:
        """Evaluate what time alone changes, and do what is due; runs in the core's thread."""
        self._guarded(self.source.tick, self._look_at_the_clock())
        self.decide(self.notifier.tick(self.engine.now, self._known, self.engine.find))
        if self._open or self.source.unsaved:
            self._commit_pending()
        if self._unpruned > ledger.MAX_ROWS // 20:
            self._prune_ledger()
        if self._cadence.due:
            self.snapshot()

    def _look_at_the_clock(self) -> float:
        """Return the present; when the clock jumped, log it first, so that a replay jumps too."""
        look = self._watch.look(self.engine.now)
        if look.jump is not Jump.NONE and self.source.begun:
            self._observe_logged()
            try:
                self._jump(look.jump, look.now, by_s=look.by_s)
            except DatabaseError:
                # What cannot be logged must not be evaluated either: the next look sees the same jump.
                _log.exception("clock.jump_not_logged")
                return self.engine.now
        self._watch.settle(look)
        return max(look.now, self.engine.now)

    def _jump(self, jump: Jump, now: float, *, by_s: float) -> None:
        _log.warning("clock.jumped", direction=jump.value, by_s=round(by_s, 3))
        ahead = jump is Jump.AHEAD
        with Transaction(self.connection):
            self.source.enter(Resumed() if ahead else Rewound(since=self.engine.now), now)
            # What waits was timed by the clock as it was.
            outbox.shift(self.connection, by_s)
        self.tally.jumps[jump.value] += 1
        self._guarded(self.source.resume if ahead else self.source.rewind, now)
        if ahead:
            self.notifier.resume()
        else:
            self.notifier.rewind(now)

    def _guarded(self, function: Callable[..., Step], *arguments: Any) -> None:
        """Evaluate and commit; a fault in a rule is logged and disables nothing."""
        try:
            self._commit(function(*arguments))
        except Exception as fault:  # noqa: BLE001 — the thread must go on
            self.doubt(fault)
            self.tally.faults += 1
            _log.exception("evaluation.failed")

    def _commit(self, step: Step) -> None:
        """Commit what one step decided: state changes, ledger and outbox in one transaction."""
        self._open.add(decisions=step.decisions, changed=step.transitions)
        notifications, told = self.notifier.step(step.transitions, self._known, self.engine.find)
        self._open.add(decisions=told, to_tell=notifications)
        for transition in step.transitions:
            _log.info(
                f"alert.{transition.change.value}",
                labels=transition.alert.labels,
                value=transition.alert.value,
            )
        if self._open.urgent:
            self._commit_pending()

    def decide(self, told: Told, *, at_once: bool = False) -> None:
        """Take what the notifier decided; commit it now where it may not wait, or must be durable before an answer.

        Raises:
            DatabaseError: It cannot be written now; it stays, for the next tick.
        """
        self._open.add(decisions=told[1], to_tell=told[0])
        if self._open.urgent or at_once:
            self._commit_pending()

    def _commit_pending(self) -> None:
        """Write all that was decided and is not committed; on a fault it stays, for the next tick."""
        self._writer.settle()
        with Transaction(self.connection):
            self._flush()
        targets = self._open.targets
        self._written()
        self.tally.commits += 1
        if targets:
            self.on_outbox(targets)

    def _written(self) -> None:
        self._open.clear()
        self.tally.decided += 1
        self.notifier.state.stored()
        self.source.saved()

    def _flush(self) -> None:
        remembered.save(self.connection, self.notifier.state.changes())
        self._unpruned += self._open.write(self.connection, self._targets, now=self.engine.now)
        self.source.save()

    # ── restart ───────────────────────────────────────────────────────────────

    def snapshot(self) -> None:
        """Store the state, if the log has grown; runs in the core's thread."""
        if not self.source.grown and not self._open:
            return
        began_at = self._steady()
        # Pages wait meanwhile: the collector would look through all that is copied, and find nothing.
        gc.disable()
        try:
            self._commit_pending()
            self.tally.snapshot_bytes = self.source.snapshot()
        finally:
            gc.enable()
            # A full disk must not be tried at every tick either.
            self.tally.snapshot_s = self._cadence.made(began_at=began_at)

    def _recover(self) -> None:
        """Newest snapshot, then the log's tail; what was decided but not committed is committed now."""
        began_at = self._steady()
        # What is rebuilt lives on: to look through it again and again, as it grows, takes half of a restart.
        gc.disable()
        try:
            events = self._replay()
        finally:
            gc.enable()
        self._go_on()
        self.measures.begin(self.engine.totals)
        self.tally.replayed, self.tally.restart_s = events, self._steady() - began_at
        _log.info(
            "log.replayed",
            events=events,
            seconds=round(self.tally.restart_s, 3),
        )

    def _replay(self) -> int:
        """Rebuild the state; return how many events were evaluated again."""
        events = 0
        self.notifier.state = NotifierState(remembered.load(self.connection))
        for repeated in self.source.recover(self.tally):
            self._known |= self.engine.rules
            self._cadence.count(repeated.n)
            events += repeated.n
            # What is old was told, or not, and the notifier remembers that.
            if not repeated.old:
                self._guarded(lambda step=repeated.step: step)
        restore_acknowledgements(self.connection, self.engine)
        if not self.notifier.state.firing:
            remember_told(self.connection, self.engine, self.notifier)
        return events

    def _go_on(self) -> None:
        """Go on at the present with the configured rules; what the log must know of it is logged."""
        now = self._clock()
        if self.source.begun and now - self.engine.now > clocks.PAUSE_S:
            self._jump(Jump.AHEAD, now, by_s=0.0)
        else:
            self._look_at_the_clock()
        self.change_rules(self._rules)

    def change_rules(self, rules: Iterable[Rule]) -> bool:
        """Put other rules in force from now on, and log it; return whether they are others.

        Raises:
            DatabaseError: The log cannot be written; nothing has changed.
        """
        rules = tuple(rules)
        text = to_text(rules)
        if text == to_text(self.engine.rules.values()) and self.source.begun:
            return False
        now = self._look_at_the_clock()
        with Transaction(self.connection):
            self.source.enter(RulesChanged(rules=text, first=not self.source.begun), now)
            state.save_rule_texts(self.connection, hashed_texts(rules), at=now)
        self._known |= {rule.id: rule for rule in rules}
        self._guarded(self.source.use, rules, now)
        return True

    def weigh(self, adopt: Callable[[], None]) -> None:
        """Have the notifier adopt other settings, then tell of what fires and is to be told by those."""
        adopt()
        self.decide(self.notifier.weigh(self._known, self.engine.find, self.engine.now))

    def reconfigure(self, rules: Iterable[Rule], *, adopt: Callable[[], None]) -> None:
        """Put new rules, and then by `adopt` all else that is new, in force; runs in the core's thread.

        Raises:
            DatabaseError: The log cannot be written; nothing has changed.
        """
        self.change_rules(rules)
        self.weigh(adopt)
        # The log does not say who was told by which route; a snapshot does.
        self.snapshot()

    # ── upkeep, in the core's thread ──────────────────────────────────────────

    def prune(self, *, keep_s: float) -> None:
        """Delete deliveries, ledger and what the notifier remembers beyond their age; the log is pruned elsewhere."""
        now = self._clock()
        with Transaction(self.connection):
            outbox.prune(self.connection, now - keep_s)
            deliverers.prune(self.connection)
        self.notifier.forget_old(now)
        self._prune_ledger()

    def _prune_ledger(self) -> None:
        with Transaction(self.connection):
            ledger.prune(self.connection, now=self._clock())
        self._unpruned = 0

    def note(self, row: Decision) -> None:
        """Add a row to the ledger; it is committed by the next tick at the latest."""
        alert = self.engine.find(row.subject)
        if alert is not None and not row.rule:
            row.rule, row.rule_hash = alert.rule, alert.rule_hash
        self._open.add(decisions=[row])

    def write_down(self, write: Callable[[], Iterable[Decision]], *, keys: Iterable[str] = ()) -> None:
        """Note what came of deliveries, as `Office` says; the next tick at the latest writes the ledger's rows."""
        with Transaction(self.connection):
            decide(self.connection, keys)
            rows = list(write())
        self.tally.commits += 1
        for row in rows:
            self.note(row)

    def uncommitted(self) -> list[Decision]:
        """Return the ledger's newest rows, which no transaction holds yet."""
        return list(self._open.decisions)

    @property
    def known_rules(self) -> dict[str, Rule]:
        """The rules by id, those that are gone too."""
        return self._known
