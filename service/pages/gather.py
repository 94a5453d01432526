"""All that one page shows, gathered in one go, so that no two parts of a page contradict each other.

Every function runs in the core's thread, and so must be short.

≠ HTML.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alerts.conditions import ErrorRate
from alerts.decisions import Decision
from alerts.lifecycle import Alert
from alerts.silences import SilenceState

from ..core import Core
from ..storage.ledger import Wanted
from ..storage.outbox import DeliveryRow
from ..views import AlertPage, Chosen, NowView, Views, inhibitor
from .chart import THRESHOLD

RECENT_S = 86_400.0
"""How long a delivery that was given up is warned of."""

_IN_FLIGHT_S = 10.0  # a first try may take so long before anybody worries
_LOOK_AT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """Notifications that did not reach anybody, newest first.

    Attributes:
        waiting: Were tried in vain, or wait for too long, and will be tried again.
        given_up: Will not, in the last day.
        undelivered: How many wait in all.
    """

    waiting: list[DeliveryRow]
    given_up: list[DeliveryRow]
    undelivered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What the front page shows.

    Attributes:
        silences: How many silences are in force.
    """

    view: NowView
    troubles: Troubles
    threshold: float
    silences: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class One:
    """What an alert's page shows.

    Attributes:
        page: The alert.
        firing: How many alerts fire in all.
        held_back_by: (fingerprint, name) of the alert that holds this one back.
        holder_fires: Whether that one fires still; the page that speaks for both outlives it.
        holds_back: The same of those that this one holds back.
    """

    page: AlertPage
    firing: int
    held_back_by: tuple[str, str] | None
    holder_fires: bool
    holds_back: list[tuple[str, str]]


def now(core: Core, views: Views, *, clock: float, choose: Callable[[NowView], Chosen]) -> Now:
    """Return what the front page shows."""
    view = views.now(choose)
    return Now(
        view=view,
        troubles=_troubles(views, view.undelivered, clock),
        threshold=_threshold(core),
        silences=sum(s.state(clock) is SilenceState.ACTIVE for s in core.notifier.state.silences.values()),
    )


def one(core: Core, views: Views, *, fingerprint: str) -> One | None:
    """Return what an alert's page shows; None if it never fired."""
    page = views.alert(fingerprint)
    if page is None:
        return None
    source = inhibitor(core.notifier.held_back(fingerprint)) or None
    return One(
        page=page,
        firing=firing(core),
        held_back_by=(source, _name(core, source)) if source is not None else None,
        holder_fires=source in core.notifier.state.firing,
        holds_back=[(name, _full_name(core, name)) for name in core.notifier.holds_back(fingerprint)],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What the ledger's page shows.

    Attributes:
        rows: Newest first.
        more: Whether there are older ones.
        firing: How many alerts fire in all.
        hash: Over all decisions of the engine so far.
        decisions: How many those are.
    """

    rows: list[Decision]
    more: bool
    firing: int
    hash: str
    decisions: int


def ledger(core: Core, views: Views, *, wanted: Wanted, limit: int) -> Ledger:
    """Return a part of the ledger."""
    rows = views.ledger(wanted, limit=limit + 1)
    return Ledger(
        rows=rows[:limit],
        more=len(rows) > limit,
        firing=firing(core),
        hash=core.engine.ledger_hash,
        decisions=core.engine.decided,
    )


def firing(core: Core) -> int:
    """Return how many alerts fire, those that were posted too."""
    return len(core.notifier.state.firing)


def _find(core: Core, fingerprint: str) -> Alert | None:
    return core.engine.find(fingerprint) or core.notifier.state.firing.get(fingerprint)


def _name(core: Core, fingerprint: str) -> str:
    alert = _find(core, fingerprint)
    return alert.labels.get("alertname", fingerprint) if alert is not None else fingerprint


def _full_name(core: Core, fingerprint: str) -> str:
    """Return name and severity: one rule may hold a page and a ticket."""
    alert = _find(core, fingerprint)
    severity = alert.labels.get("severity", "") if alert is not None else ""
    return f"{_name(core, fingerprint)} ({severity})" if severity else _name(core, fingerprint)


def _troubles(views: Views, undelivered: int, clock: float) -> Troubles:
    rows = views.deliveries(limit=_LOOK_AT)
    waiting = [r for r in rows if r.state == "pending" and (r.attempts or clock - r.created_at > _IN_FLIGHT_S)]
    given_up = [r for r in rows if r.state == "failed" and clock - (r.ended_at or r.created_at) < RECENT_S]
    seen = sum(1 for r in rows if r.state == "pending")
    # What is not among the newest rows has waited long enough to be worth a word.
    late = len(waiting) + max(0, undelivered - seen)
    return Troubles(waiting=waiting, given_up=given_up, undelivered=late)


def _threshold(core: Core) -> float:
    """Return the least error rate that a rule asks about."""
    conditions = [rule.condition for rule in core.engine.rules.values()]
    return min((c.above for c in conditions if isinstance(c, ErrorRate)), default=THRESHOLD)
