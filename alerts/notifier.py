"""Notifier: which alerts are told to whom, once an episode.

≠ how a condition is found, how a message is delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from operator import attrgetter

import msgspec

from .decisions import Decision, Transition, What
from .incidents import SYMPTOMS, Incident, Place, closing, is_symptom, place_of
from .inhibition import Inhibition, InhibitRule
from .labels import Labels
from .lifecycle import Alert, Change, State
from .notification import AlertMessage, Notification, Status, facts
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
        firing: Alerts that fire, by fingerprint, as they were when they began, or held again.
        kept: Those of them whose condition has stopped holding.
        told: Who was told, by fingerprint.
        held_back: Whom an inhibition or an open page holds back, with the cause's, or the told alert's, fingerprint.
        incidents: The open pages that speak for several alerts, by the fingerprint of the one that was told.
    """

    firing: dict[str, Alert] = msgspec.field(default_factory=dict)
    kept: set[str] = msgspec.field(default_factory=set)
    told: dict[str, Told] = msgspec.field(default_factory=dict)
    held_back: dict[str, str] = msgspec.field(default_factory=dict)
    incidents: dict[str, Incident] = msgspec.field(default_factory=dict)


class Notifier:
    """Turns the alerts as they are into the notifications that are due; deterministic, like the engine."""

    def __init__(
        self,
        route: Route,
        inhibit_rules: Iterable[InhibitRule],
        *,
        external_url: str,
        state: NotifierState | None = None,
        symptoms: frozenset[str] = SYMPTOMS,
    ) -> None:
        """Begin, or go on where a state was taken.

        Args:
            route: Who is told of what.
            inhibit_rules: Which alert mutes which.
            external_url: Where people reach this Claxon.
            state: What another notifier remembered; it is used, not copied.
            symptoms: The pages of one app that are one page while they overlap, by `alertname`.
        """
        self.symptoms = symptoms
        self.route = route
        self.inhibit_rules = tuple(inhibit_rules)
        self.external_url = external_url
        self.state = state if state is not None else NotifierState()
        self._due: list[Notification] = []
        self._decisions: list[Decision] = []

    @property
    def state(self) -> NotifierState:
        """All that is remembered."""
        return self._state

    @state.setter
    def state(self, state: NotifierState) -> None:
        self._state = state
        self._inhibition = Inhibition(self.inhibit_rules, state.firing.values())
        # Of thousands that fire, few are not told of: only those are weighed at each instant.
        self._untold = dict.fromkeys(name for name in state.firing if name not in state.told)
        self._open: dict[Place, list[Incident]] = {}
        for incident in state.incidents.values():
            self._open.setdefault(place_of(incident.labels), []).append(incident)

    def step(
        self,
        transitions: Iterable[Transition],
        rules: Mapping[str, Rule],
        find: Callable[[str], Alert | None],
    ) -> tuple[list[Notification], list[Decision]]:
        """Return what is to be told, and why.

        Transitions of one instant are weighed together, so that a cause and its
        symptom, or two symptoms, that begin at once make one page, and so that it
        does not matter in how many steps the transitions came.

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
            self._gather()
            for transition in changed:
                if transition.change is Change.RESOLVED:
                    self._end(transition.alert, rules, at)
                elif transition.change is Change.FIRED:
                    self._begin_again(transition.alert, at)
            self._begin_all(rules, find, at)
        return self._due, self._decisions

    def weigh(
        self, rules: Mapping[str, Rule], find: Callable[[str], Alert | None], now: float
    ) -> tuple[list[Notification], list[Decision]]:
        """Return what is to be told of alerts that fire already, after routes or inhibit rules have changed."""
        self._due, self._decisions = [], []
        self._begin_all(rules, find, now)
        return self._due, self._decisions

    def adopt(
        self, route: Route, inhibit_rules: Iterable[InhibitRule], *, external_url: str, receivers: Iterable[str]
    ) -> None:
        """Take over another configuration.

        An alert of which only receivers were told that are gone is told anew when it is
        weighed next: nobody who is there now knows of it.
        """
        self.route, self.inhibit_rules, self.external_url = route, tuple(inhibit_rules), external_url
        there = set(receivers)
        told = self.state.told
        for name in [name for name in told if told[name].receivers and there.isdisjoint(told[name].receivers)]:
            del told[name]
            self.state.incidents.pop(name, None)
        self.state = self._state

    def correct(self, alert: Alert, *, episode: int, receivers: list[str]) -> None:
        """Take over who was told of an alert's episode in truth; with nobody, it is not told yet."""
        told = self.state.told
        name = alert.fingerprint
        if name not in self.state.firing or alert.episode != episode:
            return
        if not receivers:
            told.pop(name, None)
            self.state.incidents.pop(name, None)
        elif name not in told or told[name].receivers != receivers:
            told[name] = Told(episode=episode, receivers=receivers)
            self.state.held_back.pop(name, None)
            self._open_page(alert, receivers)
        self.state = self._state

    def _apply(self, transition: Transition) -> None:
        alert = transition.alert
        name = alert.fingerprint
        if transition.change is Change.KEPT:
            self.state.kept.add(name)
            return
        self.state.kept.discard(name)
        if transition.change in (Change.FIRED, Change.HELD):
            self.state.firing[name] = alert
            self._inhibition.add(alert)
            if name not in self.state.told:
                self._untold[name] = None
        elif transition.change is Change.RESOLVED:
            self.state.firing.pop(name, None)
            self.state.held_back.pop(name, None)
            self._inhibition.discard(alert)
            self._untold.pop(name, None)

    def _begin_all(self, rules: Mapping[str, Rule], find: Callable[[str], Alert | None], now: float) -> None:
        for name in list(self._untold):
            self._begin(self.state.firing[name], rules, find, now)

    def _begin(self, alert: Alert, rules: Mapping[str, Rule], find: Callable[[str], Alert | None], now: float) -> None:
        name = alert.fingerprint
        # What was held back while it held, and is over when its cause is, is news to nobody.
        if name in self.state.kept:
            return
        source = self._inhibition.source_of(alert, before=self.state.held_back.get(name))
        if source is not None:
            self._hold_back(alert, source.fingerprint, source.labels["alertname"], now)
            return
        incident = self._incident_of(alert)
        if incident is not None:
            self._hold_back(alert, incident.lead, f"the open page of {incident.labels['alertname']}", now)
            return
        self.state.held_back.pop(name, None)
        self._untold.pop(name, None)
        receivers = self.route.receivers(alert.labels)
        self.state.told[name] = Told(episode=alert.episode, receivers=receivers)
        self._open_page(alert, receivers)
        # The page says what is; the ledger what was when the alert changed last, however late a step comes.
        self._decisions.append(_row(What.NOTIFIED, alert, now, note=f"{FIRST}: {', '.join(receivers)}"))
        current = _latest(alert, find(name))
        self._tell(message(current, rules[alert.rule], external_url=self.external_url), receivers, now, FIRST)

    def _begin_again(self, alert: Alert, now: float) -> None:
        """Note that an alert fires anew while the page of its earlier episode is open."""
        told = self.state.told.get(alert.fingerprint)
        if told is not None and told.episode != alert.episode:
            note = f"by its own open page, of episode {told.episode}"
            self._decisions.append(_row(What.INHIBITED, alert, now, note=note))

    def _hold_back(self, alert: Alert, source: str, named: str, now: float) -> None:
        if self.state.held_back.get(alert.fingerprint) != source:
            self.state.held_back[alert.fingerprint] = source
            self._decisions.append(_row(What.INHIBITED, alert, now, note=f"by {named} {source}"))

    def _end(self, alert: Alert, rules: Mapping[str, Rule], now: float) -> None:
        name = alert.fingerprint
        for incident in self._open.get(place_of(alert.labels), ()):
            if name in incident.firing:
                over = message(alert, rules[alert.rule], external_url=self.external_url)
                self._leave(incident, alert, over, now)
                return
        told = self.state.told.pop(name, None)
        if told is not None:
            self._decisions.append(_row(What.NOTIFIED, alert, now, note=f"{RESOLVED}: {', '.join(told.receivers)}"))
            over = message(alert, rules[alert.rule], external_url=self.external_url)
            self._tell(over, told.receivers, now, RESOLVED)

    # ── one page for one incident ─────────────────────────────────────────────

    def _open_page(self, alert: Alert, receivers: list[str]) -> None:
        """Let a symptom that is told of speak for those that overlap with it."""
        if not is_symptom(alert, self.symptoms):
            return
        name = alert.fingerprint
        incident = Incident(lead=name, labels=alert.labels, rule=alert.rule, receivers=receivers, firing=[name])
        open_here = self._open.setdefault(place_of(alert.labels), [])
        for other in open_here:
            if name in other.firing:
                other.firing.remove(name)
        self.state.incidents[name] = incident
        open_here.append(incident)

    def _gather(self) -> None:
        """Let the open pages speak for all that overlaps with them, before any of them is closed."""
        if self.state.incidents:
            leads = [name for name in self.state.incidents if name in self.state.firing]
            for name in (*self._untold, *leads):
                self._incident_of(self.state.firing[name])

    def _incident_of(self, alert: Alert) -> Incident | None:
        """Return the open page that speaks for an alert, from now on if not before."""
        name = alert.fingerprint
        incidents = self._open.get(place_of(alert.labels), ())
        for incident in incidents:
            if name in incident.firing:
                return incident
        found = self.state.incidents.get(name)  # Its own page is open still.
        if found is None and name not in self.state.told and is_symptom(alert, self.symptoms):
            receivers = self.route.receivers(alert.labels)
            found = next((one for one in incidents if one.speaks_for(alert, receivers)), None)
        if found is not None:
            found.firing.append(name)
        return found

    def _leave(self, incident: Incident, alert: Alert, over: AlertMessage, now: float) -> None:
        """Take an alert that ended out of its incident, and close the page if it was the last."""
        if alert.fingerprint == incident.lead and incident.ended is None:
            incident.ended, incident.value = over, alert.value
        if alert.fingerprint in self.state.firing:
            return  # It fires again, since the same instant.
        incident.firing.remove(alert.fingerprint)
        if incident.firing:
            return
        del self.state.incidents[incident.lead]
        self._open[place_of(incident.labels)].remove(incident)
        receivers = self.state.told.pop(incident.lead).receivers
        told = closing(incident, over)
        row = Decision(at=now, what=What.NOTIFIED, subject=told.fingerprint, labels=told.labels, value=incident.value)
        row.rule, row.rule_hash, row.note = incident.rule, told.rule_hash, f"{RESOLVED}: {', '.join(receivers)}"
        self._decisions.append(row)
        self._tell(told, receivers, now, RESOLVED)

    def _tell(self, told: AlertMessage, receivers: list[str], now: float, reason: str) -> None:
        self._due += [
            Notification(
                status=Status.FIRING if reason == FIRST else Status.RESOLVED,
                receiver=receiver,
                group_key=_group_key(told.labels),
                group_labels=told.labels,
                common_labels=told.labels,
                common_annotations=facts(told),
                external_url=self.external_url,
                reason=reason,
                dedup_key=f"claxon/{told.labels['alertname']}/{told.fingerprint}/{told.episode}",
                at=now,
                alerts=[told],
            )
            for receiver in receivers
        ]


def _latest(begun: Alert, current: Alert | None) -> Alert:
    """Return the alert as it is now, if it still is the one that began."""
    same = current is not None and current.state is State.FIRING and current.episode == begun.episode
    return current if same and current is not None else begun


def _group_key(labels: Labels) -> str:
    inside = ", ".join(f'{name}="{labels[name]}"' for name in sorted(labels))
    return "{}:{" + inside + "}"


def _row(what: What, alert: Alert, now: float, *, note: str) -> Decision:
    row = Decision(at=now, what=what, subject=alert.fingerprint, labels=alert.labels, value=alert.value, note=note)
    row.rule, row.rule_hash = alert.rule, alert.rule_hash
    return row
