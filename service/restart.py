"""Restart: the newest snapshot, then the log's tail, each row repeated with the rules of its time.

≠ what is told to whom.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from alerts.decisions import Step
from alerts.desk import episode_key
from alerts.engine_state import EngineState
from alerts.evaluator import Engine
from alerts.notifier import Notifier
from alerts.rules import Rule

from .decoding import decode_logged
from .rule_texts import from_text, to_text
from .storage import event_log, outbox, snapshots
from .storage.database import Transaction
from .storage.event_log import LoggedBatch, Resumed, Rewound, RulesChanged

NOTHING = -1
"""The offset before the log's first row."""


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

    def __init__(self, connection: sqlite3.Connection, rules: Iterable[Rule]) -> None:
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
            yield Repeated(offset=row.offset, n=row.n, step=again(self.engine, row), old=row.offset <= cursor.offset)
        if not caught_up:
            yield self._catch_up()

    def _catch_up(self) -> Repeated:
        step = self.engine.tick(self.cursor.at) if self.cursor.at > float("-inf") else Step()
        if self.cursor.hash:
            self.agrees = self.engine.ledger_hash == self.cursor.hash
        return Repeated(offset=self.offset, n=0, step=step, old=True)


def remember_told(connection: sqlite3.Connection, engine: Engine, notifier: Notifier) -> None:
    """Take from the outbox who was told, where the notifier remembers nothing: its rows are younger than the log."""
    for alert in engine.firing():
        told = outbox.receivers_of(connection, alert.fingerprint, episode_key(alert))
        if told:
            notifier.remember(alert, told)


def again(engine: Engine, row: LoggedBatch) -> Step:
    """Have an engine do what a row of the log had it do the first time, at the same instant.

    Raises:
        StorageError: The row changes the rules to some that this version cannot read.
    """
    match row.entry:
        case None:
            events = decode_logged(row.body, received_at=row.received_at, app=row.app, skip=row.skip)
            return engine.observe(events, row.observed_at)
        case Resumed():
            return engine.resume(row.observed_at)
        case RulesChanged(rules=text):
            return engine.replace_rules(from_text(text), row.observed_at)
        case Rewound(since=since):
            # Up to there it had been evaluated when the clock was set back, whether or not an event came.
            before, after = engine.tick(since), engine.rewind(row.observed_at)
            return Step(before.transitions + after.transitions, before.decisions + after.decisions)
