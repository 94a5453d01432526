"""Lately: what came of each model's attempts in the last five minutes, from how the totals stood every ten seconds.

By the time at which the core heard of them, in memory alone: after a restart it begins anew. ≠ rules, formats.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from alerts.counters import Model, Totals

from .core import Core

STEP_S = 10.0
WINDOW_S = 300.0
PACE_S = 60.0
"""Over so long a pace is taken."""

MAX_MODELS = 1_000
"""(app, environment, model) that are looked at: the first that the engine saw."""

_NOT_FAILED = frozenset({"ok", "cancelled"})

_Row: TypeAlias = tuple[dict[str, int], int, int, float]
"""Attempts by category, absorbed ones, calls that were exhausted, seconds held back; all since the log began."""

_NOTHING: _Row = ({}, 0, 0, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """What came of one model's attempts.

    Attributes:
        attempts: All.
        per_s: Their pace over the last minute; None before a second is known.
        errors: Failed ones by category, of those there were any; cancelled ones are none.
        absorbed: Failed ones that a later one of the same call followed.
        exhausted: Calls that failed with no retry left.
        throttled_s: How long clients held attempts back.
    """

    attempts: int
    per_s: float | None
    errors: dict[str, int]
    absorbed: int
    exhausted: int
    throttled_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lately:
    """The last minutes.

    Attributes:
        window_s: How many seconds are known, at most those of `WINDOW_S` and one step.
        events_per_s: The pace at which events came over the last minute; None before a second is known.
        models: Those with any attempt.
    """

    window_s: float
    events_per_s: float | None
    models: dict[Model, Recent]


@dataclass(frozen=True, slots=True)
class _Note:
    at: float
    events: int
    rows: dict[Model, _Row]


class Noted:
    """Notes how the totals stand; every method runs in the core's thread."""

    def __init__(self, core: Core, *, steady: Callable[[], float]) -> None:
        self._core = core
        self._steady = steady
        self._notes: deque[_Note] = deque()

    def note(self) -> None:
        """Note how the totals stand, and forget what is older than the window."""
        before = self._notes[-1].rows if self._notes else {}
        now = self._steady()
        self._notes.append(_Note(now, self._core.tally.events, self._rows(before)))
        while len(self._notes) > 1 and self._notes[1].at <= now - WINDOW_S:
            self._notes.popleft()

    def lately(self) -> Lately:
        """Return what came since the oldest note."""
        if not self._notes:
            return Lately(window_s=0.0, events_per_s=None, models={})
        now = self._steady()
        oldest = self._notes[0]
        minute = next((note for note in self._notes if note.at >= now - PACE_S), self._notes[-1])
        passed = now - minute.at
        models = {}
        for model, row in self._rows({}).items():
            recent = _recent(row, oldest.rows.get(model, _NOTHING), minute.rows.get(model, _NOTHING), passed)
            if recent.attempts:
                models[model] = recent
        events_per_s = (self._core.tally.events - minute.events) / passed if passed >= 1 else None
        return Lately(window_s=now - oldest.at, events_per_s=events_per_s, models=models)

    def _rows(self, before: dict[Model, _Row]) -> dict[Model, _Row]:
        """Return how the totals stand; what has not changed is shared with the note before."""
        throttled = self._core.measures.throttled()
        found = {}
        for model, totals in islice(self._core.engine.totals.items(), MAX_MODELS):
            known = before.get(model)
            row = _row(totals, throttled.get(model, 0.0), known)
            found[model] = row
        return found


def _row(totals: Totals, throttled_s: float, known: _Row | None) -> _Row:
    if known is not None and known == (totals.attempts, totals.absorbed, totals.exhausted, throttled_s):
        return known
    return dict(totals.attempts), totals.absorbed, totals.exhausted, throttled_s


def _recent(row: _Row, oldest: _Row, minute: _Row, passed: float) -> Recent:
    more = {category: n - oldest[0].get(category, 0) for category, n in row[0].items()}
    made = sum(row[0].values())
    return Recent(
        attempts=sum(more.values()),
        per_s=(made - sum(minute[0].values())) / passed if passed >= 1 else None,
        errors={category: n for category, n in more.items() if n > 0 and category not in _NOT_FAILED},
        absorbed=row[1] - oldest[1],
        # A late attempt may have taken a failure back.
        exhausted=max(0, row[2] - oldest[2]),
        throttled_s=max(0.0, row[3] - oldest[3]),
    )
