"""A notifier with a clock: alerts are posted and rules fire at seconds after noon, and what is told is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from alerts.decisions import Decision, Transition, What
from alerts.labels import fingerprint
from alerts.lifecycle import Alert, Change, State
from alerts.matchers import parse_matcher
from alerts.notification import Notification
from alerts.notifier import Notifier, Told
from alerts.notifier_state import NotifierState
from alerts.policy import Policy
from alerts.received import Posted
from alerts.routes import Route
from alerts.rules import Rule
from alerts.silences import Silence, SilenceMatcher

NOON = 1_700_000_000.0


def route(receiver: str = "on-call", *matchers: str, **settings: object) -> Route:
    """Return a route; settings as the fields of `Route`."""
    return replace(
        Route(receiver=receiver, matchers=tuple(parse_matcher(text) for text in matchers)),
        **settings,  # type: ignore[arg-type]
    )


def grouped(receiver: str = "on-call", *matchers: str, **settings: object) -> Route:
    """Return a route that groups by alertname, waits 10 s, looks every 20 s and repeats after 100 s."""
    usual: dict[str, object] = {"group_by": ("alertname",), "group_wait_s": 10.0, "group_interval_s": 20.0}
    return route(receiver, *matchers, **usual | {"repeat_interval_s": 100.0} | settings)


class Store:
    """A database that is told only what has changed."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], bytes] = {}

    def restored(self, state: NotifierState) -> NotifierState:
        """Return the state as a restart would read it."""
        for part, name, body in state.changes():
            if body is None:
                self.rows.pop((part, name), None)
            else:
                self.rows[part, name] = body
        state.stored()
        rows = [((part, name), body) for part, name, body in state.rows()]
        assert sorted(rows, key=lambda row: row[0][0]) == sorted(self.rows.items(), key=lambda row: row[0][0])
        return NotifierState((part, name, body) for (part, name), body in self.rows.items())


class Telling:
    """The notifier, the rules it needs, and all that it told and decided so far."""

    def __init__(
        self, policy: Policy | Route, *, rules: Mapping[str, Rule] | None = None, restarts: bool = False
    ) -> None:
        self.policy = policy if isinstance(policy, Policy) else Policy(route=policy, inhibit_rules=())
        self.rules = rules or {}
        self.notifier = Notifier(policy=self.policy)
        self.told: list[Notification] = []
        self.decisions: list[Decision] = []
        self.now = NOON
        self._store = Store() if restarts else None
        self._said = 0

    def at(self, seconds: float) -> Telling:
        """Let time go on to some seconds after noon, in ticks of half a second."""
        while self.now < NOON + seconds:
            self.now = min(self.now + 0.5, NOON + seconds)
            self.take(self.notifier.tick(self.now, self.rules, self.find))
        return self

    def find(self, _: str) -> Alert | None:
        """Nothing is known beyond what fired."""
        return None

    def take(self, told: Told) -> None:
        """Write down what was told, and restart."""
        self.told += told[0]
        self.decisions += told[1]
        if self._store is not None:
            self.notifier = Notifier(policy=self.policy, state=self._store.restored(self.notifier.state))

    def post(self, *posted: Posted) -> list[str]:
        """Post alerts; return what was refused."""
        told, wrong = self.notifier.post(posted, self.now, self.rules, self.find)
        self.take(told)
        return wrong

    def fire(self, name: str, **labels: str) -> None:
        """Post an alert that fires for an hour."""
        self.post(posted(name, ends=3600 + self.now - NOON, **labels))

    def end(self, name: str, **labels: str) -> None:
        """Post that an alert has ended."""
        self.post(posted(name, ends=self.now - NOON, **labels))

    def change(self, change: Change, alert: Alert) -> None:
        """Have an alert of a rule change now."""
        alert.state = State.INACTIVE if change is Change.RESOLVED else State.FIRING
        moved = Transition(change=change, at=self.now, alert=msgspec.structs.replace(alert))
        self.take(self.notifier.step([moved], self.rules, self.find))

    def silence(self, *matchers: str, ends: float, name: str = "s1", starts: float | None = None) -> Silence:
        """Put a silence in force."""
        starts_at = self.now if starts is None else NOON + starts
        found = silence(*matchers, name=name, starts_at=starts_at, ends_at=NOON + ends)
        self.take(self.notifier.silence(found, self.now, self.rules, self.find))
        return found

    def said(self) -> list[str]:
        """Return what was told since the last time: "12 on-call first notification: +Down{app=a} -Up"."""
        fresh, self._said = self.told[self._said :], len(self.told)
        return [say(notification) for notification in fresh]

    def rows(self, what: What) -> list[str]:
        """Return the notes of the ledger's rows of one kind."""
        return [row.note for row in self.decisions if row.what is what]


def posted(name: str, *, starts: float | None = None, ends: float | None = None, **labels: str) -> Posted:
    """Return an alert to post; its times are seconds after noon."""
    return Posted(
        labels={"alertname": name} | labels,
        starts_at=NOON + starts if starts is not None else None,
        ends_at=NOON + ends if ends is not None else None,
    )


def silence(*matchers: str, name: str = "s1", starts_at: float, ends_at: float) -> Silence:
    """Return a silence by Ann, who deploys."""
    parsed = [parse_matcher(text) for text in matchers]
    return Silence(
        id=name,
        matchers=[
            SilenceMatcher(
                name=m.name, value=m.value, is_regex="~" in m.operator, is_equal=not m.operator.startswith("!")
            )
            for m in parsed
        ],
        starts_at=starts_at,
        ends_at=ends_at,
        updated_at=starts_at,
        created_by="Ann",
        comment="deploying",
    )


def own(rule: Rule, *, app: str = "shop", episode: int = 1, at: float = NOON) -> Alert:
    """Return an alert of a rule that fires."""
    labels = {"alertname": rule.alert, "app": app} | rule.labels
    return Alert(
        rule=rule.id,
        key=(app,),
        labels=labels,
        fingerprint=fingerprint(labels),
        state=State.FIRING,
        episode=episode,
        fired_at=at,
    )


def say(notification: Notification) -> str:
    """Return a notification in one line."""
    alerts = [_alert(told.labels, told.status.value == "firing") for told in notification.alerts]
    more = f" and {notification.truncated_alerts} more" if notification.truncated_alerts else ""
    lane = {None: "", True: " (ends)", False: " (no ends)"}[notification.send_resolved]
    at = f"{notification.at - NOON:g}"
    return f"{at} {notification.receiver}{lane} {notification.reason}: {' '.join(alerts)}{more}"


def _alert(labels: Mapping[str, str], firing: bool) -> str:
    others = ",".join(f"{name}={value}" for name, value in sorted(labels.items()) if name != "alertname")
    return f"{'+' if firing else '-'}{labels['alertname']}{'{' + others + '}' if others else ''}"
