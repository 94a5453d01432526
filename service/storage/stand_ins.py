"""Stand-ins: rows of the outbox for another integration than the one that did not take them.

≠ which integration stands in for which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from alerts.notification import Notification, Status

from ..targets import receiver_of
from . import outbox
from .connecting import Connection


def hand_over(
    connection: Connection,
    delivery: outbox.Delivery,
    stand_ins: Mapping[str, bool],
    *,
    said: str,
    deadline: float,
) -> None:
    """Add a message for those who stand in, inside the transaction that ends it for the one that did not take it.

    It goes over row by row: whether an end may be told together with its beginning is another
    question there. Nobody is told who was told the same, or what came after it, under the same key.

    Args:
        connection: The database.
        delivery: The message.
        stand_ins: Who stands in, and whether they want to be told of ends.
        said: Why, for those who read it.
        deadline: Until when it is tried.
    """
    notifications = [_load(connection, row) for row in delivery.rows] if stand_ins else []
    for target, wants_ends in stand_ins.items():
        for notification in notifications:
            wanted = wants_ends or notification.status is Status.FIRING
            if wanted and not _knows(connection, target, notification):
                told = _for_stand_in(notification, target, said)
                outbox.add(connection, target, told, deadline=deadline, origin=delivery.target)


def _for_stand_in(notification: Notification, target: str, said: str) -> Notification:
    return msgspec.structs.replace(notification, receiver=receiver_of(target), undelivered=said, send_resolved=None)


def _load(connection: Connection, row: int) -> Notification:
    body = connection.execute("SELECT notification FROM outbox WHERE id = ?", (row,)).fetchone()
    return msgspec.msgpack.decode(body[0], type=Notification)


def _knows(connection: Connection, target: str, notification: Notification) -> bool:
    """Whether somebody was told the same, or, of what fires, anything later: its end, for one, which says all."""
    query = (
        "SELECT status FROM outbox WHERE target = ? AND dedup_key = ? AND created_at >= ? "
        "AND state IN ('pending', 'delivered')"
    )
    known = connection.execute(query, (target, notification.dedup_key, notification.at)).fetchall()
    return any(notification.status is Status.FIRING or status == notification.status for (status,) in known)


def who_began(connection: Connection, target: str, dedup_key: str) -> list[str]:
    """Return the stand-ins of an integration that know of a beginning, or will, and not of its end."""
    latest = connection.execute(
        "SELECT target, status FROM outbox WHERE id IN (SELECT max(id) FROM outbox INDEXED BY outbox_origin "
        "WHERE origin = ? AND origin <> '' AND dedup_key = ? AND state IN ('pending', 'delivered') GROUP BY target)",
        (target, dedup_key),
    )
    return [str(other) for other, status in latest if status == Status.FIRING]


def tell_the_end(
    connection: Connection, delivery: outbox.Delivery, stand_ins: Iterable[str], *, deadline: float
) -> None:
    """Add an end for those who stand in and were told of its beginning; called inside a transaction."""
    for target in stand_ins:
        notification = _for_stand_in(delivery.notification, target, _why(connection, delivery, target))
        outbox.add(connection, target, notification, deadline=deadline, origin=delivery.target)


def _why(connection: Connection, delivery: outbox.Delivery, target: str) -> str:
    body = connection.execute(
        "SELECT notification FROM outbox INDEXED BY outbox_origin "
        "WHERE origin = ? AND origin <> '' AND dedup_key = ? AND target = ? ORDER BY id DESC LIMIT 1",
        (delivery.target, delivery.notification.dedup_key, target),
    ).fetchone()
    return msgspec.msgpack.decode(body[0], type=Notification).undelivered
