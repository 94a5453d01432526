"""Views: what the API and the page show, gathered in the core's thread in one go.

≠ HTTP, HTML.
"""

from __future__ import annotations

import msgspec

from alerts.decisions import Decision
from alerts.durations import format_duration
from alerts.lifecycle import Alert, State
from alerts.notification import AlertMessage
from alerts.rules import Rule
from alerts.wording import message

from .core import Core
from .storage import outbox, state
from .storage.outbox import DeliveryRow


class AlertView(msgspec.Struct, kw_only=True):
    """One episode of an alert, as people see it.

    Attributes:
        state: "firing", "pending" or "resolved".
        message: The words a page has for it.
        alert: All that is known of it.
        held_back_by: The fingerprint of the alert that inhibits it; "" is none.
    """

    state: str
    message: AlertMessage
    alert: Alert
    held_back_by: str = ""


class AppView(msgspec.Struct, kw_only=True):
    """One app and environment, over the last hour.

    Attributes:
        minutes: (start of the minute in Unix seconds, calls, failed); minutes without calls are left out.
        calls, failed: In the last 5 minutes.
        firing: How many of its alerts fire.
    """

    app: str
    environment: str
    minutes: list[tuple[int, int, int]]
    calls: int
    failed: int
    firing: int


class NowView(msgspec.Struct, kw_only=True):
    """The front page.

    Attributes:
        at: When it was gathered, Unix seconds.
        firing: Pages first, newest first.
        resolved: Newest first, at most 20.
        apps: Those with trouble first.
        undelivered: Notifications that wait.
    """

    at: float
    firing: list[AlertView]
    resolved: list[AlertView]
    apps: list[AppView]
    undelivered: int


class AlertPage(msgspec.Struct, kw_only=True):
    """All about one alert: its episodes newest first, the rule in words, why, and who was told."""

    current: AlertView
    episodes: list[AlertView]
    rule: Rule
    ledger: list[Decision]
    deliveries: list[DeliveryRow]
    minutes: list[tuple[int, int, int]]


class RuleView(msgspec.Struct, kw_only=True):
    """One rule, in words."""

    alert: str
    severity: str
    kind: str
    by: list[str]
    match: list[str]
    keep_firing_for: str
    hash: str
    firing: int


class Views:
    """Gathers views; every method runs in the core's thread."""

    def __init__(self, core: Core, *, external_url: str) -> None:
        self._core = core
        self.external_url = external_url

    def now(self) -> NowView:
        """Return the front page."""
        firing = [self._view(alert) for alert in self._core.engine.firing()]
        firing.sort(key=lambda v: (v.alert.labels.get("severity") != "page", -(v.alert.fired_at or 0)))
        resolved = [self._view(alert) for alert in state.load_resolved(self._core.connection, limit=20)]
        return NowView(
            at=self._core.engine.now,
            firing=firing,
            resolved=resolved,
            apps=self._apps(),
            undelivered=outbox.pending(self._core.connection),
        )

    def alerts(self) -> list[AlertView]:
        """Return the alerts that fire or are pending."""
        return [self._view(a) for a in self._core.engine.alerts() if a.state is not State.INACTIVE]

    def alert(self, fingerprint: str) -> AlertPage | None:
        """Return all about one alert; None if it never fired."""
        episodes = state.load_episodes(self._core.connection, limit=20, fingerprint=fingerprint)
        live = self._core.engine.find(fingerprint)
        current = live if live is not None and live.state is State.FIRING else next(iter(episodes), None)
        if current is None or current.rule not in self._core.engine.rules:
            return None
        key = (current.labels.get("app", ""), current.labels.get("environment", ""))
        return AlertPage(
            current=self._view(current),
            episodes=[self._view(alert) for alert in episodes],
            rule=self._core.engine.rules[current.rule],
            ledger=self.ledger(limit=50, subject=fingerprint),
            deliveries=outbox.recent(self._core.connection, limit=20, fingerprint=fingerprint),
            minutes=self._core.engine.history().get(key, []),
        )

    def ledger(self, *, limit: int, subject: str | None = None, what: str | None = None) -> list[Decision]:
        """Return rows of the ledger, newest first."""
        waiting = [d for d in self._core.uncommitted() if subject in (None, d.subject) and what in (None, d.what)]
        stored = state.load_decisions(self._core.connection, limit=limit, subject=subject, what=what)
        return [*reversed(waiting), *stored][:limit]

    def deliveries(self, *, limit: int) -> list[DeliveryRow]:
        """Return deliveries, newest first."""
        return outbox.recent(self._core.connection, limit=limit)

    def rules(self) -> list[RuleView]:
        """Return the rules."""
        firing = [alert.rule for alert in self._core.engine.firing()]
        return [
            RuleView(
                alert=rule.alert,
                severity=rule.severity,
                kind=type(rule.condition).__name__,
                by=list(rule.by),
                match=[str(m) for m in rule.match],
                keep_firing_for=format_duration(rule.keep_firing_for_s),
                hash=rule.hash,
                firing=firing.count(rule.id),
            )
            for rule in self._core.engine.rules.values()
        ]

    def _view(self, alert: Alert) -> AlertView:
        rule = self._core.engine.rules.get(alert.rule) or next(iter(self._core.engine.rules.values()))
        live = {State.FIRING: "firing", State.PENDING: "pending", State.INACTIVE: "resolved"}
        return AlertView(
            state=live[alert.state],
            message=message(alert, rule, external_url=self.external_url),
            alert=alert,
            held_back_by=self._core.notifier.state.held_back.get(alert.fingerprint, ""),
        )

    def _apps(self) -> list[AppView]:
        engine = self._core.engine
        recent = engine.recent()
        firing = [(a.labels.get("app", ""), a.labels.get("environment", "")) for a in engine.firing()]
        apps = [
            AppView(
                app=app,
                environment=environment,
                minutes=minutes,
                calls=recent[app, environment][0],
                failed=recent[app, environment][1],
                firing=firing.count((app, environment)),
            )
            for (app, environment), minutes in engine.history().items()
        ]
        return sorted(apps, key=lambda v: (-v.firing, -v.failed, v.app, v.environment))
