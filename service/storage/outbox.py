"""The outbox: what has to be delivered, and how it went. Rows are written with the state change that caused them.

≠ receivers, when a delivery is tried again, who stands in for whom.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from alerts.merging import merge_all
from alerts.notification import Notification, Status

from ..targets import receiver_of
from . import attempts
from .attempts import Attempt
from .connecting import Connection

FOUND_BY = 100
"""Of a group, so many alerts find a row that tells of them."""

MERGE_BYTES = 8_000_000
"""No more rows are merged than are so large together, but two always are."""


class Delivery(msgspec.Struct, kw_only=True):
    """One message to one integration of a receiver: a row, and those behind it that go with it.

    Attributes:
        rows: The rows, the oldest first.
        target: "receiver/kind/index".
        notification: What to say.
        begins: Whether a row says that something fires.
        created_at: When the first was decided, Unix seconds.
        deadline: Until when it is tried.
        attempts: How often it was tried before.
        origin: For which integration this one stands in; "" for itself.
    """

    rows: list[int]
    target: str
    notification: Notification
    begins: bool
    created_at: float
    deadline: float
    attempts: int
    origin: str = ""

    @property
    def id(self) -> int:
        """The first row, by which the message is known."""
        return self.rows[0]


class DeliveryRow(msgspec.Struct, kw_only=True):
    """What the page shows of a delivery.

    Attributes:
        id: The row.
        target: "receiver/kind/index".
        status: firing or resolved.
        fingerprint: Of the first alert that it tells of; it is found by the others too.
        created_at: When it was decided, Unix seconds.
        state: pending, delivered, failed or cancelled.
        attempts: How often it was tried.
        next_at: When it is tried next.
        ended_at: When it was delivered or given up.
        answer: The last thing that was heard of it.
        merged_into: The row with whose message it went.
        origin: The integration for which this one stands in; "" for itself.
        tries: The latest of them, oldest first.
    """

    id: int
    target: str
    status: str
    fingerprint: str
    created_at: float
    state: str
    attempts: int
    next_at: float
    ended_at: float | None
    answer: str
    merged_into: int | None = None
    origin: str = ""
    tries: list[Attempt] = []


def add(connection: Connection, target: str, notification: Notification, *, deadline: float, origin: str = "") -> None:
    """Add a delivery, inside the transaction of the state change."""
    row = (
        target,
        notification.dedup_key,
        notification.status.value,
        notification.alerts[0].fingerprint,
        msgspec.msgpack.encode(notification),
        notification.at,
        deadline,
        notification.at,
        origin,
    )
    added = connection.execute(
        "INSERT INTO outbox (target, dedup_key, status, fingerprint, notification, created_at, deadline, next_at, "
        "origin) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        row,
    ).fetchall()[0][0]
    told = dict.fromkeys(alert.fingerprint for alert in notification.alerts[:FOUND_BY])
    connection.executemany(
        "INSERT INTO outbox_alerts (fingerprint, row) VALUES (?, ?)", [(name, added) for name in told]
    )


# ── what is due ───────────────────────────────────────────────────────────────

# Of one key only the first that waits. The index gives them in order, so that few of many are read.
_HEADS = """
SELECT id, dedup_key, next_at, deadline, status FROM outbox AS mine INDEXED BY outbox_due
WHERE target = ? AND state = 'pending' AND deadline <= ? AND NOT EXISTS (
  SELECT 1 FROM outbox AS earlier INDEXED BY outbox_waiting
  WHERE earlier.target = mine.target AND earlier.dedup_key = mine.dedup_key
    AND earlier.id < mine.id AND earlier.state = 'pending')
ORDER BY next_at, id LIMIT ?
"""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first row of its key that waits."""

    id: int
    dedup_key: str
    next_at: float
    deadline: float
    status: Status


