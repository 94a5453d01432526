"""Deliverers: the nodes that deliver, of those that share an outbox.

≠ what each of them sends.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from .connecting import Connection, Dialect

GONE_S = 15.0
"""A node that was not heard of for so long delivers no more."""

_FORGET_S = 86_400.0
_NOW = "date_part('epoch', statement_timestamp())"
_JSON = msgspec.json.Encoder()
_TARGETS = msgspec.json.Decoder(list[str])


class Delivering(msgspec.Struct, frozen=True, kw_only=True):
    """A node that delivers.

    Attributes:
        node: Where it is found.
        targets: The integrations that its configuration has, "receiver/kind/index" each.
    """

    node: str
    targets: list[str]


def delivering(connection: Connection) -> list[Delivering] | None:
    """Return the nodes that deliver now; None where there is one process, which does so alone."""
    if connection.dialect is Dialect.SQLITE:
        return None
    query = f"SELECT node, targets FROM deliverers WHERE seen_at > {_NOW} - ? ORDER BY node"  # noqa: S608
    rows = connection.execute(query, (GONE_S,)).fetchall()
    return [Delivering(node=node, targets=_TARGETS.decode(targets)) for node, targets in rows]


def prune(connection: Connection) -> None:
    """Forget nodes that do not deliver any more."""
    if connection.dialect is not Dialect.SQLITE:
        connection.execute(f"DELETE FROM deliverers WHERE seen_at < {_NOW} - ?", (_FORGET_S,))  # noqa: S608


def sign_in(connection: Connection, name: str, node: str, targets: Iterable[str]) -> float:
    """Say that a node delivers, and return the server's time; to be done every few seconds.

    Args:
        connection: The database.
        name: By which it leases.
        node: Where it is found.
        targets: The integrations that its configuration has.
    """
    sign = f"""
        INSERT INTO deliverers (name, node, targets, since, seen_at) VALUES (?, ?, ?, {_NOW}, {_NOW})
        ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, targets = excluded.targets RETURNING seen_at
    """  # noqa: S608
    said = _JSON.encode(sorted(targets)).decode()
    return float(connection.execute(sign, (name, node, said)).fetchone()[0])


def sign_out(connection: Connection, name: str) -> None:
    """Say that a node delivers no more."""
    connection.execute("DELETE FROM deliverers WHERE name = ?", (name,))
