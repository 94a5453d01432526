"""Calls of each app and environment since the log began, as they stood at the end of each six hours.

≠ budgets, what a call is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from .connecting import Connection

STEP_S = 21_600

App: TypeAlias = tuple[str, str]
"""(app, environment)."""

Calls: TypeAlias = tuple[int, int]
"""(calls, those that failed with retries exhausted)."""

NO_APP: App = ("", "")
"""Stands for the first step, in which nothing is counted: what was before it is in its totals."""


def begin(connection: Connection, totals: Mapping[App, Calls], *, step: int) -> None:
    """Note how totals stand before the first step that is counted, inside the caller's transaction; all else goes."""
    connection.execute("DELETE FROM call_totals")
    save(connection, {NO_APP: (0, 0)} | dict(totals), step=step)


def save(connection: Connection, totals: Mapping[App, Calls], *, step: int) -> None:
    """Note how totals stand in a step, inside the caller's transaction; what was noted in it, or after it, goes."""
    # After it: by a clock that was set back.
    connection.execute("DELETE FROM call_totals WHERE step > ?", (step,))
    connection.executemany(
        "INSERT INTO call_totals (app, environment, step, calls, exhausted) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (app, environment, step) DO UPDATE SET calls = excluded.calls, exhausted = excluded.exhausted",
        [(*app, step, *calls) for app, calls in totals.items()],
    )


def load(connection: Connection, app: App) -> list[tuple[int, Calls]]:
    """Return (step, totals at its end) of one app, in order; steps in which it made no call are left out."""
    query = "SELECT step, calls, exhausted FROM call_totals WHERE app = ? AND environment = ? ORDER BY step"
    return [(step, (calls, exhausted)) for step, calls, exhausted in connection.execute(query, app).fetchall()]


def began(connection: Connection) -> int | None:
    """Return the step before the first that is counted; None before any."""
    found = connection.execute("SELECT max(step) FROM call_totals WHERE app = ? AND environment = ?", NO_APP)
    step = found.fetchone()[0]
    return int(step) if step is not None else None


def prune(connection: Connection, *, before: int) -> None:
    """Delete the steps before one, inside the caller's transaction, but each app's last: what comes is told from it."""
    connection.execute(
        "DELETE FROM call_totals WHERE step < ? AND step < (SELECT max(step) FROM call_totals AS newest "
        "WHERE newest.app = call_totals.app AND newest.environment = call_totals.environment)",
        (before,),
    )