def heads(
    connection: Connection,
    target: str,
    *,
    limit: int,
    busy: Collection[str] = (),
    deadline: float = float("inf"),
) -> list[Head]:
    """Return the first waiting row of each key but the busy ones, those first that are due first.

    Args:
        connection: The database.
        target: "receiver/kind/index".
        limit: No more than so many.
        busy: Keys that are left out.
        deadline: Only those whose deadline is not after this instant.
    """
    rows = connection.execute(_HEADS, (target, deadline, limit + len(busy))).fetchall()
    return [head for head in map(head_of, rows) if head.dedup_key not in busy][:limit]


def head_of(row: Sequence[Any]) -> Head:
    """Return what was read of a row as a head."""
    return Head(id=row[0], dedup_key=row[1], next_at=row[2], deadline=row[3], status=Status(row[4]))


def load(connection: Connection, target: str, head: Head, *, pairs: bool) -> Delivery:
    """Return the message that begins with a row, with all that waits behind it under the same key.

    Args:
        connection: The database.
        target: "receiver/kind/index".
        head: The row.
        pairs: Only rows of one status go together, so that a beginning is taken before its end.
    """
    query = (
        "SELECT id, notification, created_at, deadline, attempts, origin, status FROM outbox "
        "INDEXED BY outbox_waiting WHERE target = ? AND dedup_key = ? AND state = 'pending' ORDER BY id"
    )
    taken: list[tuple[int, bytes, float, float, int, str, str]] = []
    size = 0
    for row in connection.execute(query, (target, head.dedup_key)):
        size += len(row[1])
        if (pairs and row[6] != head.status) or (size > MERGE_BYTES and len(taken) > 1):
            break
        taken.append(row)
    _, _, created_at, deadline, tried, origin, _ = taken[0]
    return Delivery(
        rows=[row[0] for row in taken],
        target=target,
        notification=merge_all([msgspec.msgpack.decode(row[1], type=Notification) for row in taken]),
        begins=any(row[6] == Status.FIRING for row in taken),
        created_at=created_at,
        deadline=deadline,
        attempts=tried,
        origin=origin,
    )


# ── what came of it ───────────────────────────────────────────────────────────


def end(connection: Connection, rows: list[int], *, state: str, now: float, answer: str, tried: bool = True) -> None:
    """Note that a message is over: delivered, failed or cancelled; the rows behind the first name it."""
    first, *others = rows
    update = (
        "UPDATE outbox SET state = ?, ended_at = ?, answer = ?, attempts = attempts + ?, merged_into = ? "
        "WHERE id = ? AND state = 'pending'"
    )
    connection.execute(update, (state, now, answer[:500], int(tried), None, first))
    said = f"with row {first}: {answer}"[:500]
    connection.executemany(update, [(state, now, said, 0, first, row) for row in others])


def defer(connection: Connection, delivery: Delivery, *, next_at: float, answer: str) -> None:
    """Note that a message was not taken and when it is tried again; what waits behind it is not due before."""
    connection.execute(
        "UPDATE outbox SET attempts = attempts + 1, next_at = ?, answer = ? WHERE id = ? AND state = 'pending'",
        (next_at, answer[:500], delivery.id),
    )
    connection.execute(
        "UPDATE outbox SET next_at = ? WHERE target = ? AND dedup_key = ? AND state = 'pending' AND next_at < ?",
        (next_at, delivery.target, delivery.notification.dedup_key, next_at),
    )


def targets_waiting(connection: Connection) -> list[str]:
    """Return every integration for which something waits."""
    rows = connection.execute("SELECT DISTINCT target FROM outbox WHERE state = 'pending' ORDER BY target")
    return [str(row[0]) for row in rows]


def is_open(connection: Connection, delivery: Delivery) -> bool:
    """Whether an integration was told that something fires under the key of a message, and not yet that it ended.

    What it was told so long ago that nothing is known of it counts as told; but who stands in
    was told nothing before.
    """
    rows = connection.execute(
        "SELECT state, status FROM outbox WHERE target = ? AND dedup_key = ? AND id < ? ORDER BY id DESC",
        (delivery.target, delivery.notification.dedup_key, delivery.id),
    )
    known = bool(delivery.origin)
    for state, status in rows:
        known = True
        if state == "delivered":
            return bool(status == Status.FIRING)
    return not known


