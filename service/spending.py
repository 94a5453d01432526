"""Spending: how many calls each app made and how many failed for good, six hours by six hours, for a month.

The engine's windows reach back three days; a budget is for thirty.

≠ objectives, HTML.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from heapq import nlargest

from alerts.reading import Reading

from .core import Core
from .storage import call_totals
from .storage.call_totals import STEP_S, App, Calls
from .storage.connecting import Connection
from .storage.database import Transaction

MOST = 1000
"""Apps that are noted: those with most calls that failed for good, then with most calls."""

STEPS = 30 * 86_400 // STEP_S
_KEPT = STEPS + 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one app did in the last 30 days.

    Attributes:
        steps: (calls, exhausted) of each six hours; the last go on.
        known: How many of them, the last ones, were counted.
        since: Since when, Unix seconds; never over 30 days ago.
    """

    steps: list[Calls]
    known: int
    since: float


def totals_of(engine: Reading) -> dict[App, Calls]:
    """Return the calls of each app and environment since the log began; runs in the core's thread."""
    found: dict[App, Calls] = {}
    for (app, environment, _), totals in engine.totals.items():
        calls, exhausted = found.get((app, environment), (0, 0))
        ended = totals.ok + totals.failed + totals.exhausted
        found[app, environment] = (calls + ended, exhausted + totals.exhausted)
    return found


class Spending:
    """Notes how the totals stand; every method runs in the core's thread."""

    def __init__(self, core: Core, *, clock: Callable[[], float]) -> None:
        self._core = core
        self._clock = clock
        self._noted: dict[App, Calls] = {}

    def note(self) -> None:
        """Note what has changed; the first time ever, what an older Claxon counted, which is of no step."""
        totals = totals_of(self._core.engine)
        if len(totals) > MOST:
            totals = dict(nlargest(MOST, totals.items(), key=lambda item: (item[1][1], item[1][0])))
        changed = {app: calls for app, calls in totals.items() if self._noted.get(app) != calls}
        connection, step = self._core.connection, int(self._clock() // STEP_S)
        before = call_totals.began(connection)
        # All that was noted may be of a clock that was ahead.
        first = before is None or before >= step
        if not changed and not first:
            return
        with Transaction(connection):
            if first:
                call_totals.begin(connection, totals, step=step - 1)
            else:
                call_totals.save(connection, changed, step=step)
                call_totals.prune(connection, before=step - _KEPT)
        self._noted.update(totals)


def month(connection: Connection, apps: Iterable[App], present: Mapping[App, Calls], *, now: float) -> dict[App, Spent]:
    """Return the last 30 days of some apps; to be run on a reader's connection.

    Args:
        connection: The database.
        apps: Which.
        present: How the totals stand now.
        now: Unix seconds.
    """
    last = int(now // STEP_S)
    before = call_totals.began(connection)
    if before is None:
        return {}
    # A clock that was set back may stand before the beginning.
    known = max(1, min(STEPS, last - before))
    since = float((last - known + 1) * STEP_S)
    found = {}
    for app in apps:
        noted = call_totals.load(connection, app)
        at_present = [(last, present[app])] if app in present else []
        found[app] = Spent(steps=_steps([*noted, *at_present], last=last, before=before), known=known, since=since)
    return found


def _steps(noted: Iterable[tuple[int, Calls]], *, last: int, before: int) -> list[Calls]:
    """Return what happened in each step, from totals in order."""
    steps: list[Calls] = [(0, 0)] * STEPS
    earlier: Calls = (0, 0)
    for step, totals in noted:
        calls, exhausted = totals[0] - earlier[0], totals[1] - earlier[1]
        if calls < 0:
            # They were begun anew, in another database.
            calls, exhausted = totals
        earlier = totals
        place = step - last + STEPS - 1
        if 0 <= place < STEPS and step != before:
            # A failure that a late attempt took back makes less of what was counted: never less than nothing.
            steps[place] = (steps[place][0] + calls, max(0, steps[place][1] + exhausted))
    return steps
