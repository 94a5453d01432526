"""The table of nodes: who is there, or was, by the clock of the database.

≠ who is elected, who may still write.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .connecting import Connection

BEAT_S = 5.0
"""How often a node says that it is there."""

ALIVE_S = 30.0
"""A node that has not said so for this long is gone."""

KEPT_S = 7 * 86_400
"""So long it is remembered then."""

_CLOCK = "extract(epoch FROM clock_timestamp())::float8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One run of a node.

    Attributes:
        id: Of this run alone.
        node: Where others find it.
        roles: As --role takes them.
        version: Of Claxon.
        schema: The newest that it knows.
    """

    id: str
    node: str
    roles: str
    version: str
    schema: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the table says of one.

    Attributes:
        node: Which.
        started_at: Unix seconds of the database.
        silent_s: How long ago it said that it is there.
        alive: Whether it still is, as far as anybody knows.
        elected: Whether it was elected last.
    """

    node: Node
    started_at: float
    silent_s: float
    alive: bool
    elected: bool


def beat(connection: Connection, node: Node) -> None:
    """Say that a node is there; and forget those that have not been for long."""
    connection.execute(
        "INSERT INTO nodes (id, node, roles, version, schema, started_at, seen_at) "  # noqa: S608 — a constant
        f"VALUES (?, ?, ?, ?, ?, {_CLOCK}, {_CLOCK}) "
        "ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at, gone = 0",
        (node.id, node.node, node.roles, node.version, node.schema),
    )
    connection.execute(f"DELETE FROM nodes WHERE seen_at < {_CLOCK} - ?", (KEPT_S,))  # noqa: S608


def leave(connection: Connection, node: Node) -> None:
    """Say that a node was stopped."""
    connection.execute(f"UPDATE nodes SET gone = 1, seen_at = {_CLOCK} WHERE id = ?", (node.id,))  # noqa: S608


def load(connection: Connection) -> list[Seen]:
    """Return all that were there lately, the last seen first."""
    rows = connection.execute(
        f"SELECT id, node, roles, version, schema, started_at, {_CLOCK} - seen_at, gone "  # noqa: S608
        "FROM nodes ORDER BY gone, started_at DESC, id"
    ).fetchall()
    elected = connection.execute("SELECT node FROM leader WHERE generation > 0").fetchone()
    found: list[Seen] = []
    for row in rows:
        seen = _seen(row)
        # One that was killed, and the one that was started in its place, have the same address.
        is_first = not any(one.elected for one in found)
        is_elected = seen.alive and is_first and elected is not None and seen.node.node == elected[0]
        found.append(replace(seen, elected=is_elected))
    return sorted(found, key=lambda one: one.silent_s)


def older_seen(connection: Connection, *, schema: int, within_s: float) -> bool:
    """Return whether a node that knows less was there within so many seconds."""
    row = connection.execute(
        f"SELECT 1 FROM nodes WHERE schema < ? AND seen_at > {_CLOCK} - ? LIMIT 1",  # noqa: S608
        (schema, within_s),
    ).fetchone()
    return row is not None


def changed_within(connection: Connection, within_s: float) -> bool:
    """Return whether the schema was added to within so many seconds."""
    row = connection.execute(f"SELECT 1 FROM schema_version WHERE changed_at > {_CLOCK} - ?", (within_s,)).fetchone()  # noqa: S608
    return row is not None


def _seen(row: tuple[str, str, str, str, int, float, float, int]) -> Seen:
    node = Node(id=row[0], node=row[1], roles=row[2], version=row[3], schema=row[4])
    silent_s = max(0.0, row[6])
    alive = not row[7] and silent_s < ALIVE_S
    return Seen(node=node, started_at=row[5], silent_s=silent_s, alive=alive, elected=False)