_ABOUT = "id IN (SELECT row FROM outbox_alerts WHERE fingerprint = ?)"

# ── the past ──────────────────────────────────────────────────────────────────


def receivers_of(connection: Connection, fingerprint: str, dedup_key: str) -> list[str]:
    """Return the receivers that were, or are to be, told that an episode of an alert fires."""
    query = f"SELECT target FROM outbox WHERE {_ABOUT} AND dedup_key = ? AND status = ? AND origin = '' ORDER BY id"  # noqa: S608
    targets = [str(row[0]) for row in connection.execute(query, (fingerprint, dedup_key, Status.FIRING.value))]
    return list(dict.fromkeys(receiver_of(target) for target in targets))


def standing(connection: Connection, target: str, *, ended_after: float) -> list[bytes]:
    """Return the last thing an integration was told under each key: what fires, and what ended after an instant.

    As notifications in MessagePack, in the order of their rows. What has news waiting is left out.
    """
    query = """
        SELECT notification FROM outbox AS last
        WHERE id IN (SELECT max(id) FROM outbox WHERE target = ? AND state = 'delivered' GROUP BY dedup_key)
        AND (status = ? OR ended_at > ?) AND NOT EXISTS (
          SELECT 1 FROM outbox AS news INDEXED BY outbox_waiting
          WHERE news.target = last.target AND news.dedup_key = last.dedup_key AND news.state = 'pending')
        ORDER BY id
    """
    return [row[0] for row in connection.execute(query, (target, Status.FIRING.value, ended_after))]


def shift(connection: Connection, by_s: float) -> None:
    """Have what waits keep its times though the clock was set; ahead it is tried at once, but as long as before."""
    connection.execute(
        "UPDATE outbox SET deadline = deadline + ?, next_at = next_at + ? WHERE state = 'pending'",
        (by_s, min(by_s, 0.0)),
    )


def pending(connection: Connection) -> int:
    """Return how many deliveries wait."""
    return int(connection.execute("SELECT count(*) FROM outbox WHERE state = 'pending'").fetchone()[0])


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for one integration.

    Attributes:
        count: How many rows.
        oldest_at: When the first was decided, Unix seconds.
        tries: How often the row was tried that was tried most.
    """

    count: int
    oldest_at: float
    tries: int


def waiting(connection: Connection, target: str) -> Waiting:
    """Return what waits for one integration; with 0 rows the other numbers say nothing."""
    count, oldest_at, tries = connection.execute(
        "SELECT count(*), coalesce(min(created_at), 0), coalesce(max(attempts), 0) FROM outbox INDEXED BY outbox_due "
        "WHERE target = ? AND state = 'pending'",
        (target,),
    ).fetchone()
    return Waiting(count=count, oldest_at=oldest_at, tries=tries)


def recent(connection: Connection, *, limit: int, fingerprint: str | None = None) -> list[DeliveryRow]:
    """Return deliveries, newest first, of one alert or of all."""
    where, values = (f"WHERE {_ABOUT}", [fingerprint]) if fingerprint is not None else ("", [])
    names = DeliveryRow.__struct_fields__[:-1]
    query = f"SELECT {', '.join(names)} FROM outbox {where} ORDER BY id DESC LIMIT ?"  # noqa: S608
    rows = [DeliveryRow(**dict(zip(names, row, strict=True))) for row in connection.execute(query, (*values, limit))]
    tries = attempts.of_rows(connection, _ids(rows))
    for row in rows:
        row.tries = tries[row.id]
    return rows


def _ids(rows: Iterable[DeliveryRow]) -> list[int]:
    return [row.id for row in rows]


def prune(connection: Connection, before: float) -> None:
    """Delete deliveries that ended before an instant, and their tries."""
    attempts.prune(connection, before)
    over = "DELETE FROM outbox_alerts WHERE row IN (SELECT id FROM outbox WHERE ended_at < ?)"
    connection.execute(over, (before,))
    connection.execute("DELETE FROM outbox WHERE ended_at < ?", (before,))
