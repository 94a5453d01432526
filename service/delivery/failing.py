"""Failing: which integrations do not take what they are sent. Read in the office's thread.

≠ who is told of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..storage import attempts, outbox
from ..storage.connecting import Connection

RECENT_S = 3600.0
"""So long an integration that gave no page a chance is failing, if it took nothing since."""

PATIENCE_S = 120.0
PATIENCE_TRIES = 3
"""A page that waits longer than this, of an integration that failed so often, is overdue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """An integration that does not take what it is sent.

    Attributes:
        target: "receiver/kind/index".
        since: When it failed first since it took something last, Unix seconds.
        reason: The class of the last failure.
        waiting: How many notifications wait for it.
        last_error: What went wrong last; no secret is in it.
    """

    target: str
    since: float
    reason: str
    waiting: int
    last_error: str


def failing(connection: Connection, targets: Iterable[str], *, now: float) -> list[Failing]:
    """Return those of the integrations that refused for good lately, or let a page wait too long."""
    found = (_look_at(connection, target, now) for target in targets)
    return [one for one in found if one is not None]


def _look_at(connection: Connection, target: str, now: float) -> Failing | None:
    health = attempts.health(connection, target)
    if health is None:
        return None
    waiting = outbox.waiting(connection, target)
    refused = health.gave_up_at is not None and now - health.gave_up_at < RECENT_S
    # Of a thousand that wait, one is tried at a time: the tries of all of them count.
    tried = max(waiting.tries, health.failures) >= PATIENCE_TRIES
    overdue = waiting.count > 0 and tried and now - waiting.oldest_at > PATIENCE_S
    if not refused and not overdue:
        return None
    return Failing(
        target=target,
        since=health.since,
        reason=health.outcome,
        waiting=waiting.count,
        last_error=health.answer,
    )
