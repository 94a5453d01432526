"""Notifier: which alerts are told to whom, once an episode.

≠ how a condition is found, how a message is delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from operator import attrgetter

import msgspec

from .decisions import Decision, Transition, What
from .inhibition import InhibitRule, inhibited_by
from .lifecycle import Alert, Change, State
from .notification import Notification, Status, facts
from .routes import Route
from .rules import Rule
from .wording import message

FIRST = "first notification"
RESOLVED = "all alerts resolved"


class Told(msgspec.Struct):
    """Who was told of an alert's episode."""

    episode: int
    receivers: list[str]


class NotifierState(msgspec.Struct):
    """What the notifier remembers.

    Attributes:
        firing: Alerts that fire, by fingerprint, as they were when they began.
        kept: Those of them whose condition has stopped holding.
        told: Who was told, by fingerprint.
        held_back: Whom an inhibition holds back, with the cause's fingerprint.
    """

    firing: dict[str, Alert] = msgspec.field(default_factory=dict)
    kept: set[str] = msgspec.field(default_factory=set)
    told: dict[str, Told] = msgspec.field(default_factory=dict)
    held_back: dict[str, str] = msgspec.field(default_factory=dict)


class Notifier:
    """Turns the alerts as they are into the notifications that are due; deterministic, like the engine."""

    def __init__(
        self,
        route: Route,
        inhibit_rules: Iterable[InhibitRule],
        *,
        external_url: str,
        state: NotifierState | None = None,
    ) -> None:
        self.route = route
        self.inhibit_rules = tuple(inhibit_rules)
        self.external_url = external_url
        self.state = state if state is not None else NotifierState()
        self._due: list[Notification] = []
        self._decisions: list[Decision] = []

    def step(
        self,
        transitions: Iterable[Transition],
        rules: Mapping[str, Rule],
        find: Callable[[str], Alert | None],
    ) -> tuple[list[Notification], list[Decision]]:
        """Return what is to be told, and why.

        Transitions of one instant are weighed together, so that a cause and its
        symptom that begin at once make one page, and so that it does not matter in
        how many steps the transitions came.

        Args:
            transitions: What changed since the last step, in order.
            rules: By id.
            find: The alert with a fingerprint as it is now, for what a page says.
        """
        self._due, self._decisions = [], []
        for at, group in groupby(transitions, key=attrgetter("at")):
            changed = list(group)
            for transition in changed:
                self._apply(transition)
            for transition in changed:
                if transition.change is Change.RESOLVED:
                    self._end(transition.alert, rules, at)
            for name, begun in list(self.state.firing.items()):
                self._begin(_latest(begun, find(name)), rules, at)
        return self._due, self._decisions

    def _apply(self, transition: Transition) -> None:
        alert = transition.alert
        name = alert.fingerprint
        if transition.change is Change.KEPT:
            self.state.kept.add(name)
            return
        self.state.kept.discard(name)
        if transition.change is Change.FIRED:
            self.state.firing[name] = alert
        elif transition.change is Change.RESOLVED:
            self.state.firing.pop(name, None)
            self.state.held_back.pop(name, None)

    def _begin(self, alert: Alert, rules: Mapping[str, Rule], now: float) -> None:
        name = alert.fingerprint
        # What was held back while it held, and is over when its cause is, is news to nobody.
        if name in self.state.told or name in self.state.kept:
            return
        source = inhibited_by(alert, self.state.firing.values(), self.inhibit_rules)
        if source is not None:
            if self.state.held_back.get(name) != source.fingerprint:
                self.state.held_back[name] = source.fingerprint
                note = f"by {source.labels['alertname']} {source.fingerprint}"
                self._decisions.append(_row(What.INHIBITED, alert, now, note=note))
            return
        self.state.held_back.pop(name, None)
        receivers = self.route.receivers(alert.labels)
        self.state.told[name] = Told(episode=alert.episode, receivers=receivers)
        self._tell(alert, receivers, rules, now, FIRST)

    def _end(self, alert: Alert, rules: Mapping[str, Rule], now: float) -> None:
        told = self.state.told.pop(alert.fingerprint, None)
        if told is not None:
            self._tell(alert, told.receivers, rules, now, RESOLVED)

    def _tell(
        self,
        alert: Alert,
        receivers: list[str],
        rules: Mapping[str, Rule],
        now: float,
        reason: str,
    ) -> None:
        self._decisions.append(_row(What.NOTIFIED, alert, now, note=f"{reason}: {', '.join(receivers)}"))
        told = message(alert, rules[alert.rule], external_url=self.external_url)
        self._due += [
            Notification(
                status=Status.FIRING if reason == FIRST else Status.RESOLVED,
                receiver=receiver,
                group_key=_group_key(alert),
                group_labels=alert.labels,
                common_labels=alert.labels,
                common_annotations=facts(told),
                external_url=self.external_url,
                reason=reason,
                dedup_key=f"claxon/{alert.labels['alertname']}/{alert.fingerprint}/{alert.episode}",
                at=now,
                alerts=[told],
            )
            for receiver in receivers
        ]


def _latest(begun: Alert, current: Alert | None) -> Alert:
    """Return the alert as it is now, if it still is the one that began."""
    same = current is not None and current.state is State.FIRING and current.episode == begun.episode
    return current if same and current is not None else begun


def _group_key(alert: Alert) -> str:
    inside = ", ".join(f'{name}="{alert.labels[name]}"' for name in sorted(alert.labels))
    return "{}:{" + inside + "}"


def _row(what: What, alert: Alert, now: float, *, note: str) -> Decision:
    return Decision(at=now, what=what, subject=alert.fingerprint, labels=alert.labels, value=alert.value, note=note)
