"""What is kept of each partition: what its engine was told, what events were known by, its snapshots.

What writes is for a transaction of the partition's tenure. PostgreSQL alone. ≠ engines, who owns what.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import zstandard

from . import zstd
from .connecting import Connection
from .database import LazyTransaction
from .errors import FencedError
from .partitions import Standing, Tenure

ANCHOR_EVERY_S = 86_400.0
"""How often a snapshot is kept, beside the two newest, so that what was decided after it can be proved."""

KEEP_ANCHORS_S = 7 * 86_400.0

KNOWN_S = 86_400.0
"""How long a name is known."""

_ROWS = 500
"""Rows of a partition's log that are read at once."""

_TELL = "INSERT INTO shard_log (partition, seq, at, first, last, n, skips, entry) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_TOLD = """
SELECT seq, at, first, last, n, skips, entry FROM shard_log WHERE partition = ? AND seq > ? AND seq <= ?
ORDER BY seq LIMIT ?
"""
_CLAIM = """
INSERT INTO shard_ids (partition, id, at) SELECT ?::bigint, unnest(?::bytea[]), ?::double precision
ON CONFLICT DO NOTHING RETURNING id
"""
_NOTE_ANEW = """
INSERT INTO shard_ids (partition, id, at) VALUES (?, ?, ?) ON CONFLICT (partition, id) DO UPDATE SET at = excluded.at
"""
_KEEP = """
INSERT INTO shard_snapshots (partition, seq, at, rules, anchor, body) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (partition, seq) DO UPDATE SET at = excluded.at, rules = excluded.rules, body = excluded.body
"""
_NEWEST = "SELECT seq FROM shard_snapshots WHERE partition = ? ORDER BY seq DESC LIMIT 2"
_OLDEST = "SELECT min(seq) FROM shard_snapshots WHERE partition = ?"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that an engine was told.

    Attributes:
        seq: The how manieth it was.
        at: The instant.
        first: The offset of the first message that was observed; None for an entry.
        last: Of the last.
        n: Events in them that were new.
        skips: By offset, the places of events that were known already; None is all of them.
        entry: JSON, as `event_log.Entry`; "" for messages.
    """

    seq: int
    at: float
    first: int | None = None
    last: int | None = None
    n: int = 0
    skips: dict[int, list[int] | None] = {}
    entry: str = ""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot as it is stored.

    Attributes:
        seq: The last thing that its engine was told.
        rules: It had, as text.
        state: Packed.
    """

    seq: int
    rules: str
    state: bytes


_SKIPS = msgspec.json.Decoder(dict[int, list[int] | None])


def standing(connection: Connection, partition: int) -> Standing:
    """Return up to where a partition is evaluated, whoever owns it."""
    row = connection.execute(
        "SELECT next_offset, logged_at, at, hash, decided FROM partitions WHERE partition = ?", (partition,)
    ).fetchone()
    if row is None:
        return Standing()
    return Standing(
        next_offset=int(row[0]), logged_at=float(row[1]), at=float(row[2]), hash=str(row[3]), decided=int(row[4])
    )


def pass_time(tenure: Tenure, at: float) -> None:
    """Note that nothing was decided up to an instant; a power cut may undo it.

    Raises:
        FencedError: Another node claimed the partition.
    """
    with LazyTransaction(tenure.connection):
        passed = tenure.connection.execute(
            "UPDATE partitions SET at = ? WHERE partition = ? AND generation = ?",
            (at, tenure.partition, tenure.generation),
        )
    if passed.rowcount != 1:
        raise FencedError(f"partition {tenure.partition}: another owner: no generation {tenure.generation} any more")
    tenure.standing = msgspec.structs.replace(tenure.standing, at=at)


# ── what an engine was told ───────────────────────────────────────────────────


def tell(connection: Connection, partition: int, told: Told) -> None:
    """Note what an engine was told."""
    skips = msgspec.json.encode(told.skips).decode() if told.skips else ""
    connection.execute(_TELL, (partition, told.seq, told.at, told.first, told.last, told.n, skips, told.entry))


def told(connection: Connection, partition: int, *, after: int, up_to: int) -> Iterator[Told]:
    """Yield what an engine was told, in order."""
    while True:
        rows = connection.execute(_TOLD, (partition, after, up_to, _ROWS)).fetchall()
        for seq, at, first, last, n, skips, entry in rows:
            known_before = _SKIPS.decode(skips) if skips else {}
            yield Told(seq=int(seq), at=float(at), first=first, last=last, n=int(n), skips=known_before, entry=entry)
        if len(rows) < _ROWS:
            return
        after = int(rows[-1][0])


def first_told(connection: Connection, partition: int) -> int | None:
    """Return the oldest thing of which a partition's log still knows that its engine was told it."""
    found = connection.execute("SELECT min(seq) FROM shard_log WHERE partition = ?", (partition,)).fetchone()[0]
    return int(found) if found is not None else None


