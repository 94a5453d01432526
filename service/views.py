"""Views: what the API and the page show, gathered in the core's thread in one go.

≠ HTTP, HTML.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec

from alerts import received as posting
from alerts.decisions import Decision, What
from alerts.labels import Labels
from alerts.lifecycle import Alert, State
from alerts.notification import AlertMessage, Status
from alerts.notifier_state import Received
from alerts.rules import Rule
from alerts.wording import message

from .budget_views import BudgetView, budget_views
from .core import Core
from .rule_texts import from_text
from .rule_views import RuleText, RuleView, rule_text, rule_views
from .storage import ledger, outbox, state
from .storage.ledger import Wanted
from .storage.outbox import DeliveryRow
from .telling_views import AckView, SilencedBy, Telling, ack_view, silenced_by, telling_view

_MOST = 1000


class AlertView(msgspec.Struct, kw_only=True):
    """One episode of an alert, as people see it.

    Attributes:
        state: "firing", "pending" or "resolved".
        message: The words a page has for it.
        alert: All that is known of it.
        held_back_by: The fingerprint of the alert that inhibits it; "" is none.
        held_back: By what: "inhibited <fingerprint>", "silenced <id>", "muted <time interval>"; "" is nothing.
        ack: Who looks after it now; `alert.acked_by` says who did so last in this episode.
        silences: Those in force that match it while it fires.
        posted: Whether somebody posted it, or Claxon says it of itself: no rule of the configuration decided it.
    """

    state: str
    message: AlertMessage
    alert: Alert
    held_back_by: str = ""
    held_back: str = ""
    ack: AckView | None = None
    silences: list[SilencedBy] = []
    posted: bool = False


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
        firing: Pages first, newest first; with their words, if they were chosen.
        resolved: Newest first, at most 20.
        apps: Those with trouble first.
        undelivered: Notifications that wait.
    """

    at: float
    firing: list[AlertView]
    resolved: list[AlertView]
    apps: list[AppView]
    undelivered: int


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What of the front page is told in full.

    Attributes:
        alerts: Those that get their words.
        apps: (app, environment) of those that get their minutes.
    """

    alerts: list[AlertView]
    apps: set[tuple[str, str]]


class AlertPage(msgspec.Struct, kw_only=True):
    """All about one alert.

    Attributes:
        current: As it is, or was last.
        episodes: Newest first.
        rule: As it was when the alert fired; None for one that was posted.
        ledger: Why, newest first.
        deliveries: Who was told, newest first.
        minutes: (start of the minute in Unix seconds, calls, failed) of its app.
        holds_back: Fingerprints of the alerts that it inhibits now.
        telling: How people are told of it.
        source: Where the cause of a posted alert can be seen; "" is unknown.
    """

    current: AlertView
    episodes: list[AlertView]
    rule: Rule | None
    ledger: list[Decision]
    deliveries: list[DeliveryRow]
    minutes: list[tuple[int, int, int]]
    holds_back: list[str]
    telling: Telling
    source: str = ""


class HeldBack(msgspec.Struct, kw_only=True):
    """An alert that nobody was told of, for another one is its cause.

    Attributes:
        fingerprint, labels: Of the alert.
        at: When it was held back, Unix seconds.
    """

    fingerprint: str
    labels: Labels
    at: float


class Explained(msgspec.Struct, kw_only=True):
    """One alert, and why: the answer of the API.

    Attributes:
        current: As it is, or was last.
        episodes: Newest first.
        rule: As it was when the alert fired; null for one that was posted.
        ledger: Its decisions, newest first.
        deliveries: Who was told, and what they answered, newest first.
        held_back: What was not told of in this episode because of it.
        telling: Who is told of it, and when next.
    """

    current: AlertView
    episodes: list[AlertView]
    rule: RuleText | None
    ledger: list[Decision]
    deliveries: list[DeliveryRow]
    held_back: list[HeldBack]
    telling: Telling


def _all(found: NowView) -> Chosen:
    return Chosen(alerts=found.firing, apps={(app.app, app.environment) for app in found.apps})


_UNSAID = AlertMessage(
    status=Status.FIRING,
    labels={},
    annotations={},
    starts_at=0.0,
    ends_at=None,
    url="",
    ack_url="",
    fingerprint="",
    episode=0,
    summary="",
    since=0.0,
    measured="",
    errors="",
    blame="",
    advice="",
    request_ids=[],
    resolve_reason="",
    rule_hash="",
)
"""In place of the words of an alert that nobody reads."""


def inhibitor(held_back: str) -> str:
    """Return the fingerprint of the alert that holds another back; "" if no alert does."""
    kind, _, by = held_back.partition(" ")
    return by if kind == "inhibited" else ""


def _attention(view: AlertView) -> tuple[bool, bool, float]:
    """Those first that nobody looks after and that people are told of."""
    return bool(view.held_back or view.ack or view.silences), *_gravity(view)


def _gravity(view: AlertView) -> tuple[bool, float]:
    return view.alert.labels.get("severity") != "page", -(view.alert.fired_at or 0)


class Views:
    """Gathers views; every method runs in the core's thread."""

    def __init__(self, core: Core, *, external_url: str, clock: Callable[[], float]) -> None:
        self._core = core
        self._clock = clock
        self.external_url = external_url
        self.grafana_url = ""
        self.places: Mapping[str, str] = {}
        self._former: dict[str, Rule | None] = {}

    @property
    def present(self) -> float:
        """The present: what people did counts from then, and the engine may not have come so far."""
        return max(self._clock(), self._core.engine.now)

    def now(self, choose: Callable[[NowView], Chosen] | None = None) -> NowView:
        """Return the front page; where there is a choice, only what is chosen of it is told in full."""
        firing = [*self._standing(self._core.engine.firing()), *self._posted(firing=True)]
        firing.sort(key=_gravity)
        resolved = [*self._shown(state.load_resolved(self._core.connection, limit=20)), *self._posted(firing=False)]
        resolved.sort(key=lambda v: -(v.alert.resolved_at or 0))
        found = NowView(
            at=self._core.engine.now,
            firing=firing,
            resolved=resolved[:20],
            apps=self._apps(),
            undelivered=outbox.pending(self._core.connection),
        )
        self._tell(found, choose(found) if choose is not None else _all(found))
        return found

    def _tell(self, found: NowView, chosen: Chosen) -> None:
        self._put_into_words(chosen.alerts)
        minutes = self._core.engine.history(chosen.apps)
        for app in found.apps:
            app.minutes = minutes.get((app.app, app.environment), [])

    def _put_into_words(self, views: Iterable[AlertView]) -> None:
        for view in views:
            rule = self.rule_of(view.alert) if view.message is _UNSAID else None
            if rule is not None:
                view.message = message(view.alert, rule, external_url=self.external_url)

    def alerts(self) -> list[AlertView]:
        """Return the alerts that fire or are pending, and those that were posted and fire."""
        decided = [a for a in self._core.engine.alerts() if a.state is not State.INACTIVE]
        return [*self._shown(decided), *self._posted(firing=True)]

    def standing(self, *, most: int) -> list[AlertView]:
        """Return alerts that fire, those first that need somebody, and then pending ones; at most so many, in words."""
        pending = [alert for alert in self._core.engine.alerts() if alert.state is State.PENDING]
        firing = [*self._standing(self._core.engine.firing()), *self._posted(firing=True)]
        firing.sort(key=_attention)
        found = [*firing, *self._standing(pending)][:most]
        self._put_into_words(found)
        return found

    def alert(self, fingerprint: str) -> AlertPage | None:
        """Return all about one alert; None if it never fired and nobody posted it."""
        received = self._core.notifier.state.received.get(fingerprint)
        if received is not None and self._is_posted(fingerprint):
            view = self._posted_view(fingerprint, received)
            return self._page(view, [view], None, source=received.generator_url)
        episodes = state.load_episodes(self._core.connection, limit=20, fingerprint=fingerprint)
        live = self._core.engine.find(fingerprint)
        current = live if live is not None and live.state is State.FIRING else next(iter(episodes), None)
        rule = self.rule_of(current) if current is not None else None
        if current is None or rule is None:
            return None
        return self._page(self._view(current, rule), self._shown(episodes), rule)

    def _page(self, current: AlertView, episodes: list[AlertView], rule: Rule | None, *, source: str = "") -> AlertPage:
        core, alert = self._core, current.alert
        key = (alert.labels.get("app", ""), alert.labels.get("environment", ""))
        return AlertPage(
            current=current,
            episodes=episodes,
            rule=rule,
            ledger=self.ledger(Wanted(subject=alert.fingerprint), limit=50),
            deliveries=outbox.recent(core.connection, limit=20, fingerprint=alert.fingerprint),
            minutes=core.engine.history({key}).get(key, []),
            holds_back=core.notifier.holds_back(alert.fingerprint),
            telling=telling_view(core.notifier, alert, self.present),
            source=source,
        )

    def explained(self, fingerprint: str) -> Explained | None:
        """Return one alert, and why; None if it never fired."""
        page = self.alert(fingerprint)
        if page is None:
            return None
        return Explained(
            current=page.current,
            episodes=page.episodes,
            rule=self._text_of(page.rule),
            ledger=page.ledger,
            deliveries=page.deliveries,
            held_back=self._held_back(page.current.alert),
            telling=page.telling,
        )

    def _text_of(self, rule: Rule | None) -> RuleText | None:
        if rule is None:
            return None
        return rule_text(rule, now=self._core.engine.rules.get(rule.id), place=self.places.get(rule.id, ""))

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

    def _standing(self, alerts: Iterable[Alert]) -> list[AlertView]:
        """Return alerts without their words."""
        return [self._as_view(alert, _UNSAID) for alert in alerts if self.rule_of(alert) is not None]

    def _view(self, alert: Alert, rule: Rule) -> AlertView:
        return self._as_view(alert, message(alert, rule, external_url=self.external_url))

    def _posted(self, *, firing: bool) -> list[AlertView]:
        """Return the alerts that were posted: those that fire, or those that are over."""
        state = self._core.notifier.state
        return [
            self._posted_view(name, received)
            for name, received in state.received.items()
            if self._is_posted(name) and (name in state.firing) == firing
        ]

    def posted(self) -> list[AlertView]:
        """Return the alerts that were posted, those that fire and those that are over."""
        return [*self._posted(firing=True), *self._posted(firing=False)]

    def _is_posted(self, name: str) -> bool:
        """Whether an alert is known from a post alone."""
        return self._core.engine.find(name) is None

    def _posted_view(self, name: str, received: Received) -> AlertView:
        live = self._core.notifier.state.firing.get(name)
        alert = live if live is not None else posting.as_alert(received, now=self._core.engine.now)
        url = f"{self.external_url.rstrip('/')}/alerts/{name}"
        view = self._as_view(alert, posting.message(received, alert, url=url, ack_url=f"{url}#acknowledge"))
        view.posted = True
        return view

    def _as_view(self, alert: Alert, said: AlertMessage) -> AlertView:
        live = {State.FIRING: "firing", State.PENDING: "pending", State.INACTIVE: "resolved"}
        notifier, now = self._core.notifier, self.present
        held_back = notifier.held_back(alert.fingerprint)
        return AlertView(
            state=live[alert.state],
            message=said,
            alert=alert,
            held_back_by=inhibitor(held_back),
            held_back=held_back,
            ack=ack_view(notifier, alert, now),
            silences=silenced_by(notifier, alert, now),
        )

    def _apps(self) -> list[AppView]:
        engine = self._core.engine
        alerts = self._core.notifier.state.firing.values()
        firing = Counter((a.labels.get("app", ""), a.labels.get("environment", "")) for a in alerts)
        apps = [
            AppView(
                app=app,
                environment=environment,
                minutes=[],
                calls=counts[0],
                failed=counts[1],
                firing=firing[app, environment],
            )
            for (app, environment), counts in engine.recent().items()
        ]
        return sorted(apps, key=lambda v: (-v.firing, -v.failed, v.app, v.environment))
