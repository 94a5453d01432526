"""The history of alerts: what fired, what it came to, who was told, who looked after it, why it ended.

≠ HTTP, HTML, what the ledger's rows mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alerts.decisions import Decision, What
from alerts.lifecycle import Alert
from alerts.notification import AlertMessage
from alerts.rules import Rule
from alerts.wording import message

from .preview import told_by
from .rule_texts import from_text
from .storage import episodes, ledger, state
from .storage.connecting import Connection
from .storage.database import StorageError
from .storage.episodes import Place, Sought, Stretch
from .storage.ledger import Wanted
from .views import AlertView

WEEK_S = 7 * 86_400.0

_STRETCHES = 5000
_ROWS = 100  # of the ledger, about one episode
_HELD = frozenset({What.INHIBITED, What.SILENCED, What.MUTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One episode.

    Attributes:
        said: It in words; None where nobody knows its rule any more.
        told: Who was told, as far as the ledger goes back.
        held: What kept it from being told; None if nothing did.
    """

    alert: Alert
    said: AlertMessage | None
    told: list[str]
    held: Decision | None

    @property
    def place(self) -> Place:
        """Where it stands in the order."""
        return place_of(self.alert)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A part of the history.

    Attributes:
        rows: Those that fired last first.
        more: Whether there are older ones.
        week: When alerts fired in the last 7 days, of whatever page.
        cut: Whether there were too many of these to be counted.
    """

    rows: list[Past]
    more: bool
    week: list[Stretch]
    cut: bool


def place_of(alert: Alert) -> Place:
    """Return where an episode stands in the order."""
    return (alert.fired_at or 0.0, alert.fingerprint, alert.episode)


def read(
    connection: Connection,
    sought: Sought,
    *,
    posted: Sequence[AlertView],
    rules: Mapping[str, Rule],
    now: float,
    limit: int,
    before: Place | None,
) -> Found:
    """Return a part of the history; to be run on a reader's connection.

    Args:
        connection: The database.
        sought: Which episodes.
        posted: Alerts that no rule decided; storage does not know their episodes.
        rules: In force, by id.
        now: Unix seconds.
        limit: How many episodes at most.
        before: Where the page before ended.
    """
    stored = episodes.find(connection, sought, limit=limit + 1, before=before)
    by_place = {place_of(alert): alert for alert in stored}
    views = {place_of(view.alert): view for view in posted if sought.takes(view.alert)}
    places = sorted([*by_place, *(p for p in views if before is None or p < before)], reverse=True)
    former: dict[str, Rule | None] = {}
    rows = []
    for place in places[:limit]:
        alert = by_place.get(place) or views[place].alert
        said = views[place].message if place in views else _said(connection, alert, rules, former)
        about = _about(connection, alert)
        rows.append(Past(alert=alert, said=said, told=told_by(about), held=_held(about)))
    week = episodes.stretches(connection, sought, since=now - WEEK_S, limit=_STRETCHES + 1)
    cut = len(week) > _STRETCHES
    week += [_stretch(view.alert) for view in views.values() if (view.alert.resolved_at or now) >= now - WEEK_S]
    return Found(rows=rows, more=len(places) > limit, week=week, cut=cut)


def _said(
    connection: Connection, alert: Alert, rules: Mapping[str, Rule], former: dict[str, Rule | None]
) -> AlertMessage | None:
    """Return an episode in words, by the rule as it was."""
    rule = rules.get(alert.rule)
    if rule is None or alert.rule_hash not in ("", rule.hash):
        if alert.rule_hash not in former:
            former[alert.rule_hash] = _former(connection, alert.rule_hash)
        rule = former[alert.rule_hash] or rule
    return message(alert, rule, external_url="") if rule is not None else None


def _former(connection: Connection, name: str) -> Rule | None:
    text = state.load_rule_text(connection, name)
    try:
        return from_text(text)[0] if text is not None else None
    except StorageError:
        return None


def _about(connection: Connection, alert: Alert) -> list[Decision]:
    """Return what the ledger holds of one episode, newest first."""
    until = alert.resolved_at + 1e-6 if alert.resolved_at is not None else None
    return ledger.find(
        connection, Wanted(subject=alert.fingerprint, since=alert.fired_at or 0.0, until=until), limit=_ROWS
    )


def _held(about: Sequence[Decision]) -> Decision | None:
    return next((row for row in about if row.what in _HELD), None)


def _stretch(alert: Alert) -> Stretch:
    return Stretch(
        app=alert.labels.get("app", ""),
        environment=alert.labels.get("environment", ""),
        severity=alert.labels.get("severity", ""),
        fired_at=alert.fired_at or 0.0,
        ended_at=alert.resolved_at,
    )
