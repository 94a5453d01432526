"""The inbox: batches that ingest nodes took, durable, until the elected node has put them into the log.

Any node adds rows; the elected one alone takes them, in the transaction that logs them. Of PostgreSQL alone.

≠ what a body holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from .connecting import Connection
from .errors import EngineError

FORM = 1
"""How rows are written. Who meets a higher one is older than who wrote it."""

MOST_REJECTS = 1_000
"""Rejects on their way, at most: the newest."""

_SAMPLE = 100


class InboxRow(NamedTuple):
    """A batch that waits.

    Attributes:
        received_at: When it arrived, Unix seconds.
        app: The app of events that name none.
        key: Makes a re-post harmless; None where its sender gave none.
        n: How many events there are.
        claims: What they are known by, as `known.to_text` writes it.
        refusals: JSON of what its sender was told of other events; "" for none.
        spans: Whether it came by a door by which spans come.
        client_dropped: Events that its sender says it gave up before.
        node: Who took it.
        body: As the log keeps it.
        form: How it is written.
        id: Its place; 0 before it has one.
    """

    received_at: float
    app: str
    key: str | None
    n: int
    claims: str
    refusals: str
    spans: bool
    client_dropped: int
    node: str
    body: bytes
    form: int = FORM
    id: int = 0


class Backlog(NamedTuple):
    """What waits, about.

    Attributes:
        rows: How many.
        bytes: Of their bodies; of that many rows, at the average of the newest.
        oldest_at: When the one with the lowest id arrived; None where nothing waits.
    """

    rows: int = 0
    bytes: int = 0
    oldest_at: float | None = None

    def age_s(self, now: float) -> float:
        """Return for how long that one has waited; 0.0 where nothing does. Clocks of nodes may differ a little."""
        return max(0.0, now - self.oldest_at) if self.oldest_at is not None else 0.0


EMPTY = Backlog()

_COLUMNS = "received_at, app, key, n, claims, refusals, spans, client_dropped, node, body, form"
_PUT = f"INSERT INTO inbox ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 — constants

# What is before it, so that one that is larger than all is read, too, alone. Lengths are known without reading bodies.
_READ = f"""
SELECT {_COLUMNS}, id FROM (
  SELECT {_COLUMNS}, id, sum(octet_length(body)) OVER up_to_it - octet_length(body) AS earlier,
    sum(n) OVER up_to_it - n AS events_before
  FROM (SELECT {_COLUMNS}, id FROM inbox WHERE id > ? ORDER BY id LIMIT ?) AS next WINDOW up_to_it AS (ORDER BY id)
) AS summed WHERE earlier < ? AND events_before < ? ORDER BY id
"""  # noqa: S608 — constants
_BACKLOG = """
SELECT (SELECT min(id) FROM inbox), (SELECT max(id) FROM inbox), (SELECT received_at FROM inbox ORDER BY id LIMIT 1),
  (SELECT avg(octet_length(body)) FROM (SELECT body FROM inbox ORDER BY id DESC LIMIT ?) AS newest)
"""
_SET_ASIDE = f"""
WITH gone AS (DELETE FROM inbox WHERE id = ? RETURNING id, {_COLUMNS})
INSERT INTO inbox_poison (id, {_COLUMNS}, at, why) SELECT id, {_COLUMNS}, ?, ? FROM gone
"""  # noqa: S608 — constants
_TAKE_REJECTS = "DELETE FROM inbox_rejects WHERE id <= ? RETURNING id, at, app, row"


def put(connection: Connection, rows: Iterable[InboxRow]) -> None:
    """Add rows, inside the caller's transaction."""
    connection.executemany(_PUT, [(*row[:6], int(row.spans), *row[7:11]) for row in rows])


def read(
    connection: Connection, *, after: int, most: int, most_bytes: int, most_events: int = 1 << 60
) -> list[InboxRow]:
    """Return the next rows in the order of their ids, as many as there may be: of bytes and events, one row more."""
    found = connection.execute(_READ, (after, most, most_bytes, most_events))
    return [_row(one) for one in found.fetchall()]


def _row(found: Sequence[Any]) -> InboxRow:
    received_at, app, key, n, claims, refusals, spans, dropped, node, body, form, number = found
    return InboxRow(
        received_at=float(received_at),
        app=str(app),
        key=str(key) if key is not None else None,
        n=int(n),
        claims=str(claims),
        refusals=str(refusals),
        spans=bool(spans),
        client_dropped=int(dropped),
        node=str(node),
        body=bytes(body),
        form=int(form),
        id=int(number),
    )


def first_ids(connection: Connection, most: int) -> list[int]:
    """Return the lowest ids there are, in order."""
    found = connection.execute("SELECT id FROM inbox ORDER BY id LIMIT ?", (most,))
    return [int(number) for (number,) in found.fetchall()]


def take(connection: Connection, ids: Sequence[int]) -> None:
    """Delete rows, inside the transaction that logs them.

    Raises:
        EngineError: One of them is not there: it may be in the log already.
    """
    marks = ", ".join("?" * len(ids))
    taken = connection.execute(f"DELETE FROM inbox WHERE id IN ({marks})", ids).rowcount  # noqa: S608 — marks alone
    if taken != len(ids):
        raise EngineError(f"inbox: {len(ids) - taken} of {len(ids)} rows: gone: they were logged before")


def set_aside(connection: Connection, number: int, *, why: str, at: float) -> None:
    """Move a row that nobody can take out of the way, inside the caller's transaction."""
    connection.execute(_SET_ASIDE, (number, at, why))


def poisoned(connection: Connection) -> int:
    """Return how many rows were moved out of the way."""
    return int(connection.execute("SELECT count(*) FROM inbox_poison").fetchone()[0])


def backlog(connection: Connection) -> Backlog:
    """Return what waits; without looking at each row, for there may be millions."""
    first, last, oldest_at, size = connection.execute(_BACKLOG, (_SAMPLE,)).fetchone()
    if first is None or last is None or oldest_at is None:
        return EMPTY
    rows = int(last) - int(first) + 1
    return Backlog(rows, int(rows * float(size or 0)), float(oldest_at))


def put_rejects(connection: Connection, rows: Iterable[tuple[float, str, str]]) -> None:
    """Add rows of (at, app, JSON), inside the caller's transaction, and drop the oldest that are too many."""
    connection.executemany("INSERT INTO inbox_rejects (at, app, row) VALUES (?, ?, ?)", rows)
    oldest = "SELECT id FROM inbox_rejects ORDER BY id DESC LIMIT 1 OFFSET ?"
    connection.execute(f"DELETE FROM inbox_rejects WHERE id <= ({oldest})", (MOST_REJECTS,))  # noqa: S608 — constants


def has_rejects(connection: Connection) -> bool:
    """Return whether some are on their way."""
    return connection.execute("SELECT 1 FROM inbox_rejects LIMIT 1").fetchone() is not None


def take_rejects(connection: Connection, most: int) -> list[tuple[float, str, str]]:
    """Return some rows, the oldest, and delete them, inside the caller's transaction."""
    ids = connection.execute("SELECT id FROM inbox_rejects ORDER BY id LIMIT ?", (most,)).fetchall()
    if not ids:
        return []
    # A row that was committed since, with a lower id, is returned with them.
    found = connection.execute(_TAKE_REJECTS, (ids[-1][0],)).fetchall()
    return [(float(at), str(app), str(row)) for _, at, app, row in sorted(found)]
