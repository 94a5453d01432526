"""OwnLog: this process writes the log itself, and an engine evaluates it in its order.

≠ who is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from alerts.decisions import Step
from alerts.evaluator import Engine
from alerts.rules import Rule

from .log_writer import Row
from .restart import NOTHING, CoreState, Repeated, Restart
from .rule_texts import to_text
from .storage import event_log, snapshots
from .storage.connecting import Connection
from .storage.database import Transaction
from .storage.event_log import Entry
from .storage.snapshots import Cursor
from .work import Tally


class OwnLog:
    """A `Source`: the log's order is the order of the decisions.

    Attributes:
        engine: It evaluates.
        offset: The log's last row that it has seen.
    """

    every_s = 0.5
    refusal = ""
    unsaved = False

    def __init__(self, connection: Connection, rules: Iterable[Rule]) -> None:
        """Take the database, and the rules of the configuration for a log that begins without any."""
        self.engine = Engine(rules)
        self.offset = NOTHING
        self._connection = connection
        self._rules = tuple(rules)
        self._snapshot_offset = self._entered = NOTHING

    @property
    def begun(self) -> bool:
        """Whether the log has a row."""
        return self.offset != NOTHING

    @property
    def grown(self) -> bool:
        """Whether it has one that no snapshot holds."""
        return self.offset != self._snapshot_offset

    @property
    def complete_to(self) -> float:
        """The latest instant that was evaluated."""
        return self.engine.now

    def recover(self, tally: Tally) -> Iterator[Repeated]:
        """Load the newest snapshot, and yield the log's tail, decided again."""
        restart = Restart(self._connection, self._rules)
        self.engine, self.offset, self._snapshot_offset = restart.engine, restart.offset, restart.offset
        for repeated in restart.steps():
            self.offset = repeated.offset
            yield repeated
        restart.say(tally)

    def observe(self, row: Row) -> Step:
        """Take a row that was logged."""
        self.offset = row.offset
        return self.engine.observe(row.events, row.now)

    def tick(self, now: float) -> Step:
        """Let time pass."""
        return self.engine.tick(now)

    def enter(self, entry: Entry, at: float) -> None:
        """Log what decisions depend on beside events."""
        self._entered = event_log.append_entry(self._connection, entry, at)

    def resume(self, now: float) -> Step:
        """Go on after a pause."""
        self.offset = self._entered
        return self.engine.resume(now)

    def rewind(self, now: float) -> Step:
        """Go on at an earlier instant."""
        self.offset = self._entered
        return self.engine.rewind(now)

    def use(self, rules: Iterable[Rule], now: float) -> Step:
        """Go on with other rules."""
        self.offset = self._entered
        return self.engine.replace_rules(rules, now)

    def save(self) -> None:
        """Move the cursor."""
        engine = self.engine
        cursor = Cursor(offset=self.offset, at=engine.now, hash=engine.ledger_hash, decided=engine.decided)
        snapshots.save_cursor(self._connection, cursor)

    def saved(self) -> None:
        """Do nothing more."""

    def snapshot(self) -> int:
        """Store the engine's state; return its size in bytes."""
        body = CoreState(engine=self.engine.state)
        rules = to_text(self.engine.rules.values())
        with Transaction(self._connection):
            size = snapshots.save(self._connection, offset=self.offset, at=self.engine.now, rules=rules, state=body)
        self._snapshot_offset = self.offset
        return size
