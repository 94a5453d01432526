"""The audit log as rows: added in the transaction of the change, read newest first, bounded.

≠ what is worth a row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..audit import Entry, Wanted
from .connecting import Connection

MAX_ROWS = 200_000
"""The oldest go first."""

_ADD = "INSERT INTO audit (at, who, via, address, what, subject, before, after) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def add(connection: Connection, entries: Iterable[Entry]) -> None:
    """Add rows inside the caller's transaction."""
    connection.executemany(
        _ADD,
        [
            (one.at, one.who, one.via, one.address, one.what, one.subject, _text(one.before), _text(one.after))
            for one in entries
        ],
    )


def find(connection: Connection, wanted: Wanted, *, limit: int) -> list[Entry]:
    """Return what is asked for, the newest first."""
    where, values = "1 = 1", list[object]()
    what = wanted.what
    for condition, asked in (
        ("who = ?", (wanted.who,)),
        # "/" comes right after ".".
        ("(what = ? OR (what > ? AND what < ?))", (what, f"{what}.", f"{what}/") if what is not None else (None,)),
        ("subject = ?", (wanted.subject,)),
        ("at >= ?", (wanted.since,)),
        ("at < ?", (wanted.until,)),
    ):
        if asked[0] is not None:
            where += f" AND {condition}"
            values += asked
    rows = connection.execute(
        f"SELECT at, who, via, address, what, subject, before, after FROM audit WHERE {where} "  # noqa: S608
        "ORDER BY id DESC LIMIT ?",
        (*values, limit),
    )
    return [
        Entry(at=at, who=who, via=via, address=address, what=what, subject=subject, before=_read(old), after=_read(new))
        for at, who, via, address, what, subject, old, new in rows
    ]


def prune(connection: Connection, *, before: float) -> None:
    """Forget what is older, and what is over `MAX_ROWS`."""
    connection.execute("DELETE FROM audit WHERE at < ?", (before,))
    connection.execute("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", (MAX_ROWS,))


def _text(found: dict[str, object] | None) -> str | None:
    return json.dumps(found, ensure_ascii=False) if found is not None else None


def _read(text: str | None) -> dict[str, object] | None:
    return json.loads(text) if text is not None else None
