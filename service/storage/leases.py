"""Leases: which node sends what waits in the outbox.

SQLite's is one node's alone, which knows itself what is on its way. On PostgreSQL nodes share it: whoever claims the
first waiting row of a key has the key until it says what came of it, or until its lease ends, by the server's clock.

≠ what is sent, when it is tried again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from . import outbox
from .connecting import Connection, Dialect
from .outbox import Head

LEASE_S = 6.0
"""So long a row is its node's without a word of it; another node sends it then."""

RENEW_S = 1.5
"""How often a node renews its leases while it sends."""

_STILL_S = 3


class Which(Enum):
    """Which rows are looked for; a closed set."""

    DUE = auto()
    OVERDUE = auto()
    ALL = auto()


_NOW = "date_part('epoch', statement_timestamp())"
# Locked until the end of the transaction; what another node looks at just now is left to it.
_CLAIM = f"""
SELECT id, dedup_key, next_at, deadline, status FROM outbox AS mine
WHERE target = ? AND state = 'pending'{{which}}
  AND (leased_until IS NULL OR leased_until <= {_NOW} OR leased_by = ?) AND id <> ALL(?::bigint[])
  AND dedup_key <> ALL(?::text[]) AND NOT EXISTS (
    SELECT 1 FROM outbox AS earlier
    WHERE earlier.target = mine.target AND earlier.dedup_key = mine.dedup_key
      AND earlier.id < mine.id AND earlier.state = 'pending')
ORDER BY next_at, id LIMIT ? FOR UPDATE OF mine SKIP LOCKED
"""  # noqa: S608 — constants
_CLAIMS = {
    Which.DUE: _CLAIM.format(which=f" AND next_at <= {_NOW}"),
    Which.OVERDUE: _CLAIM.format(which=f" AND deadline <= {_NOW}"),
    Which.ALL: _CLAIM.format(which=""),
}
_MINE = "leased_by = ? AND state = 'pending'"


class Leases(Protocol):
    """What one node has. Everything runs in the thread that has the connection."""

    @property
    def by_server(self) -> bool:
        """Whether what is due is due by the server's clock, and nobody says when the next row will be."""

    @property
    def nodes(self) -> int:
        """How many nodes deliver, this one among them."""

    def heads(
        self,
        connection: Connection,
        target: str,
        *,
        limit: int,
        busy: Collection[str],
        now: float,
        which: Which = Which.DUE,
    ) -> list[Head]:
        """Return the first waiting row of each key but the busy ones, those first that are due first.

        Only within `Deciding`, and then `take` those that are to be sent.

        Args:
            connection: The database.
            target: "receiver/kind/index".
            limit: No more than so many.
            busy: Keys that are left out.
            now: Unix seconds, where no server has a clock of its own.
            which: What is due, what is past its deadline, or all.
        """

    def take(self, connection: Connection, rows: Collection[int], *, steady: float) -> None:
        """Have these rows be this node's, inside the transaction that found them."""

    def holds(self, row: int, *, steady: float) -> bool:
        """Whether a row is still this node's, as far as it knows itself."""

    def settle(self, connection: Connection, row: int) -> bool:
        """Let a row go, inside the transaction that notes what came of it; return whether it was this node's still."""

    def forget(self, rows: Iterable[int]) -> None:
        """Take note that what came of these rows is durable, or that they are another's."""

    def give_back(self, connection: Connection, rows: Collection[int]) -> None:
        """Let rows go that were not sent: others may send them now."""

    def take_turn(self, connection: Connection, target: str, every_s: float) -> bool:
        """Whether it is this node's turn to tell an integration again what stands; it is one node's each time."""


class OneNode:
    """Nobody else sends: what is on its way is known to whoever sends it."""

    by_server = False
    nodes = 1

    def heads(
        self,
        connection: Connection,
        target: str,
        *,
        limit: int,
        busy: Collection[str],
        now: float,
        which: Which = Which.DUE,
    ) -> list[Head]:
        """Return the first waiting row of each key but the busy ones, also those that are not due yet."""
        latest = now if which is Which.OVERDUE else float("inf")
        return outbox.heads(connection, target, limit=limit, busy=busy, deadline=latest)

    def take(self, connection: Connection, rows: Collection[int], *, steady: float) -> None:
        """Do nothing."""

    def holds(self, row: int, *, steady: float) -> bool:  # noqa: ARG002
        """Return that it is."""
        return True

    def settle(self, connection: Connection, row: int) -> bool:  # noqa: ARG002
        """Return that it was."""
        return True

    def forget(self, rows: Iterable[int]) -> None:
        """Do nothing."""

    def give_back(self, connection: Connection, rows: Collection[int]) -> None:
        """Do nothing."""

    def take_turn(self, connection: Connection, target: str, every_s: float) -> bool:  # noqa: ARG002
        """Return that it is."""
        return True


