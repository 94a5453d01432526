"""The ledger: every decision with its numbers, searched by what people ask for, bounded by rows, bytes and age.

≠ what a decision means.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from alerts.decisions import Decision

from .connecting import Connection

MAX_ROWS = 500_000
MAX_BYTES = 256 * 1024 * 1024
MAX_AGE_S = 90 * 86_400.0
"""What is kept; beyond any of the three the oldest rows go first."""

_JSON = msgspec.json.Encoder()
_DECISION = msgspec.json.Decoder(Decision)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows somebody asks for; None is any.

    Attributes:
        subject: The fingerprint of an alert.
        what: What was decided.
        app: Of the alert or the event.
        environment: The same.
        rule: A rule's id.
        since: Not decided before, Unix seconds.
        until: Decided before.
    """

    subject: str | None = None
    what: str | None = None
    app: str | None = None
    environment: str | None = None
    rule: str | None = None
    since: float | None = None
    until: float | None = None

    def takes(self, row: Decision) -> bool:
        """Whether a row is one of them."""
        return (
            self.subject in (None, row.subject)
            and self.what in (None, row.what.value)
            and self.app in (None, row.labels.get("app", ""))
            and self.environment in (None, row.labels.get("environment", ""))
            and self.rule in (None, row.rule)
            and (self.since is None or row.at >= self.since)
            and (self.until is None or row.at < self.until)
        )

    def where(self) -> tuple[str, list[str | float]]:
        """Return the same as SQL, and its values."""
        names = ("subject", "what", "app", "environment", "rule")
        asked = {name: value for name in names if (value := getattr(self, name)) is not None}
        # A partial index serves only those who say that they mean its part.
        said = [f"{name} = ?" + (f" AND {name} <> ''" if value else "") for name, value in asked.items()]
        values: list[str | float] = list(asked.values())
        for condition, instant in (("at >= ?", self.since), ("at < ?", self.until)):
            if instant is not None:
                said.append(condition)
                values.append(instant)
        return " AND ".join(said) or "1 = 1", values


def add(connection: Connection, rows: Iterable[Decision]) -> int:
    """Append rows inside the caller's transaction; return how many."""
    newest = connection.execute("SELECT total FROM ledger ORDER BY id DESC LIMIT 1").fetchone()
    total = int(newest[0]) if newest is not None else 0
    values = []
    for row in rows:
        text = _JSON.encode(row)
        total += len(text)
        place = (row.labels.get("app", ""), row.labels.get("environment", ""), row.rule)
        values.append((row.at, row.what.value, row.subject, *place, total, text.decode()))
    connection.executemany(
        "INSERT INTO ledger (at, what, subject, app, environment, rule, total, row) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        values,
    )
    return len(values)


def find(connection: Connection, wanted: Wanted, *, limit: int) -> list[Decision]:
    """Return rows, newest first."""
    condition, values = wanted.where()
    query = f"SELECT row FROM ledger WHERE {condition} ORDER BY at DESC, id DESC LIMIT ?"  # noqa: S608
    return [_DECISION.decode(row[0]) for row in connection.execute(query, (*values, limit))]


def of_rule(connection: Connection, rule: str, whats: Iterable[str], *, since: float, limit: int) -> list[Decision]:
    """Return rows about a rule's keys that say one of several things, newest first."""
    kinds = tuple(whats)
    query = (
        "SELECT row FROM ledger WHERE rule = ? AND rule <> '' AND at >= ? "  # noqa: S608
        f"AND what IN ({', '.join('?' * len(kinds))}) ORDER BY at DESC LIMIT ?"
    )
    return [_DECISION.decode(row[0]) for row in connection.execute(query, (rule, since, *kinds, limit)).fetchall()]


def prune(connection: Connection, *, now: float) -> int:
    """Delete the oldest rows beyond what is kept, inside the caller's transaction; return how many went."""
    oldest, newest, total = connection.execute(
        "SELECT min(id), max(id), (SELECT total FROM ledger ORDER BY id DESC LIMIT 1) FROM ledger"
    ).fetchone()
    if oldest is None:
        return 0
    large = _first_with(connection, oldest, newest, total - MAX_BYTES) if total > MAX_BYTES else 0
    many = connection.execute("DELETE FROM ledger WHERE id <= ?", (max(newest - MAX_ROWS, large),))
    aged = connection.execute("DELETE FROM ledger WHERE at < ?", (now - MAX_AGE_S,))
    return many.rowcount + aged.rowcount


def _first_with(connection: Connection, low: int, high: int, total: int) -> int:
    """Return the first id with at least this `total`; totals grow with ids, so a few look-ups find it."""
    while low < high:
        middle = (low + high) // 2
        found = connection.execute("SELECT total FROM ledger WHERE id <= ? ORDER BY id DESC LIMIT 1", (middle,))
        row = found.fetchone()
        if row is not None and row[0] >= total:
            high = middle
        else:
            low = middle + 1
    return low
