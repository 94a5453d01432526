"""Escalations: who is told next of an alert that nobody looks after.

The steps are frozen when the alert is told: a reload in the middle of the night does not
change who is woken.

≠ routes.
"""

from __future__ import annotations

from .alone import Alone
from .decisions import What
from .desk import Desk
from .lifecycle import Alert
from .matchers import all_match
from .notification import AlertMessage, NotifyReason
from .notifier_state import Escalation


class Escalations:
    """Tells further people, step by step."""

    def __init__(self, desk: Desk, alone: Alone) -> None:
        self._desk = desk
        self._alone = alone
        self._state = desk.state

    def begin(self, alert: Alert, now: float) -> None:
        """Freeze the steps of an alert that was just told; those of the first escalation that matches."""
        if alert.fingerprint in self._state.escalations:
            return
        for escalation in self._desk.policy.escalations:
            if all_match(escalation.matchers, alert.labels):
                steps = [(now + step.after_s, step.receiver) for step in escalation.steps]
                self._state.escalations[alert.fingerprint] = Escalation(episode=alert.episode, steps=sorted(steps))
                return

    def next_at(self, name: str) -> float | None:
        """Return when the next step of an alert is due."""
        escalation = self._state.escalations.get(name)
        return escalation.steps[0][0] if escalation is not None and escalation.steps else None

    def step(self, name: str, now: float) -> None:
        """Take the steps of an alert that are due, unless somebody looks after it or something holds it back."""
        escalation, page = self._state.escalations.get(name), self._alone.page(name)
        if escalation is None or page is None:
            return
        if not self._alone.needs_somebody(name, page, now):
            self._wait(name, escalation, now)
            return
        due = [receiver for at, receiver in escalation.steps if at <= now]
        escalation.steps = [(at, receiver) for at, receiver in escalation.steps if at > now]
        fresh = [receiver for receiver in due if receiver not in escalation.told and self._desk.policy.knows(receiver)]
        # The end of what is told by itself is told by whoever tells it; of the rest, by us.
        escalation.told += [receiver for receiver in fresh if not self._alone.add_receiver(name, receiver)]
        self._state.escalations[name] = escalation
        if fresh:
            self._desk.note(What.ESCALATED, page.alert, now, note=f"nobody looks after it: {', '.join(fresh)}")
            self._alone.tell_page(page, fresh, now, NotifyReason.FIRST)

    def _wait(self, name: str, escalation: Escalation, now: float) -> None:
        """Look again in a minute: an acknowledgement expires, a silence ends."""
        escalation.steps = [(max(at, now + 60.0) if at <= now else at, receiver) for at, receiver in escalation.steps]
        self._state.escalations[name] = escalation

    def end(self, over: AlertMessage, now: float) -> None:
        """Take the end of an alert: whoever a step told of it is told of that."""
        escalation = self._state.escalations.take(over.fingerprint)
        if escalation is not None and escalation.told:
            self._desk.tell(over, escalation.told, now, NotifyReason.RESOLVED)
