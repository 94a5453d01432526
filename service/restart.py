"""Restart: the newest snapshot, then the log's tail, each row repeated with the rules of its time.

≠ what is told to whom.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
import structlog
from claxon.event import Event

from alerts.decisions import Step
from alerts.desk import episode_key
from alerts.engine_state import EngineState
from alerts.evaluator import Engine
from alerts.notifier import Notifier
from alerts.reading import Reading
from alerts.rules import Rule

from .decoding import decode_logged
from .rule_texts import from_text, to_text
from .storage import event_log, outbox, snapshots, state
from .storage.connecting import Connection
from .storage.database import Transaction
from .storage.event_log import LoggedBatch, Resumed, Rewound, RulesChanged
from .work import Tally

NOTHING = -1
"""The offset before the log's first row."""


_SAID = 20
"""Rows that are named in the log, at most."""

_log = structlog.get_logger(__name__)


class UnreadableError(Exception):
    """A row of the log that cannot be read; its offset."""


class CoreState(msgspec.Struct):
    """What a snapshot holds."""

    engine: EngineState


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """One row of the log, or the time after the last committed one, done again.

    Attributes:
        offset: Up to which row.
        n: How many events it held.
        step: What was decided.
        old: Whether that was committed before, so that it is not told again.
    """

    offset: int
    n: int
    step: Step
    old: bool


class Restart:
    """Rebuilds the engine; `steps` must be run to its end before the engine is used."""

    def __init__(self, connection: Connection, rules: Iterable[Rule]) -> None:
        """Load the newest snapshot.

        Args:
            connection: The database.
            rules: Those of the configuration, for a log that begins without any.
        """
        self._connection = connection
        self.cursor = snapshots.load_cursor(connection)
        found = snapshots.load_newest(connection, CoreState)
        self.snapshot = found is not None
        self.agrees: bool | None = None
        self.unreadable: list[LoggedBatch] = []
        if found is not None:
            self.offset = found.offset
            self.engine = Engine(from_text(found.rules), found.state.engine)
        else:
            self.offset = NOTHING
            self.engine = Engine(())
            self._name_the_rules(rules)

    def _name_the_rules(self, rules: Iterable[Rule]) -> None:
        first = event_log.first(self._connection)
        if first is None or (isinstance(first.entry, RulesChanged) and first.entry.first):
            return
        with Transaction(self._connection):
            event_log.put_first(self._connection, RulesChanged(rules=to_text(rules), first=True))

    def steps(self) -> Iterator[Repeated]:
        """Yield the rows after the snapshot, each done again.

        The cursor says up to which row, and then up to which instant, decisions were
        committed. There `agrees` becomes whether the same ones were made again; None
        where nobody knows.
        """
        cursor = self.cursor
        caught_up = False
        for row in event_log.read(self._connection, self.offset):
            if row.offset > cursor.offset and not caught_up:
                caught_up = True
                yield self._catch_up()
            self.offset = row.offset
            try:
                step = again(self.engine, row)
            except UnreadableError:
                # One bad block must not keep people from being paged: what it held is lost, and said.
                self.unreadable.append(row)
                continue
            yield Repeated(offset=row.offset, n=row.n, step=step, old=row.offset <= cursor.offset)
        if not caught_up:
            yield self._catch_up()

    def say(self, tally: Tally) -> None:
        """Count, and say in the log, what was unreadable, and whether the replay decided otherwise."""
        tally.unreadable = len(self.unreadable)
        for row in self.unreadable[:_SAID]:
            said = "cannot be read: the disk changed it: its events are lost to this replay"
            _log.error("log.unreadable_row", offset=row.offset, events=row.n, error=said)
        if self.unreadable:
            _log.error("log.unreadable", rows=len(self.unreadable), events=sum(row.n for row in self.unreadable))
        if self.agrees is False:
            tally.diverged += 1
            remedy = "this version decides otherwise than the one that ran before, or the log was changed"
            _log.error("ledger.diverged", offset=self.cursor.offset, hash=self.cursor.hash, error=remedy)

    def _catch_up(self) -> Repeated:
        step = self.engine.tick(self.cursor.at) if self.cursor.at > float("-inf") else Step()
        if self.cursor.hash:
            self.agrees = self.engine.ledger_hash == self.cursor.hash
        return Repeated(offset=self.offset, n=0, step=step, old=True)


def remember_told(connection: Connection, engine: Reading, notifier: Notifier) -> None:
    """Take from the outbox who was told, where the notifier remembers nothing: its rows are younger than the log."""
    for alert in engine.firing():
        told = outbox.receivers_of(connection, alert.fingerprint, episode_key(alert))
        if told:
            notifier.remember(alert, told)


def restore_acknowledgements(connection: Connection, engine: Reading) -> None:
    """Take from the episodes who looks after what fires: the log does not say it."""
    for alert in engine.firing():
        for known in state.load_episodes(connection, limit=1, fingerprint=alert.fingerprint):
            if known.episode == alert.episode:
                alert.acked_by, alert.acked_at = known.acked_by, known.acked_at


def again(engine: Engine, row: LoggedBatch) -> Step:
    """Have an engine do what a row of the log had it do the first time, at the same instant.

    Raises:
        StorageError: The row changes the rules to some that this version cannot read.
        UnreadableError: What the row holds was changed on disk; the engine is as it was.
    """
    if row.unreadable:
        raise UnreadableError(row.offset)
    match row.entry:
        case None:
            return engine.observe(_events_of(row), row.observed_at)
        case Resumed():
            return engine.resume(row.observed_at)
        case RulesChanged(rules=text):
            return engine.replace_rules(from_text(text), row.observed_at)
        case Rewound(since=since):
            # Up to there it had been evaluated when the clock was set back, whether or not an event came.
            before, after = engine.tick(since), engine.rewind(row.observed_at)
            return Step(before.transitions + after.transitions, before.decisions + after.decisions)


def _events_of(row: LoggedBatch) -> list[Event]:
    try:
        return decode_logged(row.body, received_at=row.received_at, app=row.app, skip=row.skip)
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise UnreadableError(row.offset) from fault
