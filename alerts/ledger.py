"""Ledger: collects what is decided, step by step, and chains it.

What is passed over (a lone 429, an absorbed failure) makes one row for each
second, reason and place, however many there were.
"""

from __future__ import annotations

from claxon.event import Event

from .decisions import Chain, Decision, Step, Transition, What
from .feeds import Watched, labels_of
from .labels import Labels, fingerprint
from .lifecycle import Alert, Change, Value
from .rules import Rule


class Ledger:
    """What was decided since the last step was taken, and the chain over all before."""

    def __init__(self, chain: Chain, quiet: list[Decision]) -> None:
        self.chain = chain
        self._quiet = {_about(row): row for row in quiet}
        self._step = Step()

    @property
    def quiet(self) -> list[Decision]:
        """What was passed over in the second that is going on."""
        return list(self._quiet.values())

    def take(self) -> Step:
        """Return what was decided since the last time."""
        step, self._step = self._step, Step()
        self.chain.extend(step.decisions)
        return step

    def decide(self, row: Decision) -> None:
        """Add a row."""
        self._step.decisions.append(row)

    def decide_of(self, watched: Watched, what: What, at: float, value: Value, *, note: str = "") -> None:
        """Add a row about a rule's key."""
        alert, rule = watched.watch.alert, watched.rule
        subject = alert.fingerprint if alert is not None else fingerprint(watched.labels)
        row = Decision(at=at, what=what, subject=subject, labels=watched.labels, value=dict(value), note=note)
        row.rule, row.rule_hash = rule.id, rule.hash
        self.decide(row)

    def tell(self, watched: Watched, alert: Alert, change: Change, at: float, value: Value) -> None:
        """Add a transition, and its row; `alert` is what it is from now on and is not changed any more."""
        self._step.transitions.append(Transition(change=change, at=at, alert=alert))
        note = alert.resolve_reason if change is Change.RESOLVED else ""
        self.decide_of(watched, What(change.value), at, value, note=note)

    def explain(self, event: Event, now: float, *, alone: bool) -> None:
        """Note a failure that is passed over, if it is one of those people ask about."""
        if not event.final:
            self.note(What.ABSORBED, event, now)
        elif alone and event.category == "rate_limit":
            self.note(What.LONE_429, event, now)
        elif alone and event.category in ("server", "overloaded"):
            self.note(What.LONE_500, event, now)

    def note(self, what: What, event: Event, now: float) -> None:
        """Note a failure that is passed over."""
        labels = labels_of((event.app, event.environment, event.model, event.path))
        row = Decision(at=now, what=what, labels=labels, value={"n": 0.0}, note=event.category)
        self._quiet.setdefault(_about(row), row).value["n"] += 1

    def note_late(self, event: Event, now: float, rule: Rule, labels: Labels) -> None:
        """Note a match that came too late to fire."""
        made = Decision(at=now, what=What.LATE, labels=labels, value={"n": 0.0, "age_s": 0.0}, note=event.category)
        made.subject, made.rule, made.rule_hash = fingerprint(labels), rule.id, rule.hash
        row = self._quiet.setdefault(_about(made), made)
        row.value["n"] += 1
        row.value["age_s"] = max(row.value["age_s"], now - event.at)

    def end_second(self) -> None:
        """Write down what was passed over in the second that is over."""
        if self._quiet:
            self._step.decisions += self._quiet.values()
            self._quiet.clear()

    @property
    def waiting(self) -> bool:
        """Whether something was passed over that is not written down."""
        return bool(self._quiet)


def _about(row: Decision) -> tuple[str, ...]:
    """Return what makes two things that were passed over one row."""
    return (row.what, row.rule, row.note, *row.labels.values())
