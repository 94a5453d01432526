"""Gathering: what the owners of partitions report, in the order of its instants: a source of the elected node's core.

≠ who is told, how a partition is evaluated.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from math import inf

from alerts.board import Board
from alerts.decisions import Step
from alerts.engine_state import EngineState
from alerts.rules import Rule

from ..log_writer import Row
from ..restart import CoreState, Repeated
from ..rule_texts import from_text, to_text
from ..storage import event_log, failures, reports, snapshots
from ..storage.connecting import Connection
from ..storage.database import Transaction
from ..storage.event_log import Entry, LoggedBatch, RulesChanged
from ..storage.reports import Change, Failed, Horizon, Report
from ..work import Tally

PATIENCE_S = 2.0
"""A partition that is so far behind the clock is not waited for: what it says then is told when it comes."""

GLIMPSES_S = 1.0
"""How often it is seen whether partitions have shown something new."""

_CHANGES = 5_000
_REPORTS = 500
"""Rows that are read in one go, at most."""


class Gathering:
    """A `Source`: takes each change once, together with what follows from it.

    Changes of several partitions are told in the order of their instants, so that what is told is what one engine over
    all of them would have had told: a change waits until no partition can report an earlier one, but not for long.

    Attributes:
        engine: The board that pages read.
    """

    every_s = 0.2
    refusal = "log: events go to nodes with the role ingest: give this node that role, or send them there"

    def __init__(self, connection: Connection, rules: Iterable[Rule], *, steady: Callable[[], float]) -> None:
        """Take the elected node's database, and the rules of the configuration.

        Args:
            connection: Of the elected node.
            rules: They are in force once they are entered.
            steady: Seconds that never jump.
        """
        self.engine = Board(rules)
        self.horizons: list[Horizon] = []
        self._connection = connection
        self._steady = steady
        # What was read and waits for earlier ones, with when that was; what was taken and is not committed.
        self._waiting: dict[int, tuple[Change, float]] = {}
        self._taken: list[int] = []
        self._changed: set[str] = set()
        self._reports: dict[int, Report] = {}
        self._in_force: str | None = None
        self._look_at = -inf
        # Whether events that failed were logged since the last snapshot.
        self.grown = False

    # ── a source ──────────────────────────────────────────────────────────────

    @property
    def begun(self) -> bool:
        """Whether anybody was ever told which rules are in force."""
        return self._in_force is not None

    @property
    def unsaved(self) -> bool:
        """Whether reports were read and are not taken away."""
        return bool(self._reports or self._taken)

    @property
    def complete_to(self) -> float:
        """The instant up to which all partitions are evaluated."""
        return min((horizon.at for horizon in self.horizons), default=self.engine.now)

    def recover(self, tally: Tally) -> Iterator[Repeated]:  # noqa: ARG002 — nothing is evaluated again
        """Read the board as it was kept; what nobody took is still reported."""
        standings = reports.standings(self._connection)
        self._in_force = reports.rules_in_force(self._connection)
        rules = from_text(self._in_force) if self._in_force is not None else self.engine.rules.values()
        self.horizons = reports.horizons(self._connection)
        now = min((horizon.at for horizon in self.horizons), default=-inf)
        self.engine = Board(rules, standings, now=now)
        self._look()
        return iter(())

    def observe(self, row: Row) -> Step:  # noqa: ARG002
        """Take no event: this node has no log.

        Raises:
            RuntimeError: Always.
        """
        raise RuntimeError(self.refusal)

    def tick(self, now: float) -> Step:
        """Take what was reported and no earlier change can precede.

        Raises:
            DatabaseError: It cannot be read; nothing was taken.
        """
        # In this order: all that is decided up to a horizon was reported before it was moved there.
        self.horizons = reports.horizons(self._connection)
        whole = self._read_changes()
        read = reports.reports(self._connection, beside=self._reports, most=_REPORTS)
        if self._steady() >= self._look_at:
            self._look()
        # From here on the database is not asked, for what is taken must be told.
        until = self._until(now, whole=whole)
        step = self._take(until)
        for number, report in read:
            self._reports[number] = report
            step.decisions += report.decisions
        self.engine.now = max(self.engine.now, until)
        return step

    def enter(self, entry: Entry, at: float) -> None:
        """Put rules in force for all partitions; of a clock that jumped each owner takes note itself."""
        if isinstance(entry, RulesChanged):
            reports.put_rules_in_force(self._connection, entry.rules, at=at)

    def resume(self, now: float) -> Step:
        """Go on after a pause."""
        self.engine.now = max(self.engine.now, now)
        return Step()

    def rewind(self, now: float) -> Step:
        """Go on at an earlier instant."""
        self.engine.now = min(self.engine.now, now)
        return Step()

    def use(self, rules: Iterable[Rule], now: float) -> Step:  # noqa: ARG002 — they begin when each partition sees them
        """Show other rules; what ends by that the owners of partitions report."""
        rules = tuple(rules)
        self._in_force = to_text(rules)
        self.engine.use(rules)
        return Step()

    def save(self) -> None:
        """Take away what was taken, and keep the board as it is."""
        connection, board = self._connection, self.engine
        reports.take_changes(connection, self._taken)
        reports.take_reports(connection, self._reports)
        standings = [standing for name in sorted(self._changed) if (standing := board.standing(name)) is not None]
        reports.keep(connection, standings)
        for report in self._reports.values():
            for failed in report.failed:
                _log(connection, failed)
                self.grown = True

    def saved(self) -> None:
        """Forget what is committed."""
        self._taken, self._changed, self._reports = [], set(), {}

    def snapshot(self) -> int:
        """Note that the log of what failed is needed by no restart: the board is kept with each change."""
        connection, engine = self._connection, self.engine
        last, rules = event_log.end(connection) - 1, to_text(engine.rules.values())
        with Transaction(connection):
            size = snapshots.save(connection, offset=last, at=engine.now, rules=rules, state=CoreState(EngineState()))
        self.grown = False
        return size

    # ── in the order of instants ──────────────────────────────────────────────

    def _read_changes(self) -> bool:
        """Read the changes that are reported and not known yet; return whether these are all."""
        known = [*self._waiting, *self._taken]
        found = reports.changes(self._connection, beside=known, most=_CHANGES)
        at = self._steady()
        self._waiting.update({change.id: (change, at) for change in found})
        return len(found) < _CHANGES

    def _until(self, now: float, *, whole: bool) -> float:
        """Return the instant before which every change is known, but for those of partitions that are far behind."""
        known = [horizon.at for horizon in self.horizons if horizon.at >= now - PATIENCE_S]
        if not whole:
            # So many that their order among partitions is as they were reported.
            return max(change.transition.at for change, _ in self._waiting.values())
        if known:
            return min(known)
        return now - PATIENCE_S if self.horizons else now

    def _take(self, until: float) -> Step:
        # A clock that is ahead must not keep its partition's alerts from being told.
        patient_since = self._steady() - PATIENCE_S
        waiting = self._waiting.values()
        due = [change for change, at in waiting if change.transition.at < until or at <= patient_since]
        step = Step()
        for change in _in_order(due):
            del self._waiting[change.id]
            self._taken.append(change.id)
            self._changed.add(change.transition.alert.fingerprint)
            step.transitions += self.engine.take(change.partition, change.transition)
        return step

    def _look(self) -> None:
        """See what partitions have shown since the last time."""
        self._look_at = self._steady() + GLIMPSES_S
        known = {partition: found.at for partition, found in self.engine.glimpses.items()}
        for partition, found in reports.glimpses(self._connection, than=known).items():
            self.engine.show(partition, found)
        self.engine.chains = {horizon.partition: (horizon.hash, horizon.decided) for horizon in self.horizons}


def _in_order(changes: Iterable[Change]) -> Iterator[Change]:
    """Yield changes by instant; those of one as an engine that looks at rule after rule, and key after key, has them.

    Those of one partition and one instant stay as they were reported.
    """
    for _, at_once in groupby(sorted(changes, key=lambda change: (change.transition.at, change.id)), key=_at):
        by_partition: dict[int, list[Change]] = {}
        for change in at_once:
            by_partition.setdefault(change.partition, []).append(change)
        yield from heapq.merge(*by_partition.values(), key=_place)


def _at(change: Change) -> float:
    return change.transition.at


def _place(change: Change) -> tuple[str, tuple[str, ...]]:
    return change.transition.alert.rule, change.transition.alert.key


def _log(connection: Connection, failed: Failed) -> None:
    """Log events that failed, and have the search find them."""
    n = len(failed.events)
    row = LoggedBatch(received_at=failed.received_at, observed_at=failed.observed_at, app=failed.app, n=n, body=b"")
    offset = event_log.append(connection, row, event_log.compress(failed.body))
    failures.add(connection, offset, list(enumerate(failed.events)), of=n)
