"""The audit log as rows: added in the transaction of the change, read newest first, bounded.

≠ what is worth a row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from ..audit import Entry, Wanted

MAX_ROWS = 200_000
"""The oldest go first."""

_ADD = "INSERT INTO audit (at, who, via, address, what, subject, before, after) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def add(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Add rows inside the caller's transaction."""
    connection.executemany(
        _ADD,
        [
            (one.at, one.who, one.via, one.address, one.what, one.subject, _text(one.before), _text(one.after))
            for one in entries
        ],
    )


def find(connection: sqlite3.Connection, wanted: Wanted, *, limit: int) -> list[Entry]:
    """Return what is asked for, the newest first."""
    where, values = "1", list[object]()
    for condition, value in (
        ("who = ?", wanted.who),
        ("(what = ? OR what GLOB ? || '.*')", wanted.what),
        ("subject = ?", wanted.subject),
        ("at >= ?", wanted.since),
        ("at < ?", wanted.until),
    ):
        if value is not None:
            where += f" AND {condition}"
            values += [value] * condition.count("?")
    rows = connection.execute(
        f"SELECT at, who, via, address, what, subject, before, after FROM audit WHERE {where} "  # noqa: S608
        "ORDER BY id DESC LIMIT ?",
        (*values, limit),
    )
    return [
        Entry(at=at, who=who, via=via, address=address, what=what, subject=subject, before=_read(old), after=_read(new))
        for at, who, via, address, what, subject, old, new in rows
    ]


def prune(connection: sqlite3.Connection, *, before: float) -> None:
    """Forget what is older, and what is over `MAX_ROWS`."""
    connection.execute("DELETE FROM audit WHERE at < ?", (before,))
    connection.execute("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", (MAX_ROWS,))


def _text(found: dict[str, object] | None) -> str | None:
    return json.dumps(found, ensure_ascii=False) if found is not None else None


def _read(text: str | None) -> dict[str, object] | None:
    return json.loads(text) if text is not None else None
