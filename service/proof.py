"""Proof: the whole log decided again, up to what is committed.

≠ who was told.
"""

from __future__ import annotations

from dataclasses import dataclass

from alerts.evaluator import Engine

from .restart import NOTHING, CoreState, UnreadableError, again
from .rule_texts import from_text
from .storage import event_log, snapshots
from .storage.connecting import Connection
from .storage.database import ReadTransaction, StorageError
from .storage.event_log import RulesChanged

_BEGIN_S = 60.0
"""A snapshot may be large, and the disk slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What deciding again came to.

    Attributes:
        first: The first row of the log that was decided again.
        last: The last.
        beginning: What it began with, in words.
        events: In those rows.
        unreadable: Those of them that the disk has changed; they could not be decided again.
        decisions: That the hashes cover, those before `first` too.
        committed: The hash that the service committed; "" is none.
        again: The hash that came out now.
    """

    first: int
    last: int
    beginning: str
    events: int
    unreadable: tuple[int, ...]
    decisions: int
    committed: str
    again: str

    @property
    def same(self) -> bool:
        """Whether every decision was the same, in the same order."""
        return self.committed == self.again and not self.unreadable


def prove(connection: Connection) -> Proof:
    """Decide the log again up to the cursor; from its start, or where that was pruned, from the oldest snapshot.

    A service may write meanwhile: what it commits after the beginning is left for the next time.

    Raises:
        StorageError: There is nothing to begin with, or it was pruned before it was read.
    """
    with ReadTransaction(connection, at_most_s=_BEGIN_S):
        cursor = snapshots.load_cursor(connection)
        engine, offset, beginning = _begin(connection)
    first, events, unreadable = offset + 1, 0, list[int]()
    for row in event_log.read_in_pieces(connection, offset, cursor.offset):
        try:
            again(engine, row)
        except UnreadableError:
            unreadable.append(row.offset)
        offset, events = row.offset, events + row.n
    if cursor.at > float("-inf"):
        engine.tick(cursor.at)
    return Proof(
        first=first,
        last=offset,
        beginning=beginning,
        events=events,
        unreadable=tuple(unreadable),
        decisions=engine.decided,
        committed=cursor.hash,
        again=engine.ledger_hash,
    )


def _begin(connection: Connection) -> tuple[Engine, int, str]:
    first = event_log.first(connection)
    if first is not None and isinstance(first.entry, RulesChanged) and first.entry.first:
        return Engine(()), first.offset - 1, "from its beginning"
    found = snapshots.load_oldest(connection, CoreState)
    if found is None:
        if first is None:
            return Engine(()), NOTHING, "which is empty"
        said = "none can be read, and the log's beginning was pruned: there is nothing to begin with"
        raise StorageError(f"snapshots: {said}")
    engine = Engine(from_text(found.rules), found.state.engine)
    return engine, found.offset, "from the oldest snapshot, for what was before is pruned"
