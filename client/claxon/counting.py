"""counting: what the patterns did in this process, by name; shown by `claxon.stats()` and as OpenTelemetry counters."""

from __future__ import annotations

import os

from .tally import Tally

NAMES: dict[str, str] = {
    "calls": "Calls under a retry policy",
    "retries": "Retries made by a retry policy",
    "retries_denied_by_budget": "Retries not made: the budget was spent",
    "retries_denied_by_cost": "Retries not made: another attempt would have cost too much",
    "parked": "Calls given back: retry-after was longer than the app allows",
    "deadline_exceeded": "Calls whose deadline left no time for another attempt",
    "throttled": "Attempts held back before the limit was reached",
    "circuit_opened": "Circuit breakers that opened",
    "circuit_refused": "Calls refused by an open circuit breaker",
    "fallbacks": "Hops to another model",
    "stale_served": "Answers served from the cache",
    "streams_cut": "Streams that ended early, and were given back as far as they came",
    "deferred": "Calls put into a durable queue",
    "deferred_done": "Calls of a durable queue that were answered and handled",
    "deferred_dead": "Calls of a durable queue that were given up",
    "spooled": "Events written to disk while the service was away",
    "spool_dropped": "Events dropped from a full spool",
    "retry_loops": "Calls made again by the app after all retries had failed",
}
"""Each name, and its help."""

_tallies: dict[str, Tally] = {name: Tally() for name in NAMES}


def count(name: str, times: int = 1) -> None:
    """Count; takes no lock, so a finalizer may."""
    _tallies[name].add(times)


def counted() -> dict[str, int]:
    """Return the counts that are not 0. Takes locks: not for finalizers."""
    counts = {name: tally.value() for name, tally in _tallies.items()}
    return {name: value for name, value in counts.items() if value}


def forget() -> None:
    """Begin at 0: after a fork, and for tests."""
    for tally in _tallies.values():
        tally.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)
