"""Rewinding: what a state is after the clock was set back.

≠ how it is noticed.
"""

from __future__ import annotations

from math import floor

from . import lifecycle
from .engine_state import EngineState
from .watches import Watch


def rewind(state: EngineState, now: float) -> None:
    """Take the clock's being set back to `now`: nothing lies ahead, and every watch that sleeps wakes soon."""
    back_s = state.now - now
    state.now, state.grid = now, floor(now)
    state.resumed_at = min(state.resumed_at, now)
    for by_key in state.series.values():
        for series in by_key.values():
            series.rewind(now)
    for watches in state.watches.values():
        for watch in watches.values():
            _rewind_watch(watch, now, back_s=back_s)
    for totals in state.totals.values():
        totals.failed_at = {category: min(at, now) for category, at in totals.failed_at.items()}
    state.provisional.rewind(now)
    state.recent = {key: [min(at, now) for at in instants] for key, instants in state.recent.items()}


def _rewind_watch(watch: Watch, now: float, *, back_s: float) -> None:
    soon = floor(now) + 1
    watch.wake = soon if watch.wake is not None else None
    watch.matched_at = min(watch.matched_at, now)
    watch.said_until = min(watch.said_until, now)
    if watch.streak is not None:
        watch.streak.rewind(now, soon)
    if watch.samples is not None:
        watch.samples.forget_after(now)
    if watch.parked is not None:
        watch.parked.rewind(now, back_s)
    if watch.lifetime is not None:
        watch.lifetime.said_at = min(watch.lifetime.said_at, now)
    if watch.evidence is not None:
        watch.evidence.last_at = min(watch.evidence.last_at, now)
    if watch.alert is not None:
        lifecycle.rewind(watch.alert, now)