@dataclass(slots=True)
class SharedLeases:
    """One node's, of several.

    Attributes:
        name: By which it leases; never another process's.
        held: Its rows, and until when each is surely its own, by its own clock that never jumps.
        lost: How many were another's before it said what came of them.
        nodes: How many nodes deliver, this one among them, as it was looked at last.
    """

    name: str
    held: dict[int, float] = field(default_factory=dict)
    lost: int = 0
    nodes: int = 1

    by_server = True

    def heads(
        self,
        connection: Connection,
        target: str,
        *,
        limit: int,
        busy: Collection[str],
        now: float,  # noqa: ARG002
        which: Which = Which.DUE,
    ) -> list[Head]:
        """Return the first waiting row of each key that is nobody's, and no busy one; they are locked.

        What is due is due by the server's clock, whatever `now` is.
        """
        values = (target, self.name, list(self.held), list(busy), limit)
        return [outbox.head_of(row) for row in connection.execute(_CLAIMS[which], values).fetchall()]

    def take(self, connection: Connection, rows: Collection[int], *, steady: float) -> None:
        """Have these rows be this node's, inside the transaction that found them."""
        if not rows:
            return
        lease = f"UPDATE outbox SET leased_by = ?, leased_until = {_NOW} + ? WHERE id = ANY(?::bigint[])"  # noqa: S608
        connection.execute(lease, (self.name, LEASE_S, list(rows)))
        self.held |= dict.fromkeys(rows, steady + LEASE_S)

    def holds(self, row: int, *, steady: float) -> bool:
        """Whether the lease of a row has not ended by this node's own clock, which began no later than the server's."""
        return self.held.get(row, 0.0) > steady

    def settle(self, connection: Connection, row: int) -> bool:
        """Let a row go, inside the transaction that notes what came of it; return whether it was this node's still."""
        let_go = f"UPDATE outbox SET leased_by = NULL, leased_until = NULL WHERE id = ? AND {_MINE} RETURNING id"  # noqa: S608
        mine = connection.execute(let_go, (row, self.name)).fetchone() is not None
        if not mine:
            self.lost += self.held.pop(row, None) is not None
        return mine

    def forget(self, rows: Iterable[int]) -> None:
        """Take note that what came of these rows is durable, or that they are another's."""
        for row in rows:
            self.held.pop(row, None)

    # ── of a node that shares ─────────────────────────────────────────────────

    def begin(self, connection: Connection) -> None:
        """Have a transaction of a node that stands still hold up others for a moment only."""
        connection.execute("SELECT set_config('idle_in_transaction_session_timeout', ?, false)", (f"{_STILL_S}s",))

    def renew(self, connection: Connection, *, steady: float) -> list[int]:
        """Have what is held be held for as long again; return the rows that are another's by now."""
        if not self.held:
            return []
        renew = f"UPDATE outbox SET leased_until = {_NOW} + ? WHERE id = ANY(?::bigint[]) AND {_MINE} RETURNING id"  # noqa: S608
        rows = list(self.held)
        kept = [row[0] for row in connection.execute(renew, (LEASE_S, rows, self.name)).fetchall()]
        gone = sorted(self.held.keys() - set(kept))
        self.held = dict.fromkeys(kept, steady + LEASE_S)
        self.lost += len(gone)
        return gone

    def give_back(self, connection: Connection, rows: Collection[int]) -> None:
        """Let rows go that were not sent: others may send them now."""
        let_go = f"UPDATE outbox SET leased_by = NULL, leased_until = NULL WHERE id = ANY(?::bigint[]) AND {_MINE}"  # noqa: S608
        if rows:
            connection.execute(let_go, (list(rows), self.name))
        self.forget(rows)

    def give_all_back(self, connection: Connection) -> None:
        """Let everything go that this node ever took and said nothing of."""
        let_go = f"UPDATE outbox SET leased_by = NULL, leased_until = NULL WHERE {_MINE}"  # noqa: S608
        connection.execute(let_go, (self.name,))
        self.held.clear()

    def due(self, connection: Connection, targets: Collection[str]) -> list[str]:
        """Return those of the integrations for which something is due that is nobody's."""
        query = f"""
            SELECT target FROM unnest(?::text[]) AS target WHERE EXISTS (
              SELECT 1 FROM outbox WHERE outbox.target = target.target AND state = 'pending' AND next_at <= {_NOW}
              AND (leased_until IS NULL OR leased_until <= {_NOW}))
        """  # noqa: S608
        return [row[0] for row in connection.execute(query, (list(targets),)).fetchall()]

    def take_turn(self, connection: Connection, target: str, every_s: float) -> bool:
        """Whether it is this node's turn to tell an integration again what stands; it is one node's each time."""
        turn = f"""
            INSERT INTO repeats (target, next_at) VALUES (?, {_NOW} + ?)
            ON CONFLICT (target) DO UPDATE SET next_at = {_NOW} + ? WHERE repeats.next_at <= {_NOW} RETURNING target
        """  # noqa: S608
        return connection.execute(turn, (target, every_s, every_s)).fetchone() is not None


def leases_of(connection: Connection, name: str) -> Leases:
    """Return what a node has that sends from a database; `name` is its own, of this one run."""
    return OneNode() if connection.dialect is Dialect.SQLITE else SharedLeases(name)
