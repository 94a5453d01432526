"""The book of silences: those in force, when each begins and ends, and what the ledger says of it.

≠ what a silence is.
"""

from __future__ import annotations

from .decisions import Decision, What
from .desk import Desk
from .received import Posted
from .silences import NOTICE_S, Silence, SilenceState
from .timers import Timer, Timers

KEEP_S = 30 * 86_400.0
"""How long one that has ended is kept, for who wonders."""


class SilenceBook:
    """Silences, by id."""

    def __init__(self, desk: Desk, timers: Timers) -> None:
        self._desk = desk
        self._silences = desk.state.silences
        self._timers = timers
        for name in self._silences:
            self._wind(name, float("-inf"))

    def put(self, silence: Silence, now: float) -> None:
        """Put a silence, new or changed or expired, in force."""
        before = self._silences.get(silence.id)
        silence.over = silence.state(now) is SilenceState.EXPIRED
        self._silences[silence.id] = silence
        self._desk.silencing.forget(silence.id)
        self._desk.decisions.append(_row(silence, before, now))
        self._wind(silence.id, now)

    def put_back(self, name: str, before: Silence | None) -> None:
        """Take back what was last done to a silence."""
        if before is None:
            self._silences.take(name)
        else:
            self._silences[name] = before
        self._desk.silencing.forget(name)

    def _wind(self, name: str, now: float) -> None:
        silence = self._silences[name]
        for at in (silence.starts_at, silence.ends_at, None if silence.noticed else silence.ends_at - NOTICE_S):
            if at is not None and at > now:
                self._timers.set(Timer.SILENCE, name, at)

    def turn(self, name: str, now: float) -> Posted | None:
        """Take a silence's beginning, end, or the time to speak of it; return what is to be told of it."""
        silence = self._silences.get(name)
        if silence is None:
            return None
        state = silence.state(now)
        if state is SilenceState.ACTIVE and now >= silence.ends_at - NOTICE_S and not silence.noticed:
            return self._notice(silence, now)
        if state is SilenceState.EXPIRED and not silence.over:
            silence.over = True
            self._silences[name] = silence
            self._desk.decisions.append(_row(silence, silence, now))
        return None

    def _notice(self, silence: Silence, now: float) -> Posted | None:
        """Tell of a silence that is about to end while it hides something; a short one is remembered by who made it."""
        silence.noticed = True
        self._silences[silence.id] = silence
        firing = self._desk.state.firing.values()
        hidden = sum(silence.id in self._desk.silencing.by(alert.labels, now) for alert in firing)
        if not hidden or silence.ends_at - silence.starts_at <= NOTICE_S:
            return None
        minutes = round((silence.ends_at - now) / 60)
        alerts = "1 alert" if hidden == 1 else f"{hidden} alerts"
        summary = f"the silence of {silence.created_by} ends in {minutes} min and hides {alerts}"
        labels = {"alertname": "ClaxonSilenceEnding", "severity": "info", "silence": silence.id}
        annotations = {"summary": summary, "description": silence.comment}
        return Posted(labels=labels, annotations=annotations, ends_at=silence.ends_at)

    def forget_old(self, now: float) -> None:
        """Forget those that ended long ago."""
        for name, silence in list(self._silences.items()):
            if silence.ends_at < now - KEEP_S:
                del self._silences[name]
                self._desk.silencing.forget(name)


def _row(silence: Silence, before: Silence | None, now: float) -> Decision:
    how = "made" if before is None else "ended" if silence.state(now) is SilenceState.EXPIRED else "changed"
    what = ", ".join(
        f"{m.name}{'=' if m.is_equal else '!='}{'~' if m.is_regex else ''}{m.value}" for m in silence.matchers
    )
    note = f"{how} by {silence.created_by}: {what}: {silence.comment}"
    return Decision(at=now, what=What.SILENCE, subject=silence.id, note=note[:500])
