"""What a backtest found: alerts episode by episode, and notifications.

≠ how it is found, how it is printed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from alerts.decisions import Decision, Transition, What
from alerts.labels import Labels
from alerts.lifecycle import Alert, Change, Value
from alerts.notification import Notification, Status
from alerts.rules import Rule

WEEK_S = 7 * 86_400
_SHOWN = {change.value for change in Change} | {What.NOTIFIED.value}


@dataclass(slots=True, kw_only=True)
class Episode:
    """One alert from when it fired until it resolved.

    Attributes:
        rule: The rule's id.
        starts_at: When it fired, Unix seconds.
        ends_at: When it resolved; None while it fires.
        value: What was measured when it fired.
        peak: What was measured at its worst.
        request_ids: Of failures behind it, to give to the provider's support.
        told_at: When the first of the receivers was told of it; None if nobody was.
        receivers: Who was told.
    """

    rule: str
    rule_hash: str
    labels: Labels
    fingerprint: str
    episode: int
    starts_at: float
    value: Value
    peak: Value = field(default_factory=dict)
    request_ids: list[str] = field(default_factory=list)
    ends_at: float | None = None
    resolve_reason: str = ""
    told_at: float | None = None
    receivers: list[str] = field(default_factory=list)

    @property
    def severity(self) -> str:
        """The label `severity`, "page" where there is none."""
        return self.labels.get("severity", "page")

    @property
    def paged(self) -> bool:
        """Whether it woke somebody: a page that was told."""
        return self.severity == "page" and self.told_at is not None


@dataclass(slots=True, kw_only=True)
class Told:
    """One notification; of a group the first alert that it names."""

    at: float
    status: str
    receiver: str
    labels: Labels
    reason: str
    dedup_key: str
    fingerprint: str
    episode: int


@dataclass(slots=True, kw_only=True)
class RuleTotals:
    """What one rule made.

    Attributes:
        alerts: Episodes.
        told: Episodes of which somebody was told.
        notifications: Messages, ends included.
        firing: Episodes that still fire at the end.
    """

    rule: str
    rule_hash: str
    severity: str
    alerts: int = 0
    told: int = 0
    notifications: int = 0
    firing: int = 0


@dataclass(slots=True, kw_only=True)
class Outcome:
    """All that one rule set made of a log.

    Attributes:
        rules: By id, those that were given; the engine has some more, about Claxon itself.
        alerts: In the order in which they fired.
        notifications: In the order in which they were decided.
        passed_over: What was decided so that nobody was told, by kind: how often.
        pending: Alerts that wait for their `for` at the end.
        ledger_hash: Of all decisions of the engine, in order; a live service with the same log and rules has the same.
        decided: How many decisions that were.
    """

    rules: dict[str, Rule]
    alerts: list[Episode] = field(default_factory=list)
    notifications: list[Told] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    pending: int = 0
    ledger_hash: str = ""
    decided: int = 0

    def by_rule(self) -> list[RuleTotals]:
        """Return the totals of every rule, in the order of the rules; those that made nothing too."""
        found = {
            rule.id: RuleTotals(rule=rule.id, rule_hash=rule.hash, severity=rule.severity)
            for rule in self.rules.values()
        }
        rules = {}
        for alert in self.alerts:
            # Claxon's own alerts come of no rule of the file.
            own = RuleTotals(rule=alert.rule, rule_hash=alert.rule_hash, severity=alert.severity)
            totals = found.setdefault(alert.rule, own)
            totals.alerts += 1
            totals.told += alert.told_at is not None
            totals.firing += alert.ends_at is None
            rules[alert.fingerprint, alert.episode] = alert.rule
        for told in self.notifications:
            rule = rules.get((told.fingerprint, told.episode))
            if rule is not None:
                found[rule].notifications += 1
        return list(found.values())


class Book:
    """Writes down what happens, step by step."""

    def __init__(self, rules: dict[str, Rule]) -> None:
        self.outcome = Outcome(rules=rules)
        self._episodes: dict[tuple[str, int], Episode] = {}

    def take(self, transitions: Iterable[Transition], decisions: Iterable[Decision]) -> None:
        """Note what changed, and what was passed over."""
        for transition in transitions:
            if transition.change is Change.FIRED:
                self._fire(transition.alert, transition.at)
            elif transition.change is Change.RESOLVED:
                self.see(transition.alert)
                episode = self._episodes[transition.alert.fingerprint, transition.alert.episode]
                episode.ends_at = transition.at
                episode.resolve_reason = transition.alert.resolve_reason
        for row in decisions:
            if row.what.value not in _SHOWN:
                self.outcome.passed_over[row.what.value] += int(row.value.get("n", 1))

    def _fire(self, alert: Alert, at: float) -> None:
        episode = Episode(
            rule=alert.rule,
            rule_hash=alert.rule_hash,
            labels=alert.labels,
            fingerprint=alert.fingerprint,
            episode=alert.episode,
            starts_at=at,
            value=dict(alert.value),
        )
        self._episodes[alert.fingerprint, alert.episode] = episode
        self.outcome.alerts.append(episode)
        self.see(alert)

    def tell(self, notifications: Iterable[Notification]) -> None:
        """Note who was told."""
        for notification in notifications:
            message = notification.alerts[0]
            told = Told(
                at=notification.at,
                status=notification.status.value,
                receiver=notification.receiver,
                labels=message.labels,
                reason=notification.reason,
                dedup_key=notification.dedup_key,
                fingerprint=message.fingerprint,
                episode=message.episode,
            )
            self.outcome.notifications.append(told)
            for named in notification.alerts:
                episode = self._episodes.get((named.fingerprint, named.episode))
                if episode is not None and named.status is Status.FIRING:
                    episode.told_at = told.at if episode.told_at is None else episode.told_at
                    if told.receiver not in episode.receivers:
                        episode.receivers.append(told.receiver)

    def see(self, alert: Alert) -> None:
        """Note how an episode stands."""
        episode = self._episodes[alert.fingerprint, alert.episode]
        episode.peak = dict(alert.peak)
        episode.request_ids = alert.evidence.request_ids()
