"""Posts: the alerts that others posted, from when they are taken until they are forgotten.

≠ who is told of them.
"""

from __future__ import annotations

from . import received as posting
from .decisions import Transition
from .desk import Desk
from .errors import AlertError
from .labels import fingerprint
from .lifecycle import Alert, Change
from .received import Posted
from .timers import Timer, Timers

KEEP_S = 1800.0
"""How long one that has ended is remembered, for it may be posted late by somebody else."""

MOST = 100_000
"""So many are remembered at most: labels that change with every post would fill any memory."""


class Posts:
    """Takes posted alerts; which of them fire is said in transitions, as an engine does."""

    def __init__(self, desk: Desk, timers: Timers) -> None:
        self._desk = desk
        self._state = desk.state
        self._timers = timers

    def take(self, one: Posted, now: float) -> Transition | None:
        """Take a posted alert; return what changed, if anything did.

        Raises:
            AlertError: It cannot be taken.
        """
        taken = posting.take(one, now=now, resolve_timeout_s=self._desk.policy.resolve_timeout_s)
        name = fingerprint(taken.labels)
        fires = self._state.firing.get(name)
        if fires is not None and fires.rule != posting.NO_RULE:
            raise AlertError(f"labels: those of an alert of Claxon's own, {name}: give it another label")
        old = self._state.received.get(name)
        if old is None and len(self._state.received) >= MOST:
            raise AlertError(f"alerts: more than {MOST:,} are remembered: do labels change with each post?")
        if old is not None:
            taken = posting.merge(old, taken, now=now)
        firing = taken.ends_at > now
        if firing and fires is None:
            taken.episode += 1
        self._state.received[name] = taken
        alert = posting.as_alert(taken, now=now)
        if not firing:
            return Transition(change=Change.RESOLVED, at=now, alert=alert) if fires is not None else None
        self._timers.set(Timer.POSTED, name, taken.ends_at)
        if fires is None:
            return Transition(change=Change.FIRED, at=now, alert=alert)
        self._state.firing[name] = alert
        return None

    def over(self, name: str, at: float) -> Alert | None:
        """Return an alert whose time is over, as ended; None if it goes on, or is none of these."""
        known, alert = self._state.received.get(name), self._state.firing.get(name)
        if known is None or alert is None or alert.rule != posting.NO_RULE:
            return None
        if known.ends_at > at:
            self._timers.set(Timer.POSTED, name, known.ends_at)
            return None
        return posting.as_alert(known, now=at)

    def forget_old(self, now: float) -> None:
        """Forget those that have ended."""
        for name, known in list(self._state.received.items()):
            if known.ends_at < now - KEEP_S and name not in self._state.firing:
                del self._state.received[name]