def last_told(connection: Connection, partition: int) -> int:
    """Return the newest of them; 0 is none, or none after a snapshot."""
    query = "SELECT coalesce(max(seq), 0) FROM shard_log WHERE partition = ?"
    return int(connection.execute(query, (partition,)).fetchone()[0])


# ── names ─────────────────────────────────────────────────────────────────────


def claim(connection: Connection, partition: int, names: Sequence[bytes], at: float) -> set[bytes]:
    """Note names; return those that were not known."""
    if not names:
        return set()
    return {bytes(row[0]) for row in connection.execute(_CLAIM, (partition, list(names), at)).fetchall()}


def known(connection: Connection, partition: int, names: Sequence[bytes]) -> set[bytes]:
    """Return those of some names that are known."""
    if not names:
        return set()
    query = "SELECT id FROM shard_ids WHERE partition = ? AND id = ANY(?::bytea[])"
    return {bytes(row[0]) for row in connection.execute(query, (partition, list(names))).fetchall()}


def note_anew(connection: Connection, partition: int, name: bytes, at: float) -> None:
    """Note a name as if it were new."""
    connection.execute(_NOTE_ANEW, (partition, name, at))


def forget(connection: Connection, partition: int, *, before: float) -> int:
    """Delete the names that were noted before an instant; return how many went."""
    query = "DELETE FROM shard_ids WHERE at < ? AND partition = ?"
    return connection.execute(query, (before, partition)).rowcount


# ── snapshots ─────────────────────────────────────────────────────────────────


def keep(connection: Connection, partition: int, seq: int, *, at: float, rules: str, state: bytes) -> int:
    """Store a snapshot, and delete those, and of the log that, which nobody needs any more; return its size."""
    body = zstd.compress(state)
    latest = "SELECT max(at) FROM shard_snapshots WHERE partition = ? AND anchor = 1"
    found = connection.execute(latest, (partition,)).fetchone()[0]
    anchor = found is None or not 0 <= at - found < ANCHOR_EVERY_S
    connection.execute(_KEEP, (partition, seq, at, rules, int(anchor), body))
    connection.execute(
        f"DELETE FROM shard_snapshots WHERE partition = ? AND (anchor = 0 OR at < ?) AND seq NOT IN ({_NEWEST})",  # noqa: S608
        (partition, at - KEEP_ANCHORS_S, partition),
    )
    connection.execute(f"DELETE FROM shard_log WHERE partition = ? AND seq <= ({_OLDEST})", (partition, partition))  # noqa: S608
    return len(body)


def newest(connection: Connection, partition: int) -> Iterator[Kept]:
    """Yield the snapshots that can be expanded, the newest first."""
    yield from _kept(connection, partition, "DESC")


def oldest(connection: Connection, partition: int) -> Iterator[Kept]:
    """Yield the snapshots that can be expanded, the oldest first."""
    yield from _kept(connection, partition, "ASC")


def _kept(connection: Connection, partition: int, order: str) -> Iterator[Kept]:
    query = f"SELECT seq FROM shard_snapshots WHERE partition = ? ORDER BY seq {order}"  # noqa: S608 — a constant
    # One at a time: each may be large.
    for (seq,) in connection.execute(query, (partition,)).fetchall():
        read = "SELECT rules, body FROM shard_snapshots WHERE partition = ? AND seq = ?"
        found = connection.execute(read, (partition, seq)).fetchone()
        if found is None:
            continue
        try:
            yield Kept(seq=int(seq), rules=found[0], state=zstd.expand(found[1]))
        except zstandard.ZstdError:
            continue
