"""The outbox: what has to be delivered, and how it went. Rows are written with the state change that caused them.

≠ receivers, when a delivery is tried again.
"""

from __future__ import annotations

import sqlite3

import msgspec

from alerts.notification import Notification, Status


class Delivery(msgspec.Struct, kw_only=True):
    """One notification to one integration of a receiver.

    Attributes:
        id: The row.
        target: "receiver/kind/index".
        notification: What to say.
        created_at: When it was decided, Unix seconds.
        deadline: Until when it is tried.
        attempts: How often it was tried before.
    """

    id: int
    target: str
    notification: Notification
    created_at: float
    deadline: float
    attempts: int


class DeliveryRow(msgspec.Struct, kw_only=True):
    """What the page shows of a delivery."""

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


def add(connection: sqlite3.Connection, target: str, notification: Notification, *, deadline: float) -> None:
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
    )
    connection.execute(
        "INSERT INTO outbox (target, dedup_key, status, fingerprint, notification, created_at, deadline, next_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    )


_NEXT = """
SELECT id, target, notification, created_at, deadline, attempts, next_at, status, dedup_key FROM outbox AS mine
WHERE state = 'pending' AND target = ? AND NOT EXISTS (
  SELECT 1 FROM outbox AS earlier
  WHERE earlier.target = mine.target AND earlier.dedup_key = mine.dedup_key
    AND earlier.id < mine.id AND earlier.state = 'pending')
ORDER BY next_at, id LIMIT 1
"""


def next_due(connection: sqlite3.Connection, target: str, now: float) -> tuple[Delivery | None, float | None]:
    """Return the delivery that is due to a target, else the instant at which the next one is.

    An end is held until its beginning was delivered or given up, and cancelled when it was given up:
    nobody has to be told of the end of what nobody was told of.
    """
    while (row := connection.execute(_NEXT, (target,)).fetchone()) is not None:
        delivery = Delivery(
            id=row[0],
            target=row[1],
            notification=msgspec.msgpack.decode(row[2], type=Notification),
            created_at=row[3],
            deadline=row[4],
            attempts=row[5],
        )
        if row[7] == Status.RESOLVED and _beginning_failed(connection, target, row[8], row[0]):
            end(connection, delivery.id, state="cancelled", now=now, answer="its beginning was not delivered")
            continue
        return (delivery, None) if row[6] <= now else (None, float(row[6]))
    return None, None


def _beginning_failed(connection: sqlite3.Connection, target: str, dedup_key: str, before: int) -> bool:
    row = connection.execute(
        "SELECT state FROM outbox WHERE target = ? AND dedup_key = ? AND id < ? ORDER BY id DESC LIMIT 1",
        (target, dedup_key, before),
    ).fetchone()
    return row is not None and row[0] != "delivered"


def end(connection: sqlite3.Connection, row: int, *, state: str, now: float, answer: str) -> None:
    """Note that a delivery is over: delivered, failed or cancelled."""
    connection.execute(
        "UPDATE outbox SET state = ?, ended_at = ?, answer = ?, attempts = attempts + ? "
        "WHERE id = ? AND state = 'pending'",
        (state, now, answer[:500], 0 if state == "cancelled" else 1, row),
    )


def defer(connection: sqlite3.Connection, row: int, *, next_at: float, answer: str) -> None:
    """Note that a delivery failed and when it is tried again."""
    connection.execute(
        "UPDATE outbox SET attempts = attempts + 1, next_at = ?, answer = ? WHERE id = ? AND state = 'pending'",
        (next_at, answer[:500], row),
    )


def fail_unknown(connection: sqlite3.Connection, targets: set[str], now: float) -> list[str]:
    """End the deliveries to integrations that the configuration no longer has; return those."""
    rows = connection.execute("SELECT DISTINCT target FROM outbox WHERE state = 'pending'").fetchall()
    gone = sorted({str(row[0]) for row in rows} - targets)
    for target in gone:
        connection.execute(
            "UPDATE outbox SET state = 'failed', ended_at = ?, answer = ? WHERE state = 'pending' AND target = ?",
            (now, "no such receiver in the configuration any more", target),
        )
    return gone


def receivers_of(connection: sqlite3.Connection, fingerprint: str, dedup_key: str) -> list[str]:
    """Return the receivers that were, or are to be, told that an episode of an alert fires."""
    query = "SELECT target FROM outbox WHERE fingerprint = ? AND dedup_key = ? AND status = ? ORDER BY id"
    targets = [str(row[0]) for row in connection.execute(query, (fingerprint, dedup_key, Status.FIRING.value))]
    return list(dict.fromkeys(target.rsplit("/", 2)[0] for target in targets))


def shift(connection: sqlite3.Connection, by_s: float) -> None:
    """Have what waits keep its times though the clock was set; ahead it is tried at once, but as long as before."""
    connection.execute(
        "UPDATE outbox SET deadline = deadline + ?, next_at = next_at + ? WHERE state = 'pending'",
        (by_s, min(by_s, 0.0)),
    )


def pending(connection: sqlite3.Connection) -> int:
    """Return how many deliveries wait."""
    return int(connection.execute("SELECT count(*) FROM outbox WHERE state = 'pending'").fetchone()[0])


def recent(connection: sqlite3.Connection, *, limit: int, fingerprint: str | None = None) -> list[DeliveryRow]:
    """Return deliveries, newest first, of one alert or of all."""
    where, values = ("WHERE fingerprint = ?", [fingerprint]) if fingerprint is not None else ("", [])
    query = (
        "SELECT id, target, status, fingerprint, created_at, state, attempts, next_at, ended_at, answer "  # noqa: S608
        f"FROM outbox {where} ORDER BY id DESC LIMIT ?"
    )
    names = DeliveryRow.__struct_fields__
    return [DeliveryRow(**dict(zip(names, row, strict=True))) for row in connection.execute(query, (*values, limit))]


def prune(connection: sqlite3.Connection, before: float) -> None:
    """Delete deliveries that ended before an instant."""
    connection.execute("DELETE FROM outbox WHERE ended_at < ?", (before,))
