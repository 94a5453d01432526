"""The outbox as its page asks for it: rows of some integrations, in one state, about one alert, newest first.

≠ what is due, HTML.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import msgspec

from . import attempts
from .connecting import Connection
from .outbox import DeliveryRow

STATES = ("pending", "delivered", "failed", "cancelled")

_TOLD_BYTES = 65_536
"""Of a larger notification it is not said what it told: a group of a thousand alerts takes a while to read."""

_TARGETS = """
WITH RECURSIVE known (target) AS (
  SELECT min(target) FROM outbox
  UNION ALL
  SELECT (SELECT min(target) FROM outbox WHERE target > known.target) FROM known WHERE known.target IS NOT NULL)
SELECT target FROM known WHERE target IS NOT NULL
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Which rows; None is any.

    Attributes:
        targets: "receiver/kind/index", any of these.
        state: pending, delivered, failed or cancelled.
        fingerprint: Of an alert that they tell of.
        before: Only rows below this one.
    """

    targets: tuple[str, ...] | None = None
    state: str | None = None
    fingerprint: str | None = None
    before: int | None = None


class ToldAlert(msgspec.Struct, frozen=True):
    """What a notification says first of an alert."""

    summary: str


class Told(msgspec.Struct, frozen=True):
    """What a notification says, as far as the page shows it.

    Attributes:
        reason: Why it was sent.
        alerts: The gravest first.
        truncated_alerts: How many more there were.
        test: A fire drill.
    """

    reason: str
    alerts: list[ToldAlert]
    truncated_alerts: int = 0
    test: bool = False


class Sent(DeliveryRow, kw_only=True):
    """A row, and what it told; None: it is too long to say."""

    told: Told | None = None


class LastTaken(msgspec.Struct, frozen=True, kw_only=True):
    """The last thing an integration took."""

    at: float
    answer: str


_COLUMNS = ", ".join(name for name in DeliveryRow.__struct_fields__ if name != "tries")
_decode = msgspec.msgpack.Decoder(Told).decode


def find(connection: Connection, sought: Sought, *, limit: int) -> list[Sent]:
    """Return rows, newest first, each with its latest tries."""
    if sought.fingerprint is not None:
        ids = _about(connection, sought)
    elif sought.targets is None and sought.state is None:
        ids = _newest(connection, sought, limit=limit)
    else:
        ids = heapq.merge(*_of_each(connection, sought, limit=limit), reverse=True)
    return _rows(connection, list(islice(ids, limit)))


def targets(connection: Connection) -> list[str]:
    """Return every integration that anything was ever to be sent to, in order."""
    return [str(row[0]) for row in connection.execute(_TARGETS)]


def last_taken(connection: Connection, target: str) -> LastTaken | None:
    """Return the newest message that an integration took; None if it took none."""
    row = connection.execute(
        "SELECT ended_at, answer FROM outbox WHERE id = "
        "(SELECT max(id) FROM outbox WHERE target = ? AND state = 'delivered')",
        (target,),
    ).fetchone()
    return LastTaken(at=row[0], answer=row[1]) if row is not None else None


def _before(sought: Sought) -> int:
    return sought.before if sought.before is not None else 2**62


def _newest(connection: Connection, sought: Sought, *, limit: int) -> Iterator[int]:
    query = "SELECT id FROM outbox WHERE id < ? ORDER BY id DESC LIMIT ?"
    for row in connection.execute(query, (_before(sought), limit)):
        yield row[0]


def _of_each(connection: Connection, sought: Sought, *, limit: int) -> Iterator[list[int]]:
    query = "SELECT id FROM outbox WHERE target = ? AND state = ? AND id < ? ORDER BY id DESC LIMIT ?"
    states = STATES if sought.state is None else (sought.state,)
    for target in targets(connection) if sought.targets is None else sought.targets:
        for state in states:
            yield [row[0] for row in connection.execute(query, (target, state, _before(sought), limit))]


def _about(connection: Connection, sought: Sought) -> Iterator[int]:
    query = (
        "SELECT id, target, state FROM outbox_alerts JOIN outbox ON outbox.id = outbox_alerts.row "
        "WHERE outbox_alerts.fingerprint = ? AND outbox_alerts.row < ? ORDER BY outbox_alerts.row DESC"
    )
    for row, target, state in connection.execute(query, (sought.fingerprint, _before(sought))):
        if sought.state in (None, state) and (sought.targets is None or target in sought.targets):
            yield row


def _rows(connection: Connection, ids: Iterable[int]) -> list[Sent]:
    query = (
        f"SELECT {_COLUMNS}, CASE WHEN length(notification) <= ? THEN notification END "  # noqa: S608
        "FROM outbox WHERE id = ?"
    )
    names = _COLUMNS.split(", ")
    tries = attempts.of_rows(connection, ids)
    found = []
    for row in ids:
        *values, body = connection.execute(query, (_TOLD_BYTES, row)).fetchone()
        told = _decode(body) if body is not None else None
        found.append(Sent(**dict(zip(names, values, strict=True)), tries=tries[row], told=told))
    return found
