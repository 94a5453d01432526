"""Proof: every partition decided again, from as far back as anybody knows, up to what is committed.

≠ who was told.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ..storage import partitions
from ..storage.connecting import Connection
from .again import rebuild_from_the_oldest
from .past import Past


class PartitionProof(msgspec.Struct, frozen=True, kw_only=True):
    """What deciding one partition again came to.

    Attributes:
        partition: Which.
        beginning: What it began with, in words.
        events: Decided again.
        lost: Those that are gone from the log, or cannot be read: they could not be.
        decisions: That the hashes cover, those before the beginning too.
        committed: The hash that its owner committed; "" is none.
        again: The hash that came out now.
        same: Whether every decision was the same, in the same order.
    """

    partition: int
    beginning: str
    events: int
    lost: int
    decisions: int
    committed: str
    again: str
    same: bool


def prove(connection: Connection, past: Past) -> Iterator[PartitionProof]:
    """Yield the proof of each partition that was ever evaluated, in order; beside nodes that run, or without any.

    Raises:
        StorageError: There is nothing to begin with, or it was pruned before it was read.
        DatabaseError: The database, or the log, cannot be read.
    """
    for partition in [row.partition for row in partitions.read(connection)]:
        rebuilt = rebuild_from_the_oldest(connection, partition, past)
        yield PartitionProof(
            partition=partition,
            beginning=rebuilt.beginning,
            events=rebuilt.events,
            lost=rebuilt.lost,
            decisions=rebuilt.engine.decided,
            committed=rebuilt.committed,
            again=rebuilt.engine.ledger_hash,
            same=rebuilt.engine.ledger_hash == rebuilt.committed and not rebuilt.lost,
        )
