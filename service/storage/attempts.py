"""Attempts: each try to deliver, what came of it, and what the vendor said.

≠ what is tried, and when.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from .connecting import Connection

DELIVERED = "delivered"
MAX_ANSWER = 500
_SHOWN = 20
"""How many tries of one row are shown, the latest."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try.

    Attributes:
        at: When it began, Unix seconds.
        duration_s: How long it took.
        outcome: `delivered`, or the class of the failure.
        status: Of HTTP; None without an answer.
        answer: What the vendor said, or what went wrong; no secret is in it.
        gave_up: Whether nothing is tried again after it.
    """

    at: float
    duration_s: float
    outcome: str
    status: int | None = None
    answer: str = ""
    gave_up: bool = False


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How an integration does, by its tries since it took something last.

    Attributes:
        failures: How many there were.
        gave_up_at: When the last of them ended in giving up, Unix seconds; None if none did.
        since: When the first of them was, Unix seconds.
        outcome: Of the last one.
        answer: Of the last one.
    """

    failures: int
    gave_up_at: float | None
    since: float
    outcome: str
    answer: str


def add(connection: Connection, row: int, target: str, attempt: Attempt) -> None:
    """Keep a try, inside the transaction that notes what came of it."""
    values = (
        row, target, attempt.at, attempt.duration_s, attempt.outcome, int(attempt.gave_up),
        attempt.status, attempt.answer[:MAX_ANSWER],
    )  # fmt: skip
    connection.execute(
        "INSERT INTO attempts (row, target, at, duration_s, outcome, gave_up, status, answer) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )


def newest(connection: Connection) -> int:
    """Return a number that is another one once something was tried."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM attempts").fetchone()[0])


def give_up(connection: Connection, target: str) -> None:
    """Note that something was given up after the last try of an integration, without another one."""
    connection.execute(
        "UPDATE attempts SET gave_up = 1 WHERE id = (SELECT max(id) FROM attempts WHERE target = ?)", (target,)
    )


def of_rows(connection: Connection, rows: Iterable[int]) -> dict[int, list[Attempt]]:
    """Return the latest tries of each of these rows of the outbox, oldest first."""
    query = (
        "SELECT at, duration_s, outcome, status, answer, gave_up FROM attempts WHERE row = ? ORDER BY id DESC LIMIT ?"
    )
    found: dict[int, list[Attempt]] = {}
    for row in rows:
        tries = [
            Attempt(at=at, duration_s=took, outcome=outcome, status=status, answer=answer, gave_up=bool(gave_up))
            for at, took, outcome, status, answer, gave_up in connection.execute(query, (row, _SHOWN))
        ]
        found[row] = tries[::-1]
    return found


def health(connection: Connection, target: str) -> Health | None:
    """Return how an integration does; None when it took what it was last sent, or was sent nothing yet."""
    last = connection.execute(
        "SELECT id FROM attempts WHERE target = ? AND outcome = ? ORDER BY id DESC LIMIT 1", (target, DELIVERED)
    ).fetchone()
    count, since, newest, gave_up_at = connection.execute(
        "SELECT count(*), min(at), max(id), max(CASE WHEN gave_up = 1 THEN at END) FROM attempts "
        "WHERE target = ? AND id > ?",
        (target, last[0] if last is not None else 0),
    ).fetchone()
    if not count:
        return None
    outcome, answer = connection.execute("SELECT outcome, answer FROM attempts WHERE id = ?", (newest,)).fetchone()
    return Health(failures=count, gave_up_at=gave_up_at, since=since, outcome=outcome, answer=answer)


def prune(connection: Connection, before: float) -> None:
    """Delete the tries of deliveries that ended before an instant; before the deliveries themselves go."""
    connection.execute("DELETE FROM attempts WHERE row IN (SELECT id FROM outbox WHERE ended_at < ?)", (before,))
