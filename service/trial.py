"""A trial: what a rule with other numbers would have told people, over the events that the log still holds.

The log is read on a connection of its own, and decided by engines of its own, in a thread that works half of the time:
the engine that pages people is not touched, and hardly waits.

≠ HTML, which numbers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import sleep

import msgspec

from alerts.config import Config
from alerts.rules import Rule

from .backtest.comparing import Comparison, compare
from .backtest.outcome import Outcome
from .backtest.replaying import Replay
from .decoding import decode_logged
from .storage import event_log, log_rows
from .storage.connecting import Connection
from .storage.database import StorageError
from .storage.errors import DatabaseError
from .storage.event_log import LoggedBatch, Resumed

AT_MOST_S = 8.0
"""How long a trial looks before it says how far it came."""

WORK_S = 0.01
"""After so long it rests for as long, so that events and pages come first."""

REST_S = 0.2


class BusyError(Exception):
    """Another trial runs."""


class NotTriedError(Exception):
    """The log cannot be read; the text is for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of one.

    Attributes:
        rule: In force.
        changed: The same with other numbers.
        since: From when on events were wanted, Unix seconds.
        until: Up to when.
        begins: When the first of them was taken; None without any.
        reached: Up to when they were looked at.
        events: How many those are.
        unreadable: Rows of the log that the disk has changed; they are left out.
        before: What the rules in force made of them.
        after: What the rules with the changed one made of them.
        changes: From the one to the other.
    """

    rule: Rule
    changed: Rule
    since: float
    until: float
    begins: float | None
    reached: float
    events: int
    unreadable: int
    before: Outcome
    after: Outcome
    changes: Comparison

    @property
    def whole(self) -> bool:
        """Whether the time was enough for all of it."""
        return self.reached >= self.until


class Trials:
    """Runs them, one at a time."""

    def __init__(self, open_reader: Callable[[], Connection], *, steady: Callable[[], float]) -> None:
        """Take note of how to read.

        Args:
            open_reader: Opens a connection to read by.
            steady: Seconds that never jump.
        """
        self._open_reader = open_reader
        self._steady = steady
        self._turn = threading.Lock()
        self._ended = threading.Event()

    def run(
        self,
        changed: Rule,
        *,
        rules: Iterable[Rule],
        config: Config,
        since: float,
        until: float,
        at_most_s: float = AT_MOST_S,
    ) -> Trial:
        """Return what a changed rule would have made of the log; takes seconds, so in a thread beside the event loop.

        Args:
            changed: One of `rules`, by its id, with other numbers.
            rules: In force, without Claxon's own.
            config: Who is told of what.
            since: From when on, Unix seconds.
            until: The present.
            at_most_s: After so long it ends where it is.

        Raises:
            BusyError: Another one runs.
            NotTriedError: The log cannot be read.
        """
        if not self._turn.acquire(blocking=False):
            raise BusyError
        try:
            connection = self._open_reader()
            try:
                return self._run(connection, changed, tuple(rules), config, since, until, at_most_s)
            finally:
                connection.close()
        except (DatabaseError, StorageError) as fault:
            raise NotTriedError(f"The log cannot be read now: {fault}") from fault
        finally:
            self._turn.release()

    def stop(self) -> None:
        """Have the one that runs end where it is, and those after it at once."""
        self._ended.set()

    def _run(
        self,
        connection: Connection,
        changed: Rule,
        rules: tuple[Rule, ...],
        config: Config,
        since: float,
        until: float,
        at_most_s: float,
    ) -> Trial:
        others = tuple(changed if rule.id == changed.id else rule for rule in rules)
        before, after = Replay(config, rules), Replay(config, others)
        pass_ = _Pass((before, after))
        end = self._steady() + at_most_s
        last = log_rows.ends(connection)[1]
        whole = True
        worked = self._steady()
        for row in event_log.read_in_pieces(connection, log_rows.last_before(connection, since), last):
            pass_.take(row)
            now = self._steady()
            if pass_.begins is not None and (now > end or self._ended.is_set()):
                whole = row.offset == last
                break
            if now - worked > WORK_S:
                sleep(min(now - worked, REST_S))
                worked = self._steady()
        reached = until if whole else pass_.reached
        for_whom = reached if pass_.begins is not None else None
        outcomes = before.end(for_whom), after.end(for_whom)
        return Trial(
            rule=next(rule for rule in rules if rule.id == changed.id),
            changed=changed,
            since=since,
            until=until,
            begins=pass_.begins,
            reached=reached,
            events=pass_.events,
            unreadable=pass_.unreadable,
            before=outcomes[0],
            after=outcomes[1],
            changes=compare(*outcomes),
        )


class _Pass:
    """The one pass over the log."""

    def __init__(self, replays: tuple[Replay, ...]) -> None:
        self._replays = replays
        self.begins: float | None = None
        self.reached = float("-inf")
        self.events = 0
        self.unreadable = 0

    def take(self, row: LoggedBatch) -> None:
        """Have each engine do what a row had the service's do, but for the rules of that time."""
        self.reached = max(self.reached, row.observed_at)
        if row.unreadable:
            self.unreadable += 1
            return
        if not row.n:
            if isinstance(row.entry, Resumed) and self.begins is not None:
                for replay in self._replays:
                    replay.resume(row.observed_at)
            return
        try:
            events = decode_logged(row.body, received_at=row.received_at, app=row.app, skip=row.skip)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            self.unreadable += 1
            return
        self.begins = row.observed_at if self.begins is None else self.begins
        self.events += len(events)
        for replay in self._replays:
            # What an engine marks in an event (that it was absorbed) the next one would mark just so.
            replay.arrive(events, row.observed_at)
