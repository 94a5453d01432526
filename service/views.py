"""Views: what the API and the page show, gathered in the core's thread in one go.

≠ HTTP, HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from alerts.decisions import Decision, What
from alerts.labels import Labels
from alerts.lifecycle import Alert, State
from alerts.notification import AlertMessage
from alerts.rules import Rule
from alerts.wording import message

from .budget_views import BudgetView, budget_views
from .core import Core
from .rule_texts import from_text
from .rule_views import RuleText, RuleView, rule_text, rule_views
from .storage import ledger, outbox, state
from .storage.ledger import Wanted
from .storage.outbox import DeliveryRow

_MOST = 1000


class AlertView(msgspec.Struct, kw_only=True):
    """One episode of an alert, as people see it.

    Attributes:
        state: "firing", "pending" or "resolved".
        message: The words a page has for it.
        alert: All that is known of it.
        held_back_by: The fingerprint of the alert that inhibits it; "" is none.
        held_back: By what: "inhibited <fingerprint>", "silenced <id>", "muted <time interval>"; "" is nothing.
    """

    state: str
    message: AlertMessage
    alert: Alert
    held_back_by: str = ""
    held_back: str = ""


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
    """All about one alert.

    Attributes:
        current: As it is, or was last.
        episodes: Newest first.
        rule: As it was when the alert fired.
        ledger: Why, newest first.
        deliveries: Who was told, newest first.
        minutes: (start of the minute in Unix seconds, calls, failed) of its app.
        holds_back: Fingerprints of the alerts that it inhibits now.
    """

    current: AlertView
    episodes: list[AlertView]
    rule: Rule
    ledger: list[Decision]
    deliveries: list[DeliveryRow]
    minutes: list[tuple[int, int, int]]
    holds_back: list[str]


class HeldBack(msgspec.Struct, kw_only=True):
    """An alert that nobody was told of, for another one is its cause."""

    fingerprint: str
    labels: Labels
    at: float


class Explained(msgspec.Struct, kw_only=True):
    """One alert, and why: the answer of the API.

    Attributes:
        current: As it is, or was last.
        episodes: Newest first.
        rule: As it was when the alert fired.
        ledger: Its decisions, newest first.
        deliveries: Who was told, and what they answered, newest first.
        held_back: What was not told of in this episode because of it.
    """

    current: AlertView
    episodes: list[AlertView]
    rule: RuleText
    ledger: list[Decision]
    deliveries: list[DeliveryRow]
    held_back: list[HeldBack]


def inhibitor(held_back: str) -> str:
    """Return the fingerprint of the alert that holds another back; "" if no alert does."""
    kind, _, by = held_back.partition(" ")
    return by if kind == "inhibited" else ""


class Views:
    """Gathers views; every method runs in the core's thread."""

    def __init__(self, core: Core, *, external_url: str) -> None:
        self._core = core
        self.external_url = external_url
        self.places: Mapping[str, str] = {}
        self._former: dict[str, Rule | None] = {}

    def now(self) -> NowView:
        """Return the front page."""
        firing = self._shown(self._core.engine.firing())
        firing.sort(key=lambda v: (v.alert.labels.get("severity") != "page", -(v.alert.fired_at or 0)))
        resolved = self._shown(state.load_resolved(self._core.connection, limit=20))
        return NowView(
            at=self._core.engine.now,
            firing=firing,
            resolved=resolved,
            apps=self._apps(),
            undelivered=outbox.pending(self._core.connection),
        )

    def alerts(self) -> list[AlertView]:
        """Return the alerts that fire or are pending."""
        return self._shown([a for a in self._core.engine.alerts() if a.state is not State.INACTIVE])

    def alert(self, fingerprint: str) -> AlertPage | None:
        """Return all about one alert; None if it never fired."""
        episodes = state.load_episodes(self._core.connection, limit=20, fingerprint=fingerprint)
        live = self._core.engine.find(fingerprint)
        current = live if live is not None and live.state is State.FIRING else next(iter(episodes), None)
        rule = self.rule_of(current) if current is not None else None
        if current is None or rule is None:
            return None
        key = (current.labels.get("app", ""), current.labels.get("environment", ""))
        return AlertPage(
            current=self._view(current, rule),
            episodes=self._shown(episodes),
            rule=rule,
            ledger=self.ledger(Wanted(subject=fingerprint), limit=50),
            deliveries=outbox.recent(self._core.connection, limit=20, fingerprint=fingerprint),
            minutes=self._core.engine.history().get(key, []),
            holds_back=self._core.notifier.holds_back(fingerprint),
        )

    def explained(self, fingerprint: str) -> Explained | None:
        """Return one alert, and why; None if it never fired."""
        page = self.alert(fingerprint)
        if page is None:
            return None
        current = self._core.engine.rules.get(page.rule.id)
        return Explained(
            current=page.current,
            episodes=page.episodes,
            rule=rule_text(page.rule, now=current, place=self.places.get(page.rule.id, "")),
            ledger=page.ledger,
            deliveries=page.deliveries,
            held_back=self._held_back(page.current.alert),
        )

    def _held_back(self, cause: Alert) -> list[HeldBack]:
        wanted = Wanted(what=What.INHIBITED, app=cause.labels.get("app"), since=cause.fired_at, until=cause.resolved_at)
        rows = self.ledger(wanted, limit=_MOST)
        by = {row.subject: row for row in rows if row.note.endswith(f" {cause.fingerprint}")}
        return [HeldBack(fingerprint=name, labels=row.labels, at=row.at) for name, row in by.items()]

    def ledger(self, wanted: Wanted, *, limit: int) -> list[Decision]:
        """Return rows of the ledger, newest first."""
        waiting = [row for row in self._core.uncommitted() if wanted.takes(row)]
        stored = ledger.find(self._core.connection, wanted, limit=limit)
        return sorted([*reversed(waiting), *stored], key=lambda row: -row.at)[:limit]

    def proof(self) -> dict[str, object]:
        """Return the chain over all decisions of the engine, and how many it covers."""
        engine = self._core.engine
        return {"hash": engine.ledger_hash, "decisions": engine.decided}

    def deliveries(self, *, limit: int) -> list[DeliveryRow]:
        """Return deliveries, newest first."""
        return outbox.recent(self._core.connection, limit=limit)

    def rules(self) -> list[RuleView]:
        """Return the rules in force, and how each does."""
        faults: dict[str, Decision] = {}
        for row in self.ledger(Wanted(what="rule_failed"), limit=_MOST):
            faults.setdefault(row.rule, row)
        return rule_views(self._core.engine, places=self.places, faults=faults)

    def budgets(self) -> list[BudgetView]:
        """Return the error budgets, those that are spent most first."""
        return budget_views(self._core.engine)

    def rule_of(self, alert: Alert) -> Rule | None:
        """Return the rule by which an alert fired, with the text it had then; None if nobody knows it any more."""
        current = self._core.engine.rules.get(alert.rule)
        if current is not None and alert.rule_hash in ("", current.hash):
            return current
        if alert.rule_hash not in self._former:
            text = state.load_rule_text(self._core.connection, alert.rule_hash)
            self._former[alert.rule_hash] = from_text(text)[0] if text is not None else None
        return self._former[alert.rule_hash] or current

    def _shown(self, alerts: Iterable[Alert]) -> list[AlertView]:
        return [self._view(alert, rule) for alert in alerts if (rule := self.rule_of(alert)) is not None]

    def _view(self, alert: Alert, rule: Rule) -> AlertView:
        live = {State.FIRING: "firing", State.PENDING: "pending", State.INACTIVE: "resolved"}
        held_back = self._core.notifier.held_back(alert.fingerprint)
        return AlertView(
            state=live[alert.state],
            message=message(alert, rule, external_url=self.external_url),
            alert=alert,
            held_back_by=inhibitor(held_back),
            held_back=held_back,
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
