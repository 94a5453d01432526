"""What the owners of partitions report to the elected node, and what that node keeps of it.

PostgreSQL alone. ≠ what an alert is, who is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec
from claxon.event import Event

from alerts.decisions import Decision, Transition
from alerts.glimpse import Glimpse
from alerts.standing import Standing

from . import zstd
from .connecting import Connection
from .errors import FencedError

_PACK = msgspec.msgpack.Encoder()


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """The events of one message that failed.

    Attributes:
        received_at: When they arrived, Unix seconds.
        observed_at: When an engine took them.
        app: Of those that name none.
        body: They alone, as they were posted, a JSON array.
        events: The same, completed.
    """

    received_at: float
    observed_at: float
    app: str
    body: bytes
    events: list[Event]


class Report(msgspec.Struct, kw_only=True):
    """What else one transaction decided, beside changes of alerts.

    Attributes:
        decisions: For the ledger.
        failed: For the search.
    """

    decisions: list[Decision] = msgspec.field(default_factory=list)
    failed: list[Failed] = msgspec.field(default_factory=list)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One alert that changed in one partition; `id` names its row."""

    id: int
    partition: int
    transition: Transition


class Horizon(msgspec.Struct, frozen=True, kw_only=True):
    """Up to when everything that a partition decides is known; `hash` and `decided` say what that is."""

    partition: int
    at: float
    hash: str
    decided: int


_TRANSITION = msgspec.msgpack.Decoder(Transition)
_REPORT = msgspec.msgpack.Decoder(Report)
_STANDING = msgspec.msgpack.Decoder(Standing)
_GLIMPSE = msgspec.msgpack.Decoder(Glimpse)
_PUT = (
    "INSERT INTO board (fingerprint, body) VALUES (?, ?) ON CONFLICT (fingerprint) DO UPDATE SET body = excluded.body"
)
_SHOW = """
INSERT INTO glimpses (partition, at, body) VALUES (?, ?, ?)
ON CONFLICT (partition) DO UPDATE SET at = excluded.at, body = excluded.body
"""


# ── who owns a partition ──────────────────────────────────────────────────────


def add(connection: Connection, partition: int, *, transitions: Sequence[Transition], report: Report) -> None:
    """Report what one transaction decided, inside it."""
    connection.executemany(
        "INSERT INTO transitions (partition, body) VALUES (?, ?)", [(partition, _PACK.encode(t)) for t in transitions]
    )
    if report.decisions or report.failed:
        body = zstd.compress(_PACK.encode(report))
        connection.execute("INSERT INTO reports (partition, body) VALUES (?, ?)", (partition, body))


def show(connection: Connection, partition: int, found: Glimpse) -> None:
    """Have the pages show what a partition counts now."""
    connection.execute(_SHOW, (partition, found.at, zstd.compress(_PACK.encode(found))))


def rules_in_force(connection: Connection) -> str | None:
    """Return the text of the rules that all partitions are to have; None before the first."""
    row = connection.execute("SELECT rules FROM rules_in_force").fetchone()
    return str(row[0]) if row is not None else None


# ── the elected node ──────────────────────────────────────────────────────────


def horizons(connection: Connection) -> list[Horizon]:
    """Return up to when each partition is evaluated."""
    rows = connection.execute("SELECT partition, at, hash, decided FROM partitions ORDER BY partition").fetchall()
    return [Horizon(partition=int(n), at=float(at), hash=said, decided=int(k)) for n, at, said, k in rows]


def changes(connection: Connection, *, beside: Collection[int] = (), most: int) -> list[Change]:
    """Return the oldest changes, so many at most, but for some that are known."""
    rows = connection.execute(
        "SELECT id, partition, body FROM transitions WHERE id <> ALL(?::bigint[]) ORDER BY id LIMIT ?",
        (list(beside), most),
    ).fetchall()
    return [Change(id=int(n), partition=int(p), transition=_TRANSITION.decode(body)) for n, p, body in rows]


def reports(connection: Connection, *, beside: Collection[int] = (), most: int) -> list[tuple[int, Report]]:
    """Return the oldest reports by id, so many at most, but for some that are known."""
    rows = connection.execute(
        "SELECT id, body FROM reports WHERE id <> ALL(?::bigint[]) ORDER BY id LIMIT ?", (list(beside), most)
    ).fetchall()
    return [(int(n), _REPORT.decode(zstd.expand(body))) for n, body in rows]


def take_changes(connection: Connection, ids: Collection[int]) -> None:
    """Delete changes, in the transaction that writes what follows from them.

    Raises:
        FencedError: One of them is gone: somebody else took it.
    """
    gone = connection.execute("DELETE FROM transitions WHERE id = ANY(?::bigint[])", (list(ids),)).rowcount
    if gone != len(ids):
        raise FencedError(f"transitions: {len(ids) - gone} of {len(ids)} are gone: another node took them")


def take_reports(connection: Connection, ids: Collection[int]) -> None:
    """Delete reports, in the transaction that writes what they say.

    Raises:
        FencedError: One of them is gone: somebody else took it.
    """
    gone = connection.execute("DELETE FROM reports WHERE id = ANY(?::bigint[])", (list(ids),)).rowcount
    if gone != len(ids):
        raise FencedError(f"reports: {len(ids) - gone} of {len(ids)} are gone: another node took them")


def keep(connection: Connection, standings: Iterable[Standing]) -> None:
    """Keep alerts as they are now on the board."""
    rows = {standing.alert.fingerprint: _PACK.encode(standing) for standing in standings}
    connection.executemany(_PUT, rows.items())


def standings(connection: Connection) -> list[Standing]:
    """Return the alerts of the board."""
    return [_STANDING.decode(row[0]) for row in connection.execute("SELECT body FROM board ORDER BY fingerprint")]


def glimpses(connection: Connection, *, than: Mapping[int, float]) -> dict[int, Glimpse]:
    """Return what the pages show of partitions, where it is another one than that of the instant that is known."""
    rows = connection.execute("SELECT partition, at FROM glimpses").fetchall()
    found = {}
    for partition in [int(partition) for partition, at in rows if than.get(int(partition)) != at]:
        row = connection.execute("SELECT body FROM glimpses WHERE partition = ?", (partition,)).fetchone()
        found[partition] = _GLIMPSE.decode(zstd.expand(row[0]))
    return found


def put_rules_in_force(connection: Connection, text: str, *, at: float) -> None:
    """Have all partitions take other rules."""
    connection.execute(
        "INSERT INTO rules_in_force (one, at, rules) VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE "
        "SET at = excluded.at, rules = excluded.rules",
        (at, text),
    )
