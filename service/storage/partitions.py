"""Partitions: who evaluates which, fenced by a generation, and up to where that is committed.

Of PostgreSQL alone. An owner that was replaced finds another generation, whatever it believes, and writes nothing.

≠ who is to own which, how a partition is evaluated.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from .connecting import Connection
from .database import Transaction
from .errors import FencedError
from .patience import Asked, Patience

WAIT_MS = 200
"""How long who claims a partition waits for a transaction of the owner before; it tries again."""

SILENT_S = 3
"""After so long without a word the server ends an owner's session, and undoes what it had open: others wait for it."""

PATIENCE_S = 3.0
"""How long an owner waits for an answer: while it does, it has partitions and evaluates none."""

_SOON = """
SELECT set_config('idle_in_transaction_session_timeout', ?, false), set_config('tcp_user_timeout', ?, false),
  set_config('tcp_keepalives_idle', ?, false), set_config('tcp_keepalives_interval', '1', false),
  set_config('tcp_keepalives_count', ?, false)
"""
_CLAIM = """
INSERT INTO partitions (partition, generation, owner, owned_since) VALUES (?, 1, ?, ?) ON CONFLICT (partition)
DO UPDATE SET generation = partitions.generation + 1, owner = excluded.owner, owned_since = excluded.owned_since
RETURNING generation, next_offset, logged_at, at, hash, decided
"""
# The lock that an UPDATE takes: a claim waits for the end of this transaction, and this one for that of a claim.
_FENCE = "SELECT generation FROM partitions WHERE partition = ? FOR NO KEY UPDATE"
_POISON = "INSERT INTO partition_poison (partition, offset, at, why) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_LOSE = "INSERT INTO partition_losses (partition, expected, found, lost, at, why) VALUES (?, ?, ?, ?, ?, ?)"
_MOST_WHY = 1_000


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Up to where a partition is evaluated.

    Attributes:
        next_offset: Of the first message that is not.
        logged_at: When the newest that is was written to the log, by the brokers' clock; 0 before any.
        at: The instant up to which all is evaluated; -inf before any.
        hash: The engine's ledger hash there.
        decided: How many decisions it covers.
    """

    next_offset: int = 0
    logged_at: float = 0.0
    at: float = float("-inf")
    hash: str = ""
    decided: int = 0


@dataclass(slots=True)
class Tenure:
    """A node's right to evaluate a partition; it ends when another node claims that, or its connection is lost.

    Attributes:
        connection: The node's, for all of its partitions; one thread uses it.
        partition: Which.
        generation: The how manieth tenure it is.
        standing: Up to where it is evaluated, as committed.
    """

    connection: Connection
    partition: int
    generation: int
    standing: Standing
    _next: Standing | None = None

    @contextlib.contextmanager
    def transaction(self, standing: Standing | None = None) -> Iterator[None]:
        """Have all that is written inside committed, and the partition evaluated up to a new standing; or nothing.

        Raises:
            FencedError: Another node claimed the partition.
            ConnectionLostError: It is unknown what is committed.
            DatabaseError: Nothing is.
        """
        self._next = standing
        with Transaction(self.connection):
            self._check()
            yield
            if self._next is not None:
                _move(self.connection, self.partition, self._next)
        self.standing, self._next = self._next or self.standing, None

    def move_to(self, standing: Standing) -> None:
        """Have the partition evaluated up to a standing, if the transaction that is open is committed."""
        self._next = standing

    def _check(self) -> None:
        row = self.connection.execute(_FENCE, (self.partition,)).fetchone()
        if row is None or row[0] != self.generation:
            found = row and row[0]
            raise FencedError(f"partition {self.partition}: another owner: generation {found}, not {self.generation}")


def hasten(connection: Connection, *, silent_s: int = SILENT_S, patience_s: float = PATIENCE_S) -> Patience | None:
    """Have both sides take each other for gone sooner than other nodes do; return what is to be closed before it is.

    Raises:
        DatabaseError: The server cannot be told.
    """
    half = str(silent_s // 2)
    connection.execute(_SOON, (f"{silent_s}s", str(silent_s * 1000), half, half)).fetchone()
    return Patience(connection, patience_s) if isinstance(connection, Asked) else None


def claim(connection: Connection, partition: int, *, node: str, now: float) -> Tenure:
    """Make a node the owner of a partition; what another one is writing there is waited for, not for long.

    Raises:
        WaitedError: That took too long.
        DatabaseError: It cannot be written.
    """
    with Transaction(connection):
        connection.execute(f"SET LOCAL lock_timeout = {WAIT_MS}")
        generation, *standing = connection.execute(_CLAIM, (partition, node, now)).fetchall()[0]
    return Tenure(connection, partition, int(generation), Standing(**dict(zip(_STANDING, standing, strict=True))))


_STANDING = ("next_offset", "logged_at", "at", "hash", "decided")


def _move(connection: Connection, partition: int, standing: Standing) -> None:
    connection.execute(
        "UPDATE partitions SET next_offset = ?, logged_at = ?, at = ?, hash = ?, decided = ? WHERE partition = ?",
        (*(getattr(standing, name) for name in _STANDING), partition),
    )


def note_poison(tenure: Tenure, offset: int, *, why: str, at: float) -> None:
    """Note that a message is passed over, inside a transaction of the tenure."""
    tenure.connection.execute(_POISON, (tenure.partition, offset, at, why[:_MOST_WHY]))


def note_loss(tenure: Tenure, *, found: int, lost: int, why: str, at: float) -> None:
    """Note that messages were gone before they were evaluated, inside a transaction of the tenure.

    Args:
        tenure: Of the partition, before it goes on.
        found: The offset from which it goes on.
        lost: How many are gone, at most; 0 where nobody can know.
        why: What was found.
        at: Unix seconds.
    """
    row = (tenure.partition, tenure.standing.next_offset, found, lost, at, why[:_MOST_WHY])
    tenure.connection.execute(_LOSE, row)


class PartitionRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a partition is like; for pages and metrics.

    Attributes:
        partition: Which.
        owner: Who evaluates it, or did last.
        owned_since: Since when.
        generation: The how manieth owner that is.
        next_offset: Of the first message that is not evaluated.
        logged_at: When the newest that is was written to the log.
        poison: Messages that were passed over.
        lost: Messages that were gone, at most.
        losses: How often some were.
    """

    partition: int
    owner: str
    owned_since: float
    generation: int
    next_offset: int
    logged_at: float
    poison: int
    lost: int
    losses: int


_READ = """
SELECT partition, owner, owned_since, generation, next_offset, logged_at,
  (SELECT count(*) FROM partition_poison AS bad WHERE bad.partition = partitions.partition),
  (SELECT coalesce(sum(lost), 0) FROM partition_losses AS gone WHERE gone.partition = partitions.partition),
  (SELECT count(*) FROM partition_losses AS gone WHERE gone.partition = partitions.partition)
FROM partitions ORDER BY partition
"""


def read(connection: Connection) -> list[PartitionRow]:
    """Return all partitions that anybody ever owned."""
    return [
        PartitionRow(
            partition=int(row[0]),
            owner=str(row[1]),
            owned_since=float(row[2]),
            generation=int(row[3]),
            next_offset=int(row[4]),
            logged_at=float(row[5]),
            poison=int(row[6]),
            lost=int(row[7]),
            losses=int(row[8]),
        )
        for row in connection.execute(_READ).fetchall()
    ]
